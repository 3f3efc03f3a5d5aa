"""What the monitor saw of the version that decides, for the server's metrics: read off the request path.

The server only reads. Where it has no monitoring store, because the monitor runs elsewhere, it shows nothing.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from clearance import ledger, paths
from clearance.ledger import Entry, settings
from clearance.monitoring import overview
from clearance.monitoring.counting import database
from clearance.monitoring.counting.store import VersionKey
from clearance.monitoring.metrics import Watch
from clearance.monitoring.overview import Subject
from clearance.promotion import session
from clearance.serving.served_model import ServedModel

SECONDS = 30.0
"""Seconds between two readings of the store."""


class MonitorReader:
    """Reads what the metrics show. The ledger is read again only where it has grown."""

    def __init__(self, root: Path, model: Callable[[], ServedModel | None]) -> None:
        self._root, self._model = root, model
        self._read: tuple[str, str] | None = None
        self._entries: Sequence[Entry] = ()

    def __call__(self) -> Watch | None:
        """What is known of the model now; None where nothing watches it here.

        Raises ClearanceError when store or ledger cannot be read.
        """
        model = self._model()
        if model is None or model.policy.monitoring is None or not self._has_store():
            return None
        key = VersionKey(model=model.name, version=model.version, content=model.content)
        subject = Subject(root=self._root, key=key, terms=model.policy.monitoring)
        return overview.watch(subject, self._ledger(model.name), dt.datetime.now(dt.UTC))

    def _has_store(self) -> bool:
        return database.ADDRESS in os.environ or (self._root / paths.MONITORING).exists()

    def _ledger(self, name: str) -> Sequence[Entry]:
        with ledger.open(settings.address(self._root)) as book:
            _, digest = ledger.head(book)
        if self._read != (digest, name):
            with session.open_read_only(self._root) as reader:
                self._entries = reader.entries(name)
            self._read = (digest, name)
        return self._entries
