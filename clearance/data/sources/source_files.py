"""The files of a `file` source, bound as one table without reading them into memory.

It decides which files belong, what each column of a CSV holds, and says which file is at fault and how
to mend it. It never guesses a delimiter, skips a line or fills one up.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from clearance.data.sources import column_types, duckdb_engine, source_faults
from clearance.errors import ConfigurationError, DataError, SourceError
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


def find(source: Source) -> list[Path]:
    """The files of the source in the order of their names, so that the order of rows is fixed.

    Raises SourceError when there is none, and ConfigurationError on a pattern that leaves the folder.
    """
    root = Path(source.path)
    if not root.exists():
        raise SourceError(
            f"{root} does not exist", "put the table there, or mend `source.path` in params.yaml"
        )
    if root.is_file():
        files = [root]
    elif source.glob is not None and (Path(source.glob).is_absolute() or ".." in Path(source.glob).parts):
        raise ConfigurationError(
            f"`source.glob` {source.glob} leaves the folder {root}, the only one that is watched",
            "write a pattern below `source.path`, such as **/*.csv",
        )
    else:
        found = (path for path in root.glob(source.glob or "**/*") if path.is_file())
        files = sorted(path for path in found if not path.name.startswith("."))
        if source.glob is None:
            files = [path for path in files if _format(path) is not None]
    if not files:
        wanted = f"matches {source.glob}" if source.glob else f"ends in {', '.join(_SUFFIXES)}"
        raise SourceError(f"no file in {root} {wanted}", "mend `source.path` or `source.glob` in params.yaml")
    for path in files:
        if any(mark in str(path) for mark in "*?["):
            raise SourceError(f"the file name {path} holds a *, ? or [", "rename the file")
    return files


def _format(path: Path) -> Format | None:
    return _SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix)


def format_of(source: Source, files: Sequence[Path]) -> Format:
    """The one format of the files. Raises ConfigurationError when they have none, or several."""
    if source.format is not None:
        return source.format
    formats = {_format(path) for path in files}
    found = formats.pop() if len(formats) == 1 else None
    if found is None:
        raise ConfigurationError(
            f"the files of {source.path} do not share one known ending",
            "name the format in `source.format`, or choose the files with `source.glob`",
        )
    return found


def bind(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> None:
    """Make the files the view `source`. Raises SourceError or DataError that names the file at fault."""
    bound = {"csv": _csv, "parquet": _parquet, "json": _json}[format_of(source, files)]
    connection.execute(f"CREATE TEMP VIEW source AS {bound(connection, source, files)}")


def _csv(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> str:
    headers = {path: _header(path, _delimiter(source, path)) for path in files}
    _same_columns(headers)
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
        raise ConfigurationError(
            f"`source.delimiter` {source.delimiter!r} is not one character",
            'write one character in quotes; a tab is "\\t"',
        )
    return source.delimiter


def _header(path: Path, delimiter: str) -> tuple[str, ...]:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = tuple(next(csv.reader(file, delimiter=delimiter, strict=True), ()))
    except UnicodeDecodeError as error:
        raise source_faults.not_utf8(str(path), error.object[:2]) from None
    except (csv.Error, OSError, EOFError) as error:
        raise SourceError(f"the first line of {path} cannot be read: {error}", "mend that line") from None
    _check_header(path, header, delimiter)
    return header


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if not header:
        raise SourceError(f"{path} is empty: its first line names no columns", "write a header line")
    others = [mark for mark in _DELIMITERS if mark != delimiter and mark in header[0]]
    if len(header) == 1 and others:
        likely = max(others, key=header[0].count)
        raise SourceError(
            f"{path} has one single column named `{header[0]}`: it is not parted by {delimiter!r}",
            f"set `source.delimiter: {_yaml(likely)}` in params.yaml",
        )
    if "" in header:
        place = header.index("") + 1
        raise SourceError(f"column {place} of {path} has no name", "name it in the first line")
    if any(mark in name for name in header for mark in "\r\n"):
        raise SourceError(f"a column name in {path} spans two lines", "close the quote, or rename the column")
    if all(re.fullmatch(r"[-+]?[0-9.]+", name) for name in header):
        raise SourceError(f"the first line of {path} holds numbers, no names", "write a header line")
    duckdb_engine.refuse_duplicate_names(header, str(path))


def _yaml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _parquet(_: duckdb.DuckDBPyConnection, __: Source, files: Sequence[Path]) -> str:
    headers: dict[Path, tuple[str, ...]] = {}
    for path in files:
        try:
            headers[path] = tuple(pq.read_schema(path).names)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{path} is no readable Parquet file: {str(error).splitlines()[0]}",
                "it may be cut short or of another format: copy it again, or set `source.format`",
            ) from None
        duckdb_engine.refuse_duplicate_names(headers[path], str(path))
    _same_columns(headers)
    return f"FROM read_parquet({_list(files)}, union_by_name=true, hive_partitioning=false)"


def _json(connection: duckdb.DuckDBPyConnection, _: Source, files: Sequence[Path]) -> str:
    if len(files) > 1:
        _same_columns({path: tuple(connection.sql(_read_json([path])).columns) for path in files})
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


def _same_columns(headers: dict[Path, tuple[str, ...]]) -> None:
    first, wanted = next(iter(headers.items()))
    for path, header in headers.items():
        missing, extra = set(wanted) - set(header), set(header) - set(wanted)
        if missing or extra:
            faults = [f"lacks {', '.join(sorted(missing))}"] if missing else []
            faults += [f"has also {', '.join(sorted(extra))}"] if extra else []
            raise DataError(
                f"{path} has other columns than {first}: it {' and '.join(faults)}",
                "give all files the same columns (in any order), or choose files with `source.glob`",
            )


def _list(files: Sequence[Path]) -> str:
    return "[" + ", ".join(duckdb_engine.literal(str(path)) for path in files) + "]"
