"""Rows counted by group, label and decision in the way that they were drawn: plainly, by weight, by cluster.

One place that hands out the groups of any attribute or intersection. No rate, no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.metrics import clusters, contingency, intersections
from clearance.metrics.contingency import Encoding, Table
from clearance.metrics.rates import Group
from clearance.metrics.sampling_design import Design

Labels = npt.NDArray[np.integer]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Rows counted by their finest groups, label and decision; by cluster too where they have one."""

    table: Table
    spread: clusters.Spread | None

    def groups(self, over: Sequence[str], required: Iterable[str], confidence: float) -> dict[str, Group]:
        """The groups of the intersection of `over` by name, every one in `required` included."""
        if self.table.weight is None:
            plain: dict[str, Group] = {**intersections.groups(self.table, over, required)}
        else:
            plain = {**intersections.weighted_groups(self.table, over, required)}
        if self.spread is None:
            return plain
        return {**clusters.groups(self.of(over), plain, confidence)}

    def of(self, over: Sequence[str]) -> clusters.Spread:
        """How the groups of the intersection of `over` spread over clusters, where there are clusters."""
        if self.spread is None:
            raise ValueError("the rows have no clusters")
        return clusters.margin(self.spread, *intersections.codes_of(self.table, over))


def count(encoding: Encoding, label: Labels, decision: npt.NDArray[np.bool_], design: Design) -> Counted:
    """Count n rows whose groups are numbered already."""
    return Counted(
        table=contingency.count(encoding, label, decision, weights=design.weights),
        spread=None if design.at is None else clusters.count(encoding, label, decision, design),
    )
