"""The training record tells all candidates, the rule, before and after; the picture is drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import biased
import learnable
import pytest

from clearance import artifacts
from clearance.errors import ConfigurationError
from clearance.modelling import pareto
from tasks import train

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
    document: dict[str, Any] = artifacts.read_json(train.RECORD)
    return document


def test_all_candidates_are_told_and_one_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(tmp_path / "one", monkeypatch, **MANY)
    told = record["candidates"]
    assert [each["mitigation"] for each in told] == ["none", "reweighing", "grid_search (steps=4)"]
    assert [each["chosen"] for each in told].count(True) == 1
    assert all(each["why"] and each["disparity"]["demographic_parity_difference"] for each in told)
    assert "point values keep every blocking fairness rule" in record["choice"]["rule"]
    assert record["choice"]["keeps_every_rule"] == (not told[2]["broken"])
    assert record["choice"]["rules"] == [
        *("demographic-parity-difference", "demographic-parity-ratio", "protected-attributes-are-known")
    ]
    assert "the candidate" in record["split_use"]["tune"]
    (chosen,) = [each for each in told if each["chosen"]]
    table = record["before_after"]
    assert table["before"]["disparity"] == told[0]["disparity"]
    assert table["after"]["disparity"] == chosen["disparity"]
    assert table["rows"] == "tune"
    drawn = artifacts.read_json(train.FIGURES / "pareto.json")
    assert {each["place"] for each in drawn["demographic_parity_difference"]} == {1, 2, 3}
    before = artifacts.sha256(train.FIGURES), artifacts.sha256(train.RECORD), artifacts.sha256(train.FOLDER)
    run(tmp_path / "two", monkeypatch, **MANY)
    again = artifacts.sha256(train.FIGURES), artifacts.sha256(train.RECORD), artifacts.sha256(train.FOLDER)
    assert again == before
    assert (train.FIGURES / "pareto.svg").is_file()


def test_one_model_alone_is_one_candidate_without_before_and_without_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run(tmp_path, monkeypatch, mitigation="reweighing")
    assert len(record["candidates"]) == 1
    assert record["before_after"] is None
    assert record["measurements"]["protected_at_decision"]["value"] == 0
    assert not (train.FIGURES / "pareto.svg").exists()


def test_a_policy_that_is_silent_about_protected_attributes_lets_none_be_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = {"mitigation": "threshold_optimizer", "protected_at_decision": True}
    learnable.build(tmp_path, biased.table(1500), **choice)
    book = tmp_path / "policies/demo.yaml"
    book.write_text(without_rules_on_training(book.read_text()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="no rule of the policy says that it may"):
        train.main()
    book.write_text(book.read_text() + RULE)
    train.main()
    record = artifacts.read_json(train.RECORD)
    assert record["measurements"]["protected_at_decision"]["value"] == 1
    assert {"race", "sex"} <= set(record["features"])
    assert {"race", "sex"} <= {each["name"] for each in record["inputs"]}


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
    return "\n  - id: ".join([head, *(each for each in rules if "metric: training." not in each)])


def point(utility: float | None, *gaps: float | None, chosen: bool = False) -> dict[str, Any]:
    by = {f"a{at}": gap for at, gap in enumerate(gaps)}
    return {
        "estimator": "x.Y",
        "mitigation": "none",
        "utility": utility,
        "disparity": {"gap": by},
        "chosen": chosen,
    }


def test_the_front_is_what_nothing_beats_and_undefined_is_not_drawn() -> None:
    found = pareto.points(
        [
            point(0.9, 0.3, 0.1),
            point(0.8, 0.2),
            point(0.7, 0.25),
            point(0.8, 0.2),
            point(None, 0.1),
            point(0.95, None),
            {"estimator": "x.Y", "mitigation": "none", "chosen": False},
        ],
        "gap",
    )
    assert [(each["place"], each["disparity"], each["front"]) for each in found] == [
        (1, 0.3, True),
        (2, 0.2, True),
        (3, 0.25, False),
        (4, 0.2, True),
    ]
