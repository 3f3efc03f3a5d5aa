"""Counts by the hour of what was decided, in a small SQLite file: no row, no id, no value of a person.

What cannot be written at the moment waits in memory and goes with the next write. A count is kept for the
longest window that a policy may ask for, then deleted.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from clearance import file_lock, paths
from clearance.errors import ClearanceError
from clearance.serving import faults

logger = logging.getLogger(__name__)

FILE = paths.STATE / "live.db"
KEPT_HOURS = 24 * 366
"""The longest window of a policy."""

Key = tuple[Any, ...]
"""What is counted: numbers, texts and None."""

_TABLE = """CREATE TABLE IF NOT EXISTS counts (
    hour TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (kind, hour, key)
) WITHOUT ROWID"""
_ADD = (
    "INSERT INTO counts (hour, kind, key, count) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, hour, key) DO UPDATE SET count = count + excluded.count"
)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class LiveCounts:
    """The counts of one project. Several servers of a machine share the file; safe for many threads."""

    def __init__(self, path: Path, now: Callable[[], dt.datetime] = _now) -> None:
        self._path, self._now = path, now
        self._waiting: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._cleaned = ""

    def add(self, kind: str, counts: Mapping[Key, int]) -> None:
        """Count these; never raises: what the file does not take now waits for the next call."""
        hour = _hour(self._now())
        with self._lock:
            for key, count in counts.items():
                self._waiting[hour, kind, json.dumps(key, ensure_ascii=False)] += count
            try:
                self._write(hour)
            except sqlite3.Error as error:
                logger.warning("counts wait to be written: %s", error)

    def since(self, kind: str, hours: int) -> dict[Key, int]:
        """The counts of one kind in the last `hours` whole hours and the present one.

        Raises UnavailableError when the file cannot be read or written.
        """
        now = self._now()
        first = _hour(now - dt.timedelta(hours=hours))
        with self._lock:
            try:
                self._write(_hour(now))
                with closing(self._open()) as connection:
                    rows = connection.execute(
                        "SELECT key, sum(count) FROM counts WHERE kind = ? AND hour > ? GROUP BY key",
                        (kind, first),
                    ).fetchall()
            except sqlite3.Error as error:
                raise _unavailable(error) from None
        return {_tuple(json.loads(key)): int(count) for key, count in rows}

    def _write(self, hour: str) -> None:
        """Write what waits. Raises sqlite3.Error, and then it still waits."""
        if not self._waiting:
            return
        with closing(self._open()) as connection, connection:
            connection.executemany(_ADD, [(*key, count) for key, count in self._waiting.items()])
            if self._cleaned != hour:
                oldest = _hour(self._now() - dt.timedelta(hours=KEPT_HOURS))
                connection.execute("DELETE FROM counts WHERE hour < ?", (oldest,))
        self._cleaned = hour
        self._waiting.clear()

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if new := not self._path.exists():
                file_lock.create(self._path)
        except OSError as error:
            raise sqlite3.OperationalError(error.strerror) from None
        connection = sqlite3.connect(self._path, timeout=5)
        try:
            if new:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection


def _hour(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H")


def _tuple(value: Any) -> Any:
    """The key as it was: lists of JSON are tuples again."""
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _unavailable(error: sqlite3.Error) -> ClearanceError:
    return faults.COUNTS_UNAVAILABLE(file=FILE, reason=error)
