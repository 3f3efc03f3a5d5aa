"""Which attempt at its model the last verdict is, as `track` or `release` counted it outside every stage.

`reports/verdict.json` is the verdict on a first attempt, the same wherever the pipeline ran. Where the policy
spends its level over attempts, the verdict on a later one is judged again here, from the same evidence.
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Any

from clearance import files, params, paths
from clearance.documents.verdict_document import PolicyReport, VerdictDocument
from clearance.policy import project_verdict
from clearance.policy.attempt_terms import AttemptTerms

RECORD_FILE = paths.ATTEMPTS


def record(root: Path, number: int, sentence: str) -> None:
    """Record the count for the present verdict, for `latest` and `read_verdict` to read."""
    content = {"verdict": files.sha256(root / paths.VERDICT), "number": number, "sentence": sentence}
    files.write_json(root / RECORD_FILE, content)


def read_verdict(root: Path) -> VerdictDocument:
    """The last verdict of the project at `root`, as the attempt that was counted; else as a first attempt.

    Raises IntegrityError when the verdict, or the count, is not readable.
    """
    verdict = VerdictDocument.read(root)
    number, terms = _count(root).get("number", 1), _terms(verdict.policy)
    if number == 1 or terms is None or not terms.spend:
        return verdict
    return project_verdict.judge(params.load(root / paths.PARAMS), root, number)


def latest(root: Path, policy: PolicyReport) -> tuple[str, bool]:
    """The last count in the project at `root` as a sentence, and whether it is a warning by the policy."""
    count = _count(root)
    if not count:
        return "the attempts at this model have not been counted yet: run `clearance track`", False
    return notice(count["number"], count["sentence"], policy)


def notice(number: int, sentence: str, policy: PolicyReport) -> tuple[str, bool]:
    """The sentence of a count, and whether it is a warning: from the attempt that the policy names on."""
    terms = _terms(policy)
    limit = terms.warn_from if terms else None
    if limit is None or number < limit:
        return sentence, False
    return (
        f"{sentence}. The more often a model is tried, the likelier one passes by chance; "
        f"the policy warns from attempt {limit} on",
        True,
    )


def log(number: int, sentence: str, policy: PolicyReport, logger: logging.Logger) -> None:
    """Log the count in a sentence, as a warning from the attempt that the policy names on."""
    text, is_warning = notice(number, sentence, policy)
    logger.log(logging.WARNING if is_warning else logging.INFO, "%s", text)


def _count(root: Path) -> dict[str, Any]:
    """The count of the present verdict; empty where it was not counted."""
    content: dict[str, Any] = files.read_json(root / RECORD_FILE) if (root / RECORD_FILE).exists() else {}
    number = content.get("number")
    current = content.get("verdict") == files.sha256(root / paths.VERDICT)
    return content if current and type(number) is int and number >= 1 else {}


def _terms(policy: PolicyReport) -> AttemptTerms | None:
    """What the policy says of attempts, where it is in force on the day of the verdict."""
    terms = AttemptTerms.model_validate(policy.attempts) if policy.attempts else None
    in_force = terms is not None and terms.in_force(dt.date.fromisoformat(policy.as_of))
    return terms if in_force else None
