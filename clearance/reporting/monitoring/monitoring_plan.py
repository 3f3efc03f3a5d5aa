"""The post-market monitoring plan of a policy: what is watched, how often, by whom, with which error budgets.

Pure text from the policy alone, so that the plan is what the monitor does (AI Act, Art. 72). It says what the
policy does not settle.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from clearance import wording
from clearance.documents import monitoring_catalogue
from clearance.policy import alarm_budget
from clearance.policy.dated import Dated
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms, ReportDeadline
from clearance.policy.schema import Policy

"""How many looks of each kind a year has at most."""
_REACTIONS = {
    "record": "recorded",
    "alert": "people are told",
    "hold": "every new decision waits for a person's review",
    "stop": "new decisions are refused",
}


def markdown(policy: Policy, day: dt.date) -> str:
    """The plan as Markdown, of what is in force on that day. A policy that watches nothing has one gap."""
    head = [
        f"# Post-market monitoring plan: {policy.title}",
        "",
        f"Policy `{policy.id}` version {policy.version}, as of {day}. Written from the policy; it is not "
        "legal advice. Source of the duty: Regulation (EU) 2024/1689, Art. 72.",
        "",
    ]
    terms = policy.monitoring
    if terms is None:
        return "\n".join([*head, "**Gap:** the policy has no section `monitoring`: nothing is watched.", ""])
    rules = [rule for rule in terms.rules if rule.in_force(day)]
    sections = (
        ("What is watched", _watched(rules)),
        ("How often, and how sure", _looks(terms, rules)),
        ("By whom", _people(terms)),
        ("What follows", _reactions(terms)),
        ("Incidents", _incidents(item for item in terms.deadlines if item.in_force(day))),
        ("Labels", _labels(terms)),
        ("Gaps", _gaps(policy, terms, rules)),
    )
    lines = [line for title, body in sections for line in (f"## {title}", "", *body, "")]
    return "\n".join([*head, *lines])


def _watched(rules: Sequence[LiveRule]) -> Iterator[str]:
    yield "| rule | figure | read for | limit | decides by | serious | if it fails | source |"
    yield "|---|---|---|---|---|---|---|---|"
    for rule in rules:
        cells = (
            f"`{rule.id}`",
            monitoring_catalogue.METRICS[rule.metric].text,
            _subjects(rule),
            _limit(rule),
            rule.decides_by,
            "yes" if rule.severity == "serious" else "no",
            _REACTIONS[rule.on_fail] + (", a new model is trained" if rule.retrain else ""),
            _source(rule),
        )
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _subjects(rule: LiveRule) -> str:
    if rule.read_for:
        return ", ".join(rule.read_for)
    subject = monitoring_catalogue.METRICS[rule.metric].subject
    if subject != "feature":
        return {"model": "the model", "table": "all rows"}.get(subject, subject)
    return rule.of if isinstance(rule.of, str) else ", ".join(rule.of)


def _limit(rule: LiveRule) -> str:
    ends = (("at least", rule.limit.at_least), ("at most", rule.limit.at_most))
    return " and ".join(f"{words} {end:g}" for words, end in ends if end is not None)


def _source(part: Dated) -> str:
    kind = "" if part.source.startswith(part.kind) else f"{part.kind}: "
    certainty = "" if part.certainty is None else f" (certainty: {part.certainty})"
    return f"{kind}{part.source}{certainty}"


def _looks(terms: MonitoringTerms, rules: Sequence[LiveRule]) -> Iterator[str]:
    spending = [
        rule
        for rule in rules
        if monitoring_catalogue.METRICS[rule.metric].spends and rule.decides_by == "interval"
    ]
    yield (
        f"In a year in which nothing changes, any rule fails with a probability of at most "
        f"{terms.false_alarms:g}. That is shared by the kinds of look, then by the looks of a year:"
    )
    yield ""
    yield "| look | a year | error of one look |"
    yield "|---|---|---|"
    for period in terms.looks:
        number = alarm_budget.LOOKS_A_YEAR[period] * alarm_budget.looks_a_window(terms)
        yield f"| {period} | {number} | {alarm_budget.level(terms, period):.2e} |"
    if alarm_budget.looks_a_window(terms) > 1:
        yield ""
        yield "A window has two looks: one at once, and one at the rules that wait for labels."
    yield ""
    yield (
        f"In a look, {wording.counted(len(spending), 'rule')} share that error by Holm's method. Days, weeks "
        f"and months are those of {terms.timezone}. A look needs {terms.minimum_rows} decisions."
    )
    exact = [rule.id for rule in rules if not monitoring_catalogue.METRICS[rule.metric].spends]
    if exact:
        yield f"Exact counts, which spend nothing: {', '.join(exact)}."
    if points := [rule.id for rule in rules if rule.decides_by == "point"]:
        yield f"Decided by the number alone, outside the budget where chance moves it: {', '.join(points)}."


def _people(terms: MonitoringTerms) -> Iterator[str]:
    watchers = ", ".join(terms.watched_by) or "**nobody is named**"
    alerts = terms.alerts
    yield f"* Watched by: {watchers}."
    yield f"* Told: {', '.join(alerts.to) or 'nobody'} (variables that hold addresses)."
    yield f"* Told again after {alerts.repeat_hours} hours until somebody takes the alert."
    if alerts.escalate_to:
        yield f"* After {alerts.escalate_hours} hours without that: {', '.join(alerts.escalate_to)}."
    for window in terms.maintenance:
        covered = ", ".join(window.rules) or "all rules"
        yield f"* Nothing is sent from {window.start} until {window.end} for {covered}: {window.reason}."


def _reactions(terms: MonitoringTerms) -> Iterator[str]:
    retraining = terms.retraining
    yield f"* An alert ends after {terms.alerts.resolve_looks} looks in a row in which what failed passes."
    yield "* A serious rule opens an incident in the ledger, once while one of it is open."
    yield "* Decisions that are held or stopped stay so until those who may promote resume them."
    yield (
        f"* A new model is trained at most once in {retraining.cool_down_days} days and "
        f"{retraining.most_a_year} times a year; it passes the gate and approvals like any other."
    )
    yield "* It trains on what the source holds then; recent decisions are added there, by people."
    if (share := retraining.window_share) is not None:
        yield f"* It waits until the source has labels of {share:.0%} of those the failed windows decided on."
    yield f"* An override that ends within {terms.alerts.permission_days} days is told as well."


def _incidents(deadlines: Iterable[ReportDeadline]) -> Iterator[str]:
    yield "| kind of incident | who reports | to whom | within | first report may be incomplete | source |"
    yield "|---|---|---|---|---|---|"
    for item in deadlines:
        within = "at once" if item.days == 0 else wording.counted(item.days, "day")
        first = "yes" if item.incomplete_first else "no"
        kinds = ", ".join(item.incidents).replace("_", " ")
        yield f"| {kinds} | {item.role} | {item.to} | {within} | {first} | {_source(item)} |"


def _labels(terms: MonitoringTerms) -> Iterator[str]:
    yield (
        f"Performance is judged once the labels of {terms.label_share:.0%} of a window's decisions are in, "
        f"expected after {terms.label_delay_days} days. Before that it is estimated where a rule says so."
    )


def _gaps(policy: Policy, terms: MonitoringTerms, rules: Sequence[LiveRule]) -> Iterator[str]:
    """What the policy does not settle, a line each; that nothing is missing otherwise."""
    read = {name for rule in rules for name in rule.read_for}
    families = {rule.metric.partition(".")[0] for rule in rules}
    expected = ("data", "drift", "fairness", "performance")
    is_serious = any(rule.severity == "serious" for rule in rules)
    gaps = [
        *(f"no rule is read for {name}" for name in policy.attributes if name not in read),
        *(f"no rule watches {name}" for name in expected if name not in families),
        *([] if terms.watched_by else ["nobody is named who watches"]),
        *([] if terms.deadlines else ["no deadline for incidents"]),
        *([] if is_serious else ["no serious rule: nothing opens an incident"]),
        *([] if terms.alerts.escalate_to else ["nobody else is told when nobody takes an alert"]),
    ]
    yield from (f"* {gap}" for gap in gaps) if gaps else ["None that the policy itself shows."]
