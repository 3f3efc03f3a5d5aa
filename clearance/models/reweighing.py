"""Reweighing: row weights that make the outcome independent of the protected groups.

F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination", Knowl.
Inf. Syst. 33 (2012) 1-33. It changes no row and no label, and does not check whether the weights were enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.documents.group_names import MISSING
from clearance.models.mitigation_spec import MitigationSpec, RowWeights


def reweigh(protected: pd.DataFrame, label: npt.NDArray[np.integer[Any]]) -> RowWeights:
    """Weigh n rows over the intersection of all protected attributes: expected rows over actual rows.

    `protected` has n rows and one column of group names per attribute; `label` is 0 or 1. A cell's weight
    is `rows of the group * rows of the label / (all rows * rows of the cell)`: 1 where group and label are
    independent already, above 1 where the cell is rarer than that.
    """
    names = list(protected.columns)
    groups = protected.astype(object).where(protected.notna(), MISSING)
    codes = groups.groupby(names, sort=True, observed=True).ngroup().to_numpy()
    counts = np.bincount(2 * codes + label, minlength=2 * (codes.max(initial=-1) + 1)).reshape(-1, 2)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(1, counts.sum())
    weights = np.divide(expected, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    keys = groups.drop_duplicates().sort_values(names).to_dict("records")
    return RowWeights(
        weights=weights[codes, label],
        cells=[
            {
                "group": {str(name): str(value) for name, value in key.items()},
                "rows": {"favourable": int(rows[1]), "unfavourable": int(rows[0])},
                "weight": {
                    "favourable": _number_or_none(weight[1]),
                    "unfavourable": _number_or_none(weight[0]),
                },
            }
            for key, rows, weight in zip(keys, counts, weights, strict=True)
        ],
        one_sided=[
            ", ".join(str(value) for value in key.values())
            for key, rows in zip(keys, counts, strict=True)
            if 0 in rows
        ],
    )


def _number_or_none(weight: float) -> float | None:
    return None if np.isnan(weight) else float(weight)


SPEC = MitigationSpec(
    needs_protected_at_decision=False,
    needs_weights=True,
    ships="the estimator fitted on weighed rows",
    weigh=reweigh,
)
