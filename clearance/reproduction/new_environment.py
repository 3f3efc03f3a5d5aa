"""Makes an environment from locks: new, and with nothing in it but packages whose hashes they pin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clearance import isolation
from clearance.reproduction import faults

_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
_HOURS = 3600.0


def make(locks: Sequence[Path], folder: Path) -> str:
    """The interpreter of a new environment in `folder` that holds exactly what the files `locks` pin.

    Every package must be a wheel with a pinned hash, so that nothing runs while it is installed. Raises
    UnavailableError when pip cannot install one.
    """
    python = folder / "bin" / "python"
    base = str(getattr(sys, "_base_executable", sys.executable))
    _run([base, "-I", "-m", "venv", str(folder)])
    requirements = [word for lock in locks for word in ("--requirement", str(lock))]
    _run([str(python), "-I", *_PIP, "--require-hashes", "--only-binary", ":all:", *requirements])
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
