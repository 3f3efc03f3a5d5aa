"""Train one model: fit it on train rows, choose its threshold on tune rows, record how, byte for byte.

Test rows are never read here. Whether the model is good enough is not decided here either.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from clearance import artifacts, evidence, params, stage
from clearance.errors import ConfigurationError, DataError, IntegrityError
from clearance.modelling import encoding, estimators, fitting, mitigation, model_file, scoring, thresholds
from clearance.tables import prepared

FOLDER = Path("models/trained")
MODEL = FOLDER / "model.skops"
RECORD = Path("reports/training.json")
VALIDATION = Path("reports/validation_prepared.json")
LOCK = Path("requirements.lock")

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")
_TYPES = {"number": "double", "category": "string"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted pipeline (encoding, then estimator), its threshold, and how both came about."""

    fitted: fitting.Fitted
    weights: mitigation.Reweighing | None
    threshold: float
    threshold_rule: str
    tune: thresholds.Quality

    @property
    def pipeline(self) -> Pipeline:
        """What scores a row."""
        return self.fitted.pipeline


def train(
    rows: prepared.Prepared, tune: prepared.Prepared, data: params.Data, choice: params.Train, seed: int
) -> Trained:
    """Fit the chosen estimator on `rows` and choose its threshold on `tune`.

    Raises DataError when the rows cannot be learnt from, ConfigurationError when the choice does not work.
    """
    _refuse_unusable(rows)
    kinds = scoring.kinds(rows.features, {name: column.type for name, column in data.columns.items()})
    estimator = estimators.build(choice.estimator, choice.arguments, seed)
    weights = _weigh(rows, choice, estimator)
    fitted = fitting.fit(
        Pipeline([("encode", encoding.transformer(kinds)), (fitting.ESTIMATOR, estimator)]),
        scoring.inputs(rows.features, kinds),
        rows.label,
        weights=None if weights is None else weights.weights,
        search=choice.search,
        seed=seed,
    )
    scores = scoring.score(fitted.pipeline, tune.features)
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ConfigurationError(
            f"{choice.estimator} gives scores that are no probabilities", "choose another estimator"
        )
    cut, rule = _cut(scores, tune, choice.threshold)
    return Trained(
        fitted=fitted,
        weights=weights,
        threshold=cut,
        threshold_rule=rule,
        tune=thresholds.measure(scores, tune.label, cut),
    )


def _refuse_unusable(rows: prepared.Prepared) -> None:
    if len(set(rows.label.tolist())) < 2:
        raise DataError(
            f"the {len(rows.label)} train rows do not hold both outcomes, so there is nothing to learn",
            "check `data.target` and `data.favourable`, or bring more rows",
        )
    empty = [name for name in rows.features.columns if not rows.features[name].notna().any()]
    if empty:
        raise DataError(
            f"no train row has a value in {', '.join(f'`{name}`' for name in empty)}",
            "take the column out of `data.features`, or mend its source",
        )


def _weigh(rows: prepared.Prepared, choice: params.Train, estimator: Any) -> mitigation.Reweighing | None:
    if choice.mitigation == "none":
        return None
    if not estimators.takes_weights(estimator):
        raise ConfigurationError(
            f"{choice.estimator} takes no row weights, which reweighing needs",
            "set `train.mitigation: none`, or choose an estimator whose `fit` takes `sample_weight`",
        )
    return mitigation.reweigh(rows.protected, rows.label)


def _cut(scores: scoring.Scores, tune: prepared.Prepared, choice: params.Threshold) -> tuple[float, str]:
    if choice.fixed is not None:
        return choice.fixed, "fixed in params.yaml"
    objective = choice.objective or "balanced_accuracy"
    return thresholds.choose(scores, tune.label, objective), thresholds.RULE.format(objective=objective)


def record(
    trained: Trained, model: Mapping[str, str], choice: params.Train, split: Mapping[str, Any], lock: str
) -> dict[str, Any]:
    """The deterministic tracking record: all that anyone needs to log, check or repeat this training.

    `model` is the file and its digest, `split` the record of the prepared tables, `lock` the SHA-256 of the
    locked requirements. No row of the tables is in it: `input_example` is made up.
    """
    path = estimators.import_path(choice.estimator)
    weights = trained.weights
    kinds = scoring.model_kinds(trained.pipeline)
    return evidence.measured(
        {},
        estimator=path,
        arguments=fitting.plain(choice.arguments),
        estimator_params=fitting.plain(trained.pipeline[-1].get_params()),
        mitigation=choice.mitigation,
        weights=weights and {"cells": weights.cells, "one_sided": weights.one_sided},
        search=trained.fitted.search,
        threshold=trained.threshold,
        threshold_rule=trained.threshold_rule,
        tune=trained.tune.to_json(),
        warnings=trained.fitted.warnings,
        model=dict(model),
        data={key: split[key] for key in ("tables", "row_digests", "rows")},
        features=kinds,
        inputs=[{"name": name, "type": _TYPES[kind]} for name, kind in kinds.items()],
        input_example=encoding.typical(trained.pipeline[0]),
        requirements_sha256=lock,
        libraries=_versions(path),
    )


def _versions(path: str) -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    found |= dict([estimators.package(path)])
    return found | {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def blocked_because(split: Mapping[str, Any], validation: Mapping[str, Any]) -> str | None:
    """Why nothing may be trained, or None. Only an explicit "not blocked" lets training begin."""
    for document in (split, validation):
        if document["status"] != "measured":
            return str(document["because"])
    if validation.get("blocked") is False:
        return None
    faults = [
        entry["detail"]
        for entry in validation.get("expectations", [])
        if entry["severity"] == "block" and not entry["success"]
    ]
    reason = "; ".join(faults[:3]) or "the report does not say that the tables may be used"
    return f"validate_prepared: {reason}"


def main() -> None:
    """Read the prepared tables, write `models/trained/` and `reports/training.json`."""
    settings = params.load(Path("params.yaml"))
    split = artifacts.read_json(prepared.RECORD)
    validation = artifacts.read_json(VALIDATION)
    because = blocked_because(split, validation)
    if because:
        _write_blocked(evidence.blocked(because))
        return
    if validation.get("tables") != split["tables"]:
        raise IntegrityError(
            f"{VALIDATION} was made from other tables than {prepared.FOLDER}",
            "run `clearance repair`, then run again",
        )
    rows, tune = prepared.read_each(Path(), "train", "tune")
    trained = train(rows, tune, settings.data, settings.train, settings.seed)
    for complaint in trained.fitted.warnings:
        log.warning("%s", complaint)
    with artifacts.replacing_folder(FOLDER) as folder:
        digest = model_file.save(trained.pipeline, folder / MODEL.name)
        _refuse_unfaithful(trained.pipeline, folder / MODEL.name, digest, rows)
    model = {"file": MODEL.as_posix(), "sha256": digest, "format": "skops"}
    document = record(trained, model, settings.train, split, artifacts.sha256(LOCK))
    artifacts.write_json(RECORD, document)
    log.info("fitted %s on %d rows", document["estimator"], len(rows.label))
    log.info("favourable from a score of %.4f (%s)", trained.threshold, trained.threshold_rule)


def _refuse_unfaithful(pipeline: Pipeline, path: Path, digest: str, rows: prepared.Prepared) -> None:
    """Raise ConfigurationError when the model on disk does not score exactly as the one in memory."""
    sample = rows.features.head(1000)
    stored = scoring.score(model_file.load(path, digest), sample)
    if not np.array_equal(stored, scoring.score(pipeline, sample)):
        raise ConfigurationError(
            f"{type(pipeline[-1]).__name__} does not survive being stored: its scores differ afterwards",
            "choose another estimator in `train.estimator`",
        )


def _write_blocked(document: dict[str, Any]) -> None:
    with artifacts.replacing_folder(FOLDER) as folder:
        artifacts.write_json(folder / "blocked.json", document)
    artifacts.write_json(RECORD, document)
    log.info("blocked: %s", document["because"])


if __name__ == "__main__":
    stage.run(main)
