"""What the training document says of a model that was made elsewhere: what it is, and what is only declared.

A declared fact is a statement of params.yaml about something that did not happen here. Nobody here measured
it: `declared_by` says who states it, and whoever proposes the model signs for it with the rest of the
evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import params
from clearance.data.tables import prepared
from clearance.documents.measurement import Measurement, undefined
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import DeclaredFact, ExternalModel
from clearance.models import estimators, scoring, thresholds
from clearance.models.external import adopted, answers, faults
from clearance.models.external.file_model import LIBRARIES, FileModel
from clearance.models.external.relabelled import Relabelled

SPLIT_USE = {
    "train": "none: the model was trained on them elsewhere, as declared",
    "tune": "chooses the threshold where none is declared",
    "test": "none: they judge",
}
"""Which rows are used for what, as the training document says it."""

UNKNOWN_INPUTS = (
    "only the answers of the model are here, so nobody can see whether it takes in protected attributes"
)
"""Why the use of protected attributes is not measured where only answers are known."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where decisions become favourable, the rule by which that was set, and whether it is only declared."""

    value: float
    rule: str
    declared: bool


def threshold(
    file: Path, model: adopted.Adopted, choice: params.Threshold, tune: prepared.Prepared
) -> Threshold:
    """The threshold of the model: its own, the declared one, or the one that `tune` rows choose.

    Raises ConfigurationError when there is none, or when two contradict each other.
    """
    if model.answer == "decisions":
        rule = "the decisions as they were given"
        return Threshold(value=answers.DECIDED_AT, rule=rule, declared=True)
    if model.threshold is not None:
        refuse_other_threshold(file, model.threshold, choice)
        return Threshold(value=model.threshold, rule="the model file's own", declared=True)
    if choice.fixed is not None:
        return Threshold(value=choice.fixed, rule="declared in params.yaml", declared=True)
    if not len(tune.label):
        raise faults.THRESHOLD_NEEDS_TUNE_ROWS(path=file)
    objective = choice.objective or "balanced_accuracy"
    scores = scoring.score(model.pipeline, tune.inputs(model.pipeline.feature_names_in_))
    chosen = thresholds.choose(scores, tune.label, objective)
    return Threshold(value=chosen, rule=thresholds.RULE.format(objective=objective), declared=False)


def refuse_other_threshold(file: Path, own: float, choice: params.Threshold) -> None:
    """Raise ConfigurationError where params.yaml says another threshold than the file's own."""
    if choice.model_fields_set and choice.fixed != own:
        declared = choice.objective if choice.fixed is None else choice.fixed
        raise faults.THRESHOLD_NOT_OF_THE_FILE(path=file, threshold=own, declared=declared)


def protected_at_decision(model: adopted.Adopted, protected: list[str]) -> Measurement:
    """1 when the model takes in a protected attribute, else 0; undefined where only its answers are here."""
    if not model.ships:
        return undefined(UNKNOWN_INPUTS)
    used = {*protected} & {*map(str, model.pipeline.feature_names_in_)}
    return Measurement(value=float(bool(used)))


def libraries(estimator: Any) -> dict[str, str]:
    """The further library that runs the model, and its version here; none for a table of answers."""
    inner = estimator.model if isinstance(estimator, Relabelled) else estimator
    if isinstance(inner, FileModel):
        return dict(estimators.distribution(name) for name in LIBRARIES[inner.format])
    module = type(inner).__module__
    return {} if module.startswith("clearance.") else dict([estimators.distribution(module)])


def extra_of(estimator: Any) -> str | None:
    """The optional library that the model needs; None where it needs none."""
    inner = estimator.model if isinstance(estimator, Relabelled) else estimator
    return inner.format if isinstance(inner, FileModel) else estimators.extra_of(type(inner).__module__)


def external_model(
    external: params.External, model: adopted.Adopted, cut: Threshold, split: SplitDocument
) -> ExternalModel:
    """The model's file by digest, and every fact that is declared of it."""
    return ExternalModel(
        file=external.file,
        sha256=model.sha256,
        format=model.format,
        origin=model.origin,
        answer=model.answer,
        trained_on=split.trained_on.declared if split.trained_on else "unknown",
        trained_elsewhere=(split.trained_on and split.trained_on.elsewhere) or 0,
        declared_by=external.declared_by,
        declared=tuple(_declared(external, model, cut, split)),
        made_with=model.made_with,
    )


def _declared(
    external: params.External, model: adopted.Adopted, cut: Threshold, split: SplitDocument
) -> Iterator[DeclaredFact]:
    if model.origin == "declared":
        yield DeclaredFact(about=model.answer, value=f"each row's is the one in {external.file}")
    if cut.declared and model.answer == "scores":
        yield DeclaredFact(about="threshold", value=f"{cut.value:g}, {cut.rule}")
    trained_on = split.trained_on
    if trained_on is not None:
        number, elsewhere = trained_on.keys or 0, f"{trained_on.elsewhere or 0:,}"
        keys = f"{number:,} {'key' if number == 1 else 'keys'}"
        rows = {
            "none": "none of these rows",
            "unknown": "unknown",
            "listed": f"{keys} listed, {elsewhere} without a row in this table",
        }
        yield DeclaredFact(about="training rows", value=rows[trained_on.declared])
    if external.features is not None:
        yield DeclaredFact(about="features", value=", ".join(external.features))
    yield DeclaredFact(about="training method", value="not known here, nor its mitigations")
