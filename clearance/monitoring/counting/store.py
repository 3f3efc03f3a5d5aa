"""Counts, their position in the log, labels and looks in the monitoring store.

Rows are added and never changed, but for the position. The position moves in the transaction that adds the
counts, so whatever is killed, no decision is counted twice and none is lost.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from clearance import database_urls
from clearance.documents.codec import Misfit
from clearance.documents.look_document import Look
from clearance.monitoring import faults
from clearance.monitoring.counting import bins, database, sums
from clearance.monitoring.counting.window_counts import WindowCounts

_HOUR = "%Y-%m-%dT%H"
_TOGETHER = 500
KEPT = dt.timedelta(days=7)
"""For how long digests of inputs are remembered."""

POSITIONS = sa.Table(
    "clearance_monitoring_positions",
    database.METADATA,
    sa.Column("log", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
COUNTS = sa.Table(
    "clearance_monitoring_counts",
    database.METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *database.texts("model"),
    sa.Column("version", sa.Integer, nullable=False),
    *database.texts("content", "hour", "body"),
    sa.Index("clearance_monitoring_counts_by_hour", "model", "version", "content", "hour"),
)
LABELS = sa.Table(
    "clearance_monitoring_labels",
    database.METADATA,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("decision", sa.Text, primary_key=True),
    sa.Column("label", sa.Integer, nullable=False),
    *database.texts("hour"),
)
INPUTS = sa.Table(
    "clearance_monitoring_inputs",
    database.METADATA,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    *database.texts("hour"),
    sa.Index("clearance_monitoring_inputs_by_hour", "model", "hour"),
)
LOOKS = sa.Table(
    "clearance_monitoring_looks",
    database.METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *database.texts("model"),
    sa.Column("version", sa.Integer, nullable=False),
    *database.texts("content", "policy", "period", "start", "basis", "body", "made"),
    sa.Column("reacted", sa.Boolean, nullable=False),
    sa.UniqueConstraint("model", "version", "content", "policy", "period", "start", "basis"),
)


@dataclass(frozen=True, kw_only=True, order=True)
class VersionHour:
    """An hour (UTC) of decisions by a version, whose evidence has the digest `content`."""

    version: int
    content: str
    hour: dt.datetime


@dataclass(frozen=True, kw_only=True)
class VersionKey:
    """A version of a model, whose evidence has the digest `content`: what counts and looks belong to."""

    model: str
    version: int
    content: str

    @classmethod
    def of_look(cls, look: Look) -> VersionKey:
        """The version that a look is at."""
        return cls(model=look.model, version=look.version, content=look.content)

    def of(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Whether a row of the table belongs to it."""
        return sa.and_(
            table.c.model == self.model, table.c.version == self.version, table.c.content == self.content
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CountedDay:
    """The counts of a calendar day, and the hours that have any."""

    counts: WindowCounts
    hours: tuple[dt.datetime, ...]


@dataclass(frozen=True, kw_only=True)
class StoredLook:
    """A look with its number in the store."""

    number: int
    look: Look


def position(engine: sa.Engine, log: str, model: str) -> int:
    """The sequence number in the log with this id up to which decisions of the model are counted."""
    query = sa.select(POSITIONS.c.sequence).where(POSITIONS.c.log == log, POSITIONS.c.model == model)
    with database.transaction(engine) as connection:
        return int(connection.execute(query).scalar() or 0)


def add_counts(
    engine: sa.Engine,
    model: str,
    counts: Mapping[VersionHour, WindowCounts],
    *,
    log: str,
    after: int,
    until: int,
    inputs: Mapping[str, dt.datetime] | None = None,
) -> None:
    """Add the counts of the decisions after the sequence number `after` up to `until`, once.

    `inputs` are digests of inputs that are new, with their hour; those older than `KEPT` are deleted.
    Raises BusyError, and adds nothing, when the position is not `after` any more.
    """
    with database.transaction(engine) as connection:
        _move(connection, log, model, after, until)
        insert_counts(connection, model, counts)
        if inputs:
            _remember(connection, model, inputs)


def first_hours(engine: sa.Engine, model: str, digests: Sequence[str]) -> dict[str, dt.datetime]:
    """The hour in which each of these digests came first, of those that are remembered."""
    wanted, hours = sorted(set(digests)), dict[str, dt.datetime]()
    with database.transaction(engine) as connection:
        for start in range(0, len(wanted), _TOGETHER):
            query: sa.Select[Any] = sa.select(INPUTS.c.digest, INPUTS.c.hour).where(
                INPUTS.c.model == model, INPUTS.c.digest.in_(wanted[start : start + _TOGETHER])
            )
            hours |= {row[0]: _hour(row[1]) for row in connection.execute(query)}
    return hours


def _remember(connection: sa.Connection, model: str, inputs: Mapping[str, dt.datetime]) -> None:
    oldest = (max(inputs.values()) - KEPT).strftime(_HOUR)
    connection.execute(INPUTS.delete().where(INPUTS.c.model == model, INPUTS.c.hour < oldest))
    keys = sorted(inputs)
    for start in range(0, len(keys), _TOGETHER):
        part = keys[start : start + _TOGETHER]
        connection.execute(INPUTS.delete().where(INPUTS.c.model == model, INPUTS.c.digest.in_(part)))
        rows = [{"model": model, "digest": digest, "hour": inputs[digest].strftime(_HOUR)} for digest in part]
        connection.execute(INPUTS.insert(), rows)


def _move(connection: sa.Connection, log: str, model: str, after: int, until: int) -> None:
    if after == 0:
        known = sa.select(sa.literal(1)).where(POSITIONS.c.log == log, POSITIONS.c.model == model)
        if connection.execute(known).scalar() is None:
            connection.execute(POSITIONS.insert().values(log=log, model=model, sequence=until))
            return
    moved = connection.execute(
        POSITIONS.update()
        .where(POSITIONS.c.log == log, POSITIONS.c.model == model, POSITIONS.c.sequence == after)
        .values(sequence=until)
    )
    if moved.rowcount != 1:
        raise faults.COUNTED_MEANWHILE()


def insert_counts(connection: sa.Connection, model: str, counts: Mapping[VersionHour, WindowCounts]) -> None:
    """Add these counts in a transaction that is open."""
    rows = [
        {
            "model": model,
            "version": key.version,
            "content": key.content,
            "hour": key.hour.strftime(_HOUR),
            "body": sums.to_text(part),
        }
        for key, part in sorted(counts.items())
    ]
    if rows:
        connection.execute(COUNTS.insert(), rows)


def versions(engine: sa.Engine, model: str) -> dict[tuple[int, str], tuple[dt.datetime, dt.datetime]]:
    """The first and the last hour counted of each version, by its number and evidence digest."""
    query = (
        sa.select(COUNTS.c.version, COUNTS.c.content, sa.func.min(COUNTS.c.hour), sa.func.max(COUNTS.c.hour))
        .where(COUNTS.c.model == model)
        .group_by(COUNTS.c.version, COUNTS.c.content)
        .order_by(COUNTS.c.version)
    )
    rows = _rows(engine, query)
    return {(version, content): (_hour(first), _hour(last)) for version, content, first, last in rows}


def busy_hours(engine: sa.Engine, key: VersionKey) -> list[dt.datetime]:
    """The hours in which the version decided, in order."""
    query = sa.select(COUNTS.c.hour).where(key.of(COUNTS)).distinct().order_by(COUNTS.c.hour)
    return [_hour(hour) for (hour,) in _rows(engine, query)]


def days(
    engine: sa.Engine,
    key: VersionKey,
    start: dt.datetime,
    end: dt.datetime,
    day_of: Callable[[dt.datetime], dt.date],
) -> dict[dt.date, CountedDay]:
    """The counts of a version from the hour `start` until before `end`, by the day that `day_of` names.

    Days without any are left out. Raises IntegrityError when they are not what a monitor wrote.
    """
    query = (
        sa.select(COUNTS.c.hour, COUNTS.c.body)
        .where(key.of(COUNTS), COUNTS.c.hour >= start.strftime(_HOUR), COUNTS.c.hour < end.strftime(_HOUR))
        .order_by(COUNTS.c.hour, COUNTS.c.number)
    )
    texts: dict[dt.date, list[tuple[dt.datetime, str]]] = {}
    for name, body in _rows(engine, query):
        hour = _hour(name)
        texts.setdefault(day_of(hour), []).append((hour, body))
    return {day: _counted_day(engine, day, parts) for day, parts in texts.items()}


def _counted_day(engine: sa.Engine, day: dt.date, parts: Sequence[tuple[dt.datetime, str]]) -> CountedDay:
    try:
        counts = sums.of_texts([body for _, body in parts], bins.SIZES)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise faults.COUNTS_UNREADABLE(
            day=day, database=database_urls.label(engine.url), why=type(error).__name__
        ) from None
    return CountedDay(counts=counts, hours=tuple(sorted({hour for hour, _ in parts})))


def label_key(decision: str) -> str:
    """What the store keeps of the id of a decision whose label is known."""
    return hashlib.sha256(f"clearance/label/1 {decision}".encode()).hexdigest()


def known_labels(connection: sa.Connection, model: str, keys: Sequence[str]) -> dict[str, int]:
    """The labels that are known, by `label_key`."""
    known: dict[str, int] = {}
    for start in range(0, len(keys), _TOGETHER):
        query: sa.Select[Any] = sa.select(LABELS.c.decision, LABELS.c.label).where(
            LABELS.c.model == model, LABELS.c.decision.in_(keys[start : start + _TOGETHER])
        )
        known |= {row[0]: row[1] for row in connection.execute(query)}
    return known


def put_labels(
    connection: sa.Connection,
    model: str,
    labels: Mapping[str, tuple[int, dt.datetime]],
    before: Mapping[str, int],
    *,
    oldest: dt.datetime,
) -> None:
    """Keep labels (and the hour of their decision) by `label_key`; those known `before` are replaced.

    Labels of decisions before `oldest` are deleted.
    """
    rows = [
        {"model": model, "decision": key, "label": label, "hour": hour.strftime(_HOUR)}
        for key, (label, hour) in labels.items()
        if key not in before
    ]
    if rows:
        connection.execute(LABELS.insert(), rows)
    for key, (label, _) in labels.items():
        if key in before and before[key] != label:
            same = sa.and_(LABELS.c.model == model, LABELS.c.decision == key)
            connection.execute(LABELS.update().where(same).values(label=label))
    old = sa.and_(LABELS.c.model == model, LABELS.c.hour < oldest.strftime(_HOUR))
    connection.execute(LABELS.delete().where(old))


def save_look(engine: sa.Engine, look: Look, made: dt.datetime) -> int | None:
    """Store a look and return its number; None where there is one of this window, policy and basis."""
    key = {
        "model": look.model,
        "version": look.version,
        "content": look.content,
        "policy": look.policy_sha256,
        "period": look.window.period,
        "start": look.window.start,
        "basis": look.basis,
    }
    body = json.dumps(look.to_json(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    with database.transaction(engine) as connection:
        same = sa.and_(*(LOOKS.c[name] == value for name, value in key.items()))
        if connection.execute(sa.select(LOOKS.c.number).where(same)).scalar() is not None:
            return None
        values = key | {"body": body, "made": made.isoformat(), "reacted": False}
        number = connection.execute(LOOKS.insert().values(values)).inserted_primary_key
    return int(number[0]) if number else None


def looked(engine: sa.Engine, key: VersionKey, policy: str) -> dict[tuple[str, str], set[str]]:
    """The bases of the looks at each window, by period and start, under the policy with this digest."""
    query = sa.select(LOOKS.c.period, LOOKS.c.start, LOOKS.c.basis).where(
        key.of(LOOKS), LOOKS.c.policy == policy
    )
    bases: dict[tuple[str, str], set[str]] = {}
    for period, start, basis in _rows(engine, query):
        bases.setdefault((period, start), set()).add(basis)
    return bases


def looks(engine: sa.Engine, model: str, *, version: int | None = None) -> list[StoredLook]:
    """The looks at the model, or at one version, in the order in which they were made.

    Raises IntegrityError when one is not what a monitor wrote.
    """
    query = sa.select(LOOKS.c.number, LOOKS.c.body).where(LOOKS.c.model == model).order_by(LOOKS.c.number)
    if version is not None:
        query = query.where(LOOKS.c.version == version)
    return list(_read_looks(engine, query))


def newest(engine: sa.Engine, key: VersionKey) -> list[Look]:
    """The look at the latest window of each period and basis of the version. Raises as `looks`."""
    latest = (
        sa.select(LOOKS.c.period, LOOKS.c.basis, sa.func.max(LOOKS.c.start).label("start"))
        .where(key.of(LOOKS))
        .group_by(LOOKS.c.period, LOOKS.c.basis)
        .subquery()
    )
    same = [LOOKS.c[name] == latest.c[name] for name in ("period", "basis", "start")]
    query = (
        sa.select(LOOKS.c.number, LOOKS.c.body)
        .join(latest, sa.and_(*same))
        .where(key.of(LOOKS))
        .order_by(LOOKS.c.number)
    )
    return [stored.look for stored in _read_looks(engine, query)]


def look_numbers(engine: sa.Engine, key: VersionKey) -> dict[str, int]:
    """How many windows of each period of the version were looked at."""
    query = (
        sa.select(LOOKS.c.period, sa.func.count(LOOKS.c.start.distinct()))
        .where(key.of(LOOKS))
        .group_by(LOOKS.c.period)
    )
    return {period: int(number) for period, number in _rows(engine, query)}


def unreacted(engine: sa.Engine, model: str) -> list[StoredLook]:
    """The looks that nobody has reacted to yet, in the order in which they were made."""
    query = (
        sa.select(LOOKS.c.number, LOOKS.c.body)
        .where(LOOKS.c.model == model, LOOKS.c.reacted.is_(False))
        .order_by(LOOKS.c.number)
    )
    return list(_read_looks(engine, query))


def mark_reacted(engine: sa.Engine, number: int) -> None:
    """Note that everything that follows from the look with this number has happened."""
    with database.transaction(engine) as connection:
        connection.execute(LOOKS.update().where(LOOKS.c.number == number).values(reacted=True))


def _read_looks(engine: sa.Engine, query: sa.Select[Any]) -> Iterator[StoredLook]:
    for number, body in _rows(engine, query):
        try:
            yield StoredLook(number=number, look=_parse(body))
        except (Misfit, ValueError) as error:
            label = database_urls.label(engine.url)
            raise faults.LOOK_UNREADABLE(number=number, database=label, why=error) from None


@lru_cache(maxsize=16)
def _parse(body: str) -> Look:
    """The look; a server asks for the same few newest ones again and again."""
    return Look.from_json(json.loads(body))


def _rows(engine: sa.Engine, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
    with database.transaction(engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def _hour(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, _HOUR).replace(tzinfo=dt.UTC)
