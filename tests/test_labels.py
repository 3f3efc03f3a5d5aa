"""One value has one canonical text, whether one value or a whole column of Arrow is written."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import labels
from clearance.data.tables import row_ids


@given(st.floats() | st.integers(-(2**62), 2**62) | st.booleans() | st.text())
def test_a_value_is_written_as_its_column_writes_it(value: bool | int | float | str) -> None:
    assert labels.text(value) == row_ids.canonical(pa.array([value]))[0].as_py()


@pytest.mark.parametrize("other", [1, 1.0, True, "1"])
def test_one_outcome_in_several_types_is_the_same(other: bool | int | float | str) -> None:
    assert labels.same(1, other)
    assert not labels.same(0, other)


def test_a_missing_value_is_none() -> None:
    assert labels.text(None) is None and labels.text(math.nan) is None
