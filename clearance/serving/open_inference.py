"""The open inference protocol, version 2: a request's tensors as typed rows, decisions as tensors.

Definition: the Open Inference Protocol of KServe (REST, "V2"). A tensor for each feature, of shape [n] or
[n, 1]. Pure. null stands for a missing value, because JSON has no NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from clearance.documents.training_document import ModelInput
from clearance.errors import ClearanceError
from clearance.inference_log import Inference
from clearance.serving import faults, request_rows
from clearance.serving.request_rows import PredictRequest, RequestedRow, Value
from clearance.serving.served_model import ServedModel

NAME, PLATFORM = "clearance", "clearance_row_v1"
_INTEGERS = frozenset({f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)})
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
NUMBERS = _FLOATS | _INTEGERS
"""The datatypes of a feature of numbers."""
_SINGLE = frozenset({"FP16", "FP32"})
OUTPUTS: Mapping[str, tuple[str, Any]] = {
    "decision": ("BYTES", lambda item: item.decision),
    "score": ("FP64", lambda item: item.score),
    "decision_id": ("BYTES", lambda item: item.id),
}
"""The output tensors: the datatype, and the value of a decision on record."""
_TYPES = {"double": "FP64", "string": "BYTES"}
ENTITY = "entity"
"""The optional input tensor with the ids of the entities, where no feature has this name."""


def server_metadata(version: str) -> dict[str, Any]:
    """What the server is."""
    return {"name": NAME, "version": version, "extensions": []}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """The tensors of the model: -1 stands for any number of rows."""
    return {
        "name": model.name,
        "versions": [str(model.version)],
        "platform": PLATFORM,
        "inputs": [
            {"name": column.name, "datatype": _TYPES[column.type], "shape": [-1]} for column in model.inputs
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1]} for name, (datatype, _) in OUTPUTS.items()
        ],
    }


def infer_request(
    document: Any, inputs: Sequence[ModelInput], most_rows: int
) -> tuple[PredictRequest, str | None, tuple[str, ...]]:
    """The rows of an inference request, its id, and the names of the outputs it wants.

    Raises DataError that says where the document is wrong.
    """
    if not isinstance(document, dict):
        raise faults.INVALID_BODY(where="/", reason="must be an object")
    if set(document) - {"id", "parameters", "inputs", "outputs"}:
        raise faults.INVALID_BODY(where="/", reason="has a key beside id, parameters, inputs and outputs")
    id_ = document.get("id")
    if "id" in document and not (isinstance(id_, str) and len(id_) <= 200):
        raise faults.INVALID_BODY(where="/id", reason="must be a text of at most 200 characters")
    _parameters(document, "/")
    tensors = document.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise faults.INVALID_BODY(where="/inputs", reason="must be a list of tensors")
    columns = _columns(tensors, inputs, most_rows)
    entities = columns.pop(ENTITY, None) if all(column.name != ENTITY for column in inputs) else None
    rows = zip(*(columns[column.name] for column in inputs), strict=True)
    return (
        PredictRequest(
            rows=tuple(
                RequestedRow(entity=_entity(entities, index), features=row) for index, row in enumerate(rows)
            ),
            contributions=False,
        ),
        id_,
        _outputs(document),
    )


def _entity(entities: Sequence[Value] | None, index: int) -> str | None:
    if entities is None or entities[index] is None:
        return None
    return request_rows.entity_id(entities[index], f"/inputs/{ENTITY}/data/{index}")


def _columns(tensors: Sequence[Any], inputs: Sequence[ModelInput], most_rows: int) -> dict[str, list[Value]]:
    """The values of each tensor by its name: one for each feature, and perhaps the entities."""
    known = {ENTITY: ModelInput(name=ENTITY, type="string")} | {column.name: column for column in inputs}
    columns: dict[str, list[Value]] = {}
    for index, tensor in enumerate(tensors):
        where = f"/inputs/{index}"
        if not isinstance(tensor, dict) or not {"name", "shape", "datatype", "data"} <= set(tensor):
            raise faults.INVALID_BODY(where=where, reason="needs name, shape, datatype and data")
        if set(tensor) - {"name", "shape", "datatype", "data", "parameters"}:
            raise faults.INVALID_BODY(where=where, reason="has a key that tensors do not have")
        _parameters(tensor, where)
        name = tensor["name"]
        if not isinstance(name, str) or name not in known:
            raise faults.INVALID_INPUT(where=f"{where}/name", reason="is not a feature of the model")
        if name in columns:
            raise faults.INVALID_INPUT(where=f"{where}/name", reason="stands for a second tensor")
        columns[name] = _values(tensor, known[name], where, most_rows)
    missing = sum(column.name not in columns for column in inputs)
    if missing:
        raise faults.INVALID_INPUT(
            where="/inputs", reason=f"{missing} of {len(inputs)} features have no tensor"
        )
    if len({len(values) for values in columns.values()}) > 1:
        raise faults.INVALID_INPUT(where="/inputs", reason="the tensors have different numbers of rows")
    return columns


def _values(tensor: Mapping[str, Any], column: ModelInput, where: str, most_rows: int) -> list[Value]:
    shape, datatype, data = tensor["shape"], tensor["datatype"], tensor["data"]
    sized = isinstance(shape, list) and len(shape) in (1, 2) and all(type(size) is int for size in shape)
    if not sized or not 1 <= shape[0] <= most_rows or shape[1:] not in ([], [1]):
        reason = f"must be [n] or [n, 1] with n from 1 to {most_rows}"
        raise faults.INVALID_INPUT(where=f"{where}/shape", reason=reason)
    allowed = NUMBERS if column.type == "double" else {"BYTES"}
    if not isinstance(datatype, str) or datatype not in allowed:
        reason = "must be a floating or whole number type" if column.type == "double" else "must be BYTES"
        raise faults.INVALID_INPUT(where=f"{where}/datatype", reason=reason)
    flat = _flatten(data)
    if flat is None or len(flat) != shape[0]:
        raise faults.INVALID_INPUT(where=f"{where}/data", reason="must hold as many values as the shape says")
    return [_value(value, datatype, column, f"{where}/data/{index}") for index, value in enumerate(flat)]


def _flatten(data: Any) -> list[Any] | None:
    """The values of a list, or of a list of lists of one value each; None for anything else."""
    if not isinstance(data, list):
        return None
    if any(isinstance(value, list) for value in data):
        if not all(isinstance(value, list) and len(value) == 1 for value in data):
            return None
        data = [value[0] for value in data]
    return None if any(isinstance(value, list | dict) for value in data) else data


def _value(value: Any, datatype: str, column: ModelInput, where: str) -> Value:
    if value is None:
        return None
    if datatype in _INTEGERS and type(value) is not int:
        raise _wrong(where, "must be a whole number or null")
    (typed,) = request_rows.typed_row({column.name: value}, [column], where)
    if datatype in _SINGLE and isinstance(typed, float) and not _fits(typed, datatype):
        raise _wrong(where, f"is beyond the range of {datatype}")
    return typed


def _fits(value: float, datatype: str) -> bool:
    return math.fabs(value) <= (65504.0 if datatype == "FP16" else 3.4028234663852886e38)


def _wrong(where: str, reason: str) -> ClearanceError:
    return faults.INVALID_INPUT(where=where, reason=reason)


def _parameters(document: Mapping[str, Any], where: str) -> None:
    """Parameters may say how a client coded its data. Raises DataError where they ask for binary data."""
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise faults.INVALID_BODY(where=f"{where}/parameters", reason="must be an object")
    if "binary_data_size" in parameters or parameters.get("binary_data_output") is True:
        raise faults.INVALID_BODY(where=f"{where}/parameters", reason="this server has no binary tensors")


def _outputs(document: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = document.get("outputs")
    if wanted is None:
        return tuple(OUTPUTS)
    if not isinstance(wanted, list):
        raise faults.INVALID_BODY(where="/outputs", reason="must be a list of outputs")
    names: list[str] = []
    for index, output in enumerate(wanted):
        where = f"/outputs/{index}"
        keys = set(output) if isinstance(output, dict) else set()
        if not (keys and keys <= {"name", "parameters"} and output.get("name") in tuple(OUTPUTS)):
            raise faults.INVALID_BODY(where=where, reason=f"must name one of {', '.join(OUTPUTS)}")
        _parameters(output, where)
        names.append(output["name"])
    return tuple(dict.fromkeys(names)) or tuple(OUTPUTS)


def infer_answer(
    model: ServedModel, recorded: Sequence[Inference], id_: str, wanted: Sequence[str]
) -> dict[str, Any]:
    """The answer: one tensor for each output that is wanted."""
    return {
        "model_name": model.name,
        "model_version": str(model.version),
        "id": id_,
        **_review(recorded),
        "outputs": [
            {
                "name": name,
                "datatype": OUTPUTS[name][0],
                "shape": [len(recorded)],
                "data": [OUTPUTS[name][1](item) for item in recorded],
            }
            for name in wanted
        ],
    }


def _review(recorded: Sequence[Inference]) -> dict[str, Any]:
    """The parameter of an answer that says that a person reviews each decision, and why; none otherwise."""
    reasons = [reason for item in recorded for reason in item.details.get("review_reasons", ())]
    if not reasons:
        return {}
    return {"parameters": {"review_required": True, "review_reasons": ", ".join(dict.fromkeys(reasons))}}
