"""Makes an environment from locks: new, and with nothing in it but packages whose hashes they pin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clearance import isolation
from clearance.reproduction import faults

_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
_HOURS = 3600.0
_HASHES = ("--require-hashes", "--only-binary", ":all:")

FROM_SOURCE = ("antlr4-python3-runtime",)
"""Packages without a wheel: they are built from their source, whose hash is pinned, by what the lock pins."""

_BUILD_TOOL = re.compile(r"^setuptools==.*\n(?:[ \t]+.*\n?)*", re.MULTILINE)


def make(locks: Sequence[Path], folder: Path) -> str:
    """The interpreter of a new environment in `folder` that holds exactly what the files `locks` pin.

    Every package must have a pinned hash and be a wheel, so that nothing runs while it is installed; the
    set-up of those in `FROM_SOURCE` does run. Raises UnavailableError when pip cannot install one.
    """
    python = folder / "bin" / "python"
    base = str(getattr(sys, "_base_executable", sys.executable))
    _run([base, "-I", "-m", "venv", str(folder)])
    install = [str(python), "-I", *_PIP, *_HASHES]
    build_tools = [match[0] for lock in locks for match in _BUILD_TOOL.finditer(lock.read_text("utf-8"))]
    if build_tools:
        own = folder / "build-requirements.lock"
        own.write_text(build_tools[0], encoding="utf-8")
        _run([*install, "--requirement", str(own)])
    sources = [word for name in FROM_SOURCE for word in ("--no-binary", name)]
    requirements = [word for lock in locks for word in ("--requirement", str(lock))]
    _run([*install, *sources, "--no-build-isolation", *requirements])
    return str(python)


def _run(words: list[str]) -> None:
    variables = isolation.effect_variables(os.environ, signs=False)  # where the index is, and how to reach it
    result = subprocess.run(  # noqa: S603 - Python itself
        words, env=variables, capture_output=True, text=True, timeout=_HOURS, check=False
    )
    if result.returncode:
        lines = [line for line in result.stderr.strip().splitlines() if line] or [
            f"status {result.returncode}"
        ]
        raise faults.ENVIRONMENT_NOT_MADE(reason=lines[-1].removeprefix("ERROR: "))
