"""How often the same test set has judged a model, in a sentence; a warning from the policy's limit on.

The count is MLflow's (`clearance.registry.test_set_uses`). `track` and `release` record it outside every
stage; it is read here for `clearance verdict` and the end of a run. It decides nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from clearance import files, paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.verdict_document import PolicyReport
from clearance.policy.test_set_limit import TestSetLimit

RECORD_FILE = paths.TEST_USES


def notice(uses: int, policy: PolicyReport, counted: str | None = None) -> tuple[str, bool]:
    """The count in a sentence, and whether it is a warning: from the use that the policy names on.

    `policy` is what a verdict records of its policy; without a limit in force on the verdict's day the count
    is never a warning. `counted` is the day of the count, to be stated in the sentence.
    """
    day = f" (as of {counted})" if counted else ""
    sentence = f"this test set has now been used to judge {uses} {'model' if uses == 1 else 'models'}{day}"
    limit = TestSetLimit.model_validate(policy.test_uses) if policy.test_uses else None
    in_force = limit is not None and limit.in_force(dt.date.fromisoformat(policy.as_of))
    if limit is None or not in_force or uses < limit.warn_from:
        return sentence, False
    return (
        f"{sentence}. Later models may have been chosen to pass it, so use fresh test rows. "
        f"The policy warns from use {limit.warn_from} on ({limit.kind} limit, from {limit.valid_from}; "
        f"source: {limit.source})",
        True,
    )


def log(uses: int, policy: PolicyReport, logger: logging.Logger) -> None:
    """Log the count in a sentence, as a warning from the use that the policy names on."""
    sentence, is_warning = notice(uses, policy)
    logger.log(logging.WARNING if is_warning else logging.INFO, "%s", sentence)


def record(root: Path, test_rows: str, uses: int, day: dt.date) -> None:
    """Record the count for the test rows of this digest, for `latest` to read."""
    files.write_json(root / RECORD_FILE, {"test_rows": test_rows, "uses": uses, "counted": day.isoformat()})


def latest(root: Path, policy: PolicyReport) -> tuple[str, bool] | None:
    """`notice` for the last count in the project at `root`; None when there are no test rows.

    Raises IntegrityError when the count, or the record of the split, is not readable.
    """
    split = SplitDocument.read(root) if (root / paths.SPLIT).exists() else None
    if split is None or isinstance(split, BlockedDocument):
        return None
    count = files.read_json(root / RECORD_FILE) if (root / RECORD_FILE).exists() else {}
    if count.get("test_rows") != split.row_digests["test"]:
        return "the uses of this test set have not been counted yet: run `clearance track`", False
    return notice(count["uses"], policy, count["counted"])
