"""Long matrices: a fixed part of the cases in the suite, all of them with `CLEARANCE_NIGHTLY=1`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

Case = TypeVar("Case")
NIGHTLY = bool(os.environ.get("CLEARANCE_NIGHTLY"))


def every_third(cases: Iterable[Case]) -> Sequence[Case]:
    """All cases in a nightly run; otherwise the first, every third after it, and the last."""
    all_cases = list(cases)
    if NIGHTLY:
        return all_cases
    return [case for place, case in enumerate(all_cases) if place % 3 == 0 or place == len(all_cases) - 1]
