"""Effect: the judged model is registered as a candidate and, where evidence and policy allow, made champion.

Run twice, or killed and run again, it ends in the same state; see `clearance.promotion.release`.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
from pathlib import Path

from clearance import paths, stage
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.errors import ExitCode
from clearance.promotion import receipt as receipts
from clearance.promotion.release import release
from clearance.registry import stores  # noqa: F401 - a run imports MLflow once for both effects
from clearance.reporting import attempt_notice, summary, test_set_notice

logger = logging.getLogger(__name__)


def main() -> None:
    """Release the project in the working folder as of today, report what happened, leave a receipt."""
    root = Path.cwd()
    (root / paths.RELEASE_RECEIPT).unlink(missing_ok=True)
    receipt = ReleaseReceipt.create(**release(root, dt.datetime.now(dt.UTC).date()))
    receipt.write(root)
    verdict = attempt_notice.read_verdict(root)
    logger.info(summary.title(verdict))
    if candidate := receipt.candidate:
        logger.info("registered: %s", receipts.describe_version(candidate))
    if champion := receipt.champion:
        logger.info("champion: %s", receipts.describe_version(champion))
    for line in receipt.request:
        logger.info("%s", line)
    logger.info("%s: %s", receipt.status, receipt.reason)
    if attempt := receipt.attempt:
        attempt_notice.log(attempt.number, attempt.sentence, verdict.policy, logger)
    if uses := receipt.test_uses:
        test_set_notice.log(uses, verdict.policy, logger)
    if receipt.lapsed:
        logger.warning("lapsed: %s", receipt.lapsed)
        sys.exit(ExitCode.LAPSED)


if __name__ == "__main__":
    stage.run(main)
