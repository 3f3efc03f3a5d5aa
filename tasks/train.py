"""Stage: fit candidates on train rows, choose a threshold and one model on tune rows, record how.

The same inputs give the same bytes. Test rows are never read here, and whether the model is good enough is
not decided here.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import threadpoolctl
from sklearn.model_selection import FixedThresholdClassifier

from clearance import files, params, paths, stage
from clearance.data import faults as data_faults
from clearance.data.tables import prepared
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.measurement import Measurement
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import ModelFile, TrainingData, TrainingDocument
from clearance.documents.validation_document import PreparedValidationDocument
from clearance.models import (
    candidate_search,
    candidates,
    compatibility,
    encoding,
    estimators,
    faults,
    fitting,
    model_file,
    pareto,
    scoring,
    thresholds,
    training_record,
    tune_constraints,
    tune_measurements,
)
from clearance.models.external import adopted, answers, file_format, reading, sandboxed
from clearance.models.external import record as external_record
from clearance.policy import policy_file
from clearance.registry import pyfunc_sandbox

NO_CONSTRAINTS = tune_constraints.Constraints()
"""What candidates must satisfy without a policy: nothing, and nothing is explicitly allowed."""

DEFAULTS = params.Evaluate()
"""How what the policy's rules read is measured where nothing is declared."""

REFITTED = 500
"""The rows of each outcome on which the estimator is fitted twice."""

SAME = 1e-9
"""The largest difference between the scores of two fits that are the same model."""

_LIBRARIES = ("fairlearn", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")
_TYPES = {"number": "double", "category": "string"}

logger = logging.getLogger(__name__)


def train(  # noqa: PLR0917 - what a run is made of
    rows: prepared.Prepared,
    tune: prepared.Prepared,
    data: params.Data,
    choice: params.Train,
    seed: int,
    constraints: tune_constraints.Constraints = NO_CONSTRAINTS,
    options: params.Evaluate = DEFAULTS,
) -> candidate_search.Selection:
    """Fit the candidates that `choice` names on `rows`, and choose thresholds and one candidate on `tune`.

    `options` say how what the policy's rules read is measured. Raises DataError when the rows cannot be
    learned from, ConfigurationError when the choice does not work.
    """
    _refuse_unusable(rows)
    setting = candidates.Setting(
        rows=rows,
        tune=tune_measurements.TuneRows.of(tune, data, options, seed),
        types={name: column.type for name, column in data.columns.items()},
        threshold=choice.threshold,
        limits=constraints.rules,
        seed=seed,
    )
    return candidate_search.select(
        setting, choice.grid, allowed=choice.protected_at_decision, stance=constraints.protected
    )


def _refuse_unusable(rows: prepared.Prepared) -> None:
    if len(set(rows.label.tolist())) < 2:
        raise faults.TRAIN_ROWS_ONE_OUTCOME(rows=len(rows.label))
    empty = [name for name in rows.features.columns if not rows.features[name].notna().any()]
    if empty:
        raise faults.FEATURES_EMPTY(features=", ".join(f"`{name}`" for name in empty))


def training_document(
    *,
    selection: candidate_search.Selection,
    model_sha256: str,
    rows: prepared.Prepared,
    options: params.Train,
    split: SplitDocument,
    lock_sha256: str,
    extras_sha256: Mapping[str, str] | None = None,
    constraints: tune_constraints.Constraints = NO_CONSTRAINTS,
) -> TrainingDocument:
    """The training document: all that anyone needs to log, check or repeat this training.

    `model_sha256` and `lock_sha256` are the digests of the model's file and of the locked requirements,
    `extras_sha256` those of the locks of the optional libraries that candidates come from. `rows` are the
    train rows, `split` records the prepared tables. No row is in it: `input_example` is made up.
    """
    chosen = selection.chosen
    path = estimators.import_path(chosen.estimator.estimator)
    weights = chosen.weights
    pipeline = chosen.fitted.pipeline
    kinds = scoring.model_kinds(pipeline)
    return TrainingDocument.create(
        measurements={tune_constraints.PROTECTED_AT_DECISION: training_record.protected_at_decision(chosen)},
        estimator=path,
        arguments=fitting.to_json_value(chosen.estimator.arguments),
        estimator_params=fitting.to_json_value(pipeline[-1].get_params()),
        mitigation=chosen.mitigation.label,
        mitigation_ships=chosen.declared.ships,
        uses_protected_at_decision=chosen.declared.needs_protected_at_decision,
        weights=weights and {"cells": weights.cells, "one_sided": weights.one_sided},
        search=chosen.fitted.search,
        threshold=chosen.threshold,
        threshold_rule=chosen.threshold_rule,
        utility=training_record.utility(options),
        tune=training_record.tune_figures(chosen),
        warnings=chosen.fitted.warnings,
        model=ModelFile(file=paths.MODEL.as_posix(), sha256=model_sha256),
        data=TrainingData(rows=split.rows, row_digests=split.row_digests, tables=split.tables),
        split_use=training_record.SPLIT_USE,
        features=kinds,
        inputs=[{"name": name, "type": _TYPES[kind]} for name, kind in kinds.items()],
        input_example=scoring.example(kinds),
        choice=training_record.choice(selection, options, constraints),
        members=chosen.members,
        candidates=training_record.candidate_reports(selection),
        reference=training_record.reference(selection),
        before_after=training_record.before_after(selection),
        numbers=compatibility.summaries(scoring.inputs(rows.inputs(list(kinds)), kinds)),
        libraries=_versions(path),
        requirements_sha256=lock_sha256,
        extras_sha256=extras_sha256,
    )


def _versions(path: str | None) -> dict[str, str]:
    """The versions behind every model, and that of the package of the class at `path`."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    versions |= dict([estimators.distribution(path)]) if path else {}
    return versions | {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def external_document(
    *,
    model: adopted.Adopted,
    cut: external_record.Threshold,
    tune: prepared.Prepared,
    model_sha256: str,
    project: adopted.Project,
    split: SplitDocument,
    lock_sha256: str,
) -> TrainingDocument:
    """The training document of a model that was made elsewhere: what it is, and what is only declared."""
    pipeline = model.pipeline
    kinds = scoring.model_kinds(pipeline)
    scores = scoring.score(pipeline, tune.inputs(pipeline.feature_names_in_))
    figures = thresholds.measure(scores, tune.label, cut.value).to_json()
    if model.answer == "decisions":
        figures["roc_auc"] = None
    estimator = pipeline[-1]
    protected = external_record.protected_at_decision(model, project.data.protected)
    return TrainingDocument.create(
        measurements={tune_constraints.PROTECTED_AT_DECISION: protected},
        estimator=f"{type(estimator).__module__}.{type(estimator).__qualname__}",
        arguments={},
        estimator_params={},
        mitigation="not known",
        mitigation_ships="what was made elsewhere, as it is",
        uses_protected_at_decision=bool(protected.value),
        weights=None,
        search=None,
        threshold=cut.value,
        threshold_rule=cut.rule,
        tune=figures,
        warnings=(),
        model=ModelFile(file=paths.MODEL.as_posix(), sha256=model_sha256),
        data=TrainingData(rows=split.rows, row_digests=split.row_digests, tables=split.tables),
        split_use=external_record.SPLIT_USE,
        features=kinds,
        inputs=[{"name": name, "type": _TYPES[kind]} for name, kind in kinds.items()],
        input_example=scoring.example(kinds),
        libraries=_versions(None) | external_record.libraries(estimator),
        extras_sha256=_lock_digests({external_record.extra_of(estimator)}),
        requirements_sha256=lock_sha256,
        external=external_record.external_model(project.external, model, cut, split),
    )


def main() -> None:
    """Read the prepared tables, write `models/trained/` and `reports/training.json`."""
    settings = params.load(paths.PARAMS)
    outputs = (paths.TRAINING, paths.TRAINED, paths.TRAIN_FIGURES)
    split = unless_blocked(SplitDocument.read(Path()), *outputs)
    if split is None:
        return
    validation = unless_blocked(PreparedValidationDocument.read(Path()), *outputs)
    if validation is None:
        return
    if validation.tables != split.tables:
        raise data_faults.VALIDATED_ANOTHER_TABLE(report=paths.VALIDATION_PREPARED, table=paths.PREPARED)
    if (external := settings.train.external) is None:
        _train_here(settings, split)
    else:
        _adopt(external, settings, split)


def _train_here(settings: params.Params, split: SplitDocument) -> None:
    rows, tune = prepared.read_splits(Path(), "train", "tune")
    policy = policy_file.load(Path(settings.policy.file))
    constraints = tune_constraints.from_policy(policy, settings.policy.as_of)
    selection = train(
        rows, tune, settings.data, settings.train, settings.seed, constraints, settings.evaluate
    )
    pipeline = selection.chosen.pipeline
    for warning in selection.chosen.fitted.warnings:
        logger.warning("%s", warning)
    _refuse_unrepeatable(selection.chosen, settings.seed, rows)
    with files.replacing_folder(paths.TRAINED) as folder:
        decider = model_file.with_threshold(pipeline, selection.chosen.threshold)
        model_sha256 = model_file.save(decider, folder / paths.MODEL.name)
        _refuse_unfaithful(decider, folder / paths.MODEL.name, model_sha256, rows)
    document = training_document(
        selection=selection,
        model_sha256=model_sha256,
        rows=rows,
        options=settings.train,
        split=split,
        lock_sha256=files.sha256(paths.REQUIREMENTS_LOCK),
        extras_sha256=_extra_locks(settings.train),
        constraints=constraints,
    )
    with files.replacing_folder(paths.TRAIN_FIGURES) as folder:
        pareto.write(folder, document.to_json()["candidates"])
    document.write(Path())
    _log(selection, document.estimator, len(rows.label))


def _adopt(external: params.External, settings: params.Params, split: SplitDocument) -> None:
    """Take the model that was made elsewhere: nothing is fitted, and no label of a test row is read.

    It must be able to score every row that chooses or judges, before one of them does.
    """
    choice, kind = settings.train, file_format.format_of(external)
    in_sandbox = kind == "mlflow"
    tune, test = prepared.read_splits(Path(), "tune", "test")
    project = adopted.Project(
        external=external,
        data=settings.data,
        rows=prepared.read(Path(), None) if in_sandbox else test,
        threshold=choice.threshold.fixed,
        protected_allowed=choice.protected_at_decision,
    )
    model = _answers_of_folder(project) if in_sandbox else reading.adopt(project, kind, _keys(split))
    for side in (tune, test) if model.ships else ():
        reading.try_out(project.file, model, side)
    cut = external_record.threshold(project.file, model, choice.threshold, tune)
    with files.replacing_folder(paths.TRAINED) as folder:
        decider = model_file.with_threshold(model.pipeline, cut.value)
        model_sha256 = model_file.save(decider, folder / paths.MODEL.name)
        _refuse_unfaithful(decider, folder / paths.MODEL.name, model_sha256, test)
    document = external_document(
        model=model,
        cut=cut,
        tune=tune,
        model_sha256=model_sha256,
        project=project,
        split=split,
        lock_sha256=files.sha256(paths.REQUIREMENTS_LOCK),
    )
    with files.replacing_folder(paths.TRAIN_FIGURES) as folder:
        pareto.write(folder, document.to_json()["candidates"])
    document.write(Path())
    logger.info("took %s, made elsewhere; declared by %s", external.file, external.declared_by)
    logger.info("favourable from a score of %.4f (%s)", cut.value, cut.rule)


def _keys(split: SplitDocument) -> answers.Rows:
    """The hashes of the prepared rows, and how many rows of the table are not among them."""
    left_out = split.measurements["left_out"]
    number = left_out.value if isinstance(left_out, Measurement) else None
    return answers.Rows(by_split=prepared.read_keys(Path()), left_out=int(number or 0))


def _answers_of_folder(project: adopted.Project) -> adopted.Adopted:
    """What an MLflow folder answers for all rows, in a sandbox."""
    described = pyfunc_sandbox.describe(project.file)
    given = pyfunc_sandbox.answers(project.file, sandboxed.inputs(described.features, project))
    answered = given.labels if given.numbers is None else given.numbers
    return sandboxed.adopt(answered, project, described.made_with)


def _extra_locks(options: params.Train) -> dict[str, str] | None:
    """The digests of the locks of the optional libraries that the candidates come from; None: from none."""
    extras = {estimators.extra_of(choice.estimator) for choice, _ in options.grid} - {None}
    return _lock_digests(extras)


def _lock_digests(extras: set[str | None]) -> dict[str, str] | None:
    return {name: files.sha256(paths.EXTRA_LOCKS[name]) for name in sorted(filter(None, extras))} or None


def _log(selection: candidate_search.Selection, path: str, rows: int) -> None:
    chosen = selection.chosen
    logger.info("fitted %s on %d rows", path, rows)
    if len(selection.tried) > 1:
        reason = selection.choice.reasons[selection.choice.chosen]
        count = len(selection.tried)
        logger.info("of %d candidates: %s with %s (%s)", count, path, chosen.mitigation.label, reason)
    logger.info("favourable from a score of %.4f (%s)", chosen.threshold, chosen.threshold_rule)


def _refuse_unrepeatable(chosen: candidates.Candidate, seed: int, rows: prepared.Prepared) -> None:
    """Raise ConfigurationError when two fits of the estimator on the same few rows differ.

    Scores of one model may differ in their last digits where several threads add them up.
    """
    kinds = scoring.model_kinds(chosen.pipeline)
    few = np.sort(np.concatenate([np.flatnonzero(rows.label == value)[:REFITTED] for value in (0, 1)]))
    inputs = scoring.inputs(rows.inputs(list(kinds)).iloc[few], kinds)
    how = estimators.encoding_of(chosen.estimator.estimator)
    encoded = encoding.transformer(kinds, how).fit_transform(inputs)
    few_threads = threadpoolctl.threadpool_limits(1)  # so few rows: several threads would only wait
    with fitting.recorded_warnings(chosen.pipeline[-1]), few_threads:
        one, other = (
            estimators.build(chosen.estimator.estimator, chosen.estimator.arguments, seed)
            .fit(encoded, rows.label[few])
            .predict_proba(encoded)
            for _ in range(2)
        )
    if not np.allclose(one, other, rtol=0, atol=SAME):
        raise faults.CANNOT_BE_DRAWN_AGAIN(estimator=chosen.estimator.estimator)


def _refuse_unfaithful(
    decider: FixedThresholdClassifier, path: Path, digest: str, rows: prepared.Prepared
) -> None:
    """Raise ConfigurationError when the model on disk does not score and decide exactly as judged."""
    pipeline, stored = decider.estimator, model_file.load(path, digest)
    sample = rows.inputs(pipeline.feature_names_in_).head(1000)
    scores = scoring.score(pipeline, sample)
    decisions = stored.predict(scoring.inputs(sample, scoring.model_kinds(pipeline)))
    same = np.array_equal(scoring.score(stored.estimator, sample), scores)
    if not (
        same and np.array_equal(decisions == scoring.FAVOURABLE, scoring.decide(scores, decider.threshold))
    ):
        raise faults.CHANGED_WHEN_STORED(estimator=type(pipeline[-1]).__name__)


if __name__ == "__main__":
    stage.run(main)
