"""Every kind of source as the table `source` of a DuckDB session that can read nothing else.

A source with a snapshot is read from its copy; the other kinds are listed here, each with its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from clearance.data.sources import demo_table, snapshot_folder, source_files
from clearance.params import Source

Bind = Callable[[duckdb.DuckDBPyConnection, Source], dict[str, Any]]

DIRECT: Mapping[str, Bind] = {"demo": demo_table.bind, "file": source_files.bind}
"""The kinds that are read without a snapshot."""


def bind(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, Any]:
    """Make `source` the view `source` of the session, confine the session to it, and describe it.

    Raises SourceError or DataError that names the file at fault, ConfigurationError on a wrong setting, and
    IntegrityError on a snapshot whose table was changed.
    """
    if source.is_snapshot:
        return snapshot_folder.bind(connection, source)
    return DIRECT[source.kind](connection, source)
