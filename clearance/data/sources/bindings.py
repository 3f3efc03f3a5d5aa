"""Every kind of source as the table `source` of a DuckDB session that can read nothing else.

A source with a snapshot is read from its copy; the other kinds are listed here, each with its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from clearance.data.sources import column_types, demo_table, snapshot_folder, source_files
from clearance.params import Source

Bind = Callable[[duckdb.DuckDBPyConnection, str, Source, column_types.ColumnUses], dict[str, Any]]

DIRECT: Mapping[str, Bind] = {"demo": demo_table.bind, "file": source_files.bind}
"""The kinds that are read without a snapshot."""

_AS_READ = "source_as_read"


def bind(
    connection: duckdb.DuckDBPyConnection, source: Source, uses: column_types.ColumnUses | None = None
) -> dict[str, Any]:
    """Make `source` the view `source` of the session, confine the session to it, and describe it.

    `uses` says what its columns are used as; without it, nothing is an identity and all may be features.
    Raises SourceError or DataError that names the file at fault, ConfigurationError on a wrong setting, and
    IntegrityError on a snapshot whose table was changed.
    """
    uses = uses or column_types.ColumnUses(declared=source.types or {})
    kind = snapshot_folder.bind if source.is_snapshot else DIRECT[source.kind]
    description = kind(connection, _AS_READ, source, uses)
    connection.execute(f"CREATE TEMP VIEW source AS {column_types.declare(connection, _AS_READ, uses)}")
    return description
