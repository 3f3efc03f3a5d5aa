"""Modules imported once in the fork server, so that a process forked for a step need not import them again.

It decides whether a fork may run a module as `python -m` would. In doubt the fork starts Python afresh; a
file of the project that changed after its import is such a doubt.
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

from clearance import isolation

Stamp = tuple[int, int]


def module_call(command: str) -> list[str] | None:
    """`[module, argument, ...]` of a plain `python -m module argument ...`; None for any other command."""
    if any(character in command for character in "|&;<>()$`\\\n*?[#~{"):
        return None
    words = shlex.split(command)
    return words[2:] if len(words) > 2 and words[:2] == ["python", "-m"] else None


@dataclass
class PreloadedModules:
    """The modules imported so far, those still in the queue, and the files below `folder` they came from."""

    folder: Path
    queue: deque[str] = field(default_factory=deque)
    imported: set[str] = field(default_factory=set)
    sources: dict[str, Stamp] = field(default_factory=dict)

    def enqueue(self, modules: Iterable[str]) -> None:
        """Put modules in the queue, in this order."""
        self.queue.extend(name for name in modules if name not in self.queue)

    def import_next(self) -> None:
        """Import the first module of the queue. If that fails here, it fails again, visibly, in its child."""
        name = self.queue.popleft()
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
            self.imported.add(name)
        self._stamp_sources()
        sys.stdout.flush()
        gc.freeze()  # keeps a fork's collector off the pages it shares with us

    def import_first(self, name: str) -> None:
        """Import `name` before the others, if it is in the queue."""
        if name in self.queue:
            self.queue.remove(name)
            self.queue.appendleft(name)
            self.import_next()

    def can_run(self, name: str) -> bool:
        """Whether a fork may run `name`: imported, its sources unchanged, and no thread running here."""
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
        if not self.can_run(call[0]):
            os.execv(sys.executable, isolation.command("-m", *call))  # noqa: S606
        _run_module(call[0], call[1:])


def _stamp(path: str) -> Stamp:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _run_module(name: str, arguments: list[str]) -> NoReturn:
    """Do what `python -m name` does, then exit without tearing down a large interpreter (two seconds)."""
    package, _, leaf = name.rpartition(".")
    del sys.modules[name]
    if package:
        delattr(sys.modules[package], leaf)
    sys.argv = [name, *arguments]
    status = 0
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = _exit_status(end.code)
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
