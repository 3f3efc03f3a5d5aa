"""Stage: split the rows, and split the table into features, label and protected attributes.

Only a row hash joins the three tables. A row's split follows from its key and the seed alone, so a new row
moves no other. Nothing is imputed, scaled or dropped silently, and no forbidden column becomes a feature.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files, params, paths, stage
from clearance.data import faults
from clearance.data.sources import keyed_table, table_file
from clearance.data.tables import prepared, row_ids, split, stored_table
from clearance.data.tables.stored_table import Columnar, StoredTable
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.measurement import Measurement, undefined
from clearance.documents.origin_document import OriginDocument
from clearance.documents.split_document import SplitDocument, TimeSplit, TrainedOn
from clearance.documents.validation_document import RawValidationDocument

UNKNOWN = "it is not known which rows the model was trained on"
"""Why an overlap with its train rows cannot be measured, as the evidence says it."""

ROW_GROUP = 1_048_576
"""Rows of one split in a row group of a prepared table."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class DeclaredRows:
    """What is declared of the rows a model made elsewhere was trained on; `rows` (n,) are among the table's.

    Both are None where nothing is declared; `rows` also where it is none of them, or unknown.
    """

    record: TrainedOn | None = None
    rows: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What is decided on whole columns, before rows are divided.

    `features` are their names, and those `with_nulls` become numbers with gaps; `label` (rows,) is int8.
    """

    features: tuple[str, ...]
    with_nulls: frozenset[str]
    label: pa.Array

    @classmethod
    def of(cls, table: Columnar, data: params.Data) -> Columns:
        """Raises DataError when the label does not have two values, a column is missing, a cluster is
        unknown or a feature is forbidden."""
        names = data.feature_names(table.column_names)
        _refuse(names, table.column_names, data)
        if data.cluster is not None:
            unknown = row_ids.canonical(table.column(data.cluster), data.cluster).null_count
            if unknown:
                raise faults.CLUSTER_NULL(column=data.cluster, rows=unknown)
        whole = [name for name in names if _is_whole(table.schema.field(name).type)]
        return cls(
            features=tuple(names),
            with_nulls=frozenset(name for name in whole if table.column(name).null_count),
            label=label_of(table.column(data.target), data),
        )


def partition(
    table: pa.Table, units: split.Units, side: np.ndarray, data: params.Data
) -> dict[str, pa.Table]:
    """The three tables by name, each with `row` and `split` first, in the order of the rows that stay.

    Raises DataError when the label does not have two values, a column is missing, or a feature is unusable.
    """
    (tables,) = partitions(table, units, side, data)
    return tables


def partitions(
    table: Columnar, units: split.Units, side: np.ndarray, data: params.Data
) -> Iterator[dict[str, pa.Table]]:
    """What `partition` returns, for one part of a stored table after the other."""
    columns = Columns.of(table, data)
    start = 0
    for part in stored_table.parts(table):
        rows = slice(start, start + part.num_rows)
        label = columns.label.slice(start, part.num_rows)
        yield _partition(part, units.row[rows], side[rows], replace(columns, label=label), data)
        start += part.num_rows


def _partition(
    table: pa.Table, row: np.ndarray, side: np.ndarray, columns: Columns, data: params.Data
) -> dict[str, pa.Table]:
    keys = {
        "row": row_ids.hexadecimal(row),
        "split": pa.array(prepared.SPLITS).take(pa.array(side.clip(min=0))),
    }
    features = {
        name: _as_feature(table.column(name), name, with_nulls=name in columns.with_nulls)
        for name in columns.features
    }
    contents = {
        "features": features,
        "label": {"label": columns.label} | _sampling_columns(table, data),
        "protected": {name: row_ids.canonical(table.column(name), name) for name in data.protected},
    }
    tables = {name: pa.table(keys | own) for name, own in contents.items()}
    stays = side != split.LEFT_OUT
    return tables if stays.all() else {name: part.filter(pa.array(stays)) for name, part in tables.items()}


def label_of(column: pa.ChunkedArray, data: params.Data) -> pa.Array:
    """The label as int8: 1 where the target is the favourable value, whatever type either is read as.

    Raises DataError on a null, and unless the target has exactly two values, the favourable one among them.
    """
    texts = row_ids.canonical(column, data.target)
    values = sorted(pc.unique(texts).to_pylist(), key=str)
    favourable = row_ids.canonical_value(data.favourable)
    if None in values or len(values) != 2 or favourable not in values:
        examples = ", ".join("null" if value is None else value for value in values[:10])
        raise faults.TARGET_NOT_TWO_VALUES(column=data.target, favourable=data.favourable, examples=examples)
    return pc.equal(texts, favourable).cast(pa.int8())


def _sampling_columns(table: pa.Table, data: params.Data) -> dict[str, pa.Array]:
    """The weight of each row as a number, and its cluster as a digest, which does not reveal who or where."""
    columns = {}
    if data.weight is not None:
        columns["weight"] = weight_of(table.column(data.weight), data.weight)
    if data.cluster is not None:
        texts = row_ids.canonical(table.column(data.cluster), data.cluster)
        columns["cluster"] = row_ids.hexadecimal(row_ids.digests(texts))
    return columns


def weight_of(column: pa.ChunkedArray, name: str) -> pa.Array:
    """The weights as float64. Raises DataError unless every one is a finite number above 0."""
    kind = column.type
    values = column.combine_chunks()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = values.cast(pa.float64(), safe=False)
        sound = pc.and_(pc.is_finite(values), pc.greater(values, 0))
        if bool(pc.all(pc.fill_null(sound, False)).as_py()):
            return values
    raise faults.WEIGHT_NOT_POSITIVE(column=name)


def declared_rows(units: split.Units, shares: params.Split, row_key: str | None) -> DeclaredRows:
    """What `split.trained_on` declares of these rows.

    Raises ConfigurationError or DataError on a list that cannot be used.
    """
    if shares.trained_on == "none":
        return DeclaredRows(record=TrainedOn(declared="none"))
    if shares.trained_on == "unknown":
        return DeclaredRows(record=TrainedOn(declared="unknown"))
    if (file := shares.trained_on) is None:
        return DeclaredRows()
    if row_key is None:
        raise faults.EXTERNAL_NEEDS_KEY(path=file)
    delimiter = keyed_table.Delimiter(setting=keyed_table.OF_TRAIN_ROWS, value=shares.trained_on_delimiter)
    listed = keyed_table.read(file, row_key, delimiter).keys
    record = TrainedOn(
        declared="listed",
        file=file,
        sha256=files.sha256(Path(file)),
        keys=len(listed),
        elsewhere=int((~keyed_table.contained(listed, units.row)).sum()),
    )
    return DeclaredRows(record=record, rows=keyed_table.contained(units.row, listed))


def split_document(  # noqa: PLR0917 - what a split is made of
    schemas: Mapping[str, pa.Schema],
    units: split.Units,
    side: np.ndarray,
    shares: params.Split,
    seed: int,
    trained_on: TrainedOn | None = None,
) -> SplitDocument:
    """How the rows were split into tables of these schemas, without the digests of the tables.

    `overlap` counts row hashes in more than one split, `unit_overlap` entities or equal rows in more than one
    split, `left_out` rows in none. Raises IntegrityError on an overlap, which would be a defect here. Where
    it is unknown which rows trained a model, `overlap` is undefined.
    """
    counts = {name: int((side == index).sum()) for index, name in enumerate(prepared.SPLITS)}
    overlap = split.in_several_splits(units.rows_sorted, side)
    unit_overlap = split.in_several_splits(units.units_sorted, side)
    if overlap or unit_overlap:
        raise faults.SPLITS_OVERLAP(rows=overlap, units=unit_overlap)
    left_out = int((side == split.LEFT_OUT).sum())
    known = trained_on is None or trained_on.declared != "unknown"
    time = shares.time
    order = units.rows_sorted.order
    return SplitDocument(
        measurements={
            "overlap": Measurement(value=overlap, support=counts) if known else undefined(UNKNOWN, counts),
            "unit_overlap": Measurement(value=unit_overlap, support=counts),
            "left_out": Measurement(value=left_out, support={"all": len(side)}),
        },
        by=units.by,
        seed=seed,
        time=None if time is None else TimeSplit(column=time.column, test_from=time.test_from.isoformat()),
        rows=counts,
        row_digests={
            name: _digest_of(units.row[order[side[order] == index]])
            for index, name in enumerate(prepared.SPLITS)
        },
        features=tuple(schemas["features"].names[len(prepared.KEYS) :]),
        protected=tuple(schemas["protected"].names[len(prepared.KEYS) :]),
        tables={},
        trained_on=trained_on,
    )


def main() -> None:
    """Write `data/prepared` and `reports/split.json`, or both as blocked."""
    settings = params.load(paths.PARAMS)
    validation = unless_blocked(RawValidationDocument.read(Path()), paths.SPLIT, paths.PREPARED)
    if validation is None:
        return
    origin = OriginDocument.read(Path())
    if validation.table != origin.sha256:
        raise faults.VALIDATED_ANOTHER_TABLE(report=paths.VALIDATION_RAW, table=paths.RAW_TABLE)
    table = StoredTable(files.verify(paths.RAW_TABLE, origin.sha256))
    units = split.identify(table, settings.data)
    declared = declared_rows(units, settings.split, settings.data.row_key)
    side = split.assign(units, table, settings.split, settings.seed, declared.rows)
    with (
        files.replacing_folder(paths.PREPARED) as folder,
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        ThreadPoolExecutor() as pool,
    ):
        schemas = _divide(partitions(table, units, side, settings.data), Path(scratch))
        writes = [
            pool.submit(_write, Path(scratch), schema, folder / f"{name}.parquet")
            for name, schema in schemas.items()
        ]
        document = split_document(schemas, units, side, settings.split, settings.seed, declared.record)
        for write in writes:
            write.result()
    digests = {name: files.sha256(paths.PREPARED / f"{name}.parquet") for name in prepared.TABLES}
    replace(document, tables=digests).write(Path())
    logger.info("rows: %s, by %s", ", ".join(f"{n} {name}" for name, n in document.rows.items()), units.by)


def _divide(parts: Iterable[dict[str, pa.Table]], scratch: Path) -> dict[str, pa.Schema]:
    """Write the rows of each split of each table to a file of its own; returns the tables' schemas."""
    schemas: dict[str, pa.Schema] = {}
    with contextlib.ExitStack() as stack:
        files_: dict[tuple[str, str], pa.ipc.RecordBatchFileWriter] = {}
        for tables in parts:
            for name, table in tables.items():
                if name not in schemas:
                    schemas[name] = table.schema
                    for side in prepared.SPLITS:
                        path = scratch / f"{name}.{side}"
                        files_[name, side] = stack.enter_context(pa.ipc.new_file(path, table.schema))
                for side in prepared.SPLITS:
                    files_[name, side].write_table(table.filter(pc.equal(table.column("split"), side)))
    return schemas


def _write(scratch: Path, schema: pa.Schema, path: Path) -> None:
    """Write one split after the other, each in its own row groups, so that one can be read alone."""
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    dictionary = [name for name in repeating if name != "row"]
    with pq.ParquetWriter(path, schema, use_dictionary=dictionary) as writer:
        for side in prepared.SPLITS:
            with pa.OSFile(str(scratch / f"{path.stem}.{side}")) as file:
                reader = pa.ipc.open_file(file)
                batches = map(reader.get_batch, range(reader.num_record_batches))
                for group in table_file.row_groups(batches, schema, ROW_GROUP):
                    writer.write_table(group, row_group_size=ROW_GROUP)


def _refuse(names: list[str], columns: list[str], data: params.Data) -> None:
    forbidden = data.never_features()
    if used := [name for name in names if name in forbidden]:
        reasons = "; ".join(f"`{name}` is {forbidden[name]}" for name in used)
        raise faults.FORBIDDEN_FEATURE(features=reasons)
    needed = [*names, *data.protected, data.target, *filter(None, (data.weight, data.cluster))]
    if missing := [name for name in needed if name not in columns]:
        raise faults.COLUMNS_MISSING(columns=", ".join(missing))
    if reserved := [name for name in prepared.KEYS if name in (*names, *data.protected)]:
        raise faults.RESERVED_NAME(columns=" and ".join(reserved))


def _as_feature(column: pa.ChunkedArray, name: str, *, with_nulls: bool) -> pa.Array:
    """Numbers as numbers, booleans as 0 and 1, text as text: one type, whichever rows are read later.

    Integers are floating-point numbers where the whole column is `with_nulls`.
    """
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        return pc.if_else(pc.is_nan(values), None, values)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.string())
    elif not pa.types.is_integer(kind):
        raise faults.FEATURE_TYPE(column=name, kind=kind)
    return values.cast(pa.float64(), safe=False) if with_nulls else values


def _is_whole(kind: pa.DataType) -> bool:
    """Whether the values are integers, or booleans, which become integers."""
    if pa.types.is_dictionary(kind):
        return _is_whole(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _digest_of(ordered: np.ndarray) -> str:
    """SHA-256 over the hexadecimal hashes of rows in ascending order (rows, 16), one after the other."""
    sha256 = hashlib.sha256()
    for start in range(0, len(ordered), ROW_GROUP):
        sha256.update(ordered[start : start + ROW_GROUP].tobytes().hex().encode())
    return sha256.hexdigest()


if __name__ == "__main__":
    stage.run(main)
