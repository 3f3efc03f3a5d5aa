"""Rows that name an entity in place of features: completed from the feature store, as known at this time.

What the caller sent is never mixed with what the store has. Protected attributes are not read here.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearance import feature_store
from clearance.errors import ClearanceError
from clearance.feature_store import lookup
from clearance.serving.champion import INTERVAL
from clearance.serving.request_rows import RequestedRow, Row
from clearance.serving.served_model import ServedModel

logger = logging.getLogger(__name__)

DETAIL = "features"
"""Where the record of a decision says where its features came from."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Features:
    """The feature store of a server."""

    def __init__(self, store: feature_store.Store, now: Callable[[], dt.datetime] = _now) -> None:
        self.store, self._now = store, now
        self._checked: ServedModel | None = None

    def check(self, model: ServedModel) -> None:
        """Raise ConfigurationError unless the store has what the model takes."""
        if self._checked is not model:
            self.store.check({column.name: column.type for column in model.inputs})
            self._checked = model

    def complete(
        self, model: ServedModel, rows: Sequence[RequestedRow]
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """The features of each row, and what goes on record about where they came from.

        Raises DataError when the store does not know an entity, or what it has is stale and that is refused;
        ConfigurationError when it lacks a feature of the model, IntegrityError when a value has another type
        than the model takes, UnavailableError when it cannot be asked.
        """
        completed = [self._complete(model, row) for row in rows]
        return [row for row, _ in completed], [details for _, details in completed]

    def _complete(self, model: ServedModel, row: RequestedRow) -> tuple[Row, Mapping[str, Any]]:
        if row.features is not None or row.entity is None:
            return row.features or (), {}
        self.check(model)
        at = self._now()
        found = self.store.features(row.entity, at)
        values = tuple(
            lookup.typed(found.values[column.name], column.type, column.name) for column in model.inputs
        )
        details: dict[str, Any] = {"at": at.isoformat(), "sources": [seen.to_json() for seen in found.seen]}
        if found.stale:
            details["stale"] = sorted(set(found.stale) & {column.name for column in model.inputs})
        return values, {DETAIL: details}

    def follow(self, stop: threading.Event, interval: float = INTERVAL) -> None:
        """Take newer versions of the sources every `interval` seconds until `stop` is set."""
        known: str | None = None
        while not stop.wait(interval):
            try:
                self.store.refresh()
                known = None
            except (ClearanceError, OSError) as error:
                text = error.fault if isinstance(error, ClearanceError) else type(error).__name__
                if text != known:
                    logger.warning("the feature store keeps its versions: %s", text)
                known = text
