"""The files of a `file` source, bound as one table without reading them into memory.

It decides which files belong and what each column of a CSV holds, and names the file at fault. It never
guesses a delimiter, skips a line or fills one up.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from clearance.data import faults
from clearance.data.sources import column_types, duckdb_engine, source_faults
from clearance.params import Source

Format = Literal["csv", "parquet", "json"]
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_DELIMITERS = ",;\t|"


def bind(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, Any]:
    """Make the files the view `source` of a session that can read nothing else, and describe them.

    Raises SourceError or DataError that names the file at fault, ConfigurationError on a wrong setting.
    """
    files = find(source)
    view = {"csv": _csv, "parquet": _parquet, "json": _json}[_format_of(source, files)]
    connection.execute(f"CREATE TEMP VIEW source AS {view(connection, source, files)}")
    duckdb_engine.confine(connection, files)
    return _description(source, files)


def find(source: Source) -> list[Path]:
    """The files of the source in the order of their names, so that the order of rows is fixed.

    Raises SourceError when there is none, and ConfigurationError on a pattern that leaves the folder.
    """
    root = Path(source.path)
    if not root.exists():
        raise faults.SOURCE_MISSING(path=root)
    if root.is_file():
        files = [root]
    elif source.glob is not None and (Path(source.glob).is_absolute() or ".." in Path(source.glob).parts):
        raise faults.GLOB_LEAVES_FOLDER(glob=source.glob, folder=root)
    else:
        matches = (path for path in root.glob(source.glob or "**/*") if path.is_file())
        files = sorted(path for path in matches if not path.name.startswith("."))
        if source.glob is None:
            files = [path for path in files if _format(path) is not None]
    if not files and source.glob:
        raise faults.NO_MATCHING_FILE(folder=root, glob=source.glob)
    if not files:
        raise faults.NO_KNOWN_FILE(folder=root, suffixes=", ".join(_SUFFIXES))
    for path in files:
        if any(mark in str(path) for mark in "*?["):
            raise faults.WILDCARD_IN_FILE_NAME(path=path)
    return files


def _format(path: Path) -> Format | None:
    return _SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix)


def _format_of(source: Source, files: Sequence[Path]) -> Format:
    """The one format of the files. Raises ConfigurationError when they have none, or several."""
    if source.format is not None:
        return source.format
    formats = {_format(path) for path in files}
    common = formats.pop() if len(formats) == 1 else None
    if common is None:
        raise faults.NO_COMMON_FORMAT(path=source.path)
    return common


def _description(source: Source, files: Sequence[Path]) -> dict[str, Any]:
    root = Path(source.path)
    settings = {name: getattr(source, name) for name in ("glob", "delimiter")}
    below = [] if root.is_file() else [path.relative_to(root).as_posix() for path in files]
    return {
        "kind": "file",
        "path": root.name if root.is_absolute() else source.path,
        "format": _format_of(source, files),
        **{name: value for name, value in settings.items() if value is not None},
        **({"files": below} if below else {}),
    }


def _csv(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> str:
    headers = {path: _header(path, _delimiter(source, path)) for path in files}
    _check_same_columns(headers)
    groups = itertools.groupby(files, lambda path: (headers[path], _delimiter(source, path)))
    parts = [_read_csv(list(group), *key) for key, group in groups]
    as_text = " UNION ALL BY NAME ".join(f"(FROM {part})" for part in parts)
    columns = column_types.narrow(connection, f"({as_text})", headers[files[0]])
    return f"FROM ({as_text}) SELECT {', '.join(columns)}"


def _read_csv(files: Sequence[Path], header: Sequence[str], delimiter: str) -> str:
    columns = ", ".join(f"{duckdb_engine.literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({_list(files)}, auto_detect=false, header=true, columns={{{columns}}}, strict_mode=true, "
        f"delim={duckdb_engine.literal(delimiter)}, quote='\"', escape='\"', nullstr='', "
        "hive_partitioning=false)"
    )


def _delimiter(source: Source, path: Path) -> str:
    if source.delimiter is None:
        return "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    if len(source.delimiter) != 1 or source.delimiter in '"\r\n':
        raise faults.BAD_DELIMITER(delimiter=repr(source.delimiter))
    return source.delimiter


def _header(path: Path, delimiter: str) -> tuple[str, ...]:
    open_text = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with open_text(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = tuple(next(csv.reader(file, delimiter=delimiter, strict=True), ()))
    except UnicodeDecodeError as error:
        raise source_faults.not_utf8(str(path), error.object[:2]) from None
    except (csv.Error, OSError, EOFError) as error:
        raise faults.HEADER_UNREADABLE(path=path, reason=str(error)) from None
    _check_header(path, header, delimiter)
    return header


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if not header:
        raise faults.NO_HEADER(path=path)
    others = [mark for mark in _DELIMITERS if mark != delimiter and mark in header[0]]
    if len(header) == 1 and others:
        likely = _yaml(max(others, key=header[0].count))
        raise faults.SINGLE_COLUMN(path=path, column=header[0], delimiter=repr(delimiter), likely=likely)
    if "" in header:
        raise faults.UNNAMED_COLUMN(number=header.index("") + 1, path=path)
    if any(mark in name for name in header for mark in "\r\n"):
        raise faults.COLUMN_NAME_SPANS_LINES(path=path)
    if all(re.fullmatch(r"[-+]?[0-9.]+", name) for name in header):
        raise faults.HEADER_OF_NUMBERS(path=path)
    duckdb_engine.refuse_duplicate_names(header, str(path))


def _yaml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _parquet(_: duckdb.DuckDBPyConnection, __: Source, files: Sequence[Path]) -> str:
    headers: dict[Path, tuple[str, ...]] = {}
    for path in files:
        try:
            headers[path] = tuple(pq.read_schema(path).names)
        except (pa.ArrowException, OSError) as error:
            raise faults.PARQUET_UNREADABLE(path=path, reason=str(error).splitlines()[0]) from None
        duckdb_engine.refuse_duplicate_names(headers[path], str(path))
    _check_same_columns(headers)
    return f"FROM read_parquet({_list(files)}, union_by_name=true, hive_partitioning=false)"


def _json(connection: duckdb.DuckDBPyConnection, _: Source, files: Sequence[Path]) -> str:
    if len(files) > 1:
        _check_same_columns({path: tuple(connection.sql(_read_json([path])).columns) for path in files})
    relation = connection.sql(_read_json(files))
    columns = [
        f"({duckdb_engine.name(name)} ->> '$') AS {duckdb_engine.name(name)}"
        if str(kind) == "JSON"
        else duckdb_engine.name(name)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    return f"FROM ({_read_json(files)}) SELECT {', '.join(columns)}"


def _read_json(files: Sequence[Path]) -> str:
    return (
        f"FROM read_json({_list(files)}, records=true, sample_size=-1, union_by_name=true, "
        "hive_partitioning=false)"
    )


def _check_same_columns(headers: dict[Path, tuple[str, ...]]) -> None:
    first, expected = next(iter(headers.items()))
    for path, header in headers.items():
        missing, extra = set(expected) - set(header), set(header) - set(expected)
        differences = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        differences += [f"also has {', '.join(sorted(extra))}"] if extra else []
        if differences:
            raise faults.FILES_DIFFER_IN_COLUMNS(path=path, first=first, difference=" and ".join(differences))


def _list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(duckdb_engine.literal(str(path)) for path in files) + "]"
