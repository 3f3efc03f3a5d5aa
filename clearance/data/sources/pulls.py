"""Every kind of source that a snapshot is taken of, with the module that fetches its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clearance.params import Source

Pulled = tuple[Iterable[pa.Table], dict[str, Any]]
"""Rows in chunks, and details of their origin."""


def pull(source: Source, state: Path) -> Pulled:
    """The rows of `source` in chunks, and their origin without credentials; downloads stay in `state`.

    Raises SourceError, ConfigurationError or UnavailableError when the source cannot be read, ValueError
    when its kind has no snapshots.
    """
    if not source.is_snapshot:
        raise ValueError(f"a {source.kind} source has no snapshot")
    chunks, details = PULLS[source.kind](source, state)
    return chunks, source.request | details


def _sql(source: Source, _state: Path) -> Pulled:
    from clearance.data.sources import sql_query  # SQLAlchemy is slow to import

    return sql_query.pull(source)


def _openml(source: Source, state: Path) -> Pulled:
    from clearance.data.sources import openml

    return openml.pull(source, state)


PULLS: Mapping[str, Callable[[Source, Path], Pulled]] = {"sql": _sql, "openml": _openml}
"""The kinds that have snapshots."""
