"""Effect: a registered candidate becomes champion; see `clearance.promotion.promote`."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from pathlib import Path

from clearance import params, paths, registry, stage
from clearance.errors import ExitCode
from clearance.promotion.next_step import Status
from clearance.promotion.promote import promote
from clearance.promotion.session import open_session
from clearance.trust.roles import Right

logger = logging.getLogger(__name__)


def main() -> None:
    """Promote the candidate named as the only argument, as of today."""
    root = Path.cwd()
    day = dt.datetime.now(dt.UTC).date()
    name = params.load(root / paths.PARAMS).name
    with open_session(root) as session:
        session.demand(Right.PROMOTE, name, f"promote {name}")
        ending, state = promote(session, registry.connect(), name, int(sys.argv[1]), day, asked=True)
    logger.info("%s: %s", ending.status, ending.reason)
    if ending.status not in (Status.PROMOTED, Status.CHAMPION):
        sys.exit(ExitCode.REFUSED)
    logger.info("champion: %s", state.champion)


if __name__ == "__main__":
    stage.run(main)
