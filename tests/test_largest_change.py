"""What an alarm says changed most is what changed most, whatever the column."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.baseline_document import FeatureBins
from clearance.monitoring.figures import largest_change

NUMBERS = FeatureBins(kind="number", edges=(1.0, 2.5))
CITIES = FeatureBins(kind="category", categories=("Ústí, nad Labem 🚀", "Brno"))


def words(bins: FeatureBins, before: list[int], live: list[int]) -> str:
    return largest_change.words(np.array(live), np.array(before), bins)


def test_the_cell_is_named_with_its_shares() -> None:
    assert words(NUMBERS, [50, 30, 20, 0, 0], [0, 5, 95, 0, 0]) == "above 2.5 20.0% → 95.0%"
    assert words(NUMBERS, [50, 30, 20, 0, 0], [0, 0, 0, 100, 0]).startswith("not a number 0")
    assert words(NUMBERS, [50, 30, 20, 0, 0], [30, 20, 10, 0, 40]) == "missing 0.0% → 40.0%"
    assert words(CITIES, [10, 90, 0, 0], [60, 40, 0, 0]) == "`Ústí, nad Labem 🚀` 10.0% → 60.0%"
    assert words(CITIES, [10, 90, 0, 0], [8, 62, 30, 0]).startswith("a category that the reference does not")


COUNTS = st.lists(st.integers(0, 50), min_size=5, max_size=5).filter(any)


@given(COUNTS, COUNTS)
def test_no_other_share_changed_more(before: list[int], live: list[int]) -> None:
    said = words(NUMBERS, before, live)
    old, new = (np.array(counts) / sum(counts) for counts in (before, live))
    shares = {
        "missing": (old[4], new[4]),
        "not a number": (old[3], new[3]),
        "above 1": (old[1:3].sum(), new[1:3].sum()),
        "above 2.5": (old[2], new[2]),
    }
    name = next(name for name in shares if said.startswith(f"{name} "))
    largest = max(abs(one - other) for one, other in shares.values())
    assert abs(shares[name][1] - shares[name][0]) >= largest - 1e-12
