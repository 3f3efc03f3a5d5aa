"""ONNX: a graph of standard operators, checked before ONNX Runtime gets it, and run on one thread.

Refused are operators of other domains, parts outside the file, loops (which may never end) and random draws.
Needs the extra `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pandas as pd
from onnx import ModelProto, NodeProto, TensorProto

from clearance.models.external.no_probabilities import NoProbabilitiesError

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""The domains of operators that are part of the standard."""

REFUSED = frozenset(
    {
        *("Loop", "Scan", "Multinomial", "Bernoulli"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)
"""Operators that may never end, or that draw at random."""

_REGRESSORS = frozenset({"LinearRegressor", "TreeEnsembleRegressor", "SVMRegressor"})
_LABELS = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
_NUMBERS: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
}
_MAP = "seq(map"
_NAMED_PROBABILITIES = ("probab", "score")


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A loaded graph; see `file_model.OpenedModel`."""

    session: Any
    output: str
    kinds: tuple[tuple[str, int], ...]
    classes: tuple[Any, ...]
    features: tuple[str, ...] | None
    inputs: int | None
    made_with: dict[str, str]
    trees: None = None

    def probabilities(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each of `classes`, shape (n, 2).

        Raises ValueError on null texts and whole numbers, which ONNX does not have, and on another shape.
        """
        answer = self._run(features)
        if isinstance(answer, list):
            table = np.array([[row[label] for label in self.classes] for row in answer], dtype=np.float64)
        else:
            table = np.asarray(answer, dtype=np.float64).reshape(len(features), -1)
        if table.shape[1] == 1:
            table = np.column_stack([1 - table[:, 0], table[:, 0]])
        if table.shape != (len(features), 2):
            raise ValueError(f"it gives {table.shape[1]} numbers for each row, not the probabilities of two")
        return table

    def _run(self, features: pd.DataFrame) -> Any:
        fed = self._fed(features)
        try:
            (answer,) = self.session.run([self.output], fed)
        except Exception as error:  # noqa: BLE001 - its errors share no other base
            raise ValueError(str(error).strip().splitlines()[0]) from None
        return answer

    def _fed(self, features: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
        if self.features is None:
            ((name, kind),) = self.kinds
            return {name: _array(features.to_numpy(), kind, name)}
        columns = zip(self.kinds, features.columns, strict=True)
        return {name: _array(features[[column]].to_numpy(), kind, name) for (name, kind), column in columns}


def open_model(content: bytes) -> OnnxModel:
    """The model in these bytes. Raises ValueError on what is no safe graph of two outcomes."""
    try:
        model = _parsed(content)
        _refuse_unsafe(model)
        onnx.checker.check_model(model)
        session = _session(content)
    except (onnx.checker.ValidationError, RuntimeError) as error:
        raise ValueError(str(error).strip().splitlines()[0]) from None
    graph_inputs = [value for value in model.graph.input if value.name not in _initializers(model)]
    kinds = tuple((value.name, value.type.tensor_type.elem_type) for value in graph_inputs)
    names, count = _named(graph_inputs)
    return OnnxModel(
        session=session,
        output=_output(model, session),
        kinds=kinds,
        classes=_classes(model),
        features=names,
        inputs=count,
        made_with=_made_with(model),
    )


def _parsed(content: bytes) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # noqa: BLE001 - protobuf's own, and which protobuf it is differs
        raise ValueError(str(error).strip().splitlines()[0]) from None
    return model


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its errors share no other base
        raise ValueError(str(error).strip().splitlines()[0]) from None


def _initializers(model: ModelProto) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}


def _refuse_unsafe(model: ModelProto) -> None:
    if not model.graph.node:
        raise ValueError("it has no operators")
    if model.functions:
        raise ValueError("it defines functions of its own")
    for node in _nodes(model.graph):
        if node.domain not in DOMAINS:
            raise ValueError(f"the operator {node.op_type} of {node.domain} is not a standard one")
        if node.op_type in REFUSED:
            raise ValueError(f"the operator {node.op_type} may never end, or draws at random")
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ValueError("it reads numbers from another file")


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _nodes(graph: Any) -> Iterator[NodeProto]:
    for part in _graphs(graph):
        yield from part.node


def _tensors(graph: Any) -> Iterator[TensorProto]:
    for part in _graphs(graph):
        yield from part.initializer
        for sparse in part.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in part.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)


def _named(values: Sequence[Any]) -> tuple[tuple[str, ...] | None, int | None]:
    """The names of the inputs, None where one input takes all features, and how many there are."""
    widths = [_width(value) for value in values]
    for value, width in zip(values, widths, strict=True):
        kind = value.type.tensor_type.elem_type
        if kind not in _NUMBERS and kind != TensorProto.STRING:
            raise ValueError(f"its input {value.name} is neither numbers nor texts")
        if len(values) > 1 and width not in (1, None):
            raise ValueError(f"its input {value.name} takes {width} columns beside other inputs")
    if len(values) == 1 and widths[0] != 1:
        return None, widths[0]
    return tuple(value.name for value in values), len(values)


def _width(value: Any) -> int | None:
    """The number of columns of an input, None where the graph leaves it open."""
    dimensions = value.type.tensor_type.shape.dim
    if len(dimensions) > 2:
        raise ValueError(f"its input {value.name} has {len(dimensions)} dimensions, not rows and columns")
    if len(dimensions) < 2:
        return 1
    return int(dimensions[1].dim_value) or None


def _output(model: ModelProto, session: Any) -> str:
    """The output with the probabilities. Raises NoProbabilitiesError where there is not exactly one."""
    outputs = [out for out in session.get_outputs() if "float" in out.type or "double" in out.type]
    named = [out for out in outputs if any(word in out.name.lower() for word in _NAMED_PROBABILITIES)]
    candidates = named or outputs
    if not candidates:
        raise NoProbabilitiesError("its outputs are labels alone")
    if len(candidates) > 1:
        raise NoProbabilitiesError("several of its outputs may be the probabilities")
    (output,) = candidates
    producer = next((node for node in model.graph.node if output.name in node.output), None)
    if producer is not None and producer.op_type in _REGRESSORS and not _is_transformed(producer):
        raise NoProbabilitiesError("it is a regression")
    return str(output.name)


def _is_transformed(node: NodeProto) -> bool:
    transforms = [attribute.s for attribute in node.attribute if attribute.name == "post_transform"]
    return any(transform not in (b"NONE", b"") for transform in transforms)


def _classes(model: ModelProto) -> tuple[Any, ...]:
    """The labels that the graph names, in the order of its probabilities; 0 and 1 where it names none."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if attribute.name in _LABELS and (attribute.ints or attribute.strings):
                return tuple(attribute.ints) or tuple(text.decode() for text in attribute.strings)
    return (0, 1)


def _made_with(model: ModelProto) -> dict[str, str]:
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    made = {"ONNX opset": str(opset)} if opset else {}
    return made | ({model.producer_name: model.producer_version} if model.producer_name else {})


def _array(values: npt.NDArray[Any], kind: int, name: str) -> npt.NDArray[Any]:
    """The values as a graph takes them. Raises ValueError where it has no such value."""
    missing = pd.isna(values)
    if kind == TensorProto.STRING:
        if missing.any():
            raise ValueError(f"`{name}` is null in {int(missing.sum())} rows, and ONNX has no null text")
        return values.astype(str).astype(object)
    if kind == TensorProto.INT64 and missing.any():
        raise ValueError(f"`{name}` is null in {int(missing.sum())} rows, and ONNX has no null whole number")
    return np.asarray(values, dtype=np.float64).astype(_NUMBERS[kind])
