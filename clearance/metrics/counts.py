"""Decisions as a small table of counts: group x label x decision, from one pass over the rows.

Every group figure is computed from these counts; tables of disjoint rows add up. No rate, no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clearance.documents.group_names import MISSING
from clearance.metrics import faults

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The rows of one group by label and decision."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The four counts: true positive, false positive, false negative, true negative."""
        return self.true_positive, self.false_positive, self.false_negative, self.true_negative

    @property
    def count(self) -> int:
        """All rows of the group."""
        return self.favourable + self.unfavourable

    @property
    def selected(self) -> int:
        """Rows decided favourably."""
        return self.true_positive + self.false_positive

    @property
    def favourable(self) -> int:
        """Rows labelled favourable."""
        return self.true_positive + self.false_negative

    @property
    def unfavourable(self) -> int:
        """Rows labelled unfavourable."""
        return self.false_positive + self.true_negative


Groups = Mapping[str, Cells]


def count(
    attribute: pd.Series,
    label: npt.NDArray[np.integer],
    decision: npt.NDArray[np.bool_],
    required: Iterable[str],
) -> dict[str, Cells]:
    """Count the rows of each group by name, every `required` group included, unnamed rows as `MISSING`.

    All three columns have the same n rows: group name or null, label 0 or 1, decision. Raises DataError when
    a group has the name that stands for a missing one.
    """
    if MISSING in (required := set(required)) or attribute.isin([MISSING]).any():
        raise faults.RESERVED_GROUP_NAME(attribute=attribute.name, group=MISSING)
    codes, names = attribute.factorize(sort=True)
    table = np.bincount(
        4 * (codes + 1) + 2 * label.astype(np.int64) + decision, minlength=4 * (len(names) + 1)
    ).reshape(-1, 4)
    cells = dict.fromkeys(sorted(required), Cells())
    for name, (tn, fp, fn, tp) in zip([MISSING, *map(str, names)], table.tolist(), strict=True):
        if tn + fp + fn + tp:
            cells[name] = Cells(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)
    return dict(sorted(cells.items()))
