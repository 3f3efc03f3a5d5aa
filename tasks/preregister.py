"""Effect: the ledger learns how the trained model is going to be judged, before its test rows are scored.

A ledger that cannot take it stops no run: the bar then counts as set after the result, and a policy may
refuse to promote such a model. See `clearance.promotion.preregistration`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import stage
from clearance.errors import ClearanceError
from clearance.promotion import preregistration

logger = logging.getLogger(__name__)


def main() -> None:
    """Record it for the project in the working folder."""
    try:
        entry = preregistration.record(Path.cwd())
    except ClearanceError as error:
        logger.warning("not preregistered, so the bar counts as set after the result: %s", error)
        return
    if entry is not None:
        logger.info("preregistered: entry %d of the ledger states policy, test rows and seed", entry.number)


if __name__ == "__main__":
    stage.run(main)
