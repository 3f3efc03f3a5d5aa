"""A table of somebody else, one line for each row by its key: answers of a model, or a list of rows.

It is read as a source is, and its keys mean what they mean in the source: `1` and `"1"` are one key. Which
rows it must have is for the caller to decide.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clearance import params
from clearance.data import external_file, faults
from clearance.data.sources import bindings, column_types, duckdb_engine, source_faults
from clearance.data.tables import row_ids
from clearance.errors import ClearanceError


@dataclass(frozen=True, kw_only=True)
class Delimiter:
    """What separates the columns of a CSV, None for a comma, and the setting in params.yaml that says it."""

    setting: str
    value: str | None = None


OF_ANSWERS = "train.external.delimiter"
OF_TRAIN_ROWS = "split.trained_on_delimiter"


@dataclass(frozen=True, kw_only=True, eq=False)
class KeyedTable:
    """n lines: the digest of each key, (n, 16), as `split.identify` makes it, and the columns asked for."""

    keys: npt.NDArray[np.uint8]
    columns: pa.Table


def read(
    file: str, key: str, delimiter: Delimiter, columns: Sequence[str] = (), texts: Sequence[str] = ()
) -> KeyedTable:
    """The lines of the file by their column `key`, with these columns; those in `texts` stay as written.

    Raises ConfigurationError on what is no plain file or lacks a column, DataError on a missing or repeated
    key, and what reading a source raises.
    """
    path = external_file.checked(file)
    source = params.Source(kind="file", path=str(path), delimiter=delimiter.value)
    uses = column_types.ColumnUses(
        keys=frozenset({key}), identities=frozenset({key, *texts}), features=frozenset(columns)
    )
    with (
        _own_hints(delimiter.setting),
        tempfile.TemporaryDirectory() as home,
        duckdb_engine.session(Path(home)) as connection,
        source_faults.translated_errors(),
    ):
        bindings.bind(connection, source, uses)
        duckdb_engine.refuse_empty(connection)
        there = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
        if missing := [name for name in (key, *columns) if name not in there]:
            raise faults.EXTERNAL_COLUMNS_MISSING(path=file, columns=_listed(missing), there=_listed(there))
        names = ", ".join(map(duckdb_engine.name, dict.fromkeys((key, *columns))))
        select = f"SELECT {names} FROM source"  # noqa: S608 - names as DuckDB quotes them
        table = duckdb_engine.stream(connection, select, uses.identities).read_all()
    keys = row_ids.canonical(table.column(key), key)
    if keys.null_count:
        raise faults.EXTERNAL_KEY_NULL(path=file, column=key, rows=keys.null_count)
    digests = row_ids.digests(keys)
    distinct = int(row_ids.groups(digests).max(initial=-1)) + 1
    if distinct < len(digests):
        raise faults.EXTERNAL_KEY_TWICE(path=file, column=key, rows=len(digests) - distinct)
    return KeyedTable(keys=digests, columns=table.select(list(columns)))


@contextlib.contextmanager
def _own_hints(setting: str) -> Iterator[None]:
    """Hints about this file, where those about a source name settings that it does not have."""
    try:
        yield
    except ClearanceError as error:
        for kind in (faults.SINGLE_COLUMN, faults.BAD_DELIMITER):
            if error.code == kind.code:
                raise kind(**error.values | {"setting": setting}) from None
        if "`source." not in error.hint:
            raise
        raise type(error)(error.fault, _SAVE_AGAIN, code=error.code, values=error.values) from None


def contained(keys: npt.NDArray[np.uint8], among: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which of the digests `keys` (n, 16) are among the digests `among` (m, 16); shape (n,)."""
    groups = row_ids.groups(np.concatenate([among, keys]))
    return np.isin(groups[len(among) :], groups[: len(among)])


_SAVE_AGAIN = "correct the file, or save it again as CSV (UTF-8, `.csv`) or Parquet (`.parquet`)"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
