"""Errors by their stable code, never by their sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clearance.errors import ClearanceError


@contextmanager
def raises(code: str, **values: Any) -> Iterator[pytest.ExceptionInfo[ClearanceError]]:
    """Expect a ClearanceError with this code, whose values are among others these."""
    with pytest.raises(ClearanceError) as error:
        yield error
    assert error.value.code == code, error.value
    assert {name: error.value.values.get(name) for name in values} == values
