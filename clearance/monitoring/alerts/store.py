"""Alerts and intents in the monitoring store.

A look, what it changed and what is to be done because of it are written in one transaction: whatever is
killed, either all of it is there or none.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from clearance import file_lock
from clearance.monitoring.alerts.alert import NO_NEW_MODEL, Alert, Intent, IntentKind, State, stamp
from clearance.monitoring.counting import database

_ADVISORY = 0x616C6572
_KINDS = {kind: number for number, kind in enumerate(IntentKind)}

REACTIONS = sa.Table(
    "clearance_alert_reactions",
    database.METADATA,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("look", sa.Text, primary_key=True),
    *database.texts("at"),
)
ALERTS = sa.Table(
    "clearance_alerts",
    database.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    *database.texts("model", "rule", "state", "opened_at", "body"),
    sa.Index("clearance_alerts_by_rule", "model", "rule"),
)
INTENTS = sa.Table(
    "clearance_alert_intents",
    database.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    *database.texts("alert", "model", "kind"),
    sa.Column("place", sa.Integer, nullable=False),
    *database.texts("body", "created", "due"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("done", sa.Text),
    *database.texts("result"),
)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An intent as it is stored. `done` is when it was done or given up, None where it waits.

    `result` is what came of it, or why the last of `attempts` failed.
    """

    intent: Intent
    created: str
    attempts: int
    done: str | None
    result: str

    @property
    def made_a_model(self) -> bool:
        """Whether it is a retraining that ended with a new model."""
        return self.done is not None and not self.result.startswith(NO_NEW_MODEL)

    def to_json(self) -> dict[str, Any]:
        """The intent as a JSON value."""
        return {
            "id": self.intent.id,
            "kind": self.intent.kind,
            "created": self.created,
            "due": stamp(self.intent.due),
            "attempts": self.attempts,
            "done": self.done,
            "result": self.result,
        }

    def __str__(self) -> str:
        to = f" to {self.intent.body['to']}" if self.intent.kind is IntentKind.NOTICE else ""
        if self.done is not None:
            return f"{self.intent.kind}{to}: {self.result} at {self.done}"
        why = f": {self.result}" if self.result else ""
        return f"{self.intent.kind}{to} waits until {stamp(self.intent.due)}{why}"


def is_reacted(connection: sa.Connection, model: str, look: str) -> bool:
    """Whether a look has led to all that it leads to."""
    query = sa.select(REACTIONS.c.at).where(REACTIONS.c.model == model, REACTIONS.c.look == look)
    return connection.execute(query).scalar() is not None


def note_reaction(connection: sa.Connection, model: str, look: str, now: dt.datetime) -> None:
    """Note that a look has led to all that it leads to."""
    connection.execute(REACTIONS.insert().values(model=model, look=look, at=stamp(now)))


def latest(connection: sa.Connection, model: str, rule: str) -> Alert | None:
    """The latest alert of a rule, active or resolved; an active one before any other."""
    active = sa.case((ALERTS.c.state == State.RESOLVED, 1), else_=0)
    query = (
        sa.select(ALERTS.c.body)
        .where(ALERTS.c.model == model, ALERTS.c.rule == rule)
        .order_by(active, ALERTS.c.opened_at.desc(), ALERTS.c.id)
        .limit(1)
    )
    body = connection.execute(query).scalar()
    return None if body is None else Alert.from_json(json.loads(body))


def find(connection: sa.Connection, id_: str) -> Alert | None:
    """The alert with this id; None: there is none."""
    body = connection.execute(sa.select(ALERTS.c.body).where(ALERTS.c.id == id_)).scalar()
    return None if body is None else Alert.from_json(json.loads(body))


def alerts(connection: sa.Connection, model: str, *, active: bool = False) -> list[Alert]:
    """The alerts of a model, the newest first; `active`: without resolved ones."""
    query = sa.select(ALERTS.c.body).where(ALERTS.c.model == model)
    if active:
        query = query.where(ALERTS.c.state != State.RESOLVED)
    rows = connection.execute(query.order_by(ALERTS.c.opened_at.desc(), ALERTS.c.id)).all()
    return [Alert.from_json(json.loads(row.body)) for row in rows]


def save(connection: sa.Connection, alert: Alert) -> None:
    """Write an alert, in place of what it was."""
    connection.execute(ALERTS.delete().where(ALERTS.c.id == alert.id))
    connection.execute(
        ALERTS.insert().values(
            id=alert.id,
            model=alert.model,
            rule=alert.rule,
            state=alert.state,
            opened_at=alert.opened_at,
            body=json.dumps(alert.to_json()),
        )
    )


def want(connection: sa.Connection, intent: Intent, now: dt.datetime) -> bool:
    """Write an intent, unless one with this id is there; whether it is new."""
    if connection.execute(sa.select(INTENTS.c.id).where(INTENTS.c.id == intent.id)).scalar() is not None:
        return False
    connection.execute(
        INTENTS.insert().values(
            id=intent.id,
            alert=intent.alert,
            model=intent.model,
            kind=intent.kind,
            place=_KINDS[intent.kind],
            body=json.dumps(dict(intent.body)),
            created=stamp(now),
            due=stamp(intent.due),
            attempts=0,
            result="",
        )
    )
    return True


def waiting(connection: sa.Connection, model: str, due: dt.datetime | None = None) -> list[Stored]:
    """The intents that are not done, in the order in which they are done; those that are `due` by then."""
    query = sa.select(INTENTS).where(INTENTS.c.model == model, INTENTS.c.done.is_(None))
    if due is not None:
        query = query.where(INTENTS.c.due <= stamp(due))
    return _stored(connection, query.order_by(INTENTS.c.created, INTENTS.c.place, INTENTS.c.id))


def of_alert(connection: sa.Connection, alert: str) -> list[Stored]:
    """Every intent of an alert, in order."""
    query = sa.select(INTENTS).where(INTENTS.c.alert == alert)
    return _stored(connection, query.order_by(INTENTS.c.created, INTENTS.c.place, INTENTS.c.id))


def retrainings(connection: sa.Connection, model: str) -> list[Stored]:
    """The retrainings of a model that were wanted, the earliest first."""
    query = sa.select(INTENTS).where(INTENTS.c.model == model, INTENTS.c.kind == IntentKind.RETRAINING)
    return _stored(connection, query.order_by(INTENTS.c.created, INTENTS.c.id))


def _stored(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Stored]:
    return [
        Stored(
            intent=Intent(
                id=row["id"],
                alert=row["alert"],
                model=row["model"],
                kind=IntentKind(row["kind"]),
                body=json.loads(row["body"]),
                due=dt.datetime.fromisoformat(row["due"]),
            ),
            created=row["created"],
            attempts=row["attempts"],
            done=row["done"],
            result=row["result"],
        )
        for row in connection.execute(query).mappings()
    ]


def settle(connection: sa.Connection, intent: str, result: str, now: dt.datetime) -> None:
    """Note that an intent is done, or given up: it is never tried again. What is done stays as it is."""
    connection.execute(
        INTENTS.update()
        .where(INTENTS.c.id == intent, INTENTS.c.done.is_(None))
        .values(done=stamp(now), result=result, attempts=INTENTS.c.attempts + 1)
    )


def put_off(engine: sa.Engine, intent: str, result: str, until: dt.datetime) -> None:
    """Note that an attempt failed, why, and when to try again."""
    with database.transaction(engine) as connection:
        connection.execute(
            INTENTS.update()
            .where(INTENTS.c.id == intent, INTENTS.c.done.is_(None))
            .values(due=stamp(until), result=result, attempts=INTENTS.c.attempts + 1)
        )


@contextmanager
def alone(engine: sa.Engine, name: str) -> Iterator[bool]:
    """Whether this process alone holds the lock `name` of the store, until the block ends or it dies."""
    if engine.url.get_backend_name() == "postgresql":
        number = _ADVISORY << 8 | sum(name.encode()) % 256
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar())
        return
    guarded = Path(str(engine.url.database))
    with file_lock.opened(guarded.with_name(f"{guarded.name}.{name}.lock"), guarded=guarded) as file:
        yield file_lock.attempt(file)
