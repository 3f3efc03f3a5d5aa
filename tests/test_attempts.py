"""Attempts at a model name are counted since its last promotion, and deleting runs hides none of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from clearance import files, ledger, paths, registry
from clearance.approvals_api import service
from clearance.documents.attempt_level import AttemptLevel
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import Outcome
from clearance.ledger import EntryKind
from clearance.params import load
from clearance.policy import attempt_terms, project_verdict
from clearance.policy.attempt_terms import AttemptTerms
from clearance.promotion import attempts, decide, next_step, release, verify
from clearance.promotion.session import open_session
from clearance.reporting import attempt_notice, summary
from clearance.versioning import pipeline_state
from tasks import track
from tests.support import governed, judged

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

NAME = "loan-approval"
DAY = dt.date(2026, 11, 30)
DATED = {"kind": "engineering", "source": "the test", "valid_from": "2026-01-01"}
SPEND, WARN = {"spend": True, **DATED}, {"warn_from": 3, **DATED}


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def place(**options: Any) -> Path:
        return judged.settle_with_store(tmp_path / "project", monkeypatch, **options)

    return place


def attempt(root: Path, **options: Any) -> dict[str, Any]:
    """What another run of the project left is tracked and released."""
    judged.put(root, **options)
    track.main()
    return release.release(root, DAY)


def seed(number: int, **options: Any) -> dict[str, Any]:
    """The options of a run with this seed, set for the run alone."""
    return {"changes": {"seed": number, "overrides": {"seed": number}}, "model": number, **options}


def entries() -> list[ledger.Entry]:
    with ledger.open(f"sqlite:///{Path.cwd()}/{paths.LEDGER}") as book:
        return list(ledger.entries(book, model=NAME))


def counted(version: int, terms: AttemptTerms | None = None) -> attempts.AttemptCount:
    count = attempts.of_version(entries(), NAME, version, terms)
    assert count is not None
    return count


def verified(root: Path, version: int) -> dict[str, verify.Check]:
    with open_session(root) as session:
        checks = verify.verify(session, registry.connect(), NAME, version)
    return {check.name: check for check in checks}


def test_three_seeds_are_three_attempts_and_are_named_everywhere(settle: Callable[..., Path]) -> None:
    root = settle()
    attempt(root, **seed(1, verdict="fail"))
    attempt(root, **seed(2, verdict="insufficient_evidence"))
    result = attempt(root, **seed(3))
    count = counted(3)
    assert count.to_json() == {
        "number": 3,
        "since": None,
        "seeds": [1, 2, 3],
        "overrides": ["seed=1", "seed=2", "seed=3"],
        "same_source": 2,
        "earlier": [
            {"version": 1, "outcome": "fail", "seed": 1},
            {"version": 2, "outcome": "insufficient_evidence", "seed": 2},
        ],
    }
    assert result["attempt"] == {"number": 3, "sentence": str(count)}
    assert verified(root, 3)["attempts"].says == str(count)
    verdict = attempt_notice.read_verdict(root)
    assert summary.counts(root, verdict)[0] == str(count)
    assert str(count) in summary.markdown(verdict, root).lower()
    for fact in ("attempt 3", "seeds: 1, 2 and 3", "seed=2", "candidate 1 (fail)"):
        assert fact in str(count)


def test_the_same_content_again_is_the_same_attempt(settle: Callable[..., Path]) -> None:
    root = settle()
    attempt(root, **seed(1, verdict="fail"))
    before = len(entries())
    attempt(root, **seed(1, verdict="fail"))
    assert len(entries()) == before
    attempt(root, **seed(2))
    attempt(root, **seed(1, verdict="fail"))
    assert (counted(1).number, counted(2).number) == (1, 2)


def test_runs_that_were_tracked_and_never_released_count_even_when_deleted(
    settle: Callable[..., Path],
) -> None:
    root = settle(**seed(1, verdict="fail"))
    track.main()
    for number in (2, 3):
        judged.put(root, **seed(number, verdict="fail"))
        track.main()
    client = MlflowClient()
    for run in client.search_runs(["0", "1"]):
        client.delete_run(run.info.run_id)
    attempt(root, **seed(4))
    assert counted(1).number == 4
    assert [entry.kind for entry in entries()][:3] == [EntryKind.ATTEMPT] * 3
    assert counted(1).seeds == [1, 2, 3, 4]
    Path("mlflow.db").unlink()  # and nothing is left of the tracking server
    assert counted(1).number == 4
    assert "an unreleased run (fail)" in str(counted(1))


def test_a_promotion_starts_the_count_again(settle: Callable[..., Path]) -> None:
    root = settle()
    attempt(root, **seed(1, verdict="fail"))
    assert attempt(root, **seed(2))["status"] == next_step.Status.PROMOTED
    attempt(root, **seed(3))
    count = counted(3)
    assert (count.number, count.champion, count.seeds) == (1, 2, [3])
    attempt(root, **seed(1, verdict="fail"))
    assert counted(1).number == 1  # the number of an attempt never changes


def test_attempts_from_before_the_terms_do_not_count_but_number_themselves(
    settle: Callable[..., Path],
) -> None:
    root = settle()
    attempt(root, **seed(1, verdict="fail"))
    attempt(root, **seed(2, verdict="fail"))
    later = AttemptTerms.model_validate(SPEND | {"valid_from": "2999-01-01"})
    assert counted(2, later).number == 2
    assert counted(2, AttemptTerms.model_validate(SPEND)).number == 2


def test_a_body_that_was_erased_without_the_right_still_counts(settle: Callable[..., Path]) -> None:
    root = settle()
    attempt(root, **seed(1, verdict="fail"))
    attempt(root, **seed(2))
    history = [
        replace(e, text=None) if e.kind == "proposal" and e.body["version"] == 1 else e for e in entries()
    ]
    count = attempts.of_version(history, NAME, 2, None)
    assert count is not None
    assert count.number == 2


def test_the_policy_warns_from_its_attempt_on(settle: Callable[..., Path]) -> None:
    root = settle(policy={"attempts": WARN})
    for number in (1, 2, 3):
        attempt(root, **seed(number, policy={"attempts": WARN}, verdict="fail"))
        (line, _) = summary.counts(root, attempt_notice.read_verdict(root))
        assert line.startswith("warning: ") == (number == 3)
    assert "the policy warns from attempt 3 on" in line


def spend_levels(root: Path, *highs: float) -> None:
    """Give the evidence at `root` intervals that end at these values for the shares, and judge it again."""
    fairness = FairnessDocument.read(root)
    assert isinstance(fairness, FairnessDocument)
    low = fairness.measurements["demographic_parity_difference"]["race"].low
    levels = tuple(
        AttemptLevel(
            share=share,
            confidence=attempt_terms.at_share(0.95, share),
            bounds={"demographic_parity_difference": {"race": (low, high)}},
        )
        for share, high in zip(attempt_terms.SHARES, highs, strict=False)
    )
    replace(fairness, levels=levels).write(root)
    project_verdict.judge(load(root / paths.PARAMS), root).write(root)
    judged.lock(root)


def spending_attempt(root: Path, number: int, *, verdict: str = "pass") -> dict[str, Any]:
    judged.put(root, **seed(number, policy={"attempts": SPEND}, verdict=verdict))
    spend_levels(root, 0.09, 0.11)
    track.main()
    return release.release(root, DAY)


def test_the_third_attempt_is_decided_at_its_share_at_release_and_by_verify(
    settle: Callable[..., Path],
) -> None:
    root = settle(policy={"attempts": SPEND})
    spending_attempt(root, 1, verdict="fail")
    result = spending_attempt(root, 2)
    assert files.read_json(root / paths.VERDICT)["verdict"] == "pass"  # the same wherever it ran
    assert (result["status"], result["is_champion"]) == (next_step.Status.NOT_PROMOTED, False)
    assert "as attempt 2 it is decided at 1/8 of the level" in result["reason"]
    assert attempt_notice.read_verdict(root).verdict is Outcome.INSUFFICIENT_EVIDENCE
    assert "not promoted so far; Judged again" in verified(root, 2)["approvals"].says
    assert summary.title(attempt_notice.read_verdict(root)).startswith("Insufficient evidence")


def test_the_first_attempt_passes_and_an_understated_number_does_not(
    settle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = settle(policy={"attempts": SPEND})
    assert spending_attempt(root, 2)["status"] == next_step.Status.PROMOTED
    spending_attempt(root, 3, verdict="fail")
    monkeypatch.setattr(attempt_notice, "record", lambda *_: None)
    files.write_json(
        root / paths.ATTEMPTS,
        {"verdict": files.sha256(root / paths.VERDICT), "number": 1, "sentence": "attempt 1"},
    )
    assert spending_attempt(root, 4)["status"] == next_step.Status.NOT_PROMOTED


def test_a_run_that_was_only_tracked_is_counted_by_track(settle: Callable[..., Path]) -> None:
    root = settle(**seed(1, verdict="fail"))
    track.main()
    judged.put(root, **seed(2))
    track.main()
    fingerprint = pipeline_state.verify(root).fingerprint
    count = attempts.count_tracked(root, registry.connect(), NAME, fingerprint, None)
    assert (count.number, count.seeds) == (2, [1, 2])
    assert files.read_json(root / paths.ATTEMPTS)["number"] == 2


def test_who_decides_is_told_the_attempt_on_the_command_line_and_by_the_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = governed.enter(monkeypatch).put("waiting")
    sentence = f"attempt 1 at {NAME} since the beginning"
    assert sentence in place.decide("approve", 1, "vera").said
    with place.office() as office:
        reviewed = decide.current_review(office, registry.connect(), NAME, 1)
    assert str(reviewed.attempts) == sentence
    assert service._to_json(reviewed)["attempts"]["number"] == 1
