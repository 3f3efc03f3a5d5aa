"""One run of the monitor: count what is new in the log, look at every window that is due, in order, once.

It may be killed anywhere and run again: counts move with their position, and a look is stored once. It trains
and promotes nothing.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import sqlalchemy as sa

from clearance import feature_store, files, params, paths, registry, wording
from clearance.documents.look_document import Look
from clearance.documents.measurement import Outcome
from clearance.feature_store import FeatureSettings
from clearance.inference_log import InferenceLog
from clearance.inference_log.reading import LoggedDecision
from clearance.ledger import times
from clearance.monitoring import alerts, faults, looking, measure, watched_version, window_rows
from clearance.monitoring.counting import database, decision_counts, replays, store, windows
from clearance.monitoring.counting.decision_counts import Decided, Seen
from clearance.monitoring.counting.store import VersionHour, VersionKey
from clearance.monitoring.counting.window_counts import Groups, WindowCounts
from clearance.monitoring.looking import CountedWindow, Watched
from clearance.monitoring.watched_version import JudgingPolicy, WatchedVersion
from clearance.monitoring.window_rows import WindowRows
from clearance.policy import judgement, policy_file
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.promotion import inference_trail, monitoring_policy, session, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right

TOGETHER = 2_000
"""Decisions that are counted in one transaction."""
REMEMBERED = 3
"""Hours of each version whose inputs are remembered while decisions are counted."""
REASON = "monitoring"
LABELLED_DAYS = 62
"""Days whose labels are in by then, and check estimates of performance."""
LATE = dt.timedelta(days=1)
"""Decisions that the log took so long after they were made are mentioned."""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """How many decisions since `since` are in no window that is over; they are judged from `due` on."""

    decisions: int
    since: dt.datetime
    due: dt.datetime


@dataclass(frozen=True, kw_only=True)
class MonitorRun:
    """What a run did: decisions it counted, looks it made or was asked to show, what was odd, what followed.

    `outcome` is the worst of the looks; not evaluated where there is none. `newest` is the version that
    decides or decided last, `terms` say how its policy, or the one that was asked for, has it watched, and
    `pending` are its decisions that no look has seen yet.
    """

    model: str
    counted: int
    looks: tuple[Look, ...]
    notes: tuple[str, ...] = ()
    newest: VersionKey
    terms: MonitoringTerms | None
    consequences: tuple[str, ...] = ()
    pending: Pending | None = None

    @property
    def outcome(self) -> Outcome:
        """The worst of the looks."""
        if not self.looks:
            return Outcome.NOT_EVALUATED
        return judgement.worst([look.outcome for look in self.looks])


@dataclass(frozen=True, kw_only=True, eq=False)
class Monitor:
    """What a run works with. Versions are loaded and verified once; `seen` are inputs that it counted.

    `rows` reads a sample of a window from the log.
    """

    name: str
    acting: LedgerSession
    server: registry.MlflowServer
    engine: sa.Engine
    groups: Callable[[str | None, dt.datetime], Groups]
    now: dt.datetime
    rows: Callable[[WatchedVersion, CountedWindow], WindowRows | str]
    versions: dict[int, WatchedVersion] = field(default_factory=dict)
    seen: dict[int, Seen] = field(default_factory=dict)

    def version(self, number: int) -> WatchedVersion:
        """The version with this number. Raises as `watched_version.load`."""
        if number not in self.versions:
            self.versions[number] = watched_version.load(self.acting, self.server, self.name, number)
        return self.versions[number]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked for: looks at windows that begin from `since` to `until`; None: the new ones.

    With a `policy` file the windows are judged again under it, and nothing is stored.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    policy: Path | None = None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def run(
    root: Path,
    request: Request = Request(),
    *,
    features: FeatureSettings | None = None,
    identity: str | None = None,
    clock: Callable[[], dt.datetime] = _now,
) -> MonitorRun:
    """Count, look, and return what was seen. `features` says where groups come from; None: none is known.

    Raises ReleaseRefused without the right to watch, ConfigurationError without a log, a champion or the
    policy's terms, TransientError while log or store are away, IntegrityError when anything does not verify.
    """
    if request.since and request.until and request.since > request.until:
        raise faults.DAYS_REVERSED(since=request.since, until=request.until)
    with opened(root, features=features, identity=identity, clock=clock) as (monitor, log):
        count, notes = count_new(monitor, log)
        looks, remarks = look(monitor, request)
        terms = {number: version.judging.policy.monitoring for number, version in monitor.versions.items()}
        target = watched(monitor)[-1]
        newest = target.key
        judging = _given(request) or monitor.version(newest.version).judging
        waiting = pending(monitor, target, judging.policy.monitoring)
    consequences = react(root, monitor, terms) if request.policy is None else []
    return MonitorRun(
        model=monitor.name,
        counted=count,
        looks=tuple(looks),
        notes=(*notes, *remarks),
        newest=newest,
        terms=judging.policy.monitoring,
        consequences=tuple(consequences),
        pending=waiting,
    )


def react(root: Path, monitor: Monitor, terms: Mapping[int, MonitoringTerms | None]) -> list[str]:
    """Draw the consequences of every look that has none yet, in order; what happened, a sentence each.

    The project's policy of today says whom to tell; where it says nothing, that of the version does. Each
    look is marked after its consequences are written down, so a kill repeats `alerts.react` and no alert.
    What time alone asks for, such as a report that is late, follows.
    """
    today = monitoring_policy.terms(root)
    lines = []
    for stored in store.unreacted(monitor.engine, monitor.name):
        applying = today or terms.get(stored.look.version)
        if applying is not None:
            lines += alerts.react(root, stored.look, applying, now=monitor.now).lines()
        store.mark_reacted(monitor.engine, stored.number)
    if today is not None:
        lines += alerts.attend(root, today, now=monitor.now).lines()
    return lines


@contextmanager
def opened(
    root: Path,
    *,
    features: FeatureSettings | None = None,
    identity: str | None = None,
    clock: Callable[[], dt.datetime] = _now,
) -> Iterator[tuple[Monitor, InferenceLog]]:
    """What a run works with, and the log of decisions. Raises as `run`."""
    name = params.load(root / paths.PARAMS).name
    engine = database.open(root)
    with ExitStack() as stack:
        acting = stack.enter_context(session.open_session(root, identity))
        acting.demand(Right.WATCH, name, f"watch the decisions of {name}")
        log = stack.enter_context(inference_trail.opened(root))
        groups = (
            _ungrouped
            if features is None
            else _grouping(stack.enter_context(feature_store.open(root, features)))
        )
        yield (
            Monitor(
                name=name,
                acting=acting,
                server=registry.connect(),
                engine=engine,
                groups=groups,
                now=clock(),
                rows=_sampling(root, log, acting.acting.person.identity),
            ),
            log,
        )


def _given(request: Request) -> JudgingPolicy | None:
    """The policy that was asked for; None: each version's own."""
    if request.policy is None:
        return None
    return JudgingPolicy(policy=policy_file.load(request.policy), sha256=files.sha256(request.policy))


def _ungrouped(_entity: str | None, _at: dt.datetime) -> Groups:
    return ()


def _grouping(opened: feature_store.Store) -> Callable[[str | None, dt.datetime], Groups]:
    """The groups of an entity at a time; None for each attribute where the store does not know it.

    They raise what the store raises: what is counted with the wrong group stays so, and a run can wait.
    """

    def groups(entity: str | None, at: dt.datetime) -> Groups:
        known: Mapping[str, str | None] = {}
        if entity is not None:
            known = opened.protected(entity, at)
        return decision_counts.grouped(known, opened.attributes)

    return groups


def _sampling(
    root: Path, log: InferenceLog, reader: str
) -> Callable[[WatchedVersion, CountedWindow], WindowRows | str]:
    """Reads a sample of a window beside the reference rows, which are kept for the next window."""
    references: dict[int, pd.DataFrame | str] = {}

    def rows(version: WatchedVersion, window: CountedWindow) -> WindowRows | str:
        if version.version not in references:
            references[version.version] = window_rows.reference(root, version)
        reference = references[version.version]
        if isinstance(reference, str):
            return reference
        live = window_rows.draw(log, version, window.span, window.counts.rows, reader)
        if isinstance(live, str):
            return live
        return WindowRows(live=live, reference=reference, decided=window.counts.rows)

    return rows


# Counting


def count_new(monitor: Monitor, log: InferenceLog) -> tuple[int, list[str]]:
    """Count every decision that is not counted yet; how many, and what was odd about them."""
    after = store.position(monitor.engine, log.id, monitor.name)
    reader = monitor.acting.acting.person.identity
    odd: Counter[str] = Counter()
    total = 0
    decisions = log.decisions(after=after, reader=reader, reason=REASON)
    while batch := list(islice(decisions, TOGETHER)):
        counts, inputs = count_batch(monitor, log, batch, odd)
        until = batch[-1].sequence
        store.add_counts(
            monitor.engine, monitor.name, counts, log=log.id, after=after, until=until, inputs=inputs
        )
        after = until
        for hours in monitor.seen.values():
            for hour in sorted(hours)[:-REMEMBERED]:
                del hours[hour]
        total += sum(part.rows for part in counts.values())
    return total, [f"{wording.counted(rows, 'decision')} {what}" for what, rows in sorted(odd.items())]


def count_batch(
    monitor: Monitor, log: InferenceLog, batch: Sequence[LoggedDecision], odd: Counter[str]
) -> tuple[dict[VersionHour, WindowCounts], replays.Hours]:
    """The counts of these decisions by version and hour, and the digests of inputs that are new, by hour.

    `odd` counts the decisions that are not among them.
    """
    counted: list[Decided] = []
    for decision in batch:
        if decision.model.name != monitor.name:
            odd["of another model are not counted"] += 1
        elif decision.inference is None:
            odd["were erased before they were counted"] += 1
        elif not is_own(monitor, decision):
            odd["name a version by another evidence digest than it has; they are not counted"] += 1
        else:
            hour = decision_counts.hour_of(decision)
            if hour != windows.hour_of(decision.inference.time):
                odd["state a time that cannot be; they count when the log took them"] += 1
            elif windows.hour_of(times.parse(decision.at)) - hour > LATE:
                odd["came late: they count in their own hour, also where its window was judged before"] += 1
            groups = monitor.groups(decision.inference.subject, decision.inference.time)
            counted.append(Decided(hour=hour, inference=decision.inference, groups=groups))
    known = partial(store.first_hours, monitor.engine, monitor.name)
    of_version: dict[int, list[Decided]] = {}
    marked, inputs = replays.marked(counted, log.keyed_digests, known)
    for item in marked:
        of_version.setdefault(item.inference.model.version, []).append(item)
    counts = {
        VersionHour(version=number, content=monitor.version(number).content, hour=hour): part
        for number, decided in of_version.items()
        for hour, part in decision_counts.count(
            monitor.version(number), decided, monitor.seen.setdefault(number, {})
        ).items()
    }
    return counts, inputs


def is_own(monitor: Monitor, decision: LoggedDecision) -> bool:
    """Whether it is a decision of a version of the model, by the evidence digest that the version has."""
    reference = decision.model
    return reference.name == monitor.name and reference.digest == monitor.version(reference.version).content


# Looking


def look(monitor: Monitor, request: Request) -> tuple[list[Look], list[str]]:
    """The looks of this run, or those that were asked for, and what was odd."""
    targets = watched(monitor)
    if not targets:
        raise faults.NO_CHAMPION(name=monitor.name)
    if (given := _given(request)) is not None:
        return _again(monitor, targets, given, request)
    new: list[Look] = []
    notes: list[str] = []
    for target in targets:
        judging = monitor.version(target.key.version).judging
        terms = judging.policy.monitoring
        if terms is None:
            notes.append(f"version {target.key.version}: its policy does not say how it is watched")
            continue
        new += _new_looks(monitor, target, judging, terms)
    if request.since is None and request.until is None:
        return new or _latest(monitor, targets[-1]), notes
    stored = [entry.look for entry in store.looks(monitor.engine, monitor.name)]
    return [stored_look for stored_look in stored if _is_asked(stored_look, request)], notes


def pending(monitor: Monitor, target: Watched, terms: MonitoringTerms | None) -> Pending | None:
    """The decisions of a version in its shortest window that is not over; None where there are none."""
    if terms is None:
        return None
    zone = ZoneInfo(terms.timezone)
    period = min(terms.looks, key=("day", "week", "month").index)
    current = windows.span(period, windows.day_of(windows.hour_of(monitor.now - looking.GRACE), zone), zone)
    day_of = partial(windows.day_of, zone=zone)
    days = store.days(monitor.engine, target.key, current.start, monitor.now + LATE, day_of)
    decisions = sum(day.counts.rows for day in days.values())
    if not decisions:
        return None
    return Pending(decisions=decisions, since=current.start, due=current.end + looking.GRACE)


def watched(monitor: Monitor) -> list[Watched]:
    """Every version that decided, and the champion, by number; the champion decides still."""
    tenure = version_record.champion(monitor.acting.entries(monitor.name), monitor.name)
    champion = None if tenure is None else tenure.version
    hours = {
        version: span
        for (version, content), span in store.versions(monitor.engine, monitor.name).items()
        if content == monitor.version(version).content
    }
    if tenure is not None:
        since = windows.hour_of(tenure.since)
        first, last = hours.get(tenure.version, (since, since))
        hours[tenure.version] = (min(first, since) if tenure.version not in hours else first, last)
    return [
        _watched(monitor.version(number), hours[number], decides=number == champion)
        for number in sorted(hours, key=lambda number: (number == champion, number))
    ]


def _watched(version: WatchedVersion, hours: tuple[dt.datetime, dt.datetime], *, decides: bool) -> Watched:
    return Watched(
        key=VersionKey(model=version.model, version=version.version, content=version.content),
        baseline=version.baseline,
        unwatched=version.unwatched,
        since=hours[0],
        until=None if decides else hours[1],
    )


def _new_looks(
    monitor: Monitor, target: Watched, judging: JudgingPolicy, terms: MonitoringTerms
) -> list[Look]:
    """Judge every window that is due, and store the looks."""
    made = store.looked(monitor.engine, target.key, judging.sha256)
    busy = store.busy_hours(monitor.engine, target.key)
    due = [
        span
        for span in looking.spans(target, terms, monitor.now)
        if looking.is_due(span, made.get(_key(span), ()), terms, monitor.now, decided=_has_any(busy, span))
    ]
    steps = [
        (looking.due_at(window.span, basis, terms), place, window, basis)
        for place, window in enumerate(_counted(monitor, target, due, terms))
        for basis in looking.due_bases(window, made.get(_key(window.span), ()), terms, monitor.now)
    ]
    looks = []
    for _, _, window, basis in sorted(steps, key=itemgetter(0, 1)):
        result = looking.look(target, judging, _with_rows(monitor, target, judging, window, basis), basis)
        if store.save_look(monitor.engine, result, monitor.now) is not None:
            looks.append(result)
    return looks


def _with_rows(
    monitor: Monitor, target: Watched, judging: JudgingPolicy, window: CountedWindow, basis: looking.Basis
) -> CountedWindow:
    """The window with a sample of its rows, where a rule in force is read from rows."""
    terms = judging.policy.monitoring
    if terms is None or basis != "decisions" or target.baseline is None:
        return window
    if not measure.needs_rows(measure.rules_in_force(terms, window.span.day, labels=False)):
        return window
    return replace(window, rows=monitor.rows(monitor.version(target.key.version), window))


def _key(span: windows.Span) -> tuple[str, str]:
    return span.period, span.window.start


def _has_any(hours: Sequence[dt.datetime], span: windows.Span) -> bool:
    """Whether one of these hours, in order, is in the window."""
    place = bisect_left(hours, span.start)
    return place < len(hours) and hours[place] < span.end


def _counted(
    monitor: Monitor, target: Watched, spans: Sequence[windows.Span], terms: MonitoringTerms
) -> Iterator[CountedWindow]:
    """The counts of these windows. Hours are read once; with estimates, so far back as labels may be late."""
    if not spans:
        return
    back = terms.label_delay_days + LABELLED_DAYS if measure.estimates(terms) else 0
    start = min(span.start for span in spans) - dt.timedelta(days=back)
    end = max(span.end for span in spans)
    day_of = partial(windows.day_of, zone=ZoneInfo(terms.timezone))
    days = store.days(monitor.engine, target.key, start, end, day_of)
    busy = store.busy_hours(monitor.engine, target.key)
    yield from looking.with_labels((looking.counted(span, days, target, busy) for span in spans), days)


def _again(
    monitor: Monitor, targets: Sequence[Watched], judging: JudgingPolicy, request: Request
) -> tuple[list[Look], list[str]]:
    """Every window that was asked for, judged under another policy; nothing is stored."""
    terms = judging.policy.monitoring
    if terms is None:
        raise faults.NO_TERMS(policy=request.policy)
    looks = []
    for target in targets:
        spans = [
            span
            for span in looking.spans(target, terms, monitor.now)
            if _is_between(span.day, request.since, request.until)
        ]
        for window in _counted(monitor, target, spans, terms):
            for basis in looking.due_bases(window, (), terms, monitor.now):
                shown = _with_rows(monitor, target, judging, window, basis)
                looks.append(looking.look(target, judging, shown, basis))
    return looks, ["judged again under another policy: nothing is stored"]


def _latest(monitor: Monitor, target: Watched) -> list[Look]:
    """The newest stored look of each period at a version: what stands now."""
    newest: dict[str, Look] = {}
    for stored in store.looks(monitor.engine, monitor.name, version=target.key.version):
        if stored.look.basis in ("empty", "decisions"):
            newest[stored.look.window.period] = stored.look
    return list(newest.values())


def _is_asked(stored: Look, request: Request) -> bool:
    start = dt.datetime.fromisoformat(stored.window.start).date()
    return _is_between(start, request.since, request.until)


def _is_between(day: dt.date, since: dt.date | None, until: dt.date | None) -> bool:
    return (since is None or since <= day) and (until is None or day <= until)
