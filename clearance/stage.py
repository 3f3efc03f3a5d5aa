"""Runs a step's `main` as a process: log lines, one clear error, exit code.

Used by every `python -m tasks.<step>`. It decides nothing about the data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from clearance import files, foreign_text
from clearance.errors import ClearanceError, ExitCode


def run(main: Callable[[], None]) -> NoReturn:
    """Run one step in the working folder and end the process with its exit code.

    A ClearanceError is printed with its hint, and so is what the operating system refuses. Any other
    exception is a defect and keeps its traceback. What is printed is inert.
    """
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


def fault_of(error: Exception) -> ClearanceError | None:
    """The error to print: itself, or what the operating system refused; None for a defect."""
    return error if isinstance(error, ClearanceError) else files.system_fault(error)


class _InertFormatter(logging.Formatter):
    """Log lines in which foreign text is inert."""

    def format(self, record: logging.LogRecord) -> str:
        return _inert(super().format(record))


def _inert(text: str) -> str:
    return foreign_text.inert_lines(foreign_text.without_credentials(text))
