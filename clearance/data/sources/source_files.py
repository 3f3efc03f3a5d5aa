"""The files of a `file` source, bound as one table without reading them into memory.

It decides what each column holds, and names the file at fault. It never guesses a delimiter, skips a line or
fills one up; and it never takes a reader's word for it that a file is whole.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from clearance.data import faults
from clearance.data.sources import (
    column_types,
    duckdb_engine,
    file_agreement,
    file_bytes,
    file_listing,
    json_records,
    source_faults,
)
from clearance.data.sources.file_listing import Listing
from clearance.params import Source

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""The byte-order mark; files that were joined or saved twice have it twice."""

_BATCH = 1 << 16
_HEADER = 64
_DELIMITERS = ",;\t|"
_SETTING = "source.delimiter"


def bind(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, uses: column_types.ColumnUses
) -> dict[str, Any]:
    """Make the files the view `name` of a session that can read nothing else, and describe them.

    Raises SourceError or DataError that names the file at fault, ConfigurationError on a wrong setting.
    """
    listing = file_listing.find(source)
    view = {"csv": _csv, "parquet": _parquet, "json": _json}[
        file_listing.common_format(source, listing.files)
    ]
    connection.execute(f"CREATE TEMP VIEW {name} AS {view(connection, source, listing, uses)}")
    duckdb_engine.confine(connection, listing.files)
    return _description(source, listing)


def _description(source: Source, listing: Listing) -> dict[str, Any]:
    root = listing.root
    settings = {name: getattr(source, name) for name in ("glob", "delimiter", "types")}
    paths = {"files": listing.below(listing.files), "left_out": listing.below(listing.left_out)}
    return {
        "kind": "file",
        "path": root.name if root.is_absolute() else source.path,
        "format": file_listing.common_format(source, listing.files),
        **{name: value for name, value in settings.items() if value},
        **{name: below for name, below in paths.items() if below},
    }


def _csv(
    connection: duckdb.DuckDBPyConnection, source: Source, listing: Listing, uses: column_types.ColumnUses
) -> str:
    file_bytes.check(listing.files, mark_allowed=True)
    headers = {path: _header(path, _delimiter(source, path)) for path in listing.files}
    folders = _check_columns(headers, listing)
    groups = itertools.groupby(listing.files, lambda path: (headers[path], _delimiter(source, path)))
    parts = [_read_csv(list(group), *key, folders) for key, group in groups]
    as_text = " UNION ALL BY NAME ".join(f"(FROM {part})" for part in parts)
    names = [*headers[listing.files[0]], *folders]
    if len(listing.files) > 1:
        file_agreement.check_texts(connection, parts, headers[listing.files[0]], uses)
    columns = column_types.narrow(
        connection, f"({as_text})", dict.fromkeys(names, column_types.TEXT_KINDS), uses
    )
    return f"FROM ({as_text}) SELECT {', '.join(columns)}"


def _read_csv(files: Sequence[Path], header: Sequence[str], delimiter: str, folders: Sequence[str]) -> str:
    columns = ", ".join(f"{duckdb_engine.literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({_list(files)}, auto_detect=false, header=true, columns={{{columns}}}, strict_mode=true, "
        f"delim={duckdb_engine.literal(delimiter)}, quote='\"', escape='\"', nullstr='', "
        f"{_hive(folders)})"
    )


def _hive(folders: Sequence[str]) -> str:
    return "hive_partitioning=true, hive_types_autocast=false" if folders else "hive_partitioning=false"


def _delimiter(source: Source, path: Path) -> str:
    if source.delimiter is None:
        return "\t" if ".tsv" in path.suffixes[-2:] else ","
    if len(source.delimiter) != 1 or source.delimiter in '"\r\n':
        raise faults.BAD_DELIMITER(setting=_SETTING, delimiter=repr(source.delimiter))
    return source.delimiter


def _header(path: Path, delimiter: str) -> tuple[str, ...]:
    try:
        with io.TextIOWrapper(file_bytes.opened(path), encoding="utf-8-sig", newline="") as file:
            header = tuple(next(csv.reader(file, delimiter=delimiter, strict=True), ()))
    except UnicodeDecodeError as error:
        raise source_faults.not_utf8(str(path), error.object[:2]) from None
    except (csv.Error, OSError, EOFError) as error:
        raise faults.HEADER_UNREADABLE(path=path, reason=str(error)) from None
    header = tuple(name.lstrip(_MARK) for name in header)
    _check_header(path, header, delimiter)
    return header


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if not header:
        raise faults.NO_HEADER(path=path)
    if len(header) == 1 and any(mark in header[0] for mark in _DELIMITERS if mark != delimiter):
        likely = _yaml(likely_delimiter(header[0]))
        raise faults.SINGLE_COLUMN(
            path=path, column=header[0], delimiter=repr(delimiter), setting=_SETTING, likely=likely
        )
    if "" in header:
        raise faults.UNNAMED_COLUMN(number=header.index("") + 1, path=path)
    if any(mark in name for name in header for mark in "\r\n"):
        raise faults.COLUMN_NAME_SPANS_LINES(path=path)
    if all(re.fullmatch(r"[-+]?[0-9.]+", name) for name in header):
        raise faults.HEADER_OF_NUMBERS(path=path)
    duckdb_engine.refuse_duplicate_names(header, str(path))


def likely_delimiter(header: str) -> str:
    """The mark that most likely separates the columns of a header that was read as a single one."""
    return max(_DELIMITERS, key=header.count)


def _yaml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _parquet(
    connection: duckdb.DuckDBPyConnection, _: Source, listing: Listing, uses: column_types.ColumnUses
) -> str:
    schemas = {path: _parquet_schema(path) for path in listing.files}
    folders = _check_columns({path: tuple(schema.names) for path, schema in schemas.items()}, listing)
    file_agreement.check_types(connection, schemas, uses)
    for path in listing.files:
        _check_pages(path)
    read = f"read_parquet({_list(listing.files)}, union_by_name=true, {_hive(folders)})"
    names = [*next(iter(schemas.values())).names, *folders]
    typed = dict.fromkeys(names, ()) | dict.fromkeys(folders, column_types.TEXT_KINDS)
    columns = (
        column_types.narrow(connection, read, typed, uses) if folders else map(duckdb_engine.name, names)
    )
    return f"FROM {read} SELECT {', '.join(columns)}"


def _parquet_schema(path: Path) -> pa.Schema:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise faults.PARQUET_UNREADABLE(path=path, reason=str(error).splitlines()[0]) from None
    for field in schema:
        if pa.types.is_decimal256(field.type):
            raise faults.DECIMAL_TOO_LONG(column=field.name, path=path, digits=field.type.precision)
    return schema


def _check_pages(path: Path) -> None:
    """Raise SourceError where a page is not what its checksum says; DuckDB does not look at checksums."""
    try:
        # Without `pre_buffer=False` Arrow holds the whole file, however small the batches are.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            if _has_checksums(path, file.metadata):
                for _ in file.iter_batches(_BATCH):
                    pass
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        if "checksum" in reason:
            raise faults.PARQUET_UNREADABLE(path=path, reason=reason) from None  # DuckDB reports other faults


def _has_checksums(path: Path, metadata: pq.FileMetaData) -> bool:
    """Whether the first page of a row group has one: whoever writes a row group gives them to all or none.

    The header of a page begins with its kind and two sizes, then its checksum where there is one (Thrift's
    compact protocol: 0x15 is a field of 32 bits right after the field before it).
    """
    with path.open("rb") as file:
        for index in range(metadata.num_row_groups if metadata.num_columns else 0):
            chunk = metadata.row_group(index).column(0)
            file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
            fields = re.match(rb"(\x15[\x80-\xff]*[\x00-\x7f]){3}(.)", file.read(_HEADER), re.DOTALL)
            if fields is None or fields[2] == b"\x15":
                return True
    return False


def _json(
    connection: duckdb.DuckDBPyConnection, _: Source, listing: Listing, uses: column_types.ColumnUses
) -> str:
    file_bytes.check(listing.files, mark_allowed=False)
    structures = {path: json_records.structure(connection, path) for path in listing.files}
    folders = _check_columns({path: tuple(keys) for path, keys in structures.items()}, listing)
    file_agreement.check_json(structures, uses)
    for path, found in structures.items():
        written = [name for name in uses.identities - set(uses.declared) if found.get(name) == "DOUBLE"]
        json_records.check_numbers(path, written)
    keys = json_records.merged(structures.values())
    named = json_records.columns(keys)
    read = f"read_json({_list(listing.files)}, format='auto', columns={named}, {_hive(folders)})"
    typed = {name: json_records.kinds(kind) for name, kind in keys.items()}
    if numbers := [
        duckdb_engine.name(name) for name, kind in keys.items() if json_records.family(kind) == "number"
    ]:
        nulls = ", ".join(f"nullif({name}, 'NaN') AS {name}" for name in numbers)  # as Python writes them
        read = f"(FROM {read} SELECT * REPLACE ({nulls}))"
    columns = column_types.narrow(
        connection, read, typed | dict.fromkeys(folders, column_types.TEXT_KINDS), uses
    )
    return f"FROM {read} SELECT {', '.join(columns)}"


def _check_columns(headers: Mapping[Path, Sequence[str]], listing: Listing) -> tuple[str, ...]:
    """The columns that the folders name. Raises DataError unless all files have the same columns once."""
    folders = file_listing.partitions(listing)
    for path, header in headers.items():
        duckdb_engine.refuse_duplicate_names([*header, *folders], str(path))
    _check_same_columns(headers)
    return folders


def _check_same_columns(headers: Mapping[Path, Sequence[str]]) -> None:
    first, expected = next(iter(headers.items()))
    for path, header in headers.items():
        missing, extra = set(expected) - set(header), set(header) - set(expected)
        differences = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        differences += [f"also has {', '.join(sorted(extra))}"] if extra else []
        if differences:
            raise faults.FILES_DIFFER_IN_COLUMNS(path=path, first=first, difference=" and ".join(differences))


def _list(files: Iterable[Path]) -> str:
    return "[" + ", ".join(duckdb_engine.literal(str(path)) for path in files) + "]"
