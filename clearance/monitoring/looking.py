"""Which looks are due, and one look: the counts of a window judged by the rules in force. Pure.

empty       the window has no decision
decisions   the rules that need no label, once the window is over
labels      those that do, `label_delay_days` later, once enough labels are in; until then `unlabelled`
"""

from __future__ import annotations

import bisect
import datetime as dt
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from clearance import wording
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.monitoring import judgement, measure
from clearance.monitoring.counting import sums, windows
from clearance.monitoring.counting.store import CountedDay, VersionKey
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.counting.windows import HOUR, Span
from clearance.monitoring.figures import fairness, label_coverage, largest_change
from clearance.monitoring.figures.estimated_performance import Labelled
from clearance.monitoring.measure import LiveEvidence
from clearance.monitoring.season import References
from clearance.monitoring.watched_version import JudgingPolicy
from clearance.monitoring.window_rows import WindowRows
from clearance.policy import alarm_budget
from clearance.policy import judgement as policy_judgement
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

Basis = Literal["empty", "decisions", "labels", "unlabelled"]

GRACE = HOUR
"""How long after its end a window is judged: what was decided in its last moments is on record by then."""

WEEK = dt.timedelta(days=7)
UNUSUAL_HOURS = 3
"""A gap is mentioned where so many of its hours, or half of them, are not quiet by habit."""
_UNLIKELY = 1e-3
"""A gap without decisions is mentioned when it would come in fewer such windows, at their mean rate."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A version to look at: its baseline, and the hours from which and until which it decided.

    `until` is None while it decides. `unwatched` says why it has no baseline.
    """

    key: VersionKey
    baseline: BaselineDocument | None
    unwatched: str | None
    since: dt.datetime
    until: dt.datetime | None
    _references: dict[MonitoringTerms, References] = field(default_factory=dict, init=False, repr=False)

    def references(self, terms: MonitoringTerms) -> References | None:
        """What its windows are compared with, kept for the next window; None without a baseline."""
        if self.baseline is not None and terms not in self._references:
            self._references[terms] = References(
                features=self.baseline.features, days=self.baseline.days, terms=terms
            )
        return self._references.get(terms)


@dataclass(frozen=True, kw_only=True, eq=False)
class CountedWindow:
    """A window with its counts, and the hours in which there were decisions.

    `labelled` are the labelled decisions of the version until its end, groups left out; None where they are
    those of the window. `rows` are a sample of its decisions beside reference rows, or why there is none.
    `before` are the hours of the week before in which there were decisions; None: not known.
    """

    span: Span
    counts: WindowCounts
    hours: tuple[dt.datetime, ...]
    before: frozenset[dt.datetime] | None = None
    labelled: Labelled | None = None
    rows: WindowRows | str | None = None


def spans(watched: Watched, terms: MonitoringTerms, now: dt.datetime) -> list[Span]:
    """Every window of the version that is over, by its end."""
    zone = ZoneInfo(terms.timezone)
    over = windows.closed(terms.looks, watched.since, now - GRACE, zone)
    return [span for span in over if watched.until is None or span.start <= watched.until]


def is_due(
    span: Span, made: Collection[str], terms: MonitoringTerms, now: dt.datetime, *, decided: bool
) -> bool:
    """Whether a look at the window may be due, given the bases of those `made`; whether it has decisions."""
    if not decided:
        return "empty" not in made
    return "decisions" not in made or ("labels" not in made and _labels_expected(span, terms, now))


def due_bases(
    window: CountedWindow, made: Collection[str], terms: MonitoringTerms, now: dt.datetime
) -> Iterator[Basis]:
    """The looks at the window that are due, in order, given the bases of those `made`."""
    if not window.counts.rows:
        if "empty" not in made:
            yield "empty"
        return
    if "decisions" not in made:
        yield "decisions"
    if "labels" not in made and _labels_expected(window.span, terms, now):
        if label_coverage.coverage(window.counts).are_in(terms.label_share):
            yield "labels"
        elif "unlabelled" not in made:
            yield "unlabelled"


def due_at(span: Span, basis: Basis, terms: MonitoringTerms) -> dt.datetime:
    """When the look at the window was due: looks are made in this order."""
    labels = basis in ("labels", "unlabelled")
    return span.end + (dt.timedelta(days=terms.label_delay_days) if labels else GRACE)


def _labels_expected(span: Span, terms: MonitoringTerms, now: dt.datetime) -> bool:
    waits = any(rule.needs_labels for rule in terms.rules)
    return waits and now >= due_at(span, "labels", terms)


def label_share(counts: WindowCounts) -> float:
    """The share of the decisions whose label is in; 0 without decisions."""
    return sum(counts.labelled.values()) / counts.rows if counts.rows else 0.0


def counted(
    span: Span,
    by_day: Mapping[dt.date, CountedDay],
    watched: Watched,
    every_hour: Sequence[dt.datetime] | None = None,
) -> CountedWindow:
    """The window's counts from those of its days; `every_hour` are all, in order, in which it decided."""
    inside = {day: by_day[day] for day in span.days if day in by_day}
    baseline = watched.baseline
    cells = {} if baseline is None else {name: it.bins.size for name, it in baseline.features.items()}
    scores = 0 if baseline is None or baseline.score is None else baseline.score.bins.size
    total = sums.add([sums.empty(cells, scores), *(day.counts for day in inside.values())])
    busy = tuple(hour for day in inside.values() for hour in day.hours)
    return CountedWindow(
        span=span,
        counts=replace(
            total,
            by_day={day.isoformat(): counted_day.counts.features for day, counted_day in inside.items()},
            quiet_hours=_hours_in_service(span, watched) - len(busy),
        ),
        hours=busy,
        before=None if every_hour is None else _week_before(span, every_hour),
    )


def _week_before(span: Span, hours: Sequence[dt.datetime]) -> frozenset[dt.datetime]:
    first = bisect.bisect_left(hours, span.start - WEEK)
    return frozenset(hours[first : bisect.bisect_left(hours, span.start)])


def with_labels(
    windows_of: Iterable[CountedWindow], by_day: Mapping[dt.date, CountedDay]
) -> Iterator[CountedWindow]:
    """The windows with the labelled decisions of all these days until the end of each."""
    days = sorted(by_day)
    until: list[Labelled] = [{}]
    for day in days:
        total = Counter(until[-1])
        for (_, *key), count in by_day[day].counts.labelled.items():
            total[(), *key] += count  # type: ignore[index]
        until.append(total)
    for window in windows_of:
        yield replace(window, labelled=until[bisect.bisect_right(days, max(window.span.days))])


def _hours_in_service(span: Span, watched: Watched) -> int:
    start = max(span.start, watched.since)
    end = span.end if watched.until is None else min(span.end, watched.until + HOUR)
    return max(0, (end - start) // HOUR)


def look(
    watched: Watched, judging: JudgingPolicy, window: CountedWindow, basis: Basis, remarks: Sequence[str] = ()
) -> Look:
    """The look at a window. Rules are those in force on its first day."""
    terms = judging.policy.monitoring
    if terms is None:
        raise ValueError("the policy does not say how a version in use is watched")
    level = alarm_budget.level(terms, window.span.period)
    rules = measure.rules_in_force(terms, window.span.day, labels=basis in ("labels", "unlabelled"))
    findings: tuple[LiveFinding, ...] = ()
    if watched.baseline is not None and basis in ("decisions", "labels") and rules:
        findings = _findings(watched, terms, window, rules, level)
    return Look(
        model=watched.key.model,
        version=watched.key.version,
        content=watched.key.content,
        policy=judging.policy.id,
        policy_version=judging.policy.version,
        policy_sha256=judging.sha256,
        window=window.span.window,
        rows=window.counts.rows,
        level=level,
        outcome=policy_judgement.worst([finding.outcome for finding in findings])
        if findings
        else Outcome.NOT_EVALUATED,
        findings=findings,
        notes=(*_notes(watched, terms, window, basis), *remarks),
        basis=basis,
    )


def _findings(
    watched: Watched, terms: MonitoringTerms, window: CountedWindow, rules: Sequence[LiveRule], level: float
) -> tuple[LiveFinding, ...]:
    baseline = watched.baseline
    if baseline is None:
        return ()
    evidence = LiveEvidence(
        window=window.span.window,
        counts=window.counts,
        baseline=baseline,
        terms=terms,
        labelled=window.labelled,
        rows=window.rows,
        references=watched.references(terms),
    )
    hypotheses = measure.hypotheses(rules, evidence)
    findings = judgement.judge(hypotheses, level)
    if window.counts.rows < terms.minimum_rows:
        spends = [hypothesis.effect.spends for hypothesis in hypotheses]
        findings = tuple(
            _too_few(finding, window.counts.rows, terms.minimum_rows) if spend else finding
            for finding, spend in zip(findings, spends, strict=True)
        )
    by_id = {rule.id: rule for rule in rules}
    return tuple(
        _with_change(_with_groups(finding, by_id[finding.rule], evidence), evidence) for finding in findings
    )


def _with_change(finding: LiveFinding, evidence: LiveEvidence) -> LiveFinding:
    """The finding; of a feature that failed, with what changed most in it."""
    name = finding.subject or ""
    feature, live = evidence.baseline.features.get(name), evidence.counts.features.get(name)
    if feature is None or live is None:
        return finding
    before = np.asarray(feature.counts)
    return largest_change.told(finding, live, before, feature.bins)


def _too_few(finding: LiveFinding, rows: int, minimum: int) -> LiveFinding:
    if finding.outcome is Outcome.NOT_EVALUATED:
        return finding
    reason = f"{wording.counted(rows, 'decision')} in the window, and a look needs {minimum:,}"
    return replace(finding, outcome=Outcome.INSUFFICIENT_EVIDENCE, rows_needed=minimum, reason=reason)


def _with_groups(finding: LiveFinding, rule: LiveRule, evidence: LiveEvidence) -> LiveFinding:
    """The finding with favourable and all decisions of each group that is large enough to be named."""
    if finding.subject is None or finding.subject not in rule.read_for:
        return finding
    cells = fairness.decisions_by_group(finding.subject, evidence.counts, evidence.baseline)
    groups = {
        name: (group.selected, group.count)
        for name, group in cells.items()
        if group.count >= rule.minimum_support
    }
    return replace(finding, groups=groups)


def _notes(watched: Watched, terms: MonitoringTerms, window: CountedWindow, basis: Basis) -> Iterator[str]:
    rows = window.counts.rows
    if watched.unwatched is not None:
        yield watched.unwatched
    if basis == "empty":
        yield "no decision in the whole window"
    if basis == "unlabelled":
        share = wording.percent(label_share(window.counts))
        yield (
            f"labels of {share} of the decisions are in {terms.label_delay_days} days after the window, and "
            f"the policy asks for {wording.percent(terms.label_share)}: rules on labels are not evaluated yet"
        )
    waiting = sum(rule.needs_labels for rule in terms.rules)
    if basis == "decisions" and waiting:
        expected = (window.span.end + dt.timedelta(days=terms.label_delay_days)).date()
        yield f"{wording.counted(waiting, 'rule')} on labels will be judged from {expected} on"
    gap = longest_gap(watched, window)
    if rows and gap is not None:
        start, hours = gap
        yield f"no decision for {hours} hours from {start:%Y-%m-%dT%H:%MZ} on"


def longest_gap(watched: Watched, window: CountedWindow) -> tuple[dt.datetime, int] | None:
    """The longest run of hours without decisions that neither chance nor habit gives; None: there is none.

    By chance, at the mean rate of the window's other hours. By habit, most of its hours are ones without a
    decision on one of the seven days before: a night is mentioned once. It is a note and never a failure.
    """
    start = max(window.span.start, watched.since)
    end = window.span.end if watched.until is None else min(window.span.end, watched.until + HOUR)
    edges = [start - HOUR, *window.hours, end]
    gaps = [(later - before) // HOUR - 1 for before, later in pairwise(edges)]
    if not window.hours:
        return None
    rate = window.counts.rows / len(window.hours)
    known = (window.before or frozenset()) | set(window.hours)
    for hours, place in sorted(zip(gaps, range(len(gaps)), strict=True), key=lambda gap: (-gap[0], gap[1])):
        if hours < 1 or len(window.hours) * math.exp(-rate * hours) >= _UNLIKELY:
            return None
        first = edges[place] + HOUR
        gap = [first + number * HOUR for number in range(hours)]
        unusual = sum(not _is_quiet_by_habit(hour, known, watched.since) for hour in gap)
        if window.before is None or unusual >= min(UNUSUAL_HOURS, hours / 2):
            return first, hours
    return None


def _is_quiet_by_habit(hour: dt.datetime, known: Collection[dt.datetime], since: dt.datetime) -> bool:
    """Whether on one of the seven days before nothing was decided in this hour, since the version decides."""
    earlier = (hour - dt.timedelta(days=days) for days in range(1, 8))
    return any(before >= since and before not in known for before in earlier)
