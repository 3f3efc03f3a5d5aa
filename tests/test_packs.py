"""The packs a team starts from: each loads, and each number says what it is, from when and how sure."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance.documents import attempt_level, metric_catalogue
from clearance.documents.attempt_level import LevelledDocument
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.policy import attempt_terms, judgement, policy_file, schema
from clearance.reporting import explain_rule

ROOT = Path(__file__).parent.parent
PACKS = sorted((ROOT / "policies/packs").glob("*.yaml"))
SHIPPED = [*PACKS, ROOT / "policies/demo.yaml"]
TODAY = dt.date(2026, 11, 22)
DECLARED = judgement.Declaration(attributes=("race", "sex"), target="approve", favourable=1)

each_pack = pytest.mark.parametrize("file", PACKS, ids=lambda file: file.stem)


def pack(name: str) -> schema.Policy:
    return policy_file.load(ROOT / f"policies/packs/{name}.yaml")


def test_the_packs_are_the_ones_promised() -> None:
    assert [file.stem for file in PACKS] == [
        *("engineering_default", "four_fifths", "nyc_local_law_144"),
        *("parity_looser", "parity_stricter"),
    ]


@each_pack
def test_every_rule_says_its_kind_source_certainty_and_first_day(file: Path) -> None:
    for rule in yaml.safe_load(file.read_text())["rules"]:
        for key in ("kind", "source", "certainty", "valid_from"):
            assert rule.get(key), f"{rule['id']}: {key}"
        assert ("convention" in rule["source"]) == (rule["kind"] == "engineering"), rule["id"]
        assert rule["kind"] == "engineering" or rule["jurisdiction"], rule["id"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_policy_says_from_when_reused_test_rows_are_a_warning_and_who_says_so(
    file: Path,
) -> None:
    limit = policy_file.load(file).test_uses
    assert limit is not None
    assert (limit.kind, limit.valid_from) == ("engineering", dt.date(2026, 1, 1))
    assert limit.source.startswith("engineering convention, set ")


@each_pack
def test_nothing_in_a_pack_is_out_of_date_or_without_effect(file: Path) -> None:
    assert list(explain_rule.cautions(policy_file.load(file), TODAY)) == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_metric_a_shipped_policy_reads_has_a_meaning_in_words(file: Path) -> None:
    assert {rule.metric for rule in policy_file.load(file).rules} <= metric_catalogue.METRICS.keys()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_an_editor_finds_the_schema_from_every_policy(file: Path) -> None:
    mark, _, path = file.read_text().splitlines()[0].partition("$schema=")
    assert mark == "# yaml-language-server: "
    assert (file.parent / path).resolve() == ROOT / "policies/policy.schema.json"


def test_the_exported_schema_is_that_of_the_model() -> None:
    """`make schemas` writes it."""
    assert (ROOT / "policies/policy.schema.json").read_text() == schema.json_schema()


@each_pack
def test_a_pack_copied_without_its_own_outcome_passes_nobody(file: Path) -> None:
    declaration = judgement.Declaration(attributes=("gender",), target="invited", favourable="yes")
    verdict = judgement.judge(policy_file.load(file), sound(), declaration, TODAY)
    assert verdict.outcome == Outcome.NOT_EVALUATED
    assert "demands an assessment of `race`" in verdict.reasons[0]


def measurement(value: float, low: float, high: float) -> Measurement:
    support = {"Black": 4000, "White": 9000}
    return Measurement(value=value, low=low, high=high, confidence=0.95, support=support)


def sound(
    ratio: tuple[float, float, float] = (0.98, 0.96, 0.99),
    gap: float = 0.02,
    excess: tuple[float, float, float] = (0.03, 0.02, 0.04),
) -> dict[str, Any]:
    """Evidence of a sound run whose ratios between groups are this one; `excess` is of selections."""
    near = measurement(gap, gap - 0.005, gap + 0.005)
    names = ("race", "sex", "race & sex")
    by_name = {
        metric: dict.fromkeys(names, measurement(*ratio))
        for metric in ("demographic_parity_ratio", "disparate_impact_best_group", "scoring_rate_ratio")
    }
    for metric in ("demographic_parity", "equal_opportunity", "equalized_odds"):
        by_name[f"{metric}_difference"] = dict.fromkeys(names, near)
    by_name["missing_share"] = dict.fromkeys(names, Measurement(value=0.01))
    nothing = Measurement(value=0)
    ranks = {
        "roc_auc": measurement(0.8, 0.78, 0.82),
        "calibration_error": measurement(0.02, 0.01, 0.03),
        "balanced_accuracy": measurement(0.7, 0.68, 0.72),
        "selection_rate_excess": measurement(*excess),
    }
    labels = {"label_rate_ratio": dict.fromkeys(("race", "sex"), measurement(*ratio))}
    return {
        "validation_raw": MeasuredDocument(measurements={"blocking_failures": nothing}),
        "validation_prepared": MeasuredDocument(measurements={"blocking_failures": nothing} | labels),
        "split": MeasuredDocument(measurements={"overlap": nothing}),
        "performance": levelled(ranks),
        "fairness": levelled(by_name),
        "explanation": MeasuredDocument(measurements={"additivity_error": nothing}),
        "training": MeasuredDocument(measurements={"protected_at_decision": nothing}),
    }


def levelled(measurements: Any) -> LevelledDocument:
    """A document of so many rows that the intervals for later attempts are hardly wider."""
    levels = tuple(
        attempt_level.level(share, attempt_terms.at_share(0.95, share), measurements)
        for share in attempt_terms.SHARES
    )
    return LevelledDocument(measurements=measurements, levels=levels)


@each_pack
def test_a_fair_model_on_plentiful_data_passes_every_pack(file: Path) -> None:
    verdict = judgement.judge(policy_file.load(file), sound(), DECLARED, TODAY)
    assert verdict.outcome == Outcome.PASS, verdict.reasons


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_threshold_that_approves_nearly_everybody_is_refused(file: Path) -> None:
    """At 0.02 the demo's model approves 99% of all groups, 13 points more than are labelled favourable."""
    everybody = sound(ratio=(0.995, 0.99, 0.999), gap=0.006, excess=(0.13, 0.104, 0.16))
    ranks = {**everybody["performance"].measurements, "balanced_accuracy": measurement(0.53, 0.512, 0.566)}
    everybody["performance"] = levelled(ranks)
    verdict = judgement.judge(policy_file.load(file), everybody, DECLARED, TODAY)
    failed = {finding.rule.id for finding in verdict.findings if finding.outcome == Outcome.FAIL}
    if file.stem.startswith("nyc"):  # the law has no pass mark: it warns
        assert "approves-about-as-many-as-the-labels" in failed
    else:
        assert verdict.outcome == Outcome.FAIL and failed <= {
            *("approves-about-as-many-as-the-labels", "decides-better-than-chance")
        }


@pytest.mark.parametrize(
    ("name", "ratio", "gap", "expected"),
    [
        ("four_fifths", (0.7, 0.6, 0.8), 0.2, Outcome.FAIL),
        ("four_fifths", (0.7, 0.4, 1.0), 0.2, Outcome.INSUFFICIENT_EVIDENCE),
        ("four_fifths", (0.85, 0.81, 0.9), 0.1, Outcome.PASS),
        ("engineering_default", (0.7, 0.6, 0.79), 0.02, Outcome.FAIL),
        ("engineering_default", (0.85, 0.75, 0.9), 0.02, Outcome.INSUFFICIENT_EVIDENCE),
        ("parity_looser", (0.85, 0.81, 0.9), 0.08, Outcome.PASS),
        ("parity_looser", (0.85, 0.81, 0.9), 0.12, Outcome.FAIL),
        ("parity_stricter", (0.98, 0.96, 0.99), 0.08, Outcome.FAIL),
        ("parity_stricter", (0.9, 0.85, 0.94), 0.02, Outcome.FAIL),
        ("nyc_local_law_144", (0.5, 0.4, 0.6), 0.4, Outcome.PASS),
    ],
)
def test_a_gap_is_judged_as_the_rule_book_says(
    name: str, ratio: tuple[float, float, float], gap: float, expected: Outcome
) -> None:
    verdict = judgement.judge(pack(name), sound(ratio, gap), DECLARED, TODAY)
    assert verdict.outcome == expected, verdict.reasons


def test_local_law_144_reports_ratios_without_a_pass_mark_and_asks_that_they_are_there() -> None:
    book = pack("nyc_local_law_144")
    ratios = [rule for rule in book.rules if rule.id in {"impact-ratio", "scoring-rate-ratio"}]
    assert {rule.decides_by for rule in ratios} == {"report_only"}
    assert {rule.read_for for rule in ratios} == {("race", "sex", "race & sex")}
    for metric, name in (("disparate_impact_best_group", "sex"), ("missing_share", "race & sex")):
        documents = sound()
        figures = {key: dict(by) for key, by in documents["fairness"].measurements.items()}
        del figures[metric][name]
        documents["fairness"] = MeasuredDocument(measurements=figures)
        verdict = judgement.judge(book, documents, DECLARED, TODAY)
        assert verdict.outcome == Outcome.NOT_EVALUATED
        assert f"fairness has no {metric} for {name}" in verdict.reasons[0]


def test_no_pack_calls_a_convention_law() -> None:
    legal = {
        rule.id: rule.source
        for file in PACKS
        for rule in policy_file.load(file).rules
        if rule.kind == "legal"
    }
    assert all(("1607.4(D)" in source) or ("Local Law 144" in source) for source in legal.values())
    assert "RIN 3046-AB43" in legal["four-fifths"]
