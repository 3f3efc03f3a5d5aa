"""The data sets behind a snapshot: the tables that a query names, called as OpenLineage's rules say.

Nothing is asked of the database, and neither user nor password is part of a name. Where DuckDB's parser does
not understand the query, the database alone is named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from clearance import database_urls
from clearance.lineage.events import DataSet
from clearance.params import Source

_PORTS = {"postgres": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521}
_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql"}


def read_by(source: Source, environ: Mapping[str, str] = os.environ) -> list[DataSet]:
    """What a snapshot of this source copies; empty where the address of the database is not known."""
    import sqlalchemy as sa  # every run imports this module, and few of them a database's

    if source.openml_id is not None:
        return [DataSet(namespace="openml", name=f"data/{source.openml_id}")]
    try:
        url = sa.make_url(environ.get(source.url_env or "", ""))
    except sa.exc.ArgumentError:
        return []
    scheme = _SCHEMES.get(url.get_backend_name(), url.get_backend_name())
    if scheme not in _PORTS:
        return [DataSet(namespace=scheme, name=database_urls.label(url).rpartition("/")[2])]
    namespace = f"{scheme}://{url.host or 'localhost'}:{url.port or _PORTS[scheme]}"
    names = sorted(tables(source.query or "")) or [""]
    return [
        DataSet(namespace=namespace, name=".".join(filter(None, [url.database or "", table])))
        for table in names
    ]


def tables(query: str) -> set[str]:
    """The tables that a query reads, with the schema where it names one; empty where it is not understood."""
    connection = duckdb.connect(":memory:")
    try:
        text = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()[0][0]
    finally:
        connection.close()
    tree = json.loads(text)
    own = {name.casefold() for name in _common_tables(tree)}
    return {name for name in _base_tables(tree) if name.casefold() not in own}


def _base_tables(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for inner in node:
            yield from _base_tables(inner)
    elif isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield ".".join(filter(None, (node["schema_name"], node["table_name"])))
        for inner in node.values():
            yield from _base_tables(inner)


def _common_tables(node: Any) -> Iterator[str]:
    """The names that `WITH` gives."""
    if isinstance(node, list):
        for inner in node:
            yield from _common_tables(inner)
    elif isinstance(node, dict):
        if isinstance(common := node.get("cte_map"), dict):
            yield from (entry["key"] for entry in common["map"])
        for inner in node.values():
            yield from _common_tables(inner)
