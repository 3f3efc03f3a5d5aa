"""ONNX graphs made with the format's own helpers: no converter is needed for a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]


def logistic(weights: Sequence[float], bias: float) -> bytes:
    """A logistic regression over one input of all features: MatMul, Add, Sigmoid; one probability a row."""
    column = np.asarray(weights, dtype=np.float32).reshape(-1, 1)
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["probability"]),
    ]
    values = [
        numpy_helper.from_array(column, "weights"),
        numpy_helper.from_array(np.array([bias], dtype=np.float32), "bias"),
    ]
    taken = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(column)])]
    given = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])]
    return model(nodes, taken, given, values)


def model(nodes: Any, taken: Any, given: Any, values: Any = (), **more: Any) -> bytes:
    """The bytes of a model of these nodes, inputs, outputs and constants."""
    graph = helper.make_graph(nodes, "elsewhere", taken, given, list(values))
    made = helper.make_model(graph, opset_imports=more.pop("opsets", OPSETS), ir_version=10, **more)
    return bytes(made.SerializeToString())


def classifier(
    weights: Sequence[float],
    bias: float,
    names: Sequence[str],
    *,
    labels: Sequence[Any] = (0, 1),
    zipped: bool = True,
) -> bytes:
    """A linear classifier as converters write one: an input for each feature, labels, and named probabilities."""
    rows = [[-weight for weight in weights], list(weights)]
    kind = "classlabels_ints" if isinstance(labels[0], int) else "classlabels_strings"
    zip_kind = "classlabels_int64s" if isinstance(labels[0], int) else "classlabels_strings"
    nodes = [
        helper.make_node("Concat", list(names), ["features"], axis=1),
        helper.make_node(
            "LinearClassifier",
            ["features"],
            ["label", "raw"],
            domain="ai.onnx.ml",
            coefficients=[value / 2 for row in rows for value in row],
            intercepts=[-bias / 2, bias / 2],
            post_transform="SOFTMAX",
            **{kind: list(labels)},
        ),
    ]
    element = TensorProto.INT64 if isinstance(labels[0], int) else TensorProto.STRING
    given = [helper.make_tensor_value_info("label", element, [None])]
    if zipped:
        nodes.append(
            helper.make_node(
                "ZipMap", ["raw"], ["probabilities"], domain="ai.onnx.ml", **{zip_kind: list(labels)}
            )
        )
        value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        mapped = helper.make_sequence_type_proto(helper.make_map_type_proto(element, value))
        given.append(helper.make_value_info("probabilities", mapped))
    else:
        given.append(helper.make_tensor_value_info("raw", TensorProto.FLOAT, [None, 2]))
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    return model(nodes, taken, given)
