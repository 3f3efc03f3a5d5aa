"""The report of a version as one page: what was judged, and what happened to it since.

The evidence is fetched from the registry and verified by digest; the rest comes from the ledger and the
monitor's store. Nothing is judged or recorded. What is not needed for the verdict and cannot be read is
named on the page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from clearance import files, ledger, params, paths, registry
from clearance.documentation import version_card
from clearance.documentation.world import LedgerUntil
from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.look_document import Look
from clearance.errors import ClearanceError
from clearance.ledger import Entry, events, times
from clearance.monitoring.counting import database, store
from clearance.params import data_contract
from clearance.policy import authorised, policy_file
from clearance.promotion import (
    approval_request,
    candidate,
    incidents,
    preregistration,
    restrictions,
    review,
    session,
    standing,
    version_record,
)
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.preregistration import Preregistration
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.reporting import headline, report
from clearance.reporting.monitoring import look_summary, trend_plot, trends
from clearance.reporting.since_verdict import RecordedEvent, SinceVerdict, WatchedRule

T = TypeVar("T")

_FIGURES = tuple(path.as_posix() for path in report.FIGURES)


@dataclass(frozen=True, kw_only=True)
class VersionPage:
    """The page of a version of a model, as HTML."""

    model: str
    version: int
    html: str


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """The version that a page is about, as of `now`; `is_present`: nothing was left out as later."""

    reader: ReadOnlySession
    server: registry.MlflowServer
    verified: VerifiedCandidate
    record: VersionRecord
    now: dt.datetime
    is_present: bool


def compose(root: Path, version: int | None = None, at: dt.datetime | None = None) -> VersionPage:
    """The page of candidate `version`; None: of the champion, else of the last candidate.

    With `at` (UTC where it has no time zone), what had been recorded by then. Raises ConfigurationError when
    there is no such version, IntegrityError when its evidence is lost or is not what was signed.
    """
    name, server = params.load(root / paths.PARAMS).name, registry.connect()
    moment = at.replace(tzinfo=dt.UTC) if at and at.tzinfo is None else at
    with session.open_read_only(root) as reader:
        until = LedgerUntil.of(reader.entries(name), name, moment or reader.now())
        number = version if version is not None else version_card.default_version(until)
        record = version_record.fold(until.entries, name, number, reader.roles)
        version_card.ensure_proposed(until, reader.entries(name), number)
        with candidate.open_verified(reader, server, record) as verified:
            subject = _Subject(
                reader=reader,
                server=server,
                verified=verified,
                record=record,
                now=until.at,
                is_present=moment is None,
            )
            gaps = _Gaps()
            for folder in _FIGURES:
                gaps.answer(folder, partial(_fetch_figures, subject, folder))
            evidence, settings = report.read(verified.folder), verified.settings
            since = _since(subject, gaps)
            html = report.render(evidence, settings.data, data_contract.of(settings), since)
    return VersionPage(model=name, version=number, html=html)


@dataclass(kw_only=True)
class _Gaps:
    """What could not be read beside the evidence: it is named, and its part of the page stays empty."""

    found: list[str] = field(default_factory=list)

    def answer(self, what: str, ask: Callable[[], T]) -> T | None:
        """The answer, or None where there is none."""
        try:
            return ask()
        except ClearanceError as error:
            self.found.append(f"{what}: {error.fault}")
            return None


def _fetch_figures(subject: _Subject, folder: str) -> None:
    """Put the points and pictures of a folder beside the evidence, as signed; none where none were made."""
    verified = subject.verified
    outs = verified.bundle.evidence.outs
    if folder in outs:
        registry.fetch_verified(subject.server, verified.version, {folder: outs[folder]}, verified.folder)


def _since(subject: _Subject, gaps: _Gaps) -> SinceVerdict:
    record, now = subject.record, subject.now
    entries, number = record.entries, record.version
    demo = subject.verified.bundle.evidence.demo
    tenures = [it for it in ledger.tenures(entries, record.model) if it.version == number]
    known = {it.version: it.state for it in standing.candidates(entries, record.model)}
    restricted = restrictions.find(entries, number)
    obstacle = gaps.answer("what stops a promotion", partial(_obstacle, subject))
    waiting = gaps.answer("who must decide", partial(_waiting, subject))
    asked = gaps.answer("what approvers are asked", partial(_asked, subject))
    comparison = gaps.answer("the comparison with the champion", partial(_comparison, subject))
    looks = gaps.answer("the looks of the monitor", partial(_looks, subject)) or ()
    return SinceVerdict(
        version=number,
        until=times.for_display(now),
        state=known[number],
        bar=str(_bar(subject)),
        tenures=tuple(version_record.describe_tenure(entries, it, demo=demo) for it in tenures),
        events=tuple(_event(entry) for entry in (*_about(entries, number), *record.unreadable)),
        obstacle=obstacle,
        waiting=waiting or (),
        asked=asked or (),
        comparison=comparison,
        incidents=tuple(it.lines(now) for it in incidents.fold(entries).values() if it.version == number),
        restrictions=restricted.lines() if restricted else (),
        newest_looks=tuple(look_summary.lines(list(trends.newest(looks).values()))),
        watched=tuple(_watched(looks)),
        problems=tuple(gaps.found),
    )


def _about(entries: Sequence[Entry], version: int) -> list[Entry]:
    """The entries about a version, in order; its refused requests among them."""
    return [entry for entry in entries if (event := entry.event) and _number(event) == version]


def _number(event: events.Event) -> int | None:
    return event.version if isinstance(event, events.RefusalEvent) else event.about


def _event(entry: Entry) -> RecordedEvent:
    event = entry.event
    stated = [getattr(event, "reason", ""), *getattr(event, "reasons", ())]
    if isinstance(event, events.VerdictEvent) and event.outcome:
        stated = [headline.word(event.outcome)]
    elif isinstance(event, events.ComparisonEvent) and event.outcome:
        stated = [event.outcome.replace("_", " ")]
    return RecordedEvent(sentence=str(entry), detail="; ".join(filter(None, stated)))


def _bar(subject: _Subject) -> Preregistration:
    bundle, record = subject.verified.bundle, subject.record
    judged_by = files.sha256_text(bundle.evidence.judged.text)
    return preregistration.of_version(record.entries, record.version, list(bundle.files.values()), judged_by)


def _obstacle(subject: _Subject) -> str | None:
    """Why the version may not become champion now; None for one that was, and as of another time."""
    record, now = subject.record, subject.now
    if not subject.is_present or record.version in record.champions:
        return None
    ending = review.review(subject.reader, subject.server, subject.verified, record, now.date()).obstacle
    return ending.reason if ending else None


def _waiting(subject: _Subject) -> tuple[str, ...]:
    """Whom the version waits for now."""
    reader, record = subject.reader, subject.record
    listed = authorised.find(reader.root, record.model)
    if listed is None or not subject.is_present:
        return ()
    policy, known = (
        policy_file.load(reader.root / listed.policy),
        standing.candidates(record.entries, record.model),
    )
    waiting = standing.waiting(known, policy, listed.tier, reader.roles, subject.now)
    return tuple(str(it) for it in waiting if it.version == record.version)


def _asked(subject: _Subject) -> tuple[str, ...]:
    """What people read before they decide: the data contract, what changed since the champion, overrides."""
    settings = subject.verified.settings
    return approval_request.of_version(subject.reader, subject.server, settings, subject.record).lines()


def _comparison(subject: _Subject) -> ComparisonDocument | None:
    compared = subject.record.comparison
    if compared is None:
        return None
    content = candidate.fetch_comparison(subject.server, subject.verified.version, compared.comparison)
    return ComparisonDocument.from_json(content)


def _looks(subject: _Subject) -> tuple[Look, ...]:
    """The looks at windows of the version that were over by then."""
    record, content = subject.record, subject.verified.bundle.digest
    key = store.VersionKey(model=record.model, version=record.version, content=content)
    stored = store.looks(database.open(subject.reader.root), key.model, version=key.version)
    looks = [it.look for it in stored if store.VersionKey.of_look(it.look) == key]
    return tuple(look for look in looks if dt.datetime.fromisoformat(look.window.end) <= subject.now)


def _watched(looks: Sequence[Look]) -> Iterator[WatchedRule]:
    """Every rule that the looks judged, the worst first."""
    for trend in trends.trends(looks):
        spark = trend_plot.spark(trend, trend_plot.axis(looks))
        yield WatchedRule(finding=trend.worst, looks=trend.looks, spark=spark)
