"""Runs a module of the project with Python, the installed packages and the project, and nothing else.

    python -P -s isolation.py -m MODULE [ARGUMENT ...]

Installed packages come before the project, so no file of the project shadows one. The project's modules are
compiled from their source: neither a cached `.pyc` nor a compiled extension of the project is read. The file
imports only the standard library, because it runs before anything else can be trusted.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import os
import runpy
import shlex
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import NoReturn

_PR_SET_DUMPABLE = 4
FLAGS = ("-P", "-s")
"""No folder of the script, and no packages of the user. The variables of Python are not passed on at all."""

ALLOWED = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"),
        *("PYTHONHASHSEED", "PYTHONUNBUFFERED", "SOURCE_DATE_EPOCH"),
        *("DVC_ROOT", "DVC_STAGE", "DVC_NO_ANALYTICS", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR"),
        *("DVC_SYSTEM_CONFIG_DIR", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED", "MLFLOW_DISABLE_TELEMETRY"),
        *("MPLBACKEND", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT"),
    }
)
"""The variables that a stage is given, beside those whose names begin as in `ALLOWED_PREFIXES`."""

ALLOWED_PREFIXES = ("LC_", "OMP_", "GOMP_", "OPENBLAS_", "MKL_", "BLIS_", "MALLOC_")

SECRETS = ("CLEARANCE_SIGNER", "CLEARANCE_PASSPHRASE", "CRYPTO_SIGNER_PATH_PREFIX")
"""The variables that only the process that signs is given."""


def command(*arguments: str, python: str = sys.executable, options: Sequence[str] = ()) -> list[str]:
    """The command line that runs `python ARGUMENT ...` isolated; `options` are more of the interpreter's."""
    return [python, *FLAGS, *options, __file__, *arguments]


def variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a stage may see of the environment: no key, no passphrase, no token, no import path."""
    return {
        name: value for name, value in environ.items() if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def effect_variables(environ: Mapping[str, str] = os.environ, *, signs: bool) -> dict[str, str]:
    """What an effect may see: not Python's import settings, and the signer's secrets only if it `signs`."""
    hidden = () if signs else SECRETS
    return {
        name: value
        for name, value in environ.items()
        if name not in hidden and (name in ALLOWED or not name.startswith("PYTHON"))
    }


def write_python(folder: Path, python: str = sys.executable, options: Sequence[str] = ()) -> Path:
    """Write a `python` into `folder` that runs isolated, to be found first on PATH; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words = shlex.join(command(python=python, options=options))
    file = folder / "python"
    text = f'#!/bin/sh\nexec {words} "$@"\n'
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return folder


class SourceLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source alone: cached bytecode could say something else."""

    def get_code(self, fullname: str) -> CodeType:
        """The source, compiled."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def isolate(project: Path) -> None:
    """Let this process import from the standard library, installed packages and `project`, in this order."""
    home = str(project.resolve())
    details = (SourceLoader, importlib.machinery.SOURCE_SUFFIXES)
    installed = installed_path()
    packages = [*installed, *(str(Path(entry).resolve()) for entry in installed)]

    def find_in_project(path: str) -> importlib.machinery.FileFinder:
        if not _is_below(path, home) or any(_is_below(path, folder) for folder in packages):
            raise ImportError(path)  # an environment may lie in the project; its packages are installed
        return importlib.machinery.FileFinder(path, details)

    sys.path_hooks.insert(0, find_in_project)
    developed = (
        [] if (project / "clearance").is_dir() else [path for path in sys.path if path not in installed]
    )
    sys.path[:] = [*installed, home, *developed]  # a project without Clearance may use an editable one
    for path in list(sys.path_importer_cache):
        if _is_below(path, home):
            del sys.path_importer_cache[path]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def installed_path() -> list[str]:
    """The entries of `sys.path` that are the standard library's or hold installed packages, in order."""
    library = {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib")}
    own = {*library, *(str(Path(name) / "lib-dynload") for name in library)}
    own |= {str(Path(name).resolve()) for name in site.getsitepackages()}
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return [
        entry
        for entry in sys.path
        if entry and (str(Path(entry).resolve()) in own or Path(entry).name == archive)
    ]


def seal_process() -> None:
    """Keep this process's variables and memory from others of the same account, where the kernel can.

    On Linux, and not from root. A process that this one starts is open again.
    """
    _set_dumpable(0)


def unseal_process() -> None:
    """Undo `seal_process`."""
    _set_dumpable(1)


def _set_dumpable(value: int) -> None:
    if hasattr(library := ctypes.CDLL(None), "prctl"):
        library.prctl(_PR_SET_DUMPABLE, value, 0, 0, 0)


def is_isolated() -> bool:
    """Whether this process was started by this module: no inherited path, no packages of the user."""
    return bool(sys.flags.safe_path and sys.flags.no_user_site) and (
        getattr(sys.path_hooks[0], "__name__", "") == "find_in_project"
    )


def main() -> None:
    """Run the module that the arguments name; any other use of Python runs as it is."""
    arguments = sys.argv[1:]
    if len(arguments) < 2 or arguments[0] != "-m":
        _become([sys.executable, *FLAGS, *arguments])
    isolate(Path.cwd())
    sys.argv = arguments[1:]
    runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)


def _become(words: list[str]) -> NoReturn:
    os.execv(words[0], words)  # noqa: S606 - the interpreter that runs


if __name__ == "__main__":
    main()
