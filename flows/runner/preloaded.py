"""Warmth: modules imported once, so that a process forked for a step need not import them again.

It decides whether a fork may run a module as `python -m` would; when in doubt, the fork starts
Python afresh. A first-party file that changed after its import is such a doubt.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import runpy
import shlex
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

Stamp = tuple[int, int]


def module_call(command: str) -> list[str] | None:
    """`[module, argument, ...]` of a plain `python -m module argument ...`; None for any other command."""
    if any(mark in command for mark in "|&;<>()$`\\\n*?[#~{"):
        return None
    words = shlex.split(command)
    return words[2:] if len(words) > 2 and words[:2] == ["python", "-m"] else None


@dataclass
class PreloadedModules:
    """The modules imported so far, those still wanted, and the files below `folder` they came from."""

    folder: Path
    wanted: deque[str] = field(default_factory=deque)
    imported: set[str] = field(default_factory=set)
    sources: dict[str, Stamp] = field(default_factory=dict)

    def want(self, modules: Iterable[str]) -> None:
        """Put modules in the queue, in this order."""
        self.wanted.extend(name for name in modules if name not in self.wanted)

    def import_next(self) -> None:
        """Import the first module of the queue; one that fails here fails again, aloud, in its child."""
        name = self.wanted.popleft()
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
            self.imported.add(name)
        self._stamp_sources()
        sys.stdout.flush()
        gc.freeze()  # keeps the collector of a fork off the pages it shares with us

    def import_now(self, name: str) -> None:
        """Import `name` ahead of the others, if it is in the queue."""
        if name in self.wanted:
            self.wanted.remove(name)
            self.wanted.appendleft(name)
            self.import_next()

    def covers(self, name: str) -> bool:
        """Whether a fork may run `name`: imported, its sources as they were, and no thread beside us."""
        unchanged = all(_stamp(path) == stamp for path, stamp in self.sources.items())
        return name in self.imported and unchanged and threading.active_count() == 1

    def _stamp_sources(self) -> None:
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and path not in self.sources and Path(path).is_relative_to(self.folder):
                self.sources[path] = _stamp(path)

    def run(self, command: str) -> NoReturn:
        """Turn this process, just forked, into `command`; never returns."""
        call = module_call(command)
        if call is None:
            os.execv("/bin/sh", ["sh", "-c", command])  # noqa: S606 - the stage's own command
        if not self.covers(call[0]):
            os.execv(sys.executable, [sys.executable, "-m", *call])  # noqa: S606
        _run_module(call[0], call[1:])


def _stamp(path: str) -> Stamp:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _run_module(name: str, arguments: list[str]) -> NoReturn:
    """What `python -m name` does, then leave without taking a large interpreter apart (two seconds)."""
    package, _, leaf = name.rpartition(".")
    del sys.modules[name]
    if package:
        delattr(sys.modules[package], leaf)
    sys.argv = [name, *arguments]
    status = 0
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        status = _exit_status(leaving.code)
    except BaseException:  # noqa: BLE001 - as the interpreter does at its top level
        sys.excepthook(*sys.exc_info())
        status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _exit_status(code: object) -> int:
    if isinstance(code, int):
        return code & 0xFF
    if code is not None:
        sys.stderr.write(f"{code}\n")
    return 0 if code is None else 1
