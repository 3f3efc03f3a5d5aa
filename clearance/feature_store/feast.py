"""Features from the HTTP server of Feast, over its endpoint `get-online-features`.

The server answers in an order of its own, so values are taken by their names. `NOT_FOUND` is missing, never
zero. It serves values older than its views allow, so their age is checked here. Whatever is slow, redirected,
too large or not as expected is a fault, and then nothing is decided.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import math
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from clearance.errors import ClearanceError
from clearance.feature_store import embedded, faults, lookup
from clearance.feature_store.lookup import Found, Kind, Seen
from clearance.feature_store.settings import FeastSettings, Stale

LARGEST = 4 << 20
"""Most bytes of an answer."""
PRESENT, NULL, MISSING, TOO_OLD = "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"

_Observed = tuple[Any, str, dt.datetime]
"""A value, its status and the time of its event."""


class FeastStore:
    """A Feast server; see `lookup.Store` for the methods."""

    def __init__(self, settings: FeastSettings, stale: Stale) -> None:
        self._settings, self._stale = settings, stale
        parts = urlsplit(settings.address)
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._path = f"{parts.path}/get-online-features"

    @property
    def attributes(self) -> tuple[str, ...]:
        """As `lookup.Store.attributes`."""
        return tuple(self._settings.protected)

    def features(self, entity: str, at: dt.datetime) -> Found:
        """As `lookup.Store.features`."""
        settings, stale = self._settings, []
        observed = self._ask(entity, settings.features)
        values: dict[str, Any] = {}
        for name, (value, status, event) in observed.items():
            values[name] = self._present(name, value, status, event, at)
            too_old = status == TOO_OLD or lookup.is_stale(event, at, settings.max_age_hours)
            if status != MISSING and too_old:
                if self._stale == "refuse":
                    raise faults.STALE(name=name, hours=settings.max_age_hours)
                values[name] = None
                stale.append(name)
        if observed and all(status == MISSING for _, status, _ in observed.values()):
            raise faults.UNKNOWN_ENTITY()
        events = [event for _, status, event in observed.values() if status != MISSING]
        seen = Seen(source="feast", version=None, event_time=min(events, default=None))
        return Found(values=values, stale=tuple(stale), seen=(seen,))

    def protected(self, entity: str, at: dt.datetime) -> Mapping[str, str | None]:
        """As `lookup.Store.protected`."""
        hours = self._settings.protected_max_age_hours or self._settings.max_age_hours
        groups: dict[str, str | None] = {}
        for name, (value, status, event) in self._ask(entity, self._settings.protected).items():
            present = self._present(name, value, status, event, at)
            old = status == TOO_OLD or lookup.is_stale(event, at, hours)
            groups[name] = None if present is None or old else lookup.group(present, name)
        return groups

    def check(self, inputs: Mapping[str, Kind]) -> None:
        """As `lookup.Store.check`; which kinds it has, the server does not say."""
        embedded.ensure_covers(inputs, list(self._settings.features))

    def refresh(self) -> None:
        """Nothing to do: each lookup asks the server."""

    def close(self) -> None:
        """Nothing to do: each lookup has a connection of its own."""

    def _present(self, name: str, value: Any, status: str, event: dt.datetime, at: dt.datetime) -> Any:
        if status == MISSING:
            return None
        if event > at:
            raise faults.FROM_THE_FUTURE(name=name)
        return None if status in (NULL, TOO_OLD) else value

    def _ask(self, entity: str, references: Mapping[str, str]) -> dict[str, _Observed]:
        """What the server has of an entity, by our names. Raises UnavailableError."""
        if not references:
            return {}
        body = {
            "features": list(references.values()),
            "entities": {self._settings.entity: [entity]},
            "full_feature_names": True,
        }
        document = self._post(json.dumps(body).encode())
        columns = self._columns(document, entity)
        found: dict[str, _Observed] = {}
        for name, reference in references.items():
            full = reference.replace(":", "__")
            if full not in columns:
                raise self._unusable(f"it lacks {reference}")
            found[name] = columns[full]
        return found

    def _columns(self, document: Any, entity: str) -> dict[str, _Observed]:
        match document:
            case {"metadata": {"feature_names": list(names)}, "results": list(results)}:
                pass
            case _:
                raise self._unusable("it is not an answer of Feast")
        if len(names) != len(results) or len(set(map(str, names))) != len(names):
            raise self._unusable("its names and results do not fit")
        columns = {str(name): self._observed(result) for name, result in zip(names, results, strict=True)}
        if (own := columns.get(self._settings.entity)) is None or str(own[0]) != entity:
            raise self._unusable("it is about another entity")
        return columns

    def _observed(self, result: Any) -> _Observed:
        match result:
            case {"values": [value], "statuses": [str(status)], "event_timestamps": [str(event)]}:
                pass
            case _:
                raise self._unusable("a result is not about one entity")
        if status not in (PRESENT, NULL, MISSING, TOO_OLD):
            raise self._unusable("a status is not known")
        try:
            time_ = dt.datetime.fromisoformat(event)
        except ValueError:
            raise self._unusable("a time cannot be read") from None
        if time_.tzinfo is None:
            raise self._unusable("a time has no time zone")
        if not isinstance(value, str | int | float | None) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise self._unusable("a value is neither a text nor a finite number")
        return value, status, time_.astimezone(dt.UTC)

    def _post(self, body: bytes) -> Any:
        """The JSON that the server answers, within the time allowed for all of it."""
        seconds = self._settings.timeout_seconds
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=seconds)
        late = threading.Event()
        end = threading.Timer(seconds, _cut, [connection, late])  # who drips an answer gains no time
        end.start()
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                content = self._read(response)
            return json.loads(content, parse_constant=_refuse)
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(type(error).__name__) from None
        except (ValueError, RecursionError):
            if late.is_set():
                raise self._unavailable("TimeoutError") from None
            raise self._unusable("it is not JSON") from None
        finally:
            end.cancel()
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if response.status != 200:
            raise self._unavailable(f"it answered {response.status}")
        content = response.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise self._unusable("it is too large")
        if response.length:
            raise self._unavailable("it closed before the end")
        return content

    def _unavailable(self, why: str) -> ClearanceError:
        return faults.UNAVAILABLE(store=self._settings.address, why=why)

    def _unusable(self, why: str) -> ClearanceError:
        return faults.UNUSABLE_ANSWER(store=self._settings.address, why=why)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End what the connection waits for."""
    late.set()
    with contextlib.suppress(OSError, AttributeError, ValueError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
