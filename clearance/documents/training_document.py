"""`reports/training.json`: what was trained, on which rows, and how one candidate came to be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.measurement import Measurement

Points = Mapping[str, Mapping[str, float | None]]
"""A value by metric and protected attribute; None where it is undefined."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """The trained model's file, relative to the project's root, and its digest."""

    file: str
    sha256: Sha256
    format: Literal["skops"] = "skops"


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The rows by split and their digests, and the digest of each prepared table."""

    rows: Mapping[str, Count]
    row_digests: Mapping[str, Sha256]
    tables: Mapping[str, Sha256]


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """A column that the model takes in, and its type in MLflow's words."""

    name: str
    type: Literal["double", "string"]


@dataclass(frozen=True, kw_only=True)
class NumberSummary:
    """A feature of numbers over the train rows, nulls left out: in the feature's own units."""

    median: float
    standard_deviation: float


@dataclass(frozen=True, kw_only=True)
class TuneFigures:
    """Decisions on tune rows at the threshold; a share is None where it is undefined."""

    rows: Count
    favourable: Count
    roc_auc: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    f1: float | None
    selection_rate: float | None


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What reweighing gave each group and label; `one_sided` are the groups with one label only."""

    cells: tuple[Mapping[str, Any], ...]
    one_sided: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """One combination of arguments, with its score over the folds and its rank."""

    arguments: Mapping[str, Any]
    mean: float
    standard_deviation: float
    rank: int


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """Every combination that a search tried, and the best."""

    scoring: str
    folds: int
    best: Mapping[str, Any]
    results: tuple[SearchResult, ...]


@dataclass(frozen=True, kw_only=True)
class BrokenRule:
    """A rule that a candidate breaks on tune rows, and by how much; both None where it is undefined."""

    rule: str
    attribute: str | None
    value: float | None
    excess: float | None


@dataclass(frozen=True, kw_only=True)
class _Named:
    estimator: str
    arguments: Mapping[str, Any]
    mitigation: str
    uses_protected_at_decision: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class SkippedCandidateReport(_Named):
    """A candidate that was not fitted, and why."""

    fitted: Literal[False] = False
    chosen: Literal[False] = False


@dataclass(frozen=True, kw_only=True)
class CandidateReport(_Named):
    """A fitted candidate, measured on tune rows. `why` says why it was chosen, or not.

    The reference, which is only compared with, has neither `keeps_every_rule` nor `broken`.
    """

    fitted: Literal[True] = True
    chosen: bool
    utility: float | None
    threshold: float
    tune: TuneFigures
    disparity: Points
    keeps_every_rule: bool | None = field(default=None, metadata=WHEN_SET)
    broken: tuple[BrokenRule, ...] | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class ChoiceReport:
    """The rule by which one candidate was chosen, and what it said of the chosen one."""

    rule: str
    keeps_every_rule: bool
    reason: str
    rules: tuple[str, ...]
    rules_not_measured_on_tune_rows: tuple[str, ...]
    policy_on_protected_at_decision: Literal["allowed", "forbidden", "not named"]


@dataclass(frozen=True, kw_only=True)
class ComparedModel:
    """One side of before and after: fairness with its intervals."""

    utility: float | None
    threshold: float
    tune: TuneFigures
    disparity: Mapping[str, Mapping[str, Measurement]]


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """The chosen candidate beside its estimator without mitigation."""

    estimator: str
    mitigation: str
    rows: Literal["tune"] = "tune"
    before_was_a_candidate: bool
    before: ComparedModel
    after: ComparedModel


@dataclass(frozen=True, kw_only=True)
class DeclaredFact:
    """Something that was not measured here: what it is about, and what was declared of it."""

    about: Literal["scores", "decisions", "threshold", "training rows", "features", "training method"]
    value: str


@dataclass(frozen=True, kw_only=True)
class ExternalModel:
    """A model that was made elsewhere: its file, and what is known of it only from `declared_by`.

    `origin` says where its scores come from: `computed` here by the model, `sandboxed` by code that ran in a
    sandbox and does not ship, `declared` by a table. `answer` is `decisions` where it gives none.
    `trained_on` is what was declared of the rows that trained it, `trained_elsewhere` how many of the listed
    ones are no row of the table. `made_with` are the versions of libraries that its file records.
    """

    file: str
    sha256: Sha256
    format: Literal["skops", "lightgbm", "xgboost", "onnx", "mlflow", "table"]
    origin: Literal["computed", "sandboxed", "declared"]
    answer: Literal["scores", "decisions"]
    trained_on: Literal["none", "unknown", "listed"]
    trained_elsewhere: Count
    declared_by: str
    declared: tuple[DeclaredFact, ...]
    made_with: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TrainingDocument(MeasuredDocument):
    """All that is needed to log, check or repeat a training. No row of the tables is in it.

    `requirements_sha256` is the digest of the lock, `extras_sha256` those of the locks of the optional
    libraries that the candidates come from (None: from none).

    Documents from before candidates were recorded have neither `choice` nor `candidates`; older ones have no
    `numbers`.
    """

    path: ClassVar[Path] = paths.TRAINING

    estimator: str
    arguments: Mapping[str, Any]
    estimator_params: Mapping[str, Any]
    mitigation: str
    mitigation_ships: str
    uses_protected_at_decision: bool
    weights: Weights | None
    search: SearchReport | None
    threshold: float
    threshold_rule: str
    tune: TuneFigures
    warnings: tuple[str, ...]
    model: ModelFile
    data: TrainingData
    split_use: Mapping[str, str]
    features: Mapping[str, str]
    inputs: tuple[ModelInput, ...]
    input_example: Mapping[str, Any]
    libraries: Mapping[str, str]
    requirements_sha256: Sha256
    utility: str | None = None
    choice: ChoiceReport | None = None
    members: tuple[Mapping[str, Any], ...] | None = None
    candidates: tuple[CandidateReport | SkippedCandidateReport, ...] = ()
    reference: CandidateReport | None = None
    before_after: BeforeAfter | None = None
    external: ExternalModel | None = field(default=None, metadata=WHEN_SET)
    numbers: Mapping[str, NumberSummary] | None = field(default=None, metadata=WHEN_SET)
    extras_sha256: Mapping[str, Sha256] | None = field(default=None, metadata=WHEN_SET)

    @property
    def model_digest(self) -> str:
        """The SHA-256 of the model's file."""
        return self.model.sha256

    @property
    def gives_decisions_alone(self) -> bool:
        """Whether the model gives decisions and no scores: its scores in the evidence are then 0 and 1."""
        return self.external is not None and self.external.answer == "decisions"
