"""The monitoring page: what fails and since when, what failed before, what is undecided, and what was quiet.

One self-contained page from the looks on record, which loads nothing and runs no script. It repeats what they
found and decides nothing; what it leaves out for its size, it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import wording
from clearance.documents import monitoring_catalogue
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.policy import judgement
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms
from clearance.reporting import html_page
from clearance.reporting.monitoring import trend_plot, trends
from clearance.reporting.monitoring.trends import Standing, Trend

CHARTS, CHARTS_OF_A_RULE = 24, 6
"""Most trends that are drawn large, in all and of one rule; the others stand in tables."""
CHARACTERS = 500_000
"""Most characters of the rows of all tables; what does not fit is counted."""
GROUPS = 12
"""Most groups of a failed rule that are listed."""
NOTES, LONGEST = 60, 400
"""Most notes that are listed, and the most characters of one."""
_TEMPLATES = (Path(__file__).parent / "templates", Path(__file__).parent.parent / "templates")

OUTCOMES = {
    Outcome.FAIL: "Fails",
    Outcome.NOT_EVALUATED: "Not evaluated",
    Outcome.INSUFFICIENT_EVIDENCE: "Not enough evidence",
    Outcome.PASS: "Passes",
}
TITLES = {
    Outcome.FAIL: "A rule fails",
    Outcome.NOT_EVALUATED: "Not everything could be evaluated",
    Outcome.INSUFFICIENT_EVIDENCE: "Not enough evidence",
    Outcome.PASS: "Every rule passes",
}
_PLACES = {
    Standing.FAILING: ("fail", "failing"),
    Standing.FAILED_BEFORE: ("reported", "failed before"),
    Standing.UNDECIDED: ("insufficient_evidence", "undecided"),
    Standing.QUIET: ("pass", "quiet"),
}
"""The sign of a standing, and its word in a count."""
STANDINGS = {
    Standing.FAILING: "What fails",
    Standing.FAILED_BEFORE: "What failed before",
    Standing.UNDECIDED: "What is undecided",
    Standing.QUIET: "What was quiet",
}
REACTIONS = {
    "record": "it is put on record, and nothing else follows",
    "alert": "the people of the policy are notified",
    "hold": "every decision is marked for a person's review until those who may promote undo it",
    "stop": "new decisions are refused until those who may promote undo it",
}
"""What a failed rule does to the server."""


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """An alert: its rule, its state in a word, since when, and a sentence."""

    rule: str
    state: str
    since: str
    text: str


@dataclass(frozen=True, kw_only=True)
class IncidentLine:
    """An incident: its number, state, owner and sentences; `overdue`: a report is late."""

    number: int
    state: str
    owner: str
    lines: Sequence[str]
    overdue: bool = False


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """Everything that the page is made from.

    `looks` are of one version; of two at one window, the later one counts. `restrictions` are sentences that
    say how a rule or a person restricts its decisions now. `waiting` says which decisions no look has seen
    yet, None where there are none.
    """

    model: str
    version: int
    terms: MonitoringTerms
    looks: Sequence[Look]
    alerts: Sequence[AlertLine] = ()
    incidents: Sequence[IncidentLine] = ()
    restrictions: Sequence[str] = ()
    waiting: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """The trends of one rule in a table, each with a small drawing where there is room; those left out."""

    rule: str
    metric: str
    finding: LiveFinding
    rows: Sequence[tuple[Trend, str]]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A rule that fails now: its worst finding, since when, what follows, and what to do.

    `groups` are those that are large enough to be named, each with its favourable decisions and all of them,
    the lowest rate first; `groups_left_out` is how many more there are.
    """

    trends: Sequence[Trend]
    judged: int
    worst: Trend
    finding: LiveFinding
    since: str
    periods: Sequence[str]
    follows: str
    action: str
    groups: Sequence[tuple[str, int, int]]
    groups_left_out: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much error the looks of one period may make: one look, and all of those on the page together."""

    period: str
    looks: int
    level: float
    spent: float


def render(monitored: Monitored) -> str:
    """The page as HTML: the same bytes for the same looks, and all text escaped.

    Raises ValueError on looks of another model or version.
    """
    looks = list(monitored.looks)
    if any((look.model, look.version) != (monitored.model, monitored.version) for look in looks):
        raise ValueError("the looks are not all of the version that the page is about")
    newest, named = trends.newest(trends.decided(looks)), {rule.id for rule in monitored.terms.rules}
    every = trends.trends(looks)
    all_trends = [trend for trend in every if trend.rule in named]
    groups = {
        standing: [trend for trend in all_trends if trend.standing is standing] for standing in Standing
    }
    time = trend_plot.axis(looks) if looks else None
    charted = _charted(trend for trend in all_trends if trend.standing is not Standing.QUIET)
    space, outcome = _Space(CHARACTERS), _outcome(newest.values(), all_trends)
    notes = [(look.window, note) for look in reversed(looks) for note in look.notes]
    return (
        html_page.environment(*_TEMPLATES)
        .get_template("monitoring.html.j2")
        .render(
            assumptions=_assumptions(newest.values()),
            axis=time,
            bands=trend_plot.bands(looks, time) if time else [],
            budgets=_budgets(looks),
            charts={
                standing: [(trend, trend_plot.strips(trend, time)) for trend in group if trend.key in charted]
                for standing, group in groups.items()
                if time
            },
            counts={standing: len(group) for standing, group in groups.items()},
            failures=_failures(all_trends),
            is_decided=_is_decided(all_trends),
            longest=LONGEST,
            metric=_metric_text,
            newest=trends.newest(looks),
            silent_since=trends.silent_since(looks),
            notes=notes[:NOTES],
            notes_left_out=max(0, len(notes) - NOTES),
            outcome=outcome,
            outcomes=OUTCOMES,
            page=monitored,
            places=_PLACES,
            plot=trend_plot,
            policy=next(reversed(newest.values()), None),
            rules=[_rule_line(rule, all_trends) for rule in monitored.terms.rules],
            retired=sorted({trend.rule for trend in every} - named),
            sentence=_sentence(newest, all_trends, len(named)),
            standings=STANDINGS,
            tables={
                standing: _tables([trend for trend in group if trend.key not in charted], time, space)
                for standing, group in groups.items()
                if time
            },
            title=TITLES[outcome] if looks else "No look yet",
        )
    )


def _charted(loud: Iterable[Trend]) -> set[tuple[str, str, str | None]]:
    """The trends that are drawn large: of each rule the worst, then of each the second, and so on."""
    ranks: Counter[str] = Counter()
    ranked = []
    for trend in loud:
        ranked.append((ranks[trend.rule], trend.key))
        ranks[trend.rule] += 1
    first = [item for item in ranked if item[0] < CHARTS_OF_A_RULE]
    return {key for _, key in sorted(first, key=lambda item: item[0])[:CHARTS]}


def _outcome(newest: Iterable[Look], all_trends: Iterable[Trend]) -> Outcome:
    """The worst of the newest looks, not evaluated without any; a fail lasts until a look ends it."""
    outcomes = [look.outcome for look in newest]
    if any(trend.standing is Standing.FAILING for trend in all_trends):
        return Outcome.FAIL
    return judgement.worst(outcomes) if outcomes else Outcome.NOT_EVALUATED


def _sentence(newest: Mapping[Any, Look], all_trends: Sequence[Trend], rules: int) -> str:
    """What holds now, of all `rules` of the policy: also of those that no look has judged yet."""
    if not newest:
        return "Nothing has been judged yet, so nothing is known: no window with decisions is over."
    failing = {trend.rule for trend in all_trends if trend.standing is Standing.FAILING}
    judged = len({trend.rule for trend in all_trends})
    waiting = f" {wording.counted(rules - judged, 'rule')} not judged yet." if judged < rules else ""
    if failing:
        names = wording.join_names(sorted(f"`{name}`" for name in failing))
        fail = "fails" if len(failing) == 1 else "fail"
        return f"{len(failing)} of {wording.counted(rules, 'rule')} {fail}: {names}.{waiting}"
    if not _is_decided(all_trends):
        return f"The newest looks could not decide a single rule, so nothing is known.{waiting}"
    undecided = sum(trend.standing is Standing.UNDECIDED for trend in all_trends)
    if undecided:
        return (
            f"No rule fails. {wording.counted(undecided, 'trend')} could not be decided in the newest look."
            f"{waiting}"
        )
    return f"{wording.counted(judged, 'rule')} passed in the newest look of every period.{waiting}"


def _is_decided(all_trends: Iterable[Trend]) -> bool:
    """Whether some newest finding, which still holds, is a pass or a fail."""
    return any(
        finding.outcome in {Outcome.PASS, Outcome.FAIL}
        for trend in all_trends
        for period, finding in trend.last.items()
        if period not in trend.stale
    )


def _failures(all_trends: Sequence[Trend]) -> list[Failure]:
    """One for each rule that fails, the worst first: one cause, however many subjects it has."""
    by_rule: dict[str, list[Trend]] = {}
    for trend in all_trends:
        if trend.standing is Standing.FAILING:
            by_rule.setdefault(trend.rule, []).append(trend)
    judged = Counter(trend.rule for trend in all_trends)
    return [_failure(rows, judged[rule]) for rule, rows in by_rule.items()]


def _failure(failing: Sequence[Trend], judged: int) -> Failure:
    worst = failing[0]
    periods = [period for period, finding in worst.last.items() if finding.outcome is Outcome.FAIL]
    finding = min((worst.last[period] for period in periods), key=trends.worst_first)
    groups = _groups(finding)
    return Failure(
        trends=failing,
        judged=judged,
        worst=worst,
        finding=finding,
        since=min(filter(None, map(_since, failing))),
        periods=[f"{_in_a_row(worst, period)} in a row" for period in periods],
        follows=_follows(finding.on_fail, serious=finding.severity == "serious", retrain=finding.retrain),
        action=_ACTIONS_OF_METRICS.get(finding.metric) or _ACTIONS[finding.metric.partition(".")[0]],
        groups=groups[:GROUPS],
        groups_left_out=len(groups[GROUPS:]),
    )


def _groups(finding: LiveFinding) -> list[tuple[str, int, int]]:
    """The groups of a finding, the lowest rate first."""
    groups = [(name, part, rows) for name, (part, rows) in (finding.groups or {}).items() if rows]
    return sorted(groups, key=lambda group: (group[1] / group[2], group[0]))


def _since(trend: Trend) -> str | None:
    """When it began to fail, by the shortest period that fails: a month fails from its first day on."""
    starts = (trend.failing_since(period) for period in trends.PERIODS)
    return next((start for start in starts if start is not None), None)


def _in_a_row(trend: Trend, period: str) -> str:
    since = trend.failing_since(period)
    number = sum(1 for point in trend.points[period] if since and point.window.start >= since)
    return wording.counted(number, period, "batches" if period == "batch" else None)


_ACTIONS = {
    "data": "the owner of the data: compare the source of these values with the one that the model was "
    "trained on; correct it there",
    "drift": "the data scientist: find out whether the source or the people changed; if it is the people, "
    "see whether the model is still right about them before a new one is trained",
    "performance": "the owner of the model: look at the decisions since then, and decide on a rollback or a "
    "new model",
    "fairness": "the owner of the model: look at the groups' rates since then, review their decisions, and "
    "decide on a rollback or a new model",
    "attribution": "the data scientist: see which features the model leans on now, and why",
}
"""Who does what about a failed rule, by the kind of its metric."""
_ACTIONS_OF_METRICS = {
    "fairness.unknown_share": "the owner of the server: have every request name its entity, and put the "
    "groups of the entities into the feature store; until then no rule on groups can be judged",
}
"""The same, of metrics that differ from others of their kind."""


def _follows(on_fail: str, *, serious: bool, retrain: bool) -> str:
    """What the policy says happens when a rule fails."""
    follows = [
        REACTIONS[on_fail],
        *(["an incident is opened"] if serious else []),
        *(["a new model is trained, and judged like any other"] if retrain else []),
    ]
    return "; ".join(follows)


class _Space:
    """How many characters the page still has room for."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def takes(self, characters: int) -> bool:
        """Whether there was room for so many; there is less from now on if there was."""
        fits = characters <= self._left
        self._left -= characters if fits else 0
        return fits


_ROW, _SPARK, _ESCAPED = 280, 110, 6
"""Characters of a row and of a small drawing without their contents, and at most of one escaped character."""


def _tables(group: Sequence[Trend], time: trend_plot.Axis, space: _Space) -> list[Table]:
    """A table for each rule of the trends, the worst rule and row first."""
    by_rule: dict[str, list[Trend]] = {}
    for trend in group:
        by_rule.setdefault(trend.rule, []).append(trend)
    return [_table(rows, time, space) for rows in by_rule.values()]


def _table(group: Sequence[Trend], time: trend_plot.Axis, space: _Space) -> Table:
    rows = []
    for trend in group:
        if not space.takes(_ROW + _ESCAPED * len(trend.subject or "")):
            break
        path = trend_plot.spark(trend, time)
        rows.append((trend, path if space.takes(_SPARK + len(path)) else ""))
    first = group[0]
    return Table(
        rule=first.rule,
        metric=first.metric,
        finding=first.worst,
        rows=rows,
        left_out=len(group) - len(rows),
    )


def _budgets(looks: Iterable[Look]) -> list[Budget]:
    """What the looks on the page may spend, by period; a bound by adding up, valid under any dependence."""
    by_period: dict[str, list[Look]] = {}
    for look in looks:
        by_period.setdefault(look.window.period, []).append(look)
    return [
        Budget(period=period, looks=len(rows), level=rows[-1].level, spent=sum(row.level for row in rows))
        for period in trends.PERIODS
        if (rows := by_period.get(period, []))
    ]


def _assumptions(newest: Iterable[Look]) -> list[tuple[str, int]]:
    """What the newest findings rest on beside their counts, with how many do, the most common first."""
    counts = Counter(
        finding.assumption for look in newest for finding in look.findings if finding.assumption is not None
    )
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, kw_only=True)
class RuleLine:
    """A rule of the policy, and how many of its subjects stand where."""

    rule: LiveRule
    metric: str
    limit: str
    follows: str
    counts: Mapping[Standing, int]


def _rule_line(rule: LiveRule, all_trends: Sequence[Trend]) -> RuleLine:
    standings = Counter(trend.standing for trend in all_trends if trend.rule == rule.id)
    return RuleLine(
        rule=rule,
        metric=_metric_text(rule.metric),
        limit=wording.limit(rule.limit.model_dump()),
        follows=_follows(rule.on_fail, serious=rule.severity == "serious", retrain=rule.retrain),
        counts={standing: standings[standing] for standing in Standing if standings[standing]},
    )


def _metric_text(name: str) -> str:
    """What a metric is, in words; its name where the catalogue does not have it."""
    metric = monitoring_catalogue.METRICS.get(name)
    return metric.text if metric else name
