"""In words, what changed most in a column: for the reader of an alarm, who must know where to look. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from clearance import wording
from clearance.documents.baseline_document import FeatureBins
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.monitoring.counting.window_counts import Counts

_LONGEST = 60
"""Most characters of a category that are quoted."""


def told(finding: LiveFinding, live: Counts, reference: Counts, bins: FeatureBins) -> LiveFinding:
    """The finding; where it fails, its sentence ends with what changed most in the column."""
    if finding.outcome is not Outcome.FAIL or not (live.sum() and reference.sum()):
        return finding
    return replace(finding, reason=f"{finding.reason}; most: {words(live, reference, bins)}")


def words(live: Counts, reference: Counts, bins: FeatureBins) -> str:
    """The share that changed most, such as `missing 0.0% → 30.0%` or `above 93.5 10.0% → 95.0%`.

    It is that of a category, of the missing or other values, or of the numbers above an edge of the bins, in
    all rows. Both counts are by cell, and neither is empty.
    """
    now, before = live / live.sum(), reference / reference.sum()
    shares = [
        (name, float(before[cells].sum()), float(now[cells].sum())) for name, cells in _parts(bins, len(live))
    ]
    name, old, new = max(shares, key=lambda share: abs(share[2] - share[1]))
    return f"{name} {wording.percent(old)} → {wording.percent(new)}"


def _parts(bins: FeatureBins, size: int) -> Iterator[tuple[str, slice]]:
    missing, other = slice(size - 1, size), slice(size - 2, size - 1)
    yield "missing", missing
    if bins.kind == "category":
        yield "a category that the reference does not have", other
        for place, category in enumerate(bins.categories):
            yield f"`{textwrap.shorten(category, _LONGEST)}`", slice(place, place + 1)
    else:
        yield "not a number", other
        for place, edge in enumerate(bins.edges):
            yield f"above {edge:.6g}", slice(place + 1, size - 2)
