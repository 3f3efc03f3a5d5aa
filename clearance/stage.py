"""Runs a step's `main` as a process: log lines, one clear error, exit code.

Used by every `python -m tasks.<step>`. It decides nothing about the data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from clearance.errors import ClearanceError, ExitCode


def run(main: Callable[[], None]) -> NoReturn:
    """Run one step in the working folder and end the process with its exit code.

    A ClearanceError is printed with its hint. Any other exception is a defect and keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main()
    except ClearanceError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.PASS)
