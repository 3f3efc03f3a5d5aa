"""The gate stops each planted failure on its own, and lets a fair model on plentiful data pass."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from clearance import files, params, paths
from clearance.documents.measurement import Measurement, Outcome
from clearance.errors import ConfigurationError
from tasks import assess, evaluate, judge, score
from tests.support import evidence, scored

Project = Path
DOCUMENTS = ("validation_raw", "validation_prepared", "explanation", "performance", "fairness")


def fair_table(rows: int = 12_000) -> pd.DataFrame:
    """Plentiful applications whose label and features do not depend on race or sex."""
    random = np.random.default_rng(4)
    frame = scored.table(rows, seed=4)
    frame["race"] = random.choice(["Black", "Hispanic", "White"], rows, p=[0.3, 0.3, 0.4]).astype(object)
    frame["label"] = (random.random(rows) < 1 / (1 + np.exp(-2.5 - 5 * frame["a"]))).astype(np.int8)
    return frame


SUPPORT = {"a": 900, "b": 900}
LABEL_RATES = {
    name: Measurement(value=0.9, low=0.85, high=0.95, confidence=0.95, support=SUPPORT)
    for name in ("race", "sex")
}


@pytest.fixture(scope="session")
def measured_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fair model on plentiful data with all its evidence, measured by the stages themselves."""
    root = scored.build(tmp_path_factory.mktemp("judge") / "project", fair_table())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        score.main()
        evaluate.main()
        assess.main()
    evidence.origin(rows=12_000).write(root)
    evidence.raw_validation().write(root)
    failures = {"blocking_failures": Measurement(value=0)}
    evidence.prepared_validation({**failures, "label_rate_ratio": LABEL_RATES}).write(root)
    evidence.explanation(model_sha256=files.sha256(root / paths.MODEL)).write(root)
    return root


@pytest.fixture
def project(measured_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the fair project to plant a failure in, as the working folder."""
    root = tmp_path / "project"
    for file in measured_project.rglob("*"):
        if file.is_file():
            copy = root / file.relative_to(measured_project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    monkeypatch.chdir(root)
    return root


def verdict_of(root: Path) -> dict[str, Any]:
    judge.main()
    verdict: dict[str, Any] = files.read_json(root / "reports/verdict.json")
    return verdict


def change(root: Path, document: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    file = root / f"reports/{document}.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def choose(root: Path, **sections: Any) -> None:
    """Change `params.yaml` of the project."""
    file = root / "params.yaml"
    content = yaml.safe_load(file.read_text())
    for section, changes in sections.items():
        content[section] = content[section] | changes
    file.write_text(yaml.safe_dump(content))


def outcomes(verdict: dict[str, Any]) -> dict[tuple[str, str | None], str | None]:
    return {(finding["rule"], finding["attribute"]): finding["outcome"] for finding in verdict["findings"]}


def test_a_fair_model_on_plentiful_data_passes(project: Project) -> None:
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.PASS, verdict["reasons"]
    assert verdict["what_if"] is False
    assert verdict["name"] == "loan-approval"
    assert verdict["not_in_force"] == []
    assert {finding["outcome"] for finding in verdict["findings"] if finding["severity"] == "block"} == {
        "pass"
    }


def test_the_verdict_cites_every_file_it_rests_on_by_content(project: Project) -> None:
    verdict = verdict_of(project)
    assert set(verdict["evidence"]) == {
        *(f"reports/{name}.json" for name in (*DOCUMENTS, "split", "training")),
        *("data/origin.json", "models/trained/model.skops", "policies/demo.yaml"),
    }
    for file, digest in verdict["evidence"].items():
        assert files.sha256(project / file) == digest
    assert verdict["policy"] == {
        "id": "demo",
        "version": "1",
        "title": "Loan approval, demonstration policy",
        "file": "policies/demo.yaml",
        "sha256": files.sha256(project / "policies/demo.yaml"),
        "as_of": "2026-11-22",
        "impact_table": None,
        "test_uses": {
            "warn_from": 20,
            "kind": "engineering",
            "source": verdict["policy"]["test_uses"]["source"],
            "certainty": None,
            "valid_from": "2026-01-01",
            "valid_until": None,
        },
        "attempts": {
            "spend": False,
            "warn_from": 5,
            "kind": "engineering",
            "source": verdict["policy"]["attempts"]["source"],
            "certainty": None,
            "valid_from": "2026-01-01",
            "valid_until": None,
        },
    }


def test_the_same_evidence_gives_the_same_bytes(project: Project) -> None:
    verdict_of(project)
    first = (project / "reports/verdict.json").read_bytes()
    verdict_of(project)
    assert (project / "reports/verdict.json").read_bytes() == first
    assert str(project).encode() not in first


# Planted failures


def test_an_unfair_model_fails_with_its_numbers(tmp_path: Path, project: Project) -> None:
    frame = fair_table()
    frame.loc[frame["race"] == "Black", "a"] -= 1
    unfair = scored.build(tmp_path / "unfair", frame)
    for file in ("reports/fairness.json", "reports/performance.json"):
        (project / file).unlink()
    for folder in ("data/prepared", "models/trained"):
        for source in (unfair / folder).iterdir():
            (project / folder / source.name).write_bytes(source.read_bytes())
    for name in ("split", "training"):
        (project / f"reports/{name}.json").write_bytes((unfair / f"reports/{name}.json").read_bytes())
    score.main()
    evaluate.main()
    assess.main()
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.FAIL
    assert outcomes(verdict)["demographic-parity-difference", "race"] == "fail"
    assert outcomes(verdict)["demographic-parity-difference", "sex"] == "pass"
    assert any("demographic parity ratio by race is 0." in reason for reason in verdict["reasons"])


def test_a_blocked_validation_is_a_refusal_and_the_rest_is_not_evaluated(project: Project) -> None:
    def fail(report: dict[str, Any]) -> None:
        report["blocked"] = True
        report["measurements"]["blocking_failures"]["value"] = 2

    change(project, "validation_raw", fail)
    names = ("split", "validation_prepared", "training", "performance", "fairness", "explanation")
    evidence.block(project, "validate_raw: 2 failures", *names)
    (project / "models/trained/model.skops").unlink()
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.FAIL
    assert [finding["rule"] for finding in verdict["findings"] if finding["outcome"] == "fail"] == [
        "raw-data-is-valid"
    ]
    assert len(verdict["reasons"]) == 1
    others = [finding for finding in verdict["findings"] if finding["rule"] != "raw-data-is-valid"]
    assert {finding["outcome"] for finding in others} == {"not_evaluated"}
    assert "models/trained/model.skops" not in verdict["evidence"]


@pytest.mark.parametrize(
    ("document", "metric"),
    [
        ("validation_raw", "blocking_failures"),
        ("validation_prepared", "blocking_failures"),
        ("split", "overlap"),
        ("performance", "roc_auc"),
        ("fairness", "demographic_parity_ratio"),
        ("fairness", "missing_share"),
        ("explanation", "additivity_error"),
    ],
)
def test_a_missing_metric_is_not_evaluated(project: Project, document: str, metric: str) -> None:
    change(project, document, lambda content: content["measurements"].pop(metric))
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert all(f"{document} has no {metric}" in reason for reason in verdict["reasons"])


@pytest.mark.parametrize("document", [*DOCUMENTS, "split"])
@pytest.mark.parametrize("fault", ["missing", "empty", "no json", "not a number", "a list"])
def test_a_document_that_cannot_be_read_is_not_evaluated(project: Project, document: str, fault: str) -> None:
    file = project / f"reports/{document}.json"
    if fault == "missing":
        file.unlink()
    else:
        content = file.read_text()
        replacements = {
            "empty": "",
            "no json": content[:-9],
            "a list": "[]",
            "not a number": re.sub(r'"value": [-0-9.e]+', '"value": NaN', content),
        }
        file.write_text(replacements[fault])
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert all(document in reason for reason in verdict["reasons"])


def test_a_group_too_small_to_judge_is_insufficient_evidence(project: Project) -> None:
    def shrink(report: dict[str, Any]) -> None:
        report["measurements"]["demographic_parity_difference"]["race"]["support"]["Black"] = 21

    change(project, "fairness", shrink)
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.INSUFFICIENT_EVIDENCE
    (finding,) = [
        entry
        for entry in verdict["findings"]
        if (entry["rule"], entry["attribute"]) == ("demographic-parity-difference", "race")
    ]
    assert finding["outcome"] == Outcome.INSUFFICIENT_EVIDENCE
    assert finding["more_rows"]["short"] == {"Black": 9}


def test_rows_of_no_known_group_cannot_hide_a_group(project: Project) -> None:
    change(project, "fairness", lambda it: it["measurements"]["missing_share"]["race"].update({"value": 0.2}))
    assert verdict_of(project)["verdict"] == Outcome.FAIL


def test_a_dropped_attribute_is_not_a_pass(project: Project) -> None:
    choose(project, data={"protected": ["sex"]})
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert "`race`" in verdict["reasons"][0]


def test_another_favourable_outcome_is_not_a_pass(project: Project) -> None:
    choose(project, data={"favourable": 0})
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert all(text in verdict["reasons"][0] for text in ("`approve` = 1", "`approve` = 0"))


def test_flipping_labels_declaration_and_policy_together_keeps_the_verdict(project: Project) -> None:
    """Labels are prepared as 1 = favourable, so a flipped coding leaves the evidence as it is."""
    first = verdict_of(project)
    choose(project, data={"favourable": 0})
    file = project / "policies/demo.yaml"
    file.write_text(file.read_text().replace("{target: approve, value: 1}", "{target: approve, value: 0}"))
    second = verdict_of(project)
    assert second["verdict"] == first["verdict"] == Outcome.PASS
    assert second["findings"] == first["findings"]


@pytest.mark.parametrize("document", ["performance", "fairness"])
def test_evidence_about_another_model_is_stale(project: Project, document: str) -> None:
    change(project, document, lambda content: content.update(model_sha256="0" * 64))
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert all(f"{document} is stale" in reason for reason in verdict["reasons"])


def test_a_swapped_model_file_leaves_no_evidence_about_it(project: Project) -> None:
    (project / "models/trained/model.skops").write_bytes(b"another model")
    assert verdict_of(project)["verdict"] == Outcome.NOT_EVALUATED


def test_a_policy_out_of_date_is_not_evaluated(project: Project) -> None:
    choose(project, policy={"as_of": "2025-12-31"})
    verdict = verdict_of(project)
    assert verdict["verdict"] == Outcome.NOT_EVALUATED
    assert verdict["findings"] == []
    assert len(verdict["not_in_force"]) == 16


def test_an_empty_policy_is_an_error_and_writes_no_verdict(project: Project) -> None:
    file = project / "policies/demo.yaml"
    file.write_text(
        yaml.safe_dump(yaml.safe_load(file.read_text()) | {"rules": []}, default_flow_style=False)
    )
    with pytest.raises(ConfigurationError, match="rules"):
        judge.main()
    assert not (project / "reports/verdict.json").exists()


# What was asked for


@pytest.mark.parametrize(
    ("overrides", "what_if"),
    [
        ({}, False),
        ({"train.mitigation": "none"}, False),
        ({"policy.file": "policies/demo.yaml"}, True),
        ({"policy.as_of": "2026-11-22"}, True),
        ({"policy": {"as_of": "2026-11-22"}}, True),
        ({"seed": 1, "policy.file": "policies/demo.yaml"}, True),
    ],
)
def test_a_policy_chosen_at_run_time_is_what_if_and_overrides_are_kept_verbatim(
    project: Project, overrides: dict[str, Any], what_if: bool
) -> None:
    choose(project, overrides=overrides)
    verdict = verdict_of(project)
    assert verdict["what_if"] is what_if
    assert verdict["overrides"] == overrides


def test_judging_reads_no_clock(project: Project) -> None:
    """The day is the one in the parameters: an old model can be judged as of its day."""
    settings = params.load(project / "params.yaml")
    assert verdict_of(project)["policy"]["as_of"] == settings.policy.as_of.isoformat()
