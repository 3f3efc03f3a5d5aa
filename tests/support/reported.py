"""Small projects with evidence of every kind, judged by the real judge: what the page is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml

from clearance import files as artifacts
from clearance import params, paths
from clearance.documents import measurement, metric_catalogue
from clearance.documents.baseline_document import BaselineDocument, FeatureBins, FeatureReference
from clearance.documents.comparison_document import (
    ComparedRows,
    ComparedVersion,
    ComparisonDocument,
    ComparisonFinding,
)
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Measurement, Outcome
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import BlockedValidation
from clearance.params import data_contract
from clearance.policy import project_verdict
from clearance.reporting import report
from clearance.reporting.since_verdict import RecordedEvent, SinceVerdict, WatchedRule
from tests.support import evidence

DIGITS = {
    "Ada": (0.02, 0.01, 0.05),
    "gap": (0.3, 0.2, 0.4),
    "wide": (0.05, 0.0, 0.25),
    "out": (0.15, 0.0, 0.4),
}
"""Demographic parity differences by race: kept, broken, undecided within the limit, undecided beyond it."""

MODEL = "a model"
MODEL_SHA256 = artifacts.sha256_text(MODEL)

POINTS: Mapping[str, Any] = {
    "train/pareto": {"demographic_parity_difference": [], "equalized_odds_difference": []},
    "explain/importance": [],
    "evaluate/calibration": [
        {"mean_score": 0.25, "favourable_rate": 0.125, "low": 0.0625, "high": 0.375, "rows": 16},
        {"mean_score": 0.75, "favourable_rate": 0.875, "low": 0.5, "high": 1.0, "rows": 36},
    ],
    "evaluate/roc": [
        {"false_positive_rate": place / 30, "true_positive_rate": (place / 30) ** 0.5} for place in range(31)
    ],
    "evaluate/precision_recall": [{"precision": 1 - place / 60, "recall": place / 30} for place in range(31)],
    "evaluate/score_distribution": {"race": {"Elf": [0] * 10 + [4] * 10, "Orc": [1] * 12 + [0] * 8}},
}
"""The points of the charts by file; there is one candidate, so there is nothing to compare it with."""

TWO_CANDIDATES = POINTS | {
    "train/pareto": {
        "demographic_parity_difference": [
            {"place": 1, "label": "LogisticRegression, none", "utility": 0.75, "disparity": 0.3}
            | {"chosen": False, "front": True},
            {"place": 2, "label": "LogisticRegression, reweighing", "utility": 0.71, "disparity": 0.14}
            | {"chosen": True, "front": True},
        ],
        "equalized_odds_difference": [],
    }
}
"""The same, where two candidates can be compared."""


def baseline(**features: FeatureReference) -> BaselineDocument:
    """The drift reference: of 100 train rows, `income` in bins and `debt` in three categories."""
    income = FeatureReference(
        bins=FeatureBins(kind="number", edges=(10.0, 20.0, 40.0, 80.0, 160.0)),
        counts=(10, 20, 20, 20, 20, 6, 0, 4),
        mean=50.0,
    )
    debt = FeatureReference(
        bins=FeatureBins(kind="category", categories=("low", "middle", "high")), counts=(50, 30, 20, 0, 0)
    )
    return BaselineDocument(
        model_sha256=MODEL_SHA256,
        threshold=0.5,
        rows=100,
        features=features or {"income": income, "debt": debt},
        attribution={"income": 0.5, "debt": 0.25},
    )


INLINE = {"bdi", "code", "span", "strong"}
VOID = {"meta", "link", "img", "br", "path", "circle", "rect", "use", "line"}


def measured(
    value: float, low: float | None = None, high: float | None = None, **support: int
) -> Measurement:
    confidence = None if low is None else 0.95
    return Measurement(value=value, low=low, high=high, confidence=confidence, support=support)


def settings(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "loans",
        "experiment": "e",
        "seed": 1,
        "source": {"kind": "demo", "path": "data/source"},
        "data": {"row_key": "id", "target": "approve", "favourable": 1, "protected": ["race"]},
        "split": {"train": 0.5, "tune": 0.2, "test": 0.3},
        "train": {"estimator": "logistic_regression"},
        "policy": {"file": "policies/p.yaml", "as_of": "2026-11-22"},
    }
    base["data"]["features"] = ["income", "debt"]
    return base | changes


def rule(name: str, metric: str, limit: dict[str, float] | None, **more: Any) -> dict[str, Any]:
    base = {"id": name, "metric": metric, "limit": limit, "decides_by": "interval", "severity": "block"}
    return base | {"kind": "engineering", "source": f"source of {name}", "valid_from": "2026-01-01"} | more


def policy(**changes: Any) -> dict[str, Any]:
    gap = {"attributes": ["race"]}
    base = {
        "id": "p",
        "version": "7",
        "title": "Loans",
        "attributes": ["race"],
        "favourable": {"target": "approve", "value": 1},
        "promotion": {"approvals": {"none": {}}},
        "rules": [
            rule("valid", "validation_raw.blocking_failures", {"at_most": 0}, decides_by="point"),
            rule("ranks", "performance.roc_auc", {"at_least": 0.6}),
            rule("parity", "fairness.demographic_parity_difference", {"at_most": 0.1}, **gap)
            | {"kind": "legal", "jurisdiction": "Atlantis", "certainty": "memory"},
            rule("brier", "performance.brier", None, decides_by="report_only", severity="warn"),
            rule("later", "performance.roc_auc", {"at_least": 0.9}, valid_from="2030-01-01"),
        ],
    }
    return base | changes


def documents(gap: tuple[float, float, float] = DIGITS["Ada"]) -> dict[str, dict[str, Any]]:
    """Evidence by name. Its groups are Elf (40 test rows), Orc (12) and Ent (none)."""
    support = {"Elf": 40, "Orc": 12}
    unmet = _expectation("`debt` is null in 3 of 90 rows", False, "warn", "debt")
    unmet["examples"] = [{"row": "0123456789abcdef", "value": -7}]
    passing_check = _expectation("`income` holds numbers", True, "block", "income")
    totals = {"blocking_failures": measured(0), "warnings": measured(1), "expectations": measured(2)}
    bias = {"label_rate_difference": {"race": measured(0.21, 0.1, 0.3, Elf=120, Orc=70)}}
    bias["label_rate_ratio"] = {"race": measured(0.74, 0.6, 0.8, Elf=120, Orc=70)}
    bias["class_imbalance"] = {"race": measured(0.26, Elf=120, Orc=70)}
    missing = replace(measured(0.083, 0.01, 0.2, Elf=120, Orc=70), feature="debt")
    proxy = replace(measured(0.713, 0.6, 0.8, Elf=120, Orc=70), feature="income")
    bias |= {"missingness_difference": {"race": missing}, "proxy_auc": {"race": proxy}}
    bias["proxy_auc_together"] = {"race": measured(0.78, 0.7, 0.9, Elf=120, Orc=70)}
    groups = {
        "Elf": evidence.group(18, 2, 10, 10),
        "Orc": evidence.group(5, 1, 3, 3),
        "Ent": evidence.group(0, 0, 0, 0),
    }
    records: dict[str, MeasuredDocument] = {
        "validation_raw": evidence.raw_validation(totals, expectations=[unmet, passing_check]),
        "split": evidence.split(
            {"overlap": measured(0), "left_out": measured(0)},
            rows={"train": 100, "tune": 38, "test": 52},
            row_digests=dict.fromkeys(("train", "tune", "test"), "ab" * 32),
            tables=dict.fromkeys(("features", "label", "protected"), "cd" * 32),
        ),
        "validation_prepared": evidence.prepared_validation({**totals, **bias}, expectations=[passing_check]),
        "training": _training(),
        "performance": evidence.performance(
            {"roc_auc": measured(0.81234, 0.75, 0.88), "brier": measured(0.14, 0.1, 0.2)},
            rows=52,
            model_sha256=MODEL_SHA256,
        ),
        "fairness": evidence.fairness(
            {"demographic_parity_difference": {"race": measured(*gap, **support)}},
            groups={"race": groups},
            rows=52,
            above_median={"race": {"Elf": 22, "Orc": 4}},
            model_sha256=MODEL_SHA256,
        ),
        "explanation": evidence.explanation(
            {"additivity_error": measured(1e-12), "rows": measured(31)},
            explainer="shap.LinearExplainer",
            space="log-odds",
            importance=[{"feature": "income", "mean_abs": 0.5}, {"feature": "debt", "mean_abs": 0.25}],
            by_group={"race": {"Elf": {"income": 0.4, "debt": -0.2}}},
            group_rows={"race": {"Elf": 24, "Orc": 7}},
            fewest_rows_shown=10,
            model_sha256=MODEL_SHA256,
        ),
    }
    return {name: document.to_json() for name, document in records.items()}


def _expectation(detail: str, success: bool, severity: str, column: str) -> dict[str, Any]:
    return {"expectation": "expect", "column": column, "severity": severity, "success": success} | {
        "detail": detail,
        "observed": None,
        "examples": [],
    }


TUNE = {"rows": 38, "favourable": 19, "roc_auc": 0.9, "accuracy": 0.75} | {
    "balanced_accuracy": 0.71,
    "f1": 0.7,
    "selection_rate": None,
}
CHOICE: dict[str, Any] = evidence.CHOICE | {"rules": ["parity"]}


def candidate(mitigation: str, utility: float | None, *, chosen: bool = False) -> dict[str, Any]:
    """A candidate of the training record; the chosen one breaks a rule."""
    violations = [{"rule": "parity", "attribute": "race", "value": 0.14, "excess": 0.04}]
    return evidence.candidate(
        mitigation=mitigation,
        chosen=chosen,
        why="chosen: the best" if chosen else f"{mitigation} has less utility",
        keeps_every_rule=not chosen,
        broken=violations if chosen else [],
        utility=utility,
        tune=TUNE,
        disparity={"demographic_parity_difference": {"race": 0.1}},
    )


def side(tune: dict[str, Any], gap: float, ratio: float | None) -> dict[str, Any]:
    """One side of before and after: a difference with its interval, and a ratio that may be undefined."""
    undefined = measurement.undefined("no reference group is declared in `evaluate.reference`")
    disparities = {
        "demographic_parity_difference": {"race": measured(gap, gap - 0.1, gap + 0.1)},
        "disparate_impact_reference_group": {"race": undefined if ratio is None else measured(ratio)},
        "accuracy_difference": {"race": measured(0.05, 0.0, 0.1)},
        "missing_share": {"race": measured(0.0)},
    }
    plain = {metric: {name: it.to_json() for name, it in by.items()} for metric, by in disparities.items()}
    return {"utility": tune["balanced_accuracy"], "threshold": 0.5, "tune": tune, "disparity": plain}


def _training() -> TrainingDocument:
    return evidence.training(
        mitigation="reweighing",
        threshold_rule="highest balanced_accuracy on tune rows",
        tune=TUNE,
        model=MODEL_SHA256,
        candidates=[candidate("reweighing", 0.71, chosen=True)],
        reference=candidate("none", 0.75) | {"why": "to compare with: no candidate"},
        choice=CHOICE,
        before_after={
            "estimator": "sklearn.linear_model.LogisticRegression",
            "mitigation": "reweighing",
            "before_was_a_candidate": False,
            "before": side(TUNE | {"balanced_accuracy": 0.75}, 0.3, None),
            "after": side(TUNE, 0.14, None),
        },
        libraries={"numpy": "2.2.0"},
        features={"income": "number", "debt": "number"},
        requirements_sha256="ef" * 32,
    )


def blocked() -> dict[str, dict[str, Any]]:
    """Evidence of a run that the raw table's validation blocked."""
    fault = _expectation("the row key `id` names 2 rows twice", False, "block", "id")
    totals = {"blocking_failures": measured(1), "warnings": measured(0), "expectations": measured(1)}
    first = evidence.raw_validation(totals, blocked=True, expectations=[fault])
    because = "validate_raw: the row key `id` names 2 rows twice"
    rest = {name: BlockedDocument(because=because) for name in documents() if name != "validation_raw"}
    rest["validation_prepared"] = BlockedValidation(because=because, boundary="prepared")
    return {"validation_raw": first.to_json()} | {name: document.to_json() for name, document in rest.items()}


def write(
    root: Path,
    records: dict[str, dict[str, Any]],
    *,
    rules: dict[str, Any] | None = None,
    chosen: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    figures: bool = True,
    points: Mapping[str, Any] = POINTS,
    reference: BaselineDocument | None = None,
) -> Path:
    """A project at `root` with this evidence, judged, its pictures and the points of its charts."""
    artifacts.write_text(root / "params.yaml", yaml.safe_dump(chosen or settings()))
    artifacts.write_text(root / "policies/p.yaml", yaml.safe_dump(rules or policy()))
    origin = evidence.origin(
        source=source or {"kind": "demo", "select": "SELECT *\nFROM source"},
        rows=190,
        columns=("id", "debt"),
        sha256="12" * 32,
    )
    origin.write(root)
    if records.get("training", {}).get("status") == "measured":
        artifacts.write_text(root / paths.MODEL, MODEL)
        (reference or baseline()).write(root)
    for name, document_ in records.items():
        artifacts.write_json(root / f"reports/{name}.json", document_)
    for name, content in points.items():
        artifacts.write_json(root / f"reports/figures/{name}.json", content)
    for name in ("evaluate/odd", "explain/beeswarm") if figures else ():
        picture = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        artifacts.write_text(root / f"reports/figures/{name}.svg", picture)
    verdict = project_verdict.judge(params.load(root / "params.yaml"), root)
    verdict.write(root)
    return root


def large(root: Path) -> Path:
    """A project of 40 groups, 80 where they cross another attribute, and 300 features; returns `root`."""
    records = documents(DIGITS["gap"])
    features = [f"feature {place}" for place in range(300)]
    groups = {f"group {place:02}": evidence.group(20 + place, 10, 5, 12) for place in range(40)}
    for group in groups.values():
        rates = ("selection_rate", "true_positive_rate", "false_positive_rate")
        group["intervals"] = {rate: [group[rate] * 0.9, min(1.0, group[rate] * 1.1)] for rate in rates}
    crossed = {f"{name} & {sex}": group for name, group in groups.items() for sex in ("female", "male")}
    fairness, explanation = records["fairness"], records["explanation"]
    fairness["groups"] = {"race": groups, "race & sex": crossed}
    fairness["above_median"] = {name: dict.fromkeys(table, 20) for name, table in fairness["groups"].items()}
    figure = measured(*DIGITS["gap"]).to_json()
    for metric in metric_catalogue.of_document("fairness"):
        fairness["measurements"][metric.measurement] = {"race": figure, "race & sex": figure}
    explanation["importance"] = [
        {"feature": name, "mean_abs": 1 / place} for place, name in enumerate(features, start=1)
    ]
    explanation["by_group"] = {"race": {group: dict.fromkeys(features, 0.01) for group in groups}}
    explanation["group_rows"] = {"race": dict.fromkeys(groups, 30)}
    records["training"]["features"] = dict.fromkeys(features, "number")
    for name in ("validation_raw", "validation_prepared"):
        records[name]["expectations"] += [
            _expectation(f"`{feature}` holds numbers", True, "block", feature) for feature in features
        ]
    bins = FeatureBins(kind="number", edges=tuple(float(10 * 2**place) for place in range(9)))
    reference = FeatureReference(bins=bins, counts=(*[10] * 10, 0, 4), mean=50.0)
    points = POINTS | {
        "evaluate/roc": [
            {"false_positive_rate": place / 499, "true_positive_rate": (place / 499) ** 0.5}
            for place in range(500)
        ],
        "evaluate/precision_recall": [
            {"precision": 1 - place / 900, "recall": place / 499} for place in range(500)
        ],
        "evaluate/score_distribution": {"race": {group: [*range(20)] for group in groups}},
    }
    return write(root, records, points=points, reference=baseline(**dict.fromkeys(features, reference)))


def since(reason: str = "the interval straddles the limit") -> SinceVerdict:
    """What a champion went through after its verdict, some of everything; every text ends in `reason`."""
    change = ComparisonFinding(
        demand="not_worse",
        metric="performance.roc_auc",
        attribute=None,
        limit=None,
        severity="block",
        outcome=Outcome.INSUFFICIENT_EVIDENCE,
        reason=reason,
        change=measured(0.02, -0.01, 0.05),
    )
    model = ComparedVersion(fingerprint="f", sha256="0" * 64, threshold=0.5, version=4)
    comparison = ComparisonDocument(
        name="loans",
        candidate=model,
        champion=model,
        policy_sha256="0" * 64,
        asked={},
        rows=ComparedRows(test=90, left_out=8, compared=82, sha256=None),
        outcome=Outcome.INSUFFICIENT_EVIDENCE,
        approvals=0,
        findings=(change,),
        figures={},
        notes=(),
    )
    live = LiveFinding(
        rule="score-is-stable",
        metric="score_psi",
        subject="score",
        outcome=Outcome.FAIL,
        severity="warn",
        on_fail="alert",
        value=0.3,
        rows=500,
        reason=reason,
    )
    return SinceVerdict(
        version=7,
        until="2026-11-30 12:00:00 UTC",
        state="champion",
        bar=f"known to be set after the result: {reason}",
        tenures=(f"loans version 7 has been champion since 2026-11-29 12:00:00 UTC. {reason}",),
        events=(RecordedEvent(sentence="#9 2026-11-28 12:00:00 UTC: rita approved it.", detail=reason),) * 3,
        obstacle=reason,
        waiting=(f"version 7 waits for nobody: {reason}",),
        asked=(f"data contract 0123, not pinned: {reason}",),
        comparison=comparison,
        incidents=((f"incident 3 (other, open): {reason}", "owner: rita"),),
        restrictions=(f"version 7 is held for review: {reason}",),
        newest_looks=(f"day 2026-11-29, version 7, 500 decisions: 1 fails {reason}",),
        watched=(WatchedRule(finding=live, looks=30, spark="M0 19L60 5L120 1"),),
        problems=(f"reports/figures/train: {reason}",),
    )


def page(root: Path, since: SinceVerdict | None = None) -> str:
    """The page over the evidence at `root`."""
    settings = params.load(root / "params.yaml")
    return report.render(report.read(root), settings.data, data_contract.of(settings), since)


class Parsed(HTMLParser):
    """A page as a list of elements, each with its attributes and all the text in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        assert not self._open, f"left open: {[self.elements[at][0] for at in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in INLINE:
            self.handle_data(" ")
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for at in self._open:
            self.elements[at][2].append(data)

    def texts(self, tag: str) -> list[str]:
        """The text of every element of this kind, in order, with single spaces."""
        return [" ".join("".join(text).split()) for name, _, text in self.elements if name == tag]

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this kind."""
        return [attributes for name, attributes, _ in self.elements if name == tag]
