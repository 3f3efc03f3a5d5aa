"""Effect: a registered candidate becomes champion; see `clearance.promotion.promote`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from clearance import library, stage
from clearance.errors import ExitCode

logger = logging.getLogger(__name__)


def main() -> None:
    """Promote the candidate whose number is the only argument, as of today."""
    promotion = library.promote(Path.cwd(), int(sys.argv[1]))
    logger.info("%s: %s", promotion.ending.status, promotion.ending.reason)
    if not promotion.promoted:
        sys.exit(ExitCode.REFUSED)
    logger.info("champion: %s", promotion.champion)


if __name__ == "__main__":
    stage.run(main, "VERSION")
