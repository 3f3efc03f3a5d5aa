"""Train one model: fit it on train rows, choose its threshold on tune rows, record how, byte for byte.

Test rows are never read here. Whether the model is good enough is not decided here either.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from clearance import files, params, stage
from clearance.data.tables import prepared
from clearance.documents import measurement
from clearance.errors import ConfigurationError, DataError, IntegrityError
from clearance.models import (
    candidate_search,
    candidates,
    encoding,
    estimators,
    fitting,
    model_file,
    pareto,
    scoring,
    training_record,
    tune_constraints,
)
from clearance.policy import policy_file

FOLDER = Path("models/trained")
MODEL = FOLDER / "model.skops"
RECORD = Path("reports/training.json")
VALIDATION = Path("reports/validation_prepared.json")
FIGURES = Path("reports/figures/train")
LOCK = Path("requirements.lock")

NO_DEMANDS = tune_constraints.Constraints()
"""What is asked of candidates where no policy is held against them: nothing, and nothing is allowed."""

_LIBRARIES = ("fairlearn", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")
_TYPES = {"number": "double", "category": "string"}

log = logging.getLogger(__name__)


def train(  # noqa: PLR0917 - what a run is made of
    rows: prepared.Prepared,
    tune: prepared.Prepared,
    data: params.Data,
    choice: params.Train,
    seed: int,
    demands: tune_constraints.Constraints = NO_DEMANDS,
) -> candidate_search.Selection:
    """Fit the candidates that `choice` names on `rows`, and choose thresholds and one candidate on `tune`.

    Raises DataError when the rows cannot be learnt from, ConfigurationError when the choice does not work.
    """
    _refuse_unusable(rows)
    setting = candidates.Setting(
        rows=rows,
        tune=tune,
        types={name: column.type for name, column in data.columns.items()},
        threshold=choice.threshold,
        limits=demands.rules,
        seed=seed,
    )
    return candidate_search.select(
        setting, choice.grid, allowed=choice.protected_at_decision, stance=demands.protected
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


def training_document(  # noqa: PLR0917 - what a run is made of
    selection: candidate_search.Selection,
    model: Mapping[str, str],
    choice: params.Train,
    split: Mapping[str, Any],
    lock: str,
    demands: tune_constraints.Constraints = NO_DEMANDS,
) -> dict[str, Any]:
    """The deterministic tracking record: all that anyone needs to log, check or repeat this training.

    `model` is the file and its digest, `split` the record of the prepared tables, `lock` the SHA-256 of the
    locked requirements. No row of the tables is in it: `input_example` is made up.
    """
    chosen = selection.chosen
    path = estimators.import_path(chosen.estimator.estimator)
    weights = chosen.weights
    pipeline = chosen.fitted.pipeline
    kinds = scoring.model_kinds(pipeline)
    return measurement.measured(
        {tune_constraints.PROTECTED_AT_DECISION: training_record.protected_at_decision(chosen)},
        estimator=path,
        arguments=fitting.to_json_value(chosen.estimator.arguments),
        estimator_params=fitting.to_json_value(pipeline[-1].get_params()),
        mitigation=chosen.mitigation.label,
        weights=weights and {"cells": weights.cells, "one_sided": weights.one_sided},
        search=chosen.fitted.search,
        threshold=chosen.threshold,
        threshold_rule=chosen.threshold_rule,
        tune=chosen.tune.to_json(),
        warnings=chosen.fitted.warnings,
        model=dict(model),
        data={key: split[key] for key in ("tables", "row_digests", "rows")},
        features=kinds,
        inputs=[{"name": name, "type": _TYPES[kind]} for name, kind in kinds.items()],
        input_example=encoding.typical(pipeline[0]),
        requirements_sha256=lock,
        libraries=_versions(path),
        **training_record.selection(selection, choice, demands),
    )


def _versions(path: str) -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    found |= dict([estimators.distribution(path)])
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
    split = files.read_json(prepared.RECORD)
    validation = files.read_json(VALIDATION)
    because = blocked_because(split, validation)
    if because:
        _write_blocked(measurement.blocked(because))
        return
    if validation.get("tables") != split["tables"]:
        raise IntegrityError(
            f"{VALIDATION} was made from other tables than {prepared.FOLDER}",
            "run `clearance repair`, then run again",
        )
    rows, tune = prepared.read_splits(Path(), "train", "tune")
    asked = tune_constraints.from_policy(policy_file.load(Path(settings.policy.file)), settings.policy.as_of)
    selection = train(rows, tune, settings.data, settings.train, settings.seed, asked)
    chosen = selection.chosen
    for complaint in chosen.fitted.warnings:
        log.warning("%s", complaint)
    with files.replacing_folder(FOLDER) as folder:
        digest = model_file.save(chosen.pipeline, folder / MODEL.name)
        _refuse_unfaithful(chosen.pipeline, folder / MODEL.name, digest, rows)
    model = {"file": MODEL.as_posix(), "sha256": digest, "format": "skops"}
    document = training_document(selection, model, settings.train, split, files.sha256(LOCK), asked)
    with files.replacing_folder(FIGURES) as folder:
        pareto.write(folder, document["candidates"])
    files.write_json(RECORD, document)
    _say(selection, document["estimator"], len(rows.label))


def _say(selection: candidate_search.Selection, path: str, rows: int) -> None:
    chosen = selection.chosen
    log.info("fitted %s on %d rows", path, rows)
    if len(selection.tried) > 1:
        reason = selection.choice.reasons[selection.choice.chosen]
        count, mitigation = len(selection.tried), chosen.mitigation.label
        log.info("of %d candidates: %s with %s (%s)", count, path, mitigation, reason)
    log.info("favourable from a score of %.4f (%s)", chosen.threshold, chosen.threshold_rule)


def _refuse_unfaithful(pipeline: Pipeline, path: Path, digest: str, rows: prepared.Prepared) -> None:
    """Raise ConfigurationError when the model on disk does not score exactly as the one in memory."""
    sample = rows.inputs(pipeline.feature_names_in_).head(1000)
    stored = scoring.score(model_file.load(path, digest), sample)
    if not np.array_equal(stored, scoring.score(pipeline, sample)):
        raise ConfigurationError(
            f"{type(pipeline[-1]).__name__} does not survive being stored: its scores differ afterwards",
            "choose another estimator in `train.estimator`",
        )


def _write_blocked(document: dict[str, Any]) -> None:
    for path in (FOLDER, FIGURES):
        with files.replacing_folder(path) as folder:
            files.write_json(folder / "blocked.json", document)
    files.write_json(RECORD, document)
    log.info("blocked: %s", document["because"])


if __name__ == "__main__":
    stage.run(main)
