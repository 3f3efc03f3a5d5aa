"""Effect: the candidate beside today's champion on the same test rows, before anybody approves it.

It reads the verified project and what the registry keeps of the champion, by digest, and promotes nothing.
The same inputs give the same comparison; whether it is asked for, and who signs it, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearance import comparison, files, params, registry
from clearance.comparison import Answers, Comparison, Demand, Duel, Finding, Rows
from clearance.data.tables import fitted_rows, prepared, row_ids, scored
from clearance.documents.measurement import INTERSECTION, Outcome
from clearance.errors import IntegrityError
from clearance.metrics import intervals
from clearance.models import compatibility, model_file, scoring, trusted_types
from clearance.policy import comparison_terms, policy_file
from clearance.registry import ReleasedModel
from clearance.versioning import lineage

RECORD = Path(".clearance/comparison.json")
TRAINING, FAIRNESS, ORIGIN = "reports/training.json", "reports/fairness.json", "data/origin.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Today:
    """The candidate, and the test rows that judged it: all of it verified.

    `known` are the groups that each attribute and intersection must show.
    """

    verified: lineage.Lineage
    settings: params.Params
    verdict: Mapping[str, Any]
    model: comparison.Model
    test: prepared.Prepared
    scores: npt.NDArray[np.float64]
    known: Mapping[str, Sequence[str]]


def compare(
    verified: lineage.Lineage,
    asked: comparison_terms.ComparisonTerms,
    server: registry.MlflowServer,
    champion: registry.Version | None,
    vouched: registry.SignedDigests | None = None,
) -> Comparison:
    """Compare the candidate of the verified project with `champion` (None: there is none) as `asked`.

    `vouched` is what the champion's signed evidence says of it. Raises IntegrityError when anything of the
    project or of the champion is not what was judged, or nothing was trained.
    """
    today, root = _today(verified), verified.root
    if champion is None:
        why = "; ".join(today.verdict["reasons"])
        found = comparison.first_version(asked, Outcome(today.verdict["verdict"]), why)
        return _comparison(today, asked, None, _none_compared(today), (found,))
    written = today.verdict["policy"]
    book = policy_file.load(files.verify(root / written["file"], written["sha256"]))
    as_of = today.settings.policy.as_of
    wanted = comparison.demands(asked, [rule for rule in book.rules if rule.in_force(as_of)])
    with tempfile.TemporaryDirectory() as temporary:
        rival = registry.load_released(server, champion, Path(temporary), vouched)
        return _against(today, rival, asked, wanted)


def write(root: Path, comparison: Comparison) -> Path:
    """Keep the comparison in the project at `root`: the same bytes for the same comparison."""
    files.write_json(root / RECORD, comparison.to_json())
    return root / RECORD


def _today(verified: lineage.Lineage) -> Today:
    root, training = verified.root, verified.read_json(TRAINING)
    if training["status"] != "measured":
        raise IntegrityError(
            f"there is no candidate to compare: {training['because']}",
            "mend what it names, then run the pipeline again",
        )
    test, sha256 = prepared.read(root, "test"), training["model"]["sha256"]
    groups = verified.read_json(FAIRNESS).get("groups", {})
    return Today(
        verified=verified,
        settings=params.load(root / "params.yaml"),
        verdict=verified.read_json(lineage.VERDICT),
        model=_model(verified.fingerprint, training),
        test=test,
        scores=scored.read(root, test.rows, sha256),
        known={name: list(table) for name, table in groups.items()},
    )


def _model(fingerprint: str, training: Mapping[str, Any], version: int | None = None) -> comparison.Model:
    return comparison.Model(
        fingerprint=fingerprint,
        sha256=training["model"]["sha256"],
        threshold=float(training["threshold"]),
        version=version,
    )


def _against(
    today: Today, rival: ReleasedModel, asked: comparison_terms.ComparisonTerms, wanted: Sequence[Demand]
) -> Comparison:
    """Compare on the test rows that the champion has not seen, or say why that cannot be."""
    sampling = intervals.Sampling(
        confidence=asked.confidence,
        resamples=today.settings.evaluate.resamples,
        seed=today.settings.seed,
    )
    if _is_same(today, rival):
        duel: Duel | str = _alike(today)
        counted = _counted(today, np.ones(len(today.test.label), dtype=np.bool_))
    elif hindrance := _hindrance(today, rival):
        duel, counted = hindrance, _none_compared(today)
    else:
        kept = ~fitted_rows.contained(today.test.rows, rival.fitted or ())
        duel, counted = _duel(today, rival, kept, asked.unknown_share), _counted(today, kept)
    if isinstance(duel, str):
        findings = comparison.undecided(wanted, Outcome.NOT_EVALUATED, duel)
        return _comparison(today, asked, rival, _none_compared(today), findings)
    findings = comparison.hold(asked, wanted, duel, sampling)
    figures = {} if comparison.fault(duel) or not counted.compared else comparison.figures(duel, sampling)
    return _comparison(today, asked, rival, counted, findings, figures=figures)


def _is_same(today: Today, rival: ReleasedModel) -> bool:
    """Whether the champion is the very same model with the same threshold: then it decides the same."""
    theirs = (rival.sha256, float(rival.training["threshold"]))
    return theirs == (today.model.sha256, today.model.threshold)


def _hindrance(today: Today, rival: ReleasedModel) -> str | None:
    """Why the champion's decisions on today's rows would say nothing, before it is asked; or None."""
    data, theirs = today.settings.data, rival.declared.get("data", {})
    if data.weight is not None or data.cluster is not None:
        return (
            "rows weigh or come in clusters, and no interval is known here that compares two models on them"
        )
    if rival.fitted is None:
        return f"the run of {rival.version} does not keep which rows the champion was fitted on"
    outcome = (data.target, row_ids.canonical_value(data.favourable))
    if (theirs.get("target"), row_ids.canonical_value(theirs.get("favourable"))) != outcome:
        return f"the champion was trained on another outcome than `{data.target}` = {data.favourable!r}"
    key = "row_key" in theirs and theirs["row_key"] == data.row_key
    columns = today.verified.read_json(ORIGIN).get("columns"), rival.origin.get("columns")
    if not key or (data.row_key is None and sorted(columns[0] or ()) != sorted(columns[1] or ())):
        return "the champion's rows are known by other keys, so which of today's it has seen cannot be told"
    return None


def _duel(
    today: Today, rival: ReleasedModel, kept: npt.NDArray[np.bool_], unknown_share: float
) -> Duel | str:
    """Both models' answers for the rows that are kept; or why the champion cannot be asked."""
    try:
        model = model_file.load(rival.file, rival.sha256, today.verified.root / trusted_types.MORE_TRUSTED)
    except IntegrityError as error:
        if other := _other_library(rival):
            return f"the champion cannot be loaded here ({other}): {error.fault}"
        raise
    features = today.test.inputs(model.feature_names_in_)[kept]
    declared = {name: column.type for name, column in today.settings.data.columns.items()}
    if odd := compatibility.incompatibilities(model, features, declared, unknown_share):
        return f"the champion's inputs no longer fit the table: {'; '.join(odd)}"
    champion = Answers(scores=scoring.score(model, features), threshold=float(rival.training["threshold"]))
    return _of_rows(today, kept, champion)


def _alike(today: Today) -> Duel:
    answers = Answers(scores=today.scores, threshold=today.model.threshold)
    return _of_rows(today, np.ones(len(today.scores), dtype=np.bool_), answers, same=True)


def _of_rows(today: Today, kept: npt.NDArray[np.bool_], champion: Answers, *, same: bool = False) -> Duel:
    return Duel(
        label=today.test.label[kept],
        champion=champion,
        candidate=Answers(scores=today.scores[kept], threshold=today.model.threshold),
        protected=today.test.protected[kept],
        known=today.known,
        reference=_references(today),
        same=same,
    )


def _references(today: Today) -> dict[str, str]:
    """The declared reference group of each attribute and intersection that has one."""
    declared = today.settings.evaluate.reference
    found = {}
    for name in today.known:
        parts = [name] if name in declared else name.split(INTERSECTION)
        texts = [row_ids.canonical_value(declared.get(part)) for part in parts]
        if all(texts):
            found[name] = INTERSECTION.join(text for text in texts if text)
    return found


def _other_library(rival: ReleasedModel) -> str | None:
    then = rival.training.get("libraries", {}).get("scikit-learn")
    now = importlib.metadata.version("scikit-learn")
    return None if then == now else f"fitted with scikit-learn {then}, here is {now}"


def _notes(today: Today, rival: ReleasedModel) -> tuple[str, ...]:
    """What a person should know before believing the figures."""
    found = [_other_library(rival)]
    now = params.read_yaml(today.verified.root / "params.yaml").get("source", {}).get("select")
    if rival.declared.get("source", {}).get("select") != now:
        found.append("the table is derived by another `source.select` than the champion's was")
    return tuple(each for each in found if each)


def _counted(today: Today, kept: npt.NDArray[np.bool_]) -> Rows:
    compared = today.test.rows[kept]
    return Rows(
        test=len(kept),
        left_out=int((~kept).sum()),
        compared=len(compared),
        sha256=hashlib.sha256("".join(sorted(compared)).encode()).hexdigest(),
    )


def _none_compared(today: Today) -> Rows:
    return Rows(test=len(today.test.label), left_out=None, compared=0, sha256=None)


def _comparison(
    today: Today,
    asked: comparison_terms.ComparisonTerms,
    rival: ReleasedModel | None,
    counted: Rows,
    findings: tuple[Finding, ...],
    *,
    figures: Mapping[str, Any] | None = None,
) -> Comparison:
    fingerprint = str(rival.version.fingerprint) if rival else ""
    return Comparison(
        name=today.settings.name,
        candidate=today.model,
        champion=_model(fingerprint, rival.training, rival.version.number) if rival else None,
        policy=today.verdict["policy"]["sha256"],
        asked=asked,
        rows=counted,
        findings=findings,
        figures=figures or {},
        notes=_notes(today, rival) if rival else (),
    )
