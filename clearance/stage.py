"""How a step's `main` meets the process it runs in: log, one clear error, exit code.

Used by every `python -m tasks.<step>`; it never decides anything about the data.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import NoReturn

from clearance.errors import ClearanceError, ExitCode


def run(main: Callable[[], None]) -> NoReturn:
    """Run one step in the working folder and leave the process with its exit code.

    A ClearanceError prints its fault and its mend; any other exception is a defect and keeps its traceback.
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
