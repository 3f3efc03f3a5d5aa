"""The training record tells all candidates, the rule, before and after; the picture is drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearance import files, paths
from clearance.errors import ConfigurationError
from clearance.models import candidates, pareto, training_record, tune_constraints
from clearance.reporting import summary
from tasks import train
from tests.support import biased, learnable

MANY = {
    "estimator": None,
    "candidates": {
        "estimators": ["logistic_regression"],
        "mitigations": ["reweighing", {"method": "grid_search", "steps": 4}],
    },
}


def run(root: Path, monkeypatch: pytest.MonkeyPatch, **choice: Any) -> dict[str, Any]:
    learnable.build(root, biased.table(1500), **choice)
    monkeypatch.chdir(root)
    train.main()
    document: dict[str, Any] = files.read_json(paths.TRAINING)
    return document


def test_all_candidates_are_told_and_one_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(tmp_path / "one", monkeypatch, **MANY)
    trials = record["candidates"]
    assert [trial["mitigation"] for trial in trials] == ["none", "reweighing", "grid_search (steps=4)"]
    assert [trial["chosen"] for trial in trials].count(True) == 1
    assert all(trial["why"] and trial["disparity"]["demographic_parity_difference"] for trial in trials)
    assert "point values keep every blocking rule" in record["choice"]["rule"]
    assert record["choice"]["keeps_every_rule"] == (not trials[2]["broken"])
    assert record["choice"]["rules"] == [
        *("approves-about-as-many-as-the-labels", "decides-better-than-chance"),
        *("demographic-parity-difference", "demographic-parity-ratio", "explanation-adds-up"),
        *("protected-attributes-are-known", "ranks-better-than-chance"),
    ]
    assert record["choice"]["rules_not_measured_on_tune_rows"] == ["explanation-adds-up"]
    assert "the candidate" in record["split_use"]["tune"]
    (winner,) = [trial for trial in trials if trial["chosen"]]
    table = record["before_after"]
    assert points_of(table["before"]) == trials[0]["disparity"]
    assert points_of(table["after"]) == winner["disparity"]
    assert (table["rows"], table["before_was_a_candidate"], record["reference"]) == ("tune", True, None)
    (line,) = summary.choice(Path())
    assert f"of 3 candidates LogisticRegression with mitigation {winner['mitigation']} was chosen" in line
    figure = files.read_json(paths.TRAIN_FIGURES / "pareto.json")
    assert {trial["place"] for trial in figure["demographic_parity_difference"]} == {1, 2, 3}
    before = files.sha256(paths.TRAIN_FIGURES), files.sha256(paths.TRAINING), files.sha256(paths.TRAINED)
    run(tmp_path / "two", monkeypatch, **MANY)
    again = files.sha256(paths.TRAIN_FIGURES), files.sha256(paths.TRAINING), files.sha256(paths.TRAINED)
    assert again == before


def points_of(side: dict[str, Any]) -> dict[str, Any]:
    """The point values of one side of the comparison, which holds intervals too."""
    return {
        metric: {name: measurement["value"] for name, measurement in by.items()}
        for metric, by in side["disparity"].items()
    }


def test_one_mitigated_model_is_one_candidate_and_has_an_unmitigated_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run(tmp_path / "mitigated", monkeypatch, mitigation="reweighing", arguments={"C": 0.3})
    mitigated, shipped = dict(record), files.sha256(paths.MODEL)
    assert [candidate["mitigation"] for candidate in record["candidates"]] == ["reweighing"]
    assert record["candidates"][0]["chosen"]
    assert record["measurements"]["protected_at_decision"]["value"] == 0
    plain = run(tmp_path / "plain", monkeypatch, mitigation="none", arguments={"C": 0.3})
    twin = mitigated["reference"]
    assert files.sha256(paths.MODEL) != shipped
    assert (twin["mitigation"], twin["chosen"], twin["arguments"]) == ("none", False, {"C": 0.3})
    assert twin["why"] == training_record.REFERENCE
    (alone,) = plain["candidates"]
    for key in ("utility", "threshold", "tune", "disparity"):
        assert twin[key] == alone[key], "the twin is what `mitigation: none` trains"
    table = mitigated["before_after"]
    assert table["before_was_a_candidate"] is False
    assert points_of(table["before"]) == alone["disparity"]
    assert points_of(table["after"]) == mitigated["candidates"][0]["disparity"]
    gap = table["before"]["disparity"]["demographic_parity_difference"]["race"]
    assert gap["low"] < gap["value"] < gap["high"]
    assert gap["value"] > table["after"]["disparity"]["demographic_parity_difference"]["race"]["value"]


def test_a_model_without_mitigation_is_fitted_once_and_compared_with_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fit = candidates.fit
    monkeypatch.setattr(candidates, "fit", lambda *arguments: calls.append(arguments) or fit(*arguments))
    record = run(tmp_path, monkeypatch, mitigation="none")
    assert len(calls) == 1
    assert (record["reference"], record["before_after"]) == (None, None)


def test_the_reference_is_never_chosen_however_good_it_is() -> None:
    """By the rule it would win: it keeps every limit that the only candidate breaks."""
    frame = biased.table(1500)
    rows, tune = (learnable.split(frame, name) for name in ("train", "tune"))
    blind = tune_constraints.Constraints(rules=(), protected="allowed")
    outcome = train.train(rows, tune, learnable.data(), learnable.choice(mitigation="reweighing"), 1, blind)
    assert outcome.reference is not None
    assert outcome.reference.result.utility > outcome.chosen.result.utility  # type: ignore[operator]
    assert outcome.chosen.mitigation.method == "reweighing"
    assert outcome.reference not in outcome.tried
    assert outcome.before is outcome.reference


def test_a_policy_that_is_silent_about_protected_attributes_lets_none_be_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = {"mitigation": "threshold_optimizer", "protected_at_decision": True}
    learnable.build(tmp_path, biased.table(1500), **choice)
    book = tmp_path / "policies/demo.yaml"
    book.write_text(without_rules_on_training(book.read_text()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, check=lambda error: error.code == "models.no_candidate_fitted"):
        train.main()
    book.write_text(book.read_text() + RULE)
    train.main()
    record = files.read_json(paths.TRAINING)
    assert record["measurements"]["protected_at_decision"]["value"] == 1
    assert {"race", "sex"} <= set(record["features"])
    assert {"race", "sex"} <= {column["name"] for column in record["inputs"]}


RULE = """
  - id: decides-without-protected-attributes
    metric: training.protected_at_decision
    limit: {at_most: 0}
    decides_by: point
    severity: block
    kind: engineering
    source: the test
    valid_from: 2026-01-01
"""


def without_rules_on_training(text: str) -> str:
    head, *rules = text.split("\n  - id: ")
    return "\n  - id: ".join([head, *(rule for rule in rules if "metric: training." not in rule)])


def point(utility: float | None, *gaps: float | None, chosen: bool = False) -> dict[str, Any]:
    by = {f"a{at}": gap for at, gap in enumerate(gaps)}
    return {
        "estimator": "x.Y",
        "mitigation": "none",
        "utility": utility,
        "disparity": {"gap": by},
        "chosen": chosen,
    }


@pytest.mark.parametrize(
    ("tried", "points"),
    [
        ([point(0.9, 0.3, chosen=True), point(0.8, None)], 1),
        ([point(0.9, 0.3, chosen=True), point(None, 0.2)], 1),
        ([point(0.9, 0.3, chosen=True), point(0.8, 0.2)], 2),
    ],
    ids=["no disparity", "no utility", "both"],
)
def test_a_candidate_without_one_of_the_two_numbers_is_no_point(
    tmp_path: Path, tried: list[dict[str, Any]], points: int
) -> None:
    trials = [
        trial | {"disparity": {"equalized_odds_difference": trial["disparity"]["gap"]}} for trial in tried
    ]
    pareto.write(tmp_path, trials)
    written = files.read_json(tmp_path / "pareto.json")
    assert len(written["equalized_odds_difference"]) == points
    assert written["demographic_parity_difference"] == []
