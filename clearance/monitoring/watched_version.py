"""A version as it is watched: its signed baseline, its policy, and what computes its scores again.

Everything comes out of the verified evidence of the version. What does not verify is never watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, params, paths, registry
from clearance.data import input_checks
from clearance.data.input_checks import InputChecks
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import ModelInput, TrainingDocument
from clearance.errors import ConfigurationError
from clearance.models import model_file, row_plan, scoring
from clearance.monitoring import faults
from clearance.policy import policy_file
from clearance.policy.schema import Policy
from clearance.promotion import candidate, version_record
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.session import ReadOnlySession
from clearance.reasons import contributions
from clearance.reasons.contributions import Explainer
from clearance.versioning import dvc_lock


@dataclass(frozen=True, kw_only=True)
class JudgingPolicy:
    """A policy with the digest of its file."""

    policy: Policy
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PreparedTables:
    """The tables that the version learnt from: what was recorded of them, and the name that DVC gave them."""

    document: SplitDocument
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class WatchedVersion:
    """A verified version. `content` is its evidence's digest.

    `baseline` is None for a version that was made before baselines were: `unwatched` says so. `plan` and
    `explainer` are None where contributions are not known exactly; `prepared`: where nothing was prepared.
    `checks` are the blocking column rules.
    """

    model: str
    version: int
    content: str
    judging: JudgingPolicy
    settings: params.Params
    baseline: BaselineDocument | None
    unwatched: str | None
    threshold: float
    inputs: tuple[ModelInput, ...]
    kinds: Mapping[str, scoring.Kind]
    pipeline: Any
    plan: row_plan.RowPlan | None
    explainer: Explainer | None
    checks: InputChecks
    prepared: PreparedTables | None = None


def load(reader: ReadOnlySession, server: registry.MlflowServer, name: str, version: int) -> WatchedVersion:
    """The version `version` of the model `name`.

    Raises ConfigurationError when there is none, IntegrityError when its evidence does not verify: a baseline
    that is gone or altered is not replaced by another one.
    """
    record = version_record.fold(reader.entries(name), name, version, reader.roles)
    with candidate.open_verified(reader, server, record) as verified:
        return _load(verified, name, version)


def _load(verified: VerifiedCandidate, name: str, version: int) -> WatchedVersion:
    folder, settings = verified.folder, verified.settings
    judged = verified.bundle.evidence.judged
    training = TrainingDocument.read(folder)
    if isinstance(training, BlockedDocument):
        raise faults.NO_MODEL(name=name, version=version)
    pipeline = model_file.load_scorer(folder / paths.MODEL, training.model.sha256, training.threshold)
    baseline, unwatched = _baseline(folder, training.model.sha256)
    kinds = scoring.model_kinds(pipeline)
    plan, explainer = _explainer(folder, pipeline)
    blocking = {name: rule for name, rule in settings.data.columns.items() if rule.severity == "block"}
    return WatchedVersion(
        model=name,
        version=version,
        content=verified.bundle.digest,
        judging=JudgingPolicy(
            policy=policy_file.load(verified.policy_file, recorded=True),
            sha256=files.sha256_text(judged.text),
        ),
        settings=settings,
        baseline=baseline,
        unwatched=unwatched,
        threshold=training.threshold,
        inputs=training.inputs,
        kinds=kinds,
        pipeline=pipeline,
        plan=plan,
        explainer=explainer,
        checks=input_checks.of(training.inputs, blocking),
        prepared=_prepared(folder, verified.bundle.evidence.lock),
    )


def _prepared(folder: Path, lock: str) -> PreparedTables | None:
    """The tables by the signed evidence."""
    document = SplitDocument.read(folder)
    stages = dvc_lock.parse(lock).stages.values()
    names = [out.md5 for stage in stages for out in stage.outs if out.path == paths.PREPARED.as_posix()]
    if isinstance(document, BlockedDocument) or not names:
        return None
    return PreparedTables(document=document, name=names[0])


def _baseline(folder: Path, model_sha256: str) -> tuple[BaselineDocument | None, str | None]:
    if not (folder / paths.BASELINE).is_file():
        return (
            None,
            "the version was made before baselines were: run the pipeline again",
        )
    document = BaselineDocument.read(folder)
    if isinstance(document, BlockedDocument):
        return None, f"the version has no baseline: {document.because}"
    if document.model_sha256 != model_sha256:
        return None, "the baseline of the version is about another model"
    return document, None


def _explainer(folder: Path, pipeline: Any) -> tuple[row_plan.RowPlan | None, Explainer | None]:
    """What computes exact contributions, where the version's evidence has a background for it."""
    if not (folder / paths.REASONS).is_file():
        return None, None
    reasons = ReasonsDocument.read(folder)
    if isinstance(reasons, BlockedDocument) or reasons.background is None:
        return None, None
    try:
        plan = row_plan.compile_plan(pipeline, scoring.model_kinds(pipeline))
    except ConfigurationError:
        return None, None
    explainer = contributions.restore(plan, reasons.background)
    return (None, None) if isinstance(explainer, str) else (plan, explainer)
