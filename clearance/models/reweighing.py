"""Reweighing: rows weigh so that the outcome is independent of the protected groups they belong to.

F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination",
Knowl. Inf. Syst. 33 (2012) 1-33. It changes no row and no label, and does not say whether it sufficed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.documents.group_names import MISSING


@dataclass(frozen=True, kw_only=True)
class Reweighing:
    """A weight for each row, and the table it came from.

    `weights` has one positive float64 per row and sums to their number when no cell is empty. `cells` has
    one entry per group that occurs: its values by attribute, and rows and weight by label (weight None
    where there are no rows). `one_sided` lists the groups that have rows of one label only: no weight can
    make their outcome independent of the group.
    """

    weights: npt.NDArray[np.float64]
    cells: list[dict[str, Any]]
    one_sided: list[str]


def reweigh(protected: pd.DataFrame, label: npt.NDArray[np.integer[Any]]) -> Reweighing:
    """Weigh n rows over the intersection of all protected attributes: rows expected over rows found.

    `protected` has n rows and one column of group names per attribute; `label` is 0 or 1. A cell's weight
    is `rows of the group * rows of the label / (all rows * rows of the cell)`: 1 where group and label are
    independent already, above 1 where the cell is rarer than that.
    """
    names = list(protected.columns)
    groups = protected.astype(object).where(protected.notna(), MISSING)
    codes = groups.groupby(names, sort=True, observed=True).ngroup().to_numpy()
    found = np.bincount(2 * codes + label, minlength=2 * (codes.max(initial=-1) + 1)).reshape(-1, 2)
    expected = np.outer(found.sum(axis=1), found.sum(axis=0)) / max(1, found.sum())
    weights = np.divide(expected, found, out=np.full(found.shape, np.nan), where=found > 0)
    keys = groups.drop_duplicates().sort_values(names).to_dict("records")
    return Reweighing(
        weights=weights[codes, label],
        cells=[
            {
                "group": {str(name): str(value) for name, value in key.items()},
                "rows": {"favourable": int(rows[1]), "unfavourable": int(rows[0])},
                "weight": {"favourable": _plain(weight[1]), "unfavourable": _plain(weight[0])},
            }
            for key, rows, weight in zip(keys, found, weights, strict=True)
        ],
        one_sided=[
            ", ".join(str(value) for value in key.values())
            for key, rows in zip(keys, found, strict=True)
            if 0 in rows
        ],
    )


def _plain(weight: float) -> float | None:
    return None if np.isnan(weight) else float(weight)
