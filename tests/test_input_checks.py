"""The rules of the training data for one row; the example of the OpenAPI document keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.data import input_checks
from clearance.documents.training_document import ModelInput, NumberSummary
from clearance.params.data import Column

NUMBER, TEXT = ModelInput(name="n", type="double"), ModelInput(name="t", type="string")
ENDS = st.none() | st.integers(-1000, 1000)


@given(ENDS, ENDS, st.floats(-2000, 2000), st.booleans())
def test_the_example_keeps_every_rule(low: int | None, high: int | None, median: float, whole: bool) -> None:
    if low is not None and high is not None and low > high:
        low, high = high, low
    rules = {
        "n": Column(type="integer" if whole else "number", min=low, max=high, nulls=0),
        "t": Column(type="text", values=["house", "car"], nulls=0),
    }
    inputs = (NUMBER, TEXT)
    numbers = {"n": NumberSummary(median=median, standard_deviation=1.0)}
    example = input_checks.example(inputs, rules, numbers)
    checks = input_checks.of(inputs, rules)
    assert checks.unusual((float(example["n"]), str(example["t"]))) == []


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, Column(nulls=0)),
        (5.1, Column(max=5)),
        (-0.1, Column(min=0)),
        (1.5, Column(type="integer")),
        (3.0, Column(values=[1, 2])),
        ("boat", Column(values=["house", "car"])),
        ("", Column(values=["house"])),
    ],
)
def test_what_breaks_a_rule_is_named_without_its_value(value: float | str | None, rule: Column) -> None:
    column = TEXT if isinstance(value, str) else NUMBER
    ((name, reason),) = input_checks.of([column], {column.name: rule}).unusual((value,))
    assert name == column.name
    assert not value or str(value) not in reason


@pytest.mark.parametrize(
    ("value", "rule"),
    [(None, Column(nulls=0.5)), (None, Column()), (5.0, Column(min=5, max=5)), (2.0, Column(values=[1, 2]))],
)
def test_what_keeps_a_rule_is_not_named(value: float | None, rule: Column) -> None:
    assert input_checks.of([NUMBER], {"n": rule}).unusual((value,)) == []
