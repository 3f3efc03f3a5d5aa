"""How often the same test rows have judged a model, in a sentence; a warning from the policy's limit on.

The count is MLflow's (`clearance.registry.test_set_uses`), kept outside every stage by `track` and `release`
and read here when somebody asks. It decides nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files

RECORD_FILE = Path(".clearance") / "test_uses.json"
SPLIT = Path("reports") / "split.json"


def notice(uses: int, policy: Mapping[str, Any]) -> tuple[str, bool]:
    """The count in a sentence, and whether it is a warning: from the use on that the policy names.

    `policy` is what a verdict says of its policy; one that names no limit, or none in force on the verdict's
    day, never makes it a warning.
    """
    sentence = f"these test rows have judged a model {'once' if uses == 1 else f'{uses} times'}"
    limit = policy.get("test_uses")
    if not limit or not _in_force(limit, policy["as_of"]) or uses < limit["warn_from"]:
        return sentence, False
    return (
        f"{sentence}: what passes them may have been chosen to pass them, so bring fresh test rows. "
        f"The policy warns from use {limit['warn_from']} on ({limit['kind']} limit, from "
        f"{limit['valid_from']}; source: {limit['source']})",
        True,
    )


def log(uses: int, policy: Mapping[str, Any], logger: logging.Logger) -> None:
    """Log the count in a sentence, as a warning from the use on that the policy names."""
    sentence, warns = notice(uses, policy)
    logger.log(logging.WARNING if warns else logging.INFO, "%s", sentence)


def record(root: Path, test_rows: str, uses: int, day: dt.date) -> None:
    """Note the count for the rows of this digest, for `last` to read."""
    noted = {"test_rows": test_rows, "uses": uses, "counted": day.isoformat()}
    files.write_json(root / RECORD_FILE, noted)


def latest(root: Path, policy: Mapping[str, Any]) -> tuple[str, bool] | None:
    """`told` by the last count in the project at `root`, and its day; None where no rows judge.

    Raises IntegrityError when the note, or the record of the split, is not readable.
    """
    split = files.read_json(root / SPLIT) if (root / SPLIT).exists() else {}
    if split.get("status") != "measured":
        return None
    noted = files.read_json(root / RECORD_FILE) if (root / RECORD_FILE).exists() else {}
    if noted.get("test_rows") != split["row_digests"]["test"]:
        return "how often these test rows have judged a model is not counted: run `clearance track`", False
    sentence, warns = notice(noted["uses"], policy)
    return f"{sentence} (counted on {noted['counted']})", warns


def _in_force(limit: Mapping[str, Any], as_of: str) -> bool:
    day = dt.date.fromisoformat(as_of)
    first, until = dt.date.fromisoformat(limit["valid_from"]), limit.get("valid_until")
    return first <= day and (until is None or day <= dt.date.fromisoformat(until))
