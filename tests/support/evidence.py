"""Evidence documents for tests: complete and valid, with what a test is about given and the rest made up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files
from clearance.documents.evidence_document import BlockedDocument, Measurements
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import Measurement
from clearance.documents.origin_document import OriginDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import (
    BlockedValidation,
    PreparedValidationDocument,
    RawValidationDocument,
)
from clearance.documents.verdict_document import PolicyReport, VerdictDocument

DIGEST = "0" * 64
SPLITS = ("train", "tune", "test")
TABLES = ("features", "label", "protected")
SAMPLING = {"statement": "rows are taken as independent", "weight": None, "cluster": None}
NO_FAILURE = {"blocking_failures": Measurement(value=0)}
TUNE: dict[str, Any] = {"rows": 40, "favourable": 20, "roc_auc": 0.9, "accuracy": 0.75} | {
    "balanced_accuracy": 0.71,
    "f1": 0.7,
    "selection_rate": 0.5,
}
CHOICE: dict[str, Any] = {
    "rule": "of the candidates that keep every rule, the one with the highest utility",
    "keeps_every_rule": True,
    "reason": "chosen: the highest utility among those that keep every rule",
    "rules": [],
    "rules_not_measured_on_tune_rows": [],
    "policy_on_protected_at_decision": "not named",
}


def origin(**content: Any) -> OriginDocument:
    """The origin of a raw table."""
    made_up: dict[str, Any] = {"source": {}, "rows": 100, "columns": (), "types": {}, "sha256": DIGEST}
    return OriginDocument(**(made_up | content))


def expectation(
    detail: str, *, severity: str = "block", success: bool = True, **content: Any
) -> dict[str, Any]:
    """An expectation of a table as a validation has it."""
    made_up: dict[str, Any] = {"expectation": "expect", "column": None, "observed": None, "examples": []}
    return made_up | {"severity": severity, "success": success, "detail": detail} | content


def raw_validation(measurements: Measurements = NO_FAILURE, **content: Any) -> RawValidationDocument:
    """The validation of a raw table; unless it is said otherwise, nothing failed."""
    made_up: dict[str, Any] = {"blocked": False, "expectations": (), "table": DIGEST}
    return RawValidationDocument.create(measurements=measurements, **(made_up | content))


def prepared_validation(
    measurements: Measurements = NO_FAILURE, **content: Any
) -> PreparedValidationDocument:
    """The validation of prepared tables; unless it is said otherwise, nothing failed."""
    made_up: dict[str, Any] = {"blocked": False, "expectations": (), "tables": dict.fromkeys(TABLES, DIGEST)}
    sampling = {"sampling": {"statement": SAMPLING["statement"]}}
    return PreparedValidationDocument.create(measurements=measurements, **(made_up | sampling | content))


def split(measurements: Measurements | None = None, **content: Any) -> SplitDocument:
    """The record of prepared tables."""
    made_up: dict[str, Any] = {
        "by": "row_key",
        "seed": 1,
        "time": None,
        "rows": dict.fromkeys(SPLITS, 1),
        "row_digests": dict.fromkeys(SPLITS, DIGEST),
        "features": (),
        "protected": (),
        "tables": dict.fromkeys(TABLES, DIGEST),
    }
    figures = {"overlap": Measurement(value=0)} if measurements is None else measurements
    return SplitDocument.create(measurements=figures, **(made_up | content))


def training(measurements: Measurements | None = None, **content: Any) -> TrainingDocument:
    """The record of a training; `model` may be the digest of the model's file alone."""
    made_up: dict[str, Any] = {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "arguments": {"C": 0.1},
        "estimator_params": {"C": 0.1},
        "mitigation": "none",
        "mitigation_ships": "the estimator as it is fitted",
        "uses_protected_at_decision": False,
        "weights": None,
        "search": None,
        "threshold": 0.5,
        "threshold_rule": "fixed in params.yaml",
        "utility": "balanced_accuracy",
        "tune": TUNE,
        "warnings": (),
        "data": {
            "rows": dict.fromkeys(SPLITS, 1),
            "row_digests": dict.fromkeys(SPLITS, DIGEST),
            "tables": dict.fromkeys(TABLES, DIGEST),
        },
        "split_use": {},
        "features": {},
        "inputs": (),
        "input_example": {},
        "choice": CHOICE,
        "members": None,
        "candidates": (),
        "reference": None,
        "before_after": None,
        "libraries": {},
        "requirements_sha256": DIGEST,
    }
    figures = {"protected_at_decision": Measurement(value=0)} if measurements is None else measurements
    model = content.pop("model", DIGEST)
    if isinstance(model, str):
        model = {"file": "models/trained/model.skops", "sha256": model}
    return TrainingDocument.create(measurements=figures, model=model, **(made_up | content))


def candidate(**content: Any) -> dict[str, Any]:
    """A fitted candidate as the record of a training has it."""
    made_up: dict[str, Any] = {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "arguments": {"C": 0.1},
        "mitigation": "none",
        "uses_protected_at_decision": False,
        "fitted": True,
        "chosen": False,
        "why": "the test",
        "utility": 0.7,
        "threshold": 0.5,
        "tune": TUNE,
        "disparity": {},
    }
    return made_up | content


def performance(measurements: Mapping[str, Measurement], **content: Any) -> PerformanceDocument:
    """How well a model predicts."""
    cells = dict.fromkeys(("true_positive", "false_positive", "false_negative", "true_negative"), 0)
    made_up = {"rows": 100, "sampling": SAMPLING, "threshold": 0.5, "confusion": cells} | {
        "model_sha256": DIGEST
    }
    return PerformanceDocument.create(measurements=measurements, **(made_up | content))


def fairness(measurements: Mapping[str, Mapping[str, Measurement]], **content: Any) -> FairnessDocument:
    """How decisions differ between groups."""
    made_up: dict[str, Any] = {
        "groups": {},
        "against_best": {},
        "never_observed": {},
        "family": {
            "attributes": [],
            "metrics": 0,
            "intervals": {},
            "held_each": 0.95,
            "held_together": 0.0,
            "statement": "the test",
        },
        "rows": 100,
        "sampling": SAMPLING,
        "threshold": 0.5,
        "above_median": None,
        "model_sha256": DIGEST,
    }
    return FairnessDocument.create(measurements=measurements, **(made_up | content))


def group(true_positive: int, false_positive: int, false_negative: int, true_negative: int) -> dict[str, Any]:
    """A group of the group table, with its rates and without intervals."""

    def rate(part: int, total: int) -> float | None:
        return part / total if total else None

    count = true_positive + false_positive + false_negative + true_negative
    return {
        "count": count,
        "cells": {
            "true_positive": true_positive,
            "false_positive": false_positive,
            "false_negative": false_negative,
            "true_negative": true_negative,
        },
        "selection_rate": rate(true_positive + false_positive, count),
        "true_positive_rate": rate(true_positive, true_positive + false_negative),
        "false_positive_rate": rate(false_positive, false_positive + true_negative),
        "intervals": {},
        "exact_intervals": {},
    }


def explanation(measurements: Mapping[str, Measurement] | None = None, **content: Any) -> ExplanationDocument:
    """What matters to a model."""
    made_up: dict[str, Any] = {"importance": [], "by_group": {}, "group_rows": {}, "model_sha256": DIGEST}
    figures = {"additivity_error": Measurement(value=1e-12)} if measurements is None else measurements
    return ExplanationDocument.create(measurements=figures, **(made_up | content))


def finding(**content: Any) -> dict[str, Any]:
    """A finding of a verdict: a gap by race that passes."""
    made_up: dict[str, Any] = {
        "rule": "gap",
        "metric": "fairness.demographic_parity_difference",
        "attribute": "race",
        "limit": {"at_least": None, "at_most": 0.1},
        "severity": "block",
        "decides_by": "interval",
        "kind": "engineering",
        "source": "the test",
        "certainty": None,
        "jurisdiction": None,
        "outcome": "pass",
        "reason": "the gap is small",
        "value": 0.05,
        "low": 0.0,
        "high": 0.09,
        "confidence": 0.95,
        "support": {},
    }
    return made_up | content


def policy_report(**content: Any) -> PolicyReport:
    """What a verdict says of its policy."""
    made_up: dict[str, Any] = {"id": "p", "version": "7", "title": "the test", "file": "policies/test.yaml"}
    made_up |= {"sha256": DIGEST, "as_of": "2026-11-22", "impact_table": None, "test_uses": None}
    return PolicyReport(**(made_up | content))


def verdict(outcome: str = "pass", **content: Any) -> VerdictDocument:
    """What a policy says of a model."""
    made_up: dict[str, Any] = {
        "name": "loans",
        "reasons": (),
        "findings": (),
        "not_in_force": (),
        "policy": policy_report(),
        "what_if": False,
        "overrides": {},
        "evidence": {},
    }
    return VerdictDocument.create(verdict=outcome, **(made_up | content))


def block(root: Path, because: str, *names: str) -> None:
    """Write the documents of these names at `root` as a stage writes them when an earlier one blocked."""
    for name in names:
        document = BlockedDocument(because=because)
        if name == "validation_prepared":
            document = BlockedValidation(because=because, boundary="prepared")
        files.write_json(root / f"reports/{name}.json", document.to_json())
