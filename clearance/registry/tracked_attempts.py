"""Which models were judged under a name, by what the tracking server holds.

What it holds is not proof: whoever may write there may change or delete it. Releases record it in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run

from clearance.documents.measurement import Outcome
from clearance.registry import test_set_uses
from clearance.registry.mlflow_server import MlflowServer, translated

NAME = "clearance.name"
MODEL = test_set_uses.MODEL
VERDICT = "clearance.verdict"
SOURCE = "clearance.evidence.data.origin.json"

_LONGEST = 200
_MOST = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class TrackedAttempt:
    """A run whose model was judged: its content, when it started (ms since 1970), and what was tried."""

    run_id: str
    fingerprint: str
    started: int
    outcome: str | None
    facts: Mapping[str, Any]


def find_attempts(server: MlflowServer, name: str) -> list[TrackedAttempt]:
    """The judged models of this name by content, oldest first, in all experiments; deleted runs count."""
    with translated(server.addresses[0]):
        runs = list(test_set_uses.search_runs(server, NAME, name))
    attempts = [_attempt(run) for run in runs if _is_judged(run)]
    oldest_first = sorted(attempts, key=lambda attempt: (attempt.started, attempt.run_id))
    return list({attempt.fingerprint: attempt for attempt in reversed(oldest_first)}.values())[::-1]


def _is_judged(run: Run) -> bool:
    tags = run.data.tags
    return MODEL in tags and _sha256(tags.get(test_set_uses.FINGERPRINT)) is not None


def _attempt(run: Run) -> TrackedAttempt:
    tags, params = run.data.tags, run.data.params
    seed = params.get("seed", "")
    overrides = {
        key.removeprefix("overrides."): text for key, text in params.items() if key.startswith("overrides.")
    }
    return TrackedAttempt(
        run_id=run.info.run_id,
        fingerprint=tags[test_set_uses.FINGERPRINT],
        started=run.info.start_time or 0,
        outcome=tags.get(VERDICT) if tags.get(VERDICT) in set(Outcome) else None,
        facts=attempt_facts(
            seed=int(seed) if re.fullmatch("[0-9]{1,10}", seed) else None,
            overrides=overrides,
            test_rows=tags.get(test_set_uses.TEST_ROWS),
            source=tags.get(SOURCE),
        ),
    )


def attempt_facts(
    *, seed: int | None, overrides: Mapping[str, str], test_rows: str | None, source: str | None
) -> dict[str, Any]:
    """What was tried, as the ledger records it: long texts cut, and no digest that is not one."""
    return {
        "seed": seed,
        "overrides": {
            key[:_LONGEST]: text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
            for key, text in sorted(overrides.items())[:_MOST]
        },
        "test_rows": _sha256(test_rows),
        "source": _sha256(source),
    }


def _sha256(text: str | None) -> str | None:
    return text if text is not None and _SHA256.fullmatch(text) else None
