"""Decisions about every row of a Parquet file: the same path, the same records, as for one row over HTTP.

The whole file is checked before the first decision. A second run over the same file with the same version
gets the decisions of the first, so a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files
from clearance.documents.training_document import ModelInput
from clearance.inference_log import Inference, InferenceLog
from clearance.serving import answers, faults, request_rows
from clearance.serving.request_rows import Row
from clearance.serving.served_model import ServedModel

ROWS = 500
"""Rows that are put on record together."""
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("entity", pa.string()),
        ("decision", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("version", pa.int64()),
        ("reasons", pa.list_(pa.string())),
        ("flags", pa.list_(pa.string())),
        ("review_required", pa.bool_()),
    ]
)
Report = Callable[[int], None]
"""Receives the number of rows of the step that has just ended."""


def count(table: Path) -> int:
    """The number of rows of a Parquet file. Raises DataError when it cannot be read."""
    return int(_open(table).metadata.num_rows)


def decide(
    model: ServedModel,
    log: InferenceLog,
    table: Path,
    output: Path,
    *,
    entity: str | None,
    caller: str,
    report: Report = lambda _: None,
    present: Callable[[], ServedModel] | None = None,
) -> int:
    """Decide about every row of `table` and write the decisions to the Parquet file `output`, in its order.

    `entity` names the column of the entities' ids. Returns the number of rows. Raises DataError that names
    the first row and column at fault, before anything is decided; TransientError when the log is away.
    `present` gives the model that may decide now: it is asked before each step, and raises where none may, so
    that a version that is stopped or held meanwhile is so for the rows that are left.
    """
    for start, rows, _ in _batches(table, model.inputs, entity):
        answers.flags(model, rows, _places(rows, start))
        model.scores(rows)
    key, request = source_key(table, model), str(uuid.uuid4())
    number = 0
    with files.replacing(output) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for start, rows, entities in _batches(table, model.inputs, entity):
            model = _as_of_now(model, present)
            flags = answers.flags(model, rows, _places(rows, start))
            decisions = answers.decide(model, rows, entities, flags)
            new = [
                answers.record(
                    model,
                    decision,
                    caller=caller,
                    request_id=request,
                    key=f"{key}#{start + index}",
                    body_digest=_digest(key, model, start + index),
                )
                for index, decision in enumerate(decisions)
            ]
            receipts = log.append(*new)
            recorded = [receipt.first or item for receipt, item in zip(receipts, new, strict=True)]
            writer.write_table(_table(recorded))
            number += len(rows)
            report(len(rows))
    return number


def _as_of_now(model: ServedModel, present: Callable[[], ServedModel] | None) -> ServedModel:
    """The version that began, as it may decide now. Another champion takes over with the next file."""
    now = model if present is None else present()
    return now if (now.version, now.content) == (model.version, model.content) else model


def source_key(table: Path, model: ServedModel) -> str:
    """The idempotency key of a file and a version; `#` and the number of a row make it that of the row."""
    return f"file-{files.sha256(table)}-version-{model.version}"


def _digest(key: str, model: ServedModel, row: int) -> str:
    return hashlib.sha256(f"{key} {model.content} {row}".encode()).hexdigest()


def _table(recorded: Sequence[Inference]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "id": [item.id for item in recorded],
        "entity": [item.subject for item in recorded],
        "decision": [item.decision for item in recorded],
        "score": [item.score for item in recorded],
        "threshold": [item.threshold for item in recorded],
        "version": [item.model.version for item in recorded],
        "reasons": [[str(reason) for reason in item.reasons] for item in recorded],
        "flags": [list(item.flags) for item in recorded],
        "review_required": [bool(item.details.get("review_required")) for item in recorded],
    }
    return pa.table(columns, schema=SCHEMA)


def _open(table: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(table)
    except (OSError, pa.ArrowException) as error:
        reason = "it does not exist" if not table.exists() else type(error).__name__
        raise faults.TABLE_NOT_READABLE(path=table, reason=reason) from None


def _batches(
    table: Path, inputs: Sequence[ModelInput], entity: str | None
) -> Iterator[tuple[int, list[Row], list[str | None]]]:
    """The rows in order, a few hundred at a time, each with the number of its first row and the entities."""
    names = [column.name for column in inputs]
    wanted = [*names, *([entity] if entity is not None and entity not in names else [])]
    with _open(table) as source:
        present = source.schema_arrow.names
        if missing := [name for name in wanted if name not in present]:
            raise faults.COLUMN_MISSING(path=table, columns=", ".join(missing))
        start = 0
        for batch in source.iter_batches(ROWS, columns=wanted):
            columns = [batch.column(name).to_pylist() for name in names]
            ids = batch.column(entity).to_pylist() if entity is not None else [None] * batch.num_rows
            rows = [
                _typed(values, inputs, start + index)
                for index, values in enumerate(zip(*columns, strict=True))
            ]
            yield start, rows, [_entity(value, start + index) for index, value in enumerate(ids)]
            start += batch.num_rows


def _typed(values: Sequence[Any], inputs: Sequence[ModelInput], row: int) -> Row:
    document = {column.name: value for column, value in zip(inputs, values, strict=True)}
    return request_rows.typed_row(document, inputs, f"row {row}")


def _entity(value: Any, row: int) -> str | None:
    return None if value is None else request_rows.entity_id(str(value), f"row {row}: the entity")


def _places(rows: Sequence[Row], start: int) -> list[str]:
    return [f"row {start + index}" for index in range(len(rows))]
