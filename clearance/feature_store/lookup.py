"""What a lookup gives, and the rules that every store keeps: types, age, and no value from the future."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from clearance import labels
from clearance.feature_store import faults

Value = float | str | None
"""A feature: a finite double, a text, or None where it is missing."""
Kind = Literal["double", "string"]

LONGEST_TEXT = 1000
LARGEST_NUMBER = 1e30
_EXACT = 2**53


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Where values came from: the source, its version where it has one, and when they were observed."""

    source: str
    version: str | None
    event_time: dt.datetime | None

    def to_json(self) -> dict[str, Any]:
        """As it goes on record with a decision."""
        at = None if self.event_time is None else self.event_time.isoformat()
        return {"source": self.source, "version": self.version, "event_time": at}


@dataclass(frozen=True, kw_only=True)
class Found:
    """The values by name, None where one is missing; those that are missing because they are `stale`."""

    values: Mapping[str, Any]
    stale: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()


class Store(Protocol):
    """A feature store, for threads. `at` is the time of the decision."""

    def features(self, entity: str, at: dt.datetime) -> Found:
        """Every feature of the entity as known at a time, as it is stored.

        Raises DataError when the store does not know the entity then, or a value is stale and that is
        refused; IntegrityError when what is stored is wrong, UnavailableError when it cannot be read.
        """

    def protected(self, entity: str, at: dt.datetime) -> Mapping[str, str | None]:
        """The group of the entity by each protected attribute as known at a time; None where not known.

        Raises as `features` does, except that an unknown entity has no known group.
        """

    def check(self, inputs: Mapping[str, Kind]) -> None:
        """Raise ConfigurationError unless it has each of these features, of the kind where that is known."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The protected attributes that it has."""

    def refresh(self) -> None:
        """Take newer versions of its sources. Raises as opening it does, and then keeps the old ones."""

    def close(self) -> None:
        """Close it."""


def typed(value: Any, kind: Kind, name: str) -> Value:
    """The stored value as the model takes it. Raises IntegrityError when it has another type."""
    if value is None:
        return None
    if kind == "string":
        if type(value) is not str or len(value) > LONGEST_TEXT or not _is_text(value):
            raise faults.WRONG_VALUE(name=name, why="is not a text that the model takes")
        return str(value)
    if type(value) is int and abs(value) <= _EXACT:
        return float(value)
    if type(value) is float and math.isfinite(value) and abs(value) <= LARGEST_NUMBER:
        return float(value)
    raise faults.WRONG_VALUE(name=name, why="is not a number that the model takes")


def group(value: Any, name: str) -> str | None:
    """The group that a stored value of a protected attribute names. Raises IntegrityError for no value."""
    if value is None or type(value) in (str, int, float, bool):
        if isinstance(value, float) and math.isinf(value):
            raise faults.WRONG_VALUE(name=name, why="is infinite")
        return labels.text(value)
    raise faults.WRONG_VALUE(name=name, why="is neither a text nor a number")


def is_stale(event: dt.datetime, at: dt.datetime, hours: int) -> bool:
    """Whether what was observed at `event` is more than so many hours old."""
    return at - event > dt.timedelta(hours=hours)


def _is_text(value: str) -> bool:
    return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
