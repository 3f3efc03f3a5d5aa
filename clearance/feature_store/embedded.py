"""The embedded store: of each source the newest row of an entity that was observed and stored by a time."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance.feature_store import faults, lookup, parquet_source
from clearance.feature_store.lookup import Found, Kind, Seen
from clearance.feature_store.parquet_source import columns_of, quoted
from clearance.feature_store.settings import FeatureSettings, Source

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PATIENCE = 1.0
"""Seconds that a lookup waits for another process that writes to an SQLite source."""


class _Table:
    """One source, open. A Parquet file stays as it was loaded; an SQLite file is read as it is now."""

    def __init__(self, root: Path, source: Source) -> None:
        self.source = source
        self.version: str | None = None
        self.kinds: dict[str, Kind] = {}
        self._root, self._lock = root, threading.Lock()
        self._inode: tuple[int, int] | None = None
        if source.file is not None:
            self._connection, self.version, self.kinds = parquet_source.load(root, source)
            table = parquet_source.TABLE
        else:
            table = str(source.table)
            self._connection = self._open()
        created = source.created_time or source.event_time
        event, created = (f"t.{quoted(column)}" for column in (source.event_time, created))
        chosen = ", ".join(f"t.{quoted(column)}" for column in columns_of(source))
        # Values that are not times come first and are refused: beside numbers they would just be larger.
        self._query = (
            f"SELECT {event}, {created}, {chosen} FROM {quoted(table)} AS t "  # noqa: S608
            f"WHERE t.{quoted(source.entity)} = ? COLLATE BINARY "
            f"AND (typeof({event}) <> 'integer' OR {event} <= ?) "
            f"AND (typeof({created}) <> 'integer' OR {created} <= ?) "
            f"ORDER BY typeof({event}) <> 'integer' DESC, typeof({created}) <> 'integer' DESC, "
            f"{event} DESC, {created} DESC LIMIT 2"
        )

    @property
    def label(self) -> str:
        """What messages call it."""
        return str(self.source.file or self.source.database)

    def newest(self, entity: str, at: dt.datetime) -> tuple[dt.datetime, dict[str, Any]] | None:
        """The event time and columns of the newest row at a time; None when there is none.

        Raises IntegrityError when a time is not one, or two newest rows differ; UnavailableError.
        """
        micros = _micros(at)
        with self._lock, self._translated():
            rows = self._connected().execute(self._query, (entity, micros, micros)).fetchall()
        columns = columns_of(self.source)
        rows = [row for row in rows if str(row[2]) == entity]  # a column of numbers finds 7 for "007"
        if not rows:
            return None
        event, created, *values = rows[0]
        if type(event) is not int or type(created) is not int:
            raise faults.WRONG_COLUMN(
                file=self.label, column=self.source.event_time, why="holds what is not a time"
            )
        if len(rows) > 1 and rows[1][:2] == (event, created) and _bits(rows[1][2:]) != _bits(values):
            raise faults.AMBIGUOUS(source=self.source.name)
        try:
            time = _EPOCH + dt.timedelta(microseconds=event)
        except OverflowError:
            raise faults.WRONG_COLUMN(
                file=self.label, column=self.source.event_time, why="holds a time that is out of range"
            ) from None
        return time, dict(zip(columns, values, strict=True))

    def is_older(self) -> bool:
        """Whether DVC has recorded another version of its file since."""
        file = self.source.file
        return file is not None and parquet_source.recorded_version(self._root, file) != self.version

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        source = self.source
        path = self._root / str(source.database)
        try:
            status = path.stat()
        except OSError:
            raise faults.FILE_MISSING(file=source.database) from None
        with self._translated():
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE, check_same_thread=False
            )
            try:
                query = f"PRAGMA table_info({quoted(str(source.table))})"
                known = {row[1] for row in connection.execute(query)}
            except BaseException:
                connection.close()
                raise
        for column in columns_of(source):
            if column not in known:
                connection.close()
                raise faults.NO_COLUMN(file=source.database, column=column)
        self._inode = status.st_dev, status.st_ino
        return connection

    def _connected(self) -> sqlite3.Connection:
        """The connection; to the file that has the name now, where somebody replaced it."""
        if self._inode is None:
            return self._connection
        try:
            status = (self._root / str(self.source.database)).stat()
        except OSError as error:
            raise faults.UNAVAILABLE(store=self.label, why=error.strerror) from None
        if (status.st_dev, status.st_ino) != self._inode:
            new = self._open()
            self._connection.close()
            self._connection = new
        return self._connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise faults.UNAVAILABLE(store=self.label, why=error) from None
        except (sqlite3.Error, OverflowError) as error:
            raise faults.UNREADABLE(file=self.label, why=error) from None


class EmbeddedStore:
    """Own sources of a project; see `lookup.Store` for the methods."""

    def __init__(self, root: Path, settings: FeatureSettings) -> None:
        self._root, self._settings = root, settings
        self._tables: list[_Table] = []
        try:
            for source in settings.sources:
                self._tables.append(_Table(root, source))
        except BaseException:
            self.close()
            raise

    @property
    def attributes(self) -> tuple[str, ...]:
        """As `lookup.Store.attributes`."""
        return tuple(name for source in self._settings.sources for name in source.protected)

    def features(self, entity: str, at: dt.datetime) -> Found:
        """As `lookup.Store.features`."""
        values: dict[str, Any] = {}
        stale: list[str] = []
        seen: list[Seen] = []
        known = False
        for table in [table for table in self._tables if table.source.features]:
            source, row = table.source, table.newest(entity, at)
            known = known or row is not None
            too_old = row is not None and lookup.is_stale(row[0], at, source.max_age_hours)
            if too_old and self._settings.stale == "refuse":
                raise faults.STALE(name=next(iter(source.features)), hours=source.max_age_hours)
            for name, column in source.features.items():
                values[name] = None if row is None or too_old else row[1][column]
            stale += list(source.features) if too_old else []
            if row is not None:
                seen.append(Seen(source=source.name, version=table.version, event_time=row[0]))
        if not known:
            raise faults.UNKNOWN_ENTITY()
        return Found(values=values, stale=tuple(stale), seen=tuple(seen))

    def protected(self, entity: str, at: dt.datetime) -> Mapping[str, str | None]:
        """As `lookup.Store.protected`."""
        groups: dict[str, str | None] = {}
        for table in [table for table in self._tables if table.source.protected]:
            source, row = table.source, table.newest(entity, at)
            usable = row is not None and not lookup.is_stale(row[0], at, source.max_age_hours)
            for name, column in source.protected.items():
                groups[name] = lookup.group(row[1][column], name) if row is not None and usable else None
        return groups

    def check(self, inputs: Mapping[str, Kind]) -> None:
        """As `lookup.Store.check`."""
        ensure_covers(inputs, [name for source in self._settings.sources for name in source.features])
        for table in self._tables:
            for name, kind in table.kinds.items():
                if name in inputs and inputs[name] != kind:
                    raise faults.WRONG_KIND(name=name, wanted=inputs[name], given=kind)

    def refresh(self) -> None:
        """As `lookup.Store.refresh`."""
        for index, table in enumerate(self._tables):
            if table.is_older():
                new = _Table(self._root, table.source)
                if changed := [name for name, kind in new.kinds.items() if table.kinds[name] != kind]:
                    new.close()
                    name = changed[0]
                    raise faults.WRONG_KIND(name=name, wanted=table.kinds[name], given=new.kinds[name])
                self._tables[index] = new
                table.close()

    def close(self) -> None:
        """As `lookup.Store.close`."""
        for table in self._tables:
            table.close()


def ensure_covers(inputs: Mapping[str, Kind], names: Sequence[str]) -> None:
    """Raise ConfigurationError unless each input is among the names."""
    if lacking := [name for name in inputs if name not in names]:
        raise faults.LACKING(count=len(lacking), name=lacking[0])


def _micros(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(microseconds=1)


def _bits(values: Sequence[Any]) -> list[tuple[str, Any]]:
    """The values with their types: 1 and 1.0 are two values."""
    return [(type(value).__name__, value) for value in values]
