"""Requests as typed rows, in both protocols: a fault has a place, and repeats no value and no unsent name."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.training_document import ModelInput
from clearance.errors import DataError
from clearance.serving import open_inference, request_rows

INPUTS = (
    ModelInput(name="amount", type="double"),
    ModelInput(name="purpose", type="string"),
    ModelInput(name="ratio", type="double"),
)
FEATURES = {"amount": 12.5, "purpose": "house", "ratio": None}
BODY: dict[str, Any] = {"rows": [{"entity": "A-1", "features": FEATURES}], "contributions": True}
SECRET = "sesame"  # noqa: S105 - what no error may repeat
Change = Callable[[Any], Any]


def parse(document: Any) -> request_rows.PredictRequest:
    return request_rows.predict_request(document, INPUTS, 3)


def features(**changes: Any) -> dict[str, Any]:
    return {"rows": [{"features": {**FEATURES, **changes}}]}


def test_a_row_has_the_models_order_and_types() -> None:
    wanted = parse(BODY | {"rows": [{"entity": "A-1", "features": dict(reversed(FEATURES.items()))}]})
    (row,) = wanted.rows
    assert (row.entity, row.features, wanted.contributions) == ("A-1", (12.5, "house", None), True)
    (row,) = parse(features(amount=3)).rows
    assert row.features is not None and type(row.features[0]) is float and row.entity is None


@given(st.floats(-1e30, 1e30))
def test_a_number_keeps_every_bit(value: float) -> None:
    (row,) = parse(features(amount=value)).rows
    assert row.features is not None and math.copysign(1, row.features[0]) == math.copysign(1, value)
    assert row.features[0] == value


@pytest.mark.parametrize(
    ("document", "code", "where"),
    [
        ([], "invalid_body", "/"),
        ({}, "invalid_body", "/"),
        ({"rows": []}, "invalid_body", "/rows"),
        ({"rows": {}}, "invalid_body", "/rows"),
        ({"rows": [BODY["rows"][0]] * 4}, "invalid_body", "/rows"),
        (BODY | {SECRET: 1}, "invalid_body", "/"),
        (BODY | {"contributions": 1}, "invalid_body", "/contributions"),
        ({"rows": [7]}, "invalid_body", "/rows/0"),
        ({"rows": [{}]}, "invalid_body", "/rows/0"),
        ({"rows": [{"features": FEATURES, SECRET: 1}]}, "invalid_body", "/rows/0"),
        ({"rows": [{"features": FEATURES, "entity": ""}]}, "invalid_body", "/rows/0/entity"),
        ({"rows": [{"features": FEATURES, "entity": None}]}, "invalid_body", "/rows/0/entity"),
        ({"rows": [{"features": FEATURES, "entity": 7}]}, "invalid_body", "/rows/0/entity"),
        ({"rows": [{"features": FEATURES, "entity": "x" * 201}]}, "invalid_body", "/rows/0/entity"),
        ({"rows": [{"features": []}]}, "invalid_input", "/rows/0/features"),
        ({"rows": [{"features": {"amount": 1}}]}, "invalid_input", "/rows/0/features"),
        (features(**{SECRET: 1}), "invalid_input", "/rows/0/features"),
        (features(amount=True), "invalid_input", "/rows/0/features/amount"),
        (features(amount="12"), "invalid_input", "/rows/0/features/amount"),
        (features(amount=[1]), "invalid_input", "/rows/0/features/amount"),
        (features(amount=2**53 + 1), "invalid_input", "/rows/0/features/amount"),
        (features(amount=10**400), "invalid_input", "/rows/0/features/amount"),
        (features(amount=1.0000001e30), "invalid_input", "/rows/0/features/amount"),
        (features(amount=math.nan), "invalid_input", "/rows/0/features/amount"),
        (features(purpose=1), "invalid_input", "/rows/0/features/purpose"),
        (features(purpose=False), "invalid_input", "/rows/0/features/purpose"),
        (features(purpose="x" * 1001), "invalid_input", "/rows/0/features/purpose"),
    ],
)
def test_a_fault_has_a_place_and_repeats_nothing(document: Any, code: str, where: str) -> None:
    with pytest.raises(DataError) as refused:
        parse(document)
    assert (refused.value.code, refused.value.values["where"]) == (f"serving.{code}", where)
    assert SECRET not in str(refused.value)


def test_a_missing_feature_is_counted_and_not_named() -> None:
    with pytest.raises(DataError) as refused:
        parse({"rows": [{"features": {"amount": 1}}]})
    assert "2 of 3" in str(refused.value)
    assert not {"purpose", "ratio"} & set(str(refused.value).replace("/", " ").split())


TENSORS = {
    "id": "q1",
    "inputs": [
        {"name": "ratio", "shape": [2, 1], "datatype": "FP32", "data": [[0.5], [None]]},
        {"name": "amount", "shape": [2], "datatype": "INT64", "data": [3, 4]},
        {"name": "purpose", "shape": [2], "datatype": "BYTES", "data": ["car", None]},
        {"name": "entity", "shape": [2], "datatype": "BYTES", "data": ["A", None]},
    ],
    "outputs": [{"name": "score"}],
}


def test_tensors_are_the_same_rows() -> None:
    wanted, id_, outputs = open_inference.infer_request(TENSORS, INPUTS, 3)
    assert [row.features for row in wanted.rows] == [(3.0, "car", 0.5), (4.0, None, None)]
    assert [row.entity for row in wanted.rows] == ["A", None]
    assert (id_, outputs) == ("q1", ("score",))


def tensor(index: int, **changes: Any) -> Change:
    def change(document: Any) -> Any:
        document["inputs"][index] |= changes
        return document

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda _: [], "/"),
        (lambda document: document | {"id": 7}, "/id"),
        (lambda document: document | {SECRET: 7}, "/"),
        (lambda document: document | {"parameters": {"binary_data_output": True}}, "//parameters"),
        (lambda document: document | {"inputs": []}, "/inputs"),
        (lambda document: document | {"inputs": document["inputs"][:2]}, "/inputs"),
        (
            lambda document: document | {"inputs": [*document["inputs"], document["inputs"][0]]},
            "/inputs/4/name",
        ),
        (lambda document: document | {"outputs": [{"name": SECRET}]}, "/outputs/0"),
        (lambda document: document | {"outputs": [{"name": ["score"]}]}, "/outputs/0"),
        (lambda document: document | {"outputs": 1}, "/outputs"),
        (tensor(0, name=SECRET), "/inputs/0/name"),
        (tensor(0, shape=[3, 1]), "/inputs/0/data"),
        (tensor(0, shape=[1, 2]), "/inputs/0/shape"),
        (tensor(0, shape=[True]), "/inputs/0/shape"),
        (tensor(0, shape=[4]), "/inputs/0/shape"),
        (tensor(1, shape=[1], data=[3]), "/inputs"),
        (tensor(0, datatype="BYTES"), "/inputs/0/datatype"),
        (tensor(0, datatype="BOOL"), "/inputs/0/datatype"),
        (tensor(2, datatype="FP64"), "/inputs/2/datatype"),
        (tensor(1, data=[3, 4.5]), "/inputs/1/data/1"),
        (tensor(1, data=[3, True]), "/inputs/1/data/1"),
        (tensor(0, data=[[0.5], [1e39]]), "/inputs/0/data/1"),
        (tensor(0, data=[[0.5], 1]), "/inputs/0/data"),
        (tensor(0, parameters={"binary_data_size": 8}), "/inputs/0/parameters"),
        (tensor(0, more=1), "/inputs/0"),
    ],
)
def test_a_faulty_tensor_has_a_place_and_repeats_nothing(change: Change, where: str) -> None:
    with pytest.raises(DataError) as refused:
        open_inference.infer_request(change(copy.deepcopy(TENSORS)), INPUTS, 3)
    place = refused.value.values["where"]
    assert place.startswith(where)
    assert SECRET not in str(refused.value)
