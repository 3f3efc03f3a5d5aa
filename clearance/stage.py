"""Runs a step's `main` as a process: log lines, one clear error, exit code.

Used by every `python -m tasks.<step>`. It decides nothing about the data.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from clearance import files, foreign_text
from clearance.errors import ClearanceError, ExitCode

PROGRESS = "progress: %d of %d %s"
"""The line by which a step says how far it is: done, of how many, of what."""

_HELP = frozenset({"-h", "--help"})


def run(main: Callable[[], None], arguments: str = "") -> NoReturn:
    """Run one step in the working folder and end the process with its exit code.

    With `--help` among its arguments it prints what the step does, and does nothing; `arguments` are what the
    step takes, for that help.
    A ClearanceError is printed with its hint, and so is what the operating system refuses. Any other
    exception is a defect and keeps its traceback. What is printed is inert.
    """
    if _HELP & set(sys.argv[1:]):
        sys.stdout.write(_help(main, arguments))
        sys.exit(ExitCode.PASS)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_InertFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        main()
    except (ClearanceError, OSError) as error:
        fault = fault_of(error)
        if fault is None:
            raise
        sys.stderr.write(f"{_inert(f'error: {fault}')}\n")
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.PASS)


def _help(main: Callable[[], None], arguments: str) -> str:
    """How to start the step, and what it does, from its own docstrings."""
    module = sys.modules[main.__module__]
    name = module.__spec__.name if module.__spec__ else module.__name__
    texts = [f"Usage: python -m {name} {arguments}".rstrip(), module.__doc__, main.__doc__]
    where = "Run it inside a project folder. A whole run is `clearance run`."
    return "\n\n".join([inspect.cleandoc(text) for text in texts if text] + [where]) + "\n"


def fault_of(error: Exception) -> ClearanceError | None:
    """The error to print: itself, or what the operating system refused; None for a defect."""
    return error if isinstance(error, ClearanceError) else files.system_fault(error)


class _InertFormatter(logging.Formatter):
    """Log lines in which foreign text is inert."""

    def format(self, record: logging.LogRecord) -> str:
        return _inert(super().format(record))


def _inert(text: str) -> str:
    return foreign_text.inert_lines(foreign_text.without_credentials(text))
