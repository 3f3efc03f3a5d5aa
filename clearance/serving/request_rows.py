"""From a request's JSON to the typed rows of a model, or one error that says where it is wrong.

Pure. An error names a place in the caller's own document, never a value, and no feature that the caller did
not send.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance.documents.training_document import ModelInput
from clearance.errors import ClearanceError
from clearance.serving import faults

Value = float | str | None
"""A feature: a finite double, a text, or None where it is missing."""
Row = tuple[Value, ...]
"""The features of one row in the order of the model's inputs."""

LONGEST_TEXT = 1000
"""Characters of a text feature."""
LARGEST_NUMBER = 1e30
"""The largest size of a number: some models compute in single precision, where 3e38 is infinite."""
LONGEST_ENTITY = 200
"""Characters of an entity's id."""
ENTITY = r"^[^\u0000-\u001f\u007f]*$"
"""What an entity's id may hold: no control characters."""
_EXACT = 2**53
"""Beyond it a double cannot hold every whole number."""


@dataclass(frozen=True, kw_only=True)
class RequestedRow:
    """One row to decide about. `entity` is the id of the person or thing, where the caller gives one.

    `features` is None where they are to come from the feature store.
    """

    entity: str | None
    features: Row | None


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """The body of a request for decisions. `contributions`: whether the answer shows each feature's."""

    rows: tuple[RequestedRow, ...]
    contributions: bool


def predict_request(document: Any, inputs: Sequence[ModelInput], most_rows: int) -> PredictRequest:
    """The request in a JSON value. Raises DataError that says where the document is wrong."""
    fields = _object(document, "/", required=("rows",), optional=("contributions",))
    rows = fields["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= most_rows:
        raise faults.INVALID_BODY(where="/rows", reason=f"must be a list of 1 to {most_rows} rows")
    contributions = fields.get("contributions", False)
    if not isinstance(contributions, bool):
        raise faults.INVALID_BODY(where="/contributions", reason="must be true or false")
    return PredictRequest(
        rows=tuple(_requested_row(row, f"/rows/{index}", inputs) for index, row in enumerate(rows)),
        contributions=contributions,
    )


def _requested_row(document: Any, where: str, inputs: Sequence[ModelInput]) -> RequestedRow:
    fields = _object(document, where, required=(), optional=("features", "entity"))
    entity = fields.get("entity")
    if "entity" in fields:
        entity = entity_id(entity, f"{where}/entity")
    if "features" not in fields:
        if entity is None:
            raise faults.INVALID_BODY(where=where, reason="needs `features`, or the `entity` they belong to")
        return RequestedRow(entity=entity, features=None)
    return RequestedRow(entity=entity, features=typed_row(fields["features"], inputs, f"{where}/features"))


def entity_id(value: Any, where: str) -> str:
    """The id of an entity. Raises DataError for anything else."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ENTITY and re.fullmatch(ENTITY, value):
        return value
    reason = f"must be a text of 1 to {LONGEST_ENTITY} characters without control characters"
    raise faults.INVALID_BODY(where=where, reason=reason)


def typed_row(document: Any, inputs: Sequence[ModelInput], where: str) -> Row:
    """The features in the order of `inputs`. Raises DataError unless each is there, once, with its type."""
    if not isinstance(document, Mapping):
        raise faults.INVALID_INPUT(where=where, reason="must be an object with a value for every feature")
    missing = sum(column.name not in document for column in inputs)
    if missing:
        verb = "is" if missing == 1 else "are"
        reason = (
            f"{missing} of {len(inputs)} features {verb} missing; send null for a value that is not known"
        )
        raise faults.INVALID_INPUT(where=where, reason=reason)
    if len(document) != len(inputs):
        count = len(document) - len(inputs)
        reason = f"{count} key{' is not a feature' if count == 1 else 's are not features'} of the model"
        raise faults.INVALID_INPUT(where=where, reason=reason)
    return tuple(
        None if (value := document[column.name]) is None else _typed(value, column, where)
        for column in inputs
    )


def _typed(value: Any, column: ModelInput, where: str) -> float | str:
    kind = type(value)
    if column.type == "double":
        if kind is int and abs(value) > _EXACT:
            raise _wrong(column, where, "is a whole number that a double cannot hold exactly")
        if kind in (int, float) and math.isfinite(value):
            if abs(value) <= LARGEST_NUMBER:
                return float(value)
            raise _wrong(column, where, f"is larger than {LARGEST_NUMBER:g}")
        raise _wrong(column, where, "must be a number or null")
    if kind is not str:
        raise _wrong(column, where, "must be a text or null")
    if len(value) > LONGEST_TEXT:
        raise _wrong(column, where, f"is longer than {LONGEST_TEXT} characters")
    return str(value)


def _wrong(column: ModelInput, where: str, reason: str) -> ClearanceError:
    return faults.INVALID_INPUT(where=f"{where}/{column.name}", reason=reason)


def _object(
    document: Any, where: str, *, required: Sequence[str], optional: Sequence[str]
) -> Mapping[str, Any]:
    """The object, if it has these keys and no others."""
    if not isinstance(document, dict):
        raise faults.INVALID_BODY(where=where, reason="must be an object")
    if lacking := [key for key in required if key not in document]:
        raise faults.INVALID_BODY(where=where, reason=f"needs `{lacking[0]}`")
    if len(document) > sum(key in document for key in (*required, *optional)):
        known = ", ".join(f"`{key}`" for key in (*required, *optional))
        raise faults.INVALID_BODY(where=where, reason=f"has a key beside {known}")
    return document
