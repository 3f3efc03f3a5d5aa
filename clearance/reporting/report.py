"""The report: what was judged, on which evidence, as one self-contained page, and the impact table.

Reads evidence and lays it out; it measures nothing and decides nothing. Evidence that differs from what was
judged is an error; evidence that was never measured is shown as such, with the reason.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from clearance import files, params, paths
from clearance.documents import catalogue, codec, group_names, metric_catalogue
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.evidence_document import BlockedDocument, Evidence, UnusableDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import Outcome
from clearance.documents.origin_document import OriginDocument
from clearance.documents.performance_document import PerformanceDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import ValidationDocument
from clearance.documents.verdict_document import RuleFinding, VerdictDocument
from clearance.errors import IntegrityError
from clearance.params import data_contract
from clearance.policy import project_verdict
from clearance.reporting import (
    before_after,
    causes,
    drift_reference,
    explain_rule,
    gists,
    headline,
    html_page,
    impact_table,
    rate_plot,
)
from clearance.reporting.charts import chart_points, curves, drawing, pareto
from clearance.reporting.since_verdict import SinceVerdict

FIGURES = (paths.TRAIN_FIGURES, paths.EVALUATE_FIGURES, paths.EXPLAIN_FIGURES)

SMALL_GROUP = 30
"""Groups with fewer rows are marked: an engineering convention, not law."""

OUTCOMES = headline.VERDICTS | {"fail": "Fail", "reported": "Reported"}

_MEDIA = {".svg": "image/svg+xml", ".png": "image/png"}
_TEMPLATES = Path(__file__).parent / "templates"
_STRIP_WIDTH = 160.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An image that contains its own bytes: no script in it runs, nothing in it loads."""

    name: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class ReportEvidence:
    """Everything that the page is made from.

    `documents` are the evidence documents by name; one that was not written, is unreadable or is about
    another model appears as blocked or stale, with the reason. `baseline` is the drift reference, which is
    made after the verdict; `points` are what the charts are drawn from; `figures` are pictures whose numbers
    no document has. `digests` maps each file and folder that was read to its SHA-256.
    """

    verdict: VerdictDocument
    origin: OriginDocument | UnusableDocument
    documents: Mapping[str, Evidence]
    baseline: BaselineDocument | BlockedDocument | UnusableDocument
    points: chart_points.ChartPoints
    figures: Mapping[str, tuple[Figure, ...]]
    digests: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Where the interval of a finding lies relative to its limit, in units of a drawing 160 wide."""

    low: float
    value: float
    high: float
    allowed_from: float
    allowed_to: float


def read(root: Path) -> ReportEvidence:
    """Read the evidence below `root` and check each file against the digest that the verdict recorded.

    Raises IntegrityError when the verdict or a file that was judged is missing, or has changed since.
    """
    verdict = VerdictDocument.read(root)
    recorded = verdict.evidence
    for path in (paths.ORIGIN, *(kind.path for kind in catalogue.EVIDENCE.values())):
        if path.as_posix() in recorded:
            files.verify(root / path, recorded[path.as_posix()])
    rest = [path for path in (paths.VERDICT, paths.BASELINE, *FIGURES) if (root / path).exists()]
    model = recorded.get(paths.MODEL.as_posix())
    documents = {name: project_verdict.read_document(root, name) for name in catalogue.EVIDENCE}
    return ReportEvidence(
        verdict=verdict,
        origin=_origin(root),
        documents={
            name: project_verdict.unless_stale(document, model) for name, document in documents.items()
        },
        baseline=_baseline(root, model),
        points=chart_points.read(root),
        figures={folder.name: _figures(root / folder) for folder in FIGURES},
        digests=dict(recorded) | {path.as_posix(): files.sha256(root / path) for path in rest},
    )


def _as_json(document: Evidence | OriginDocument | BaselineDocument) -> Mapping[str, Any]:
    """The document as plain values, which is what templates read."""
    if isinstance(document, UnusableDocument):
        return {"status": document.status, "because": document.because, "measurements": {}}
    return document.to_json()


def _origin(root: Path) -> OriginDocument | UnusableDocument:
    """The origin of the raw table; a missing or unreadable one says so."""
    try:
        return OriginDocument.read(root)
    except IntegrityError as error:
        return UnusableDocument(status="unreadable", because=error.fault)


def _baseline(root: Path, model: str | None) -> BaselineDocument | BlockedDocument | UnusableDocument:
    """The drift reference of the model with this SHA-256; a missing or unreadable one says so."""
    path = paths.BASELINE.as_posix()
    if not (root / path).exists():
        return UnusableDocument(status="missing", because=f"{path} was not written")
    try:
        baseline = BaselineDocument.read(root)
    except IntegrityError as error:
        return UnusableDocument(status="unreadable", because=error.fault)
    if isinstance(baseline, BaselineDocument) and baseline.model_sha256 != model:
        return UnusableDocument(status="stale", because=f"{path} is about another model")
    return baseline


def _figures(folder: Path) -> tuple[Figure, ...]:
    pictures = sorted(path for path in folder.glob("*") if path.suffix in _MEDIA)
    return tuple(
        Figure(
            name=path.stem,
            uri=f"data:{_MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}",
        )
        for path in pictures
    )


def render(
    evidence: ReportEvidence,
    data: params.Data,
    declared: data_contract.DataContract,
    since: SinceVerdict | None = None,
) -> str:
    """The page as HTML: the same bytes for the same evidence, and all text escaped.

    `data` declares the columns, `declared` is the data contract. `since` is what happened to the version
    after the verdict; None: the page is of the evidence alone. It loads nothing and contains no script.
    """
    verdict, titled = evidence.verdict, partial(group_names.titled, titles=data.titles)
    training = evidence.documents["training"]
    external = training.external if isinstance(training, TrainingDocument) else None
    shown, plots = _with_titles(verdict, data.titles), _plots(evidence)
    return (
        html_page.environment(_TEMPLATES)
        .get_template("report.html.j2")
        .render(
            **{name: _as_json(document) for name, document in evidence.documents.items()},
            certainties=explain_rule.CERTAINTIES,
            compared=before_after.lines(evidence.documents["training"]),
            question={"digest": declared.digest, "lines": data_contract.describe(declared)},
            biases=metric_catalogue.of_document("validation_prepared"),
            data=data,
            digests=evidence.digests,
            figures=evidence.figures,
            impact=impact_rows(evidence),
            glossary=[
                entry
                for entry in metric_catalogue.METRICS.values()
                if entry.family in ("quality", "fairness")
            ],
            actions=headline.actions(shown, external),
            brief=[headline.in_brief(finding) for finding in headline.deciding_findings(shown)],
            causes=causes.of(shown.findings),
            findings=[codec.write(finding) for finding in sorted(shown.findings, key=headline.worst_first)],
            charts=_charts(evidence),
            draw=drawing.draw,
            plots=plots,
            lead=_lead(verdict, plots),
            limited=[name for name, drawn in plots.items() if any(it.limit for it in drawn)],
            scores=drift_reference.score_rows(evidence.points.scores),
            baseline=_as_json(evidence.baseline),
            reference=drift_reference.rows(evidence.baseline)
            if isinstance(evidence.baseline, BaselineDocument)
            else [],
            few_bins=drift_reference.FEW_BINS,
            gists=gists.of(evidence.documents, evidence.baseline, evidence.digests),
            decisive_rules=_decisive_rules(verdict),
            remedy=_remedies(evidence),
            titled=titled,
            who=headline.who(verdict),
            origin=_as_json(evidence.origin),
            outcomes=OUTCOMES,
            overrides=data_contract.in_full(verdict.overrides),
            ruled=_with_rule(verdict.findings),
            declaration=external and headline.declaration(external),
            next_steps=headline.next_steps(shown, external),
            small_group=SMALL_GROUP,
            strip=strip,
            verdict=verdict.to_json(),
            verdict_word=headline.VERDICTS[verdict.verdict],
            sentence=headline.sentence(shown),
            since=since,
        )
    )


def _with_rule(findings: Sequence[RuleFinding]) -> list[tuple[str, str | None]]:
    """The fairness figures that a rule in force reads, each with its attribute."""
    names = [(finding.metric.partition("."), finding.attribute) for finding in findings]
    return [(metric, attribute) for (document, _, metric), attribute in names if document == "fairness"]


def impact_rows(evidence: ReportEvidence) -> list[impact_table.Row]:
    """The impact table of the evidence, with the rules for small categories that the verdict recorded."""
    policy = evidence.verdict.policy
    as_of = dt.date.fromisoformat(policy.as_of)
    return impact_table.table(evidence.documents["fairness"], policy.impact_table, as_of)


def _with_titles(verdict: VerdictDocument, titles: Mapping[str, str]) -> VerdictDocument:
    """The verdict with the titles of the attributes in place of their names, for people to read."""
    findings = (
        replace(finding, attribute=finding.attribute and group_names.titled(finding.attribute, titles))
        for finding in verdict.findings
    )
    return replace(verdict, findings=tuple(findings))


def _plots(evidence: ReportEvidence) -> dict[str, list[rate_plot.Plot]]:
    """The drawings of the groups' rates by attribute, those of the worst finding first."""
    fairness = evidence.documents["fairness"]
    if not isinstance(fairness, FairnessDocument):
        return {}
    worst = sorted(evidence.verdict.findings, key=headline.worst_first)
    order = [finding.attribute for finding in worst if finding.attribute and rate_plot.rates_read(finding)]
    names = dict.fromkeys(name for name in (*order, *fairness.groups) if name and name in fairness.groups)
    return {name: rate_plot.draw(fairness, worst, name) for name in names}


_NEAREST = 5


def _decisive_rules(verdict: VerdictDocument) -> int:
    """How many findings are not folded, worst first: all that do not pass, else the nearest to a limit."""
    return sum(finding.outcome not in (None, Outcome.PASS) for finding in verdict.findings) or _NEAREST


def _lead(verdict: VerdictDocument, plots: Mapping[str, Sequence[rate_plot.Plot]]) -> rate_plot.Plot | None:
    """The drawing that shows why the verdict is what it is; None where it rests on no rates of groups."""
    deciding = sorted(headline.deciding_findings(verdict), key=headline.worst_first)
    about = (finding.attribute for finding in deciding if rate_plot.rates_read(finding))
    return next((plots[name][0] for name in about if name and plots.get(name)), None)


def _charts(evidence: ReportEvidence) -> dict[str, tuple[drawing.Chart, ...]]:
    """The charts by the section that shows them."""
    performance, training = evidence.documents["performance"], evidence.documents["training"]
    points = evidence.points
    charts: dict[str, tuple[drawing.Chart, ...]] = {"performance": (), "choice": ()}
    if isinstance(performance, PerformanceDocument):
        charts["performance"] = curves.draw(points, performance)
    if isinstance(training, TrainingDocument) and training.utility is not None:
        charts["choice"] = pareto.draw(points.candidates, training.utility)
    return charts


def _remedies(evidence: ReportEvidence) -> dict[str, str]:
    """What to change for each expectation that blocks, by its detail."""
    documents = [evidence.documents[name] for name in ("validation_raw", "validation_prepared")]
    return {
        entry.detail: causes.remedy(entry)
        for document in documents
        if isinstance(document, ValidationDocument)
        for entry in document.expectations
        if entry.blocks
    }


def strip(finding: Mapping[str, Any]) -> Strip | None:
    """The drawing of a finding that has an interval and a limit; None for any other."""
    limit = finding["limit"] or {}
    bounds = [end for end in limit.values() if end is not None]
    ends = [finding[key] for key in ("low", "value", "high")]
    if not bounds or None in ends:
        return None
    lowest, highest = min(ends + bounds), max(ends + bounds)
    margin = (highest - lowest or 1.0) * 0.12
    origin = lowest - margin if lowest < 0 or lowest - margin > 0 else 0.0
    scale = _STRIP_WIDTH / (highest + margin - origin)
    low, value, high = (round((end - origin) * scale, 1) for end in ends)
    allowed = [limit.get("at_least"), limit.get("at_most")]
    start, stop = (None if end is None else round((end - origin) * scale, 1) for end in allowed)
    return Strip(
        low=low,
        value=value,
        high=high,
        allowed_from=0.0 if start is None else start,
        allowed_to=_STRIP_WIDTH if stop is None else stop,
    )
