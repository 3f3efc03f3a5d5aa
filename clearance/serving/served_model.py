"""The champion as the server uses it: verified against ledger, evidence and registry, ready to score rows.

It is loaded once per version and never changes. What does not verify is never loaded.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import files, params, paths, registry
from clearance.data import input_checks
from clearance.data.input_checks import InputChecks
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.training_document import ModelInput, TrainingDocument
from clearance.errors import ClearanceError, ConfigurationError, DataError
from clearance.models import model_file, row_plan, scoring
from clearance.models.plan import proof
from clearance.policy import policy_file
from clearance.policy.schema import Policy
from clearance.promotion import candidate, lapse, session, verify, version_record
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.restrictions import Restriction
from clearance.promotion.session import ReadOnlySession
from clearance.reasons import decision
from clearance.reasons.decision import Reasoner, Reasons
from clearance.serving import faults
from clearance.serving.request_rows import Row

logger = logging.getLogger(__name__)

GENERATED = 2_000
"""How many made-up rows prove a row plan at load."""


@dataclass(frozen=True, kw_only=True)
class PolicyStamp:
    """The policy that judged the version: its id, its version and the digest of its file."""

    id: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Explained:
    """The score of a row; why it is too low, where it is and reasons can be given; its contributions."""

    score: float
    reasons: Reasons | None = None
    contributions: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """A verified version. `version` is the candidate's number in the ledger, `content` its evidence's digest.

    `plan` computes scores without the pipeline; None: the pipeline scores, and `plan_note` says why.
    `reasoner` gives the reasons for denials; None: `reasons_note` says why there are none.
    `allowed_until` is when the first override that it rests on ends. `entry` made it champion. `groups` are
    those of each protected attribute and intersection in its evidence. `restriction` says how a failed rule
    or a person restricts its decisions; None: nobody does.
    """

    name: str
    version: int
    content: str
    model_sha256: str
    threshold: float
    inputs: tuple[ModelInput, ...]
    example: dict[str, Any]
    pipeline: Any
    plan: row_plan.RowPlan | None
    plan_note: str
    reasoner: Reasoner | None
    reasons_note: str
    settings: params.Params
    policy: Policy
    stamp: PolicyStamp
    checks: InputChecks
    since: dt.datetime
    entry: int
    allowed_by: tuple[str, ...]
    allowed_until: dt.datetime | None
    demo: bool
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    restriction: Restriction | None = None

    @property
    def review_reasons(self) -> tuple[str, ...]:
        """Why a person reviews every decision: the rules that hold it; none where decisions stand alone."""
        return () if self.restriction is None else tuple(cause.name for cause in self.restriction.causes)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it this model under this permission."""
        return self.version, self.content, self.entry, self.allowed_until

    def scores(self, rows: Sequence[Row]) -> list[float]:
        """The probability of the favourable outcome for each row, in [0, 1]; see `explained`."""
        return [answer.score for answer in self.explained(rows, reasons=False)]

    def explained(
        self, rows: Sequence[Row], *, contributions: bool = False, reasons: bool = True
    ) -> list[Explained]:
        """The score of each row, with the reasons where it is too low and contributions where wanted.

        A score that lies near the threshold is the pipeline's own. Raises DataError when the model refuses a
        row, IntegrityError when plan and pipeline differ or contributions do not add up to the output.
        """
        if self.plan is None:
            return [Explained(score=score) for score in self._pipeline_scores(rows)]
        try:
            encoded = self.plan.encode(rows)
            output = self.plan.output(encoded)
        except DataError as error:
            where = f"features/{error.values.get('feature', '')}"
            raise faults.INVALID_INPUT(
                where=where, reason="is too large for the model's arithmetic"
            ) from None
        scores = self._checked(rows, [float(score) for score in self.plan.probability(output)])
        if self.reasoner is None or not reasons:
            return [Explained(score=score) for score in scores]
        wanted = [index for index, score in enumerate(scores) if contributions or not self.decide(score)]
        values = dict(
            zip(wanted, self.reasoner.contributions(encoded[wanted], output[wanted]), strict=True)
            if wanted
            else ()
        )
        return [
            Explained(
                score=score,
                reasons=None if self.decide(score) else self.reasoner.reasons(values[index]),
                contributions=self._named(values[index]) if contributions else None,
            )
            for index, score in enumerate(scores)
        ]

    def _checked(self, rows: Sequence[Row], planned: list[float]) -> list[float]:
        """The scores of the plan, with the pipeline's own where they lie near the threshold."""
        near = [index for index, score in enumerate(planned) if row_plan.is_near(score, self.threshold)]
        if near:
            exact = self._pipeline_scores([rows[index] for index in near])
            for index, score in zip(near, exact, strict=True):
                if not abs(score - planned[index]) <= proof.CLOSE:
                    raise faults.PLAN_DIFFERS(difference=abs(score - planned[index]))
                planned[index] = score
        return planned

    def _named(self, values: npt.NDArray[np.float64]) -> dict[str, float]:
        return dict(zip((column.name for column in self.inputs), values.tolist(), strict=True))

    def _pipeline_scores(self, rows: Sequence[Row]) -> list[float]:
        names = [column.name for column in self.inputs]
        columns = {
            name: pd.Series(
                [row[index] for row in rows], dtype="float64" if column.type == "double" else object
            )
            for index, (name, column) in enumerate(zip(names, self.inputs, strict=True))
        }
        return [float(score) for score in proof.pipeline_scores(self.pipeline, pd.DataFrame(columns))]

    def decide(self, score: float) -> bool:
        """Whether the decision is the favourable one."""
        return bool(scoring.decide(np.array([score]), self.threshold)[0])

    def lapsed(self, now: dt.datetime) -> bool:
        """Whether an override that it rests on has ended."""
        return self.allowed_until is not None and now >= self.allowed_until

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of each feature in a row."""
        return {column.name: index for index, column in enumerate(self.inputs)}


def load_champion(root: Path) -> ServedModel:
    """The champion of the project at `root`, after every check of `clearance verify` holds.

    A champion whose permission has ended is loaded all the same: the policy says what then happens. Raises
    ConfigurationError when there is none or its scores cannot be computed here, IntegrityError when anything
    does not verify.
    """
    name = params.load(root / paths.PARAMS).name
    server = registry.connect()
    with session.open_read_only(root) as reader:
        entries = reader.entries(name)
        tenure = version_record.champion(entries, name)
        if tenure is None:
            raise faults.NO_CHAMPION(name=name)
        for check in verify.verify(reader, server, name, None):
            if not check.holds and check.code not in verify.LAPSES:
                raise faults.CHAMPION_UNSOUND(
                    name=name, version=tenure.version, check=f"{check.name}: {check.says}"
                )
        return _load(reader, server, name, tenure.version)


def load_version(root: Path, version: int, content: str) -> ServedModel:
    """An earlier version that decided once, to compute its decisions again.

    Raises ConfigurationError when there is no such candidate, IntegrityError when its evidence does not
    verify or is not that with the digest `content`.
    """
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        model = _load(reader, registry.connect(), name, version)
    if model.content != content:
        raise faults.CHAMPION_UNSOUND(name=name, version=version, check="evidence: it is another version's")
    return model


def _load(reader: ReadOnlySession, server: registry.MlflowServer, name: str, version: int) -> ServedModel:
    record = version_record.fold(reader.entries(name), name, version, reader.roles)
    with candidate.open_verified(reader, server, record) as verified:
        training = TrainingDocument.read(verified.folder)
        if isinstance(training, BlockedDocument):
            raise faults.NOT_SCORED_HERE(name=name, version=version, what="not a trained model")
        if training.external is not None and training.external.origin != "computed":
            raise faults.NOT_SCORED_HERE(name=name, version=version, what="a table of a vendor's answers")
        return _served(verified, training, record, _allowed_until(reader, record))


def _allowed_until(reader: ReadOnlySession, record: version_record.VersionRecord) -> dt.datetime | None:
    """When the permission ends: now, where somebody withdrew it; None where no override ends."""
    ends = lapse.ends_at(record, reader.roles)
    if lapse.find(record, reader.roles, reader.now()) is None:
        return ends
    now = min(reader.now(), dt.datetime.now(dt.UTC))
    return now if ends is None else min(ends, now)


def _served(
    verified: VerifiedCandidate,
    training: TrainingDocument,
    record: version_record.VersionRecord,
    allowed_until: dt.datetime | None,
) -> ServedModel:
    judged = verified.bundle.evidence.judged
    pipeline = model_file.load_scorer(
        verified.folder / paths.MODEL, training.model.sha256, training.threshold
    )
    plan, note = _plan(pipeline, training)
    reasoner, reasons_note = _reasoner(verified.folder, plan)
    tenure = record.champion
    settings = verified.settings
    return ServedModel(
        name=record.model,
        version=record.version,
        content=verified.bundle.digest,
        model_sha256=training.model.sha256,
        threshold=training.threshold,
        inputs=training.inputs,
        example=input_checks.example(training.inputs, settings.data.columns, training.numbers or {}),
        pipeline=pipeline,
        plan=plan,
        plan_note=note,
        reasoner=reasoner,
        reasons_note=reasons_note,
        settings=settings,
        policy=policy_file.load(verified.policy_file, recorded=True),
        stamp=PolicyStamp(id=judged.id, version=judged.version, sha256=files.sha256_text(judged.text)),
        checks=input_checks.of(training.inputs, settings.data.columns),
        since=tenure.since if tenure else verified.proposal.proposers[0][1],
        entry=tenure.number if tenure else 0,
        allowed_by=tenure.allowed_by if tenure else (),
        allowed_until=allowed_until,
        demo=verified.bundle.evidence.demo,
        groups=_groups(verified.folder),
    )


def _groups(folder: Path) -> dict[str, tuple[str, ...]]:
    """The groups of each attribute and intersection in the version's evidence; none where it was blocked."""
    document = FairnessDocument.read(folder)
    if isinstance(document, BlockedDocument):
        return {}
    return {name: tuple(table) for name, table in document.groups.items()}


def _plan(pipeline: Any, training: TrainingDocument) -> tuple[row_plan.RowPlan | None, str]:
    """The proved plan of the pipeline; None where it has none, or the proof does not hold, and why."""
    try:
        kinds = scoring.model_kinds(pipeline)
        plan = row_plan.compile_plan(pipeline, kinds)
    except (ConfigurationError, AttributeError) as error:
        return None, error.fault if isinstance(error, ClearanceError) else "the model is not a pipeline"
    example = pd.DataFrame([training.input_example], columns=list(kinds))
    rows = proof.generate(plan, example, GENERATED, seed=0)
    proved = proof.prove(plan, pipeline, rows, training.threshold)
    if not proved.holds:
        logger.warning("the row plan of the model does not hold: %s", proved)
        return None, "the row plan did not give the pipeline's scores, so the pipeline scores"
    return plan, (
        f"proved on {proved.rows - proved.refused:,} rows: no other decision, "
        f"largest difference of scores {proved.largest_difference:.1e}"
    )


def _reasoner(folder: Path, plan: row_plan.RowPlan | None) -> tuple[Reasoner | None, str]:
    """What gives the reasons for denials; None where nothing can, and why."""
    if not (folder / paths.REASONS).is_file():
        return None, "the version was made before reasons were"
    document = ReasonsDocument.read(folder)
    if isinstance(document, BlockedDocument):
        return None, "the version has no reasons"
    if document.obstacle is not None:
        return None, document.obstacle
    if plan is None:
        return None, "the model has no row plan, so its contributions are not computed here"
    reasoner = decision.load(document, plan)
    if isinstance(reasoner, str):
        return None, reasoner
    return reasoner, f"{reasoner.profile.method}, against {reasoner.profile.rows} applicants"
