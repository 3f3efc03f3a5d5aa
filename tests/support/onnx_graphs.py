"""ONNX graphs made with the format's own helpers: no converter is needed for a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]


def logistic(weights: Sequence[float], bias: float, width: int | None = 0) -> bytes:
    """A logistic regression over one input of all features: MatMul, Add, Sigmoid; one probability a row.

    `width` is how many features it says it takes, None: it does not say; 0: as many as it does.
    """
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
    taken = [
        helper.make_tensor_value_info(
            "features", TensorProto.FLOAT, [None, len(column) if width == 0 else width]
        )
    ]
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
    labels: Sequence[Any] = (0, 1),
    *,
    zipped: bool,
) -> bytes:
    """A linear classifier as converters write one: an input for each feature, a label, and probabilities.

    `zipped`: the probabilities are maps from label to number.
    """
    are_numbers = isinstance(labels[0], int)
    element = TensorProto.INT64 if are_numbers else TensorProto.STRING
    nodes = [
        helper.make_node("Concat", list(names), ["features"], axis=1),
        helper.make_node(
            "LinearClassifier",
            ["features"],
            ["label", "raw"],
            domain="ai.onnx.ml",
            coefficients=[sign * weight / 2 for sign in (-1, 1) for weight in weights],
            intercepts=[-bias / 2, bias / 2],
            post_transform="SOFTMAX",
            **{"classlabels_ints" if are_numbers else "classlabels_strings": list(labels)},
        ),
    ]
    given = [helper.make_tensor_value_info("label", element, [None])]
    if zipped:
        named = {"classlabels_int64s" if are_numbers else "classlabels_strings": list(labels)}
        nodes.append(helper.make_node("ZipMap", ["raw"], ["probabilities"], domain="ai.onnx.ml", **named))
        number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        maps = helper.make_sequence_type_proto(helper.make_map_type_proto(element, number))
        given.append(helper.make_value_info("probabilities", maps))
    else:
        given.append(helper.make_tensor_value_info("raw", TensorProto.FLOAT, [None, 2]))
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    return model(nodes, taken, given)


def _features(width: int = 3) -> Any:
    return helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])


def _answer(name: str = "probability", width: int = 1) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])


def margins(weights: Sequence[float]) -> bytes:
    """A graph that gives numbers of any size where a probability is expected."""
    column = numpy_helper.from_array(100 * np.asarray(weights, dtype=np.float32).reshape(-1, 1), "weights")
    node = helper.make_node("MatMul", ["features", "weights"], ["probability"])
    return model([node], [_features()], [_answer()], [column])


def hostile() -> dict[str, bytes]:
    """Graphs that must not be run, by the words of the reason why not."""
    taken, given = [_features()], [_answer(width=3)]
    custom = helper.make_node("Run", ["features"], ["probability"], domain="evil.example")
    opsets = [*OPSETS, helper.make_opsetid("evil.example", 1)]
    random = helper.make_node("RandomNormalLike", ["features"], ["probability"])
    outside = numpy_helper.from_array(np.zeros((3, 1), dtype=np.float32), "weights")
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../../params.yaml")
    product = helper.make_node("MatMul", ["features", "weights"], ["probability"])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("at", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    always = numpy_helper.from_array(np.array(True), "always")
    many = numpy_helper.from_array(np.array(2**62, dtype=np.int64), "many")
    loop = helper.make_node("Loop", ["many", "always"], [], body=body)
    sigmoid = helper.make_node("Sigmoid", ["features"], ["probability"])
    function = helper.make_function(
        "own", "Own", ["x"], ["y"], [helper.make_node("Sigmoid", ["x"], ["y"])], [OPSETS[0]]
    )
    return {
        "is not a standard one": model([custom], taken, given, opsets=opsets),
        "numbers from another file": model([product], taken, [_answer()], [outside]),
        "RandomNormalLike may never end, or draws": model([random], taken, given),
        "Loop may never end": model([loop, sigmoid], taken, given, [always, many]),
        "functions of its own": model([sigmoid], taken, given, functions=[function]),
        "features": model([sigmoid], [], given),
        "no operators": model([], taken, [_features()]),
    }


def without_probabilities() -> dict[str, bytes]:
    """Graphs that give something other than the probabilities of two outcomes."""
    regressor = helper.make_node(
        "LinearRegressor",
        ["features"],
        ["variable"],
        domain="ai.onnx.ml",
        coefficients=[0.1, 0.1, 0.1],
        intercepts=[0.0],
        targets=1,
    )
    label = helper.make_node("ArgMax", ["features"], ["label"], axis=1)
    labels = helper.make_tensor_value_info("label", TensorProto.INT64, [None, 1])
    both = [
        helper.make_node("Sigmoid", ["features"], ["one"]),
        helper.make_node("Neg", ["features"], ["other"]),
    ]
    return {
        "a regression": model([regressor], [_features()], [_answer("variable")]),
        "labels alone": model([label], [_features()], [labels]),
        "two candidates": model(both, [_features()], [_answer("one", 3), _answer("other", 3)]),
    }


def of_texts() -> bytes:
    """A graph of one text: 0.75 where it is `south`, else 0.25."""
    encode = helper.make_node(
        "LabelEncoder",
        ["region"],
        ["probability"],
        domain="ai.onnx.ml",
        keys_strings=["south"],
        values_floats=[0.75],
        default_float=0.25,
    )
    taken = helper.make_tensor_value_info("region", TensorProto.STRING, [None, 1])
    return model([encode], [taken], [_answer()])
