"""Split the rows and part the table: features, label and protected attributes, joined only by a row hash.

Each row's side follows from its key and the seed alone, so a new row moves no other. Nothing is imputed,
scaled or dropped silently; nothing that may not be a feature is written among them.
"""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files, params, stage
from clearance.data.tables import prepared, row_ids, split
from clearance.documents import measurement
from clearance.errors import DataError, IntegrityError

RAW = Path("data/raw.parquet")
ORIGIN = Path("data/origin.json")
VALIDATION = Path("reports/validation_raw.json")

log = logging.getLogger(__name__)


def partition(
    table: pa.Table, units: split.Units, side: np.ndarray, data: params.Data
) -> dict[str, pa.Table]:
    """The three tables by name, each with `row` and `split` first, in the order of the rows that stay.

    Raises DataError when the label has no two values, a value is missing, or a feature cannot be used.
    """
    names = data.feature_names(table.column_names)
    _refuse(names, table.column_names, data)
    stays = pa.array(side != split.LEFT_OUT)
    all_stay = split.LEFT_OUT not in side
    keys = {
        "row": row_ids.hexadecimal(units.row),
        "split": pa.array(prepared.SPLITS).take(pa.array(side.clip(min=0))),
    }
    protected = {name: row_ids.canonical(table.column(name), name) for name in data.protected}
    columns = {
        "features": {name: _as_feature(table.column(name), name) for name in names},
        "label": {"label": label_of(table.column(data.target), data)} | _of_rows(table, data),
        "protected": protected,
    }
    parted = {name: pa.table(keys | own) for name, own in columns.items()}
    return parted if all_stay else {name: table.filter(stays) for name, table in parted.items()}


def label_of(column: pa.ChunkedArray, data: params.Data) -> pa.Array:
    """The label as int8: 1 where the target is the favourable value, whatever type either is read as.

    Raises DataError on a null, and unless the target has exactly two values, the favourable one among them.
    """
    texts = row_ids.canonical(column, data.target)
    values = sorted(pc.unique(texts).to_pylist(), key=str)
    favourable = row_ids.canonical_value(data.favourable)
    if None in values or len(values) != 2 or favourable not in values:
        found = ", ".join("null" if value is None else value for value in values[:10])
        raise DataError(
            f"the target `{data.target}` must hold two values, `{favourable}` among them; it holds: {found}",
            "derive a target with two values in `source.select`, or mend `data.favourable`",
        )
    return pc.equal(texts, favourable).cast(pa.int8())


def _of_rows(table: pa.Table, data: params.Data) -> dict[str, pa.Array]:
    """The weight of each row as a number, and its cluster as a digest: who or where it is stays unsaid."""
    found = {}
    if data.weight is not None:
        found["weight"] = weight_of(table.column(data.weight), data.weight)
    if data.cluster is not None:
        texts = row_ids.canonical(table.column(data.cluster), data.cluster)
        if texts.null_count:
            raise DataError(
                f"the cluster `{data.cluster}` is null in {texts.null_count} rows",
                "drop or fill those rows in `source.select`",
            )
        found["cluster"] = row_ids.hexadecimal(row_ids.digests(texts))
    return found


def weight_of(column: pa.ChunkedArray, name: str) -> pa.Array:
    """The weights as float64. Raises DataError unless every one is a finite number above 0."""
    kind = column.type
    values = column.combine_chunks()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = values.cast(pa.float64(), safe=False)
        sound = pc.and_(pc.is_finite(values), pc.greater(values, 0))
        if bool(pc.all(pc.fill_null(sound, False)).as_py()):
            return values
    raise DataError(
        f"the weight `{name}` is not a finite number above 0 in every row",
        "mend those rows, or drop them, in `source.select`",
    )


def split_document(
    tables: dict[str, pa.Table], units: split.Units, side: np.ndarray, shares: params.Split, seed: int
) -> dict[str, Any]:
    """What was done, as the evidence document `reports/split.json` without the tables' digests.

    `overlap` counts row hashes on more than one side, `unit_overlap` entities or equal rows on more than
    one side, `left_out` rows on no side. Raises IntegrityError on an overlap: it would be a defect here.
    """
    counts = {name: int((side == index).sum()) for index, name in enumerate(prepared.SPLITS)}
    overlap = _on_several_sides(units.row, side)
    unit_overlap = overlap if units.unit is units.row else _on_several_sides(units.unit, side)
    if overlap or unit_overlap:
        raise IntegrityError(
            f"{overlap} rows and {unit_overlap} units are on more than one side of the split",
            "this is a defect of the split: report it with params.yaml",
        )
    left_out = int((side == split.LEFT_OUT).sum())
    time = shares.time and {"column": shares.time.column, "test_from": shares.time.test_from.isoformat()}
    return measurement.measured(
        {
            "overlap": measurement.Measurement(value=overlap, support=counts),
            "unit_overlap": measurement.Measurement(value=unit_overlap, support=counts),
            "left_out": measurement.Measurement(value=left_out, support={"all": len(side)}),
        },
        by=units.by,
        seed=seed,
        time=time,
        rows=counts,
        row_digests={
            name: _digest_of(units.row[side == index]) for index, name in enumerate(prepared.SPLITS)
        },
        features=tables["features"].column_names[len(prepared.KEYS) :],
        protected=tables["protected"].column_names[len(prepared.KEYS) :],
    )


def main() -> None:
    """Write `data/prepared` and `reports/split.json`, or both as blocked."""
    settings = params.load(Path("params.yaml"))
    validation = files.read_json(VALIDATION)
    if validation.get("blocked") is not False:
        _write_blocked(measurement.blocked(_because(validation)))
        return
    origin = files.read_json(ORIGIN)
    if validation.get("table") != origin["sha256"]:
        raise IntegrityError(
            f"{VALIDATION} was made from another table than {RAW}", "run `clearance repair`, then run again"
        )
    table = pq.read_table(files.verify(RAW, origin["sha256"]))
    units = split.identify(table, settings.data)
    side = split.assign(units, table, settings.split, settings.seed)
    tables = partition(table, units, side, settings.data)
    with files.replacing_folder(prepared.FOLDER) as folder, ThreadPoolExecutor() as beside:
        written = [beside.submit(_write, tables[name], folder / f"{name}.parquet") for name in tables]
        document = split_document(tables, units, side, settings.split, settings.seed)
        for each in written:
            each.result()
    digests = {name: files.sha256(prepared.FOLDER / f"{name}.parquet") for name in prepared.TABLES}
    files.write_json(prepared.RECORD, document | {"tables": digests})
    log.info("rows: %s, by %s", ", ".join(f"{n} {k}" for k, n in document["rows"].items()), units.by)


def _because(validation: dict[str, Any]) -> str:
    faults = [
        entry["detail"]
        for entry in validation.get("expectations", [])
        if entry["severity"] == "block" and not entry["success"]
    ]
    return "validate_raw: " + ("; ".join(faults[:3]) or "the report does not say that the table may be used")


def _write_blocked(document: dict[str, Any]) -> None:
    with files.replacing_folder(prepared.FOLDER) as folder:
        files.write_json(folder / "blocked.json", document)
    files.write_json(prepared.RECORD, document)
    log.info("blocked: %s", document["because"])


def _write(table: pa.Table, path: Path) -> None:
    """Write one split after the other, each in its own row groups: who reads one need not read the others."""
    repeating = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    dictionary = [name for name in repeating if name != "row"]
    with pq.ParquetWriter(path, table.schema, use_dictionary=dictionary) as writer:
        for name in prepared.SPLITS:
            writer.write_table(table.filter(pc.equal(table.column("split"), name)))


def _refuse(names: list[str], columns: list[str], data: params.Data) -> None:
    forbidden = data.never_features()
    if found := [name for name in names if name in forbidden]:
        raise DataError(
            "; ".join(f"`{name}` cannot be a feature: it is {forbidden[name]}" for name in found),
            "leave it out of `data.features`",
        )
    needed = [*names, *data.protected, data.target, *filter(None, (data.weight, data.cluster))]
    if missing := [name for name in needed if name not in columns]:
        raise DataError(
            f"the table has no column {', '.join(missing)}", "declare or derive it in `source.select`"
        )
    if taken := [name for name in prepared.KEYS if name in (*names, *data.protected)]:
        raise DataError(
            f"a feature or protected attribute is called {' and '.join(taken)}, as our own key columns are",
            "rename it in `source.select`",
        )


def _as_feature(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Numbers as numbers, booleans as 0 and 1, text as text: one type, whichever rows are read later."""
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
        raise DataError(
            f"the feature `{name}` holds {kind} values, which no estimator takes",
            "derive a number or a text from it in `source.select`, or leave it out of `data.features`",
        )
    return values.cast(pa.float64(), safe=False) if values.null_count else values


def _on_several_sides(digest: np.ndarray, side: np.ndarray) -> int:
    group = row_ids.groups(digest)
    seen = np.zeros((group.max(initial=-1) + 1, len(prepared.SPLITS)), dtype=bool)
    stays = side != split.LEFT_OUT
    seen[group[stays], side[stays]] = True
    return int((seen.sum(axis=1) > 1).sum())


def _digest_of(digest: np.ndarray) -> str:
    """SHA-256 over the rows' hexadecimal hashes in ascending order, one after the other."""
    high, low = row_ids.as_numbers(digest)
    ordered = digest[np.lexsort((low, high))]
    return hashlib.sha256(ordered.tobytes().hex().encode()).hexdigest()


if __name__ == "__main__":
    stage.run(main)
