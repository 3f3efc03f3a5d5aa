"""Compares the candidate with the current champion on the same test rows, before anybody approves it.

Reads the verified project and the champion's released artifacts, by digest, and promotes nothing. The same
inputs give the same comparison. Whether one is needed, and who signs it, is decided elsewhere.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearance import comparison, files, labels, params, paths, registry
from clearance.comparison import (
    Comparison,
    Criterion,
    CriterionFinding,
    ModelScores,
    PairedRows,
    Rows,
    faults,
)
from clearance.data.tables import fitted_rows, prepared, scored
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.documents.origin_document import OriginDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import IntegrityError
from clearance.metrics import intervals
from clearance.models import compatibility, model_file, scoring, trusted_types
from clearance.policy import policy_file
from clearance.policy.comparison_terms import ComparisonTerms
from clearance.registry import ReleasedModel
from clearance.versioning import pipeline_state

TRAINING, FAIRNESS, ORIGIN = (path.as_posix() for path in (paths.TRAINING, paths.FAIRNESS, paths.ORIGIN))


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedCandidate:
    """The candidate and the test rows that judged it, all verified.

    `groups` are the groups that each attribute and intersection must show.
    """

    verified: pipeline_state.PipelineState
    settings: params.Params
    verdict: VerdictDocument
    model: comparison.Model
    test: prepared.Prepared
    scores: npt.NDArray[np.float64]
    groups: Mapping[str, Sequence[str]]


def compare(
    verified: pipeline_state.PipelineState,
    terms: ComparisonTerms,
    server: registry.MlflowServer,
    champion: registry.Version | None,
    signed: registry.SignedDigests | None = None,
) -> Comparison:
    """Compare the candidate of the verified project with `champion` (None: there is none) under `terms`.

    `signed` are the digests in the champion's signed evidence. Raises IntegrityError when any part of the
    project or of the champion is not what was judged, or when no model was trained.
    """
    candidate, root = _candidate(verified), verified.root
    if champion is None:
        reason = "; ".join(candidate.verdict.reasons)
        finding = comparison.first_version(terms, candidate.verdict.verdict, reason)
        return _comparison(candidate, terms, None, _none_compared(candidate), (finding,))
    recorded = candidate.verdict.policy
    policy = policy_file.load(files.verify(root / recorded.file, recorded.sha256), recorded=True)
    as_of = candidate.settings.policy.as_of
    criteria = comparison.criteria_of(terms, [rule for rule in policy.rules if rule.in_force(as_of)])
    with tempfile.TemporaryDirectory() as temporary:
        released = registry.load_released(server, champion, Path(temporary), signed)
        return _compare(candidate, released, terms, criteria)


def write(root: Path, comparison: Comparison) -> Path:
    """Write the comparison to the project at `root`: the same bytes for the same comparison."""
    files.write_json(root / paths.COMPARISON, comparison.to_json())
    return root / paths.COMPARISON


def _candidate(verified: pipeline_state.PipelineState) -> ComparedCandidate:
    root = verified.root
    training = TrainingDocument.from_json(verified.read_json(TRAINING))
    if isinstance(training, BlockedDocument):
        raise faults.NO_CANDIDATE(because=training.because)
    test, sha256 = prepared.read(root, "test"), training.model.sha256
    fairness = FairnessDocument.from_json(verified.read_json(FAIRNESS))
    groups = {} if isinstance(fairness, BlockedDocument) else fairness.groups
    return ComparedCandidate(
        verified=verified,
        settings=params.load(root / paths.PARAMS),
        verdict=VerdictDocument.from_json(verified.read_json(pipeline_state.VERDICT)),
        model=comparison.Model(
            fingerprint=verified.fingerprint, sha256=sha256, threshold=float(training.threshold)
        ),
        test=test,
        scores=scored.read(root, test.rows, sha256),
        groups={name: list(table) for name, table in groups.items()},
    )


def _champion(champion: ReleasedModel) -> comparison.Model:
    return comparison.Model(
        fingerprint=str(champion.version.fingerprint),
        sha256=champion.sha256,
        threshold=float(champion.training.threshold),
        version=champion.version.number,
    )


def _compare(
    candidate: ComparedCandidate,
    champion: ReleasedModel,
    terms: ComparisonTerms,
    criteria: Sequence[Criterion],
) -> Comparison:
    """Compare on the test rows that the champion has not seen, or say why that is not possible."""
    sampling = intervals.Sampling(
        confidence=terms.confidence,
        resamples=candidate.settings.evaluate.resamples,
        seed=candidate.settings.seed,
    )
    rows: PairedRows | str
    if _is_same(candidate, champion):
        rows = _same_model(candidate)
        counts = _counts(candidate, np.ones(len(candidate.test.label), dtype=np.bool_))
    elif obstacle := _obstacle(candidate, champion):
        rows, counts = obstacle, _none_compared(candidate)
    else:
        unseen = ~fitted_rows.contained(candidate.test.rows, champion.fitted or ())
        rows = _scored_by_champion(candidate, champion, unseen, terms.unknown_share)
        counts = _counts(candidate, unseen)
    if isinstance(rows, str):
        findings = comparison.undecided(criteria, Outcome.NOT_EVALUATED, rows)
        return _comparison(candidate, terms, champion, _none_compared(candidate), findings)
    findings = comparison.decide(terms, criteria, rows, sampling)
    usable = counts.compared and not comparison.score_fault(rows)
    figures = comparison.figures(rows, sampling) if usable else {}
    return _comparison(candidate, terms, champion, counts, findings, figures=figures)


def _is_same(candidate: ComparedCandidate, champion: ReleasedModel) -> bool:
    """Whether the champion is the very same model with the same threshold: then it decides the same."""
    recorded = (champion.sha256, float(champion.training.threshold))
    return recorded == (candidate.model.sha256, candidate.model.threshold)


def _obstacle(candidate: ComparedCandidate, champion: ReleasedModel) -> str | None:
    """Why the champion's decisions on the candidate's test rows would prove nothing, or None."""
    data, recorded = candidate.settings.data, champion.declared.get("data", {})
    if data.weight is not None or data.cluster is not None:
        return "rows have weights or clusters, and no method is known that compares two models on such rows"
    if champion.fitted is None:
        return f"the run of {champion.version} did not record which rows the champion was fitted on"
    made_elsewhere = champion.training.external
    if made_elsewhere is not None and (
        made_elsewhere.trained_on == "unknown" or made_elsewhere.trained_elsewhere
    ):
        return "the champion was made elsewhere, and it is not known of all rows whether they trained it"
    same_value = labels.same(recorded.get("favourable"), data.favourable)
    if recorded.get("target") != data.target or not same_value:
        return f"the champion was trained on another outcome than `{data.target}` = {data.favourable!r}"
    same_key = "row_key" in recorded and recorded["row_key"] == data.row_key
    columns = OriginDocument.from_json(candidate.verified.read_json(ORIGIN)).columns, champion.origin.columns
    if not same_key or (data.row_key is None and sorted(columns[0]) != sorted(columns[1])):
        return "the champion's rows have other keys, so it is unknown which of these rows it has seen"
    return None


def _scored_by_champion(
    candidate: ComparedCandidate, champion: ReleasedModel, unseen: npt.NDArray[np.bool_], unknown_share: float
) -> PairedRows | str:
    """The scores of both models for the rows that are `unseen`; or why the champion cannot score them."""
    trusted = candidate.verified.root / trusted_types.MORE_TRUSTED
    try:
        judged = float(champion.training.threshold)
        model = model_file.load_scorer(champion.file, champion.sha256, judged, trusted)
    except IntegrityError as error:
        if libraries := _other_library(champion):
            return f"the champion cannot be loaded here ({libraries}): {error.fault}"
        raise
    features = candidate.test.inputs(model.feature_names_in_)[unseen]
    declared = {name: column.type for name, column in candidate.settings.data.columns.items()}
    if misfits := compatibility.incompatibilities(
        model, features, declared, unknown_share, champion.training.numbers
    ):
        return f"the champion's inputs no longer fit the table: {'; '.join(misfits)}"
    scores = scoring.score(model, features)
    threshold = float(champion.training.threshold)
    return _paired(candidate, unseen, ModelScores(scores=scores, threshold=threshold))


def _same_model(candidate: ComparedCandidate) -> PairedRows:
    scores = ModelScores(scores=candidate.scores, threshold=candidate.model.threshold)
    return _paired(candidate, np.ones(len(candidate.scores), dtype=np.bool_), scores, same=True)


def _paired(
    candidate: ComparedCandidate, rows: npt.NDArray[np.bool_], champion: ModelScores, *, same: bool = False
) -> PairedRows:
    return PairedRows(
        label=candidate.test.label[rows],
        champion=champion,
        candidate=ModelScores(scores=candidate.scores[rows], threshold=candidate.model.threshold),
        protected=candidate.test.protected[rows],
        groups=candidate.groups,
        reference=_references(candidate),
        same=same,
    )


def _references(candidate: ComparedCandidate) -> dict[str, str]:
    """The declared reference group of each attribute and intersection that has one."""
    declared = candidate.settings.evaluate.reference
    references = {}
    for name in candidate.groups:
        parts = [name] if name in declared else name.split(INTERSECTION)
        texts = [labels.text(declared.get(part)) for part in parts]
        if all(texts):
            references[name] = INTERSECTION.join(text for text in texts if text)
    return references


def _other_library(champion: ReleasedModel) -> str | None:
    then = champion.training.libraries.get("scikit-learn")
    now = importlib.metadata.version("scikit-learn")
    return None if then == now else f"fitted with scikit-learn {then}, here it is {now}"


def _notes(candidate: ComparedCandidate, champion: ReleasedModel) -> tuple[str, ...]:
    """What a person should know before trusting the figures."""
    notes = [_other_library(champion)]
    select = params.read_yaml(candidate.verified.root / paths.PARAMS).get("source", {}).get("select")
    if champion.declared.get("source", {}).get("select") != select:
        notes.append("the table comes from another `source.select` than the champion's table did")
    return tuple(note for note in notes if note)


def _counts(candidate: ComparedCandidate, compared: npt.NDArray[np.bool_]) -> Rows:
    hashes = candidate.test.rows[compared]
    return Rows(
        test=len(compared),
        left_out=int((~compared).sum()),
        compared=len(hashes),
        sha256=fitted_rows.digest(fitted_rows.pack(hashes)),
    )


def _none_compared(candidate: ComparedCandidate) -> Rows:
    return Rows(test=len(candidate.test.label), left_out=None, compared=0, sha256=None)


def _comparison(
    candidate: ComparedCandidate,
    terms: ComparisonTerms,
    champion: ReleasedModel | None,
    counts: Rows,
    findings: tuple[CriterionFinding, ...],
    *,
    figures: Mapping[str, Any] | None = None,
) -> Comparison:
    return Comparison(
        name=candidate.settings.name,
        candidate=candidate.model,
        champion=None if champion is None else _champion(champion),
        policy=candidate.verdict.policy.sha256,
        terms=terms,
        rows=counts,
        findings=findings,
        figures=figures or {},
        notes=_notes(candidate, champion) if champion else (),
    )
