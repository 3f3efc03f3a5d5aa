"""`pytest.raises` for an error by its stable code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clearance.errors import ClearanceError


@contextmanager
def raises_code(code: str, **values: object) -> Iterator[list[ClearanceError]]:
    """Expect an error with this code, filled with at least these values (compared as text).

    Afterwards the list holds the error.
    """
    errors: list[ClearanceError] = []
    with pytest.raises(ClearanceError) as caught:
        yield errors
    errors.append(caught.value)
    assert caught.value.code == code, caught.value
    assert {key: str(caught.value.values[key]) for key in values} == {
        key: str(value) for key, value in values.items()
    }
