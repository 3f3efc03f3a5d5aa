"""Effect: count new decisions and judge every window that is over; see `clearance.monitoring.run`.

It also writes the page and the metrics. It ends with the exit status of the worst look: 3 where a rule fails,
4 where evidence is insufficient, 5 where nothing was evaluated.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from clearance import paths, stage
from clearance.monitoring import overview, report, run
from clearance.serving import access

logger = logging.getLogger(__name__)


def main() -> None:
    """Watch the model of the project in the working folder."""
    root = Path.cwd()
    result = run.run(root, features=access.load(root).features)
    for line in report.lines(result):
        logger.info("%s", line)
    if result.terms is not None:
        page, metrics = root / paths.MONITORING_PAGE, root / paths.MONITORING_METRICS
        overview.write(root, result, page=page, metrics=metrics)
    sys.exit(result.outcome.exit_code)


if __name__ == "__main__":
    stage.run(main)
