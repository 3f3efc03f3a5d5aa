"""The stages and effects that DVC or a flow runs, one file each: `python -m tasks.train` runs one.

Each is a thin `main()` around one pure function. The settings of the underlying tools must be in place before
the first of them is imported, so they are applied here.
"""

from pathlib import Path

from clearance import environment

environment.apply(Path.cwd())
