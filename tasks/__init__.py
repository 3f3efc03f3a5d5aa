"""The steps: one file each, a pure function and a `main()`; `python -m tasks.train` runs one.

Settings of the tools underneath must stand before the first of them is imported, so they are set here.
"""

from pathlib import Path

from clearance import environment

environment.apply(Path.cwd())
