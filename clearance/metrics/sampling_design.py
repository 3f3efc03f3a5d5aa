"""How rows were sampled: the weight of each, which belong together, and how much evidence they give.

Intervals over rows that are not a simple random sample use it; no rate, no limit. Sources: J. N. K. Rao and
A. J. Scott, Biometrics 48 (1992) 577-585; E. L. Korn and B. I. Graubard, Survey Methodol. 24 (1998) 193-201.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from clearance.metrics import faults

if TYPE_CHECKING:
    from clearance import params
    from clearance.data.tables import prepared

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FEWEST = 10
"""Clusters below which no interval is given.

An engineering choice above the 8 degrees of freedom that the standards for proportions of the US National
Center for Health Statistics ask for (J. D. Parker et al., Vital Health Stat. 2(175), 2017).
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """What is declared of n rows: `weights` (n,) above 0, and `at` (n,), each row's cluster from 0 up.

    `weight` and `cluster` are the declared columns. Without either, rows are taken as independent.
    """

    weight: str | None = None
    cluster: str | None = None
    weights: Floats | None = None
    at: Codes | None = None

    @property
    def independent(self) -> bool:
        """Whether each row counts for one, and for itself alone."""
        return self.weights is None and self.at is None

    @property
    def clusters(self) -> int | None:
        """How many clusters the rows come from; None without a declared cluster."""
        return None if self.at is None else int(self.at.max(initial=-1)) + 1

    @property
    def statement(self) -> str:
        """How the rows are taken, in the words of every document."""
        parts = [] if self.weight is None else [f"rows weigh by `{self.weight}`"]
        if self.cluster is None:
            return (
                " and ".join([*parts, "are taken as independent"])
                if parts
                else "rows are taken as independent"
            )
        return "; ".join([*parts, f"resampled by `{self.cluster}`, {self.clusters} clusters"])

    def describe(self) -> dict[str, Any]:
        """The declaration as it stands in an evidence document."""
        description: dict[str, Any] = {
            "statement": self.statement,
            "weight": self.weight,
            "cluster": self.cluster,
        }
        if self.weights is not None:
            description["weight_sum"] = float(self.weights.sum())
        return description if self.at is None else description | {"clusters": self.clusters}

    def of_each(self, rows: int) -> tuple[Floats, Codes]:
        """A weight and a cluster for each of `rows` rows: 1 and the row itself where none is declared."""
        weights = np.ones(rows) if self.weights is None else self.weights
        return weights, np.arange(rows) if self.at is None else self.at


INDEPENDENT = Design()
"""Rows that each count for one, none of which depends on another."""


def declared(data: params.Data, rows: prepared.Prepared) -> Design:
    """The design of these rows as `data` declares it.

    Raises IntegrityError when the prepared tables do not hold what is declared, or hold what is not.
    """
    for role, column, values in (
        ("weight", data.weight, rows.weight),
        ("cluster", data.cluster, rows.cluster),
    ):
        if (column is None) != (values is None):
            raise faults.SAMPLING_DIFFERS(role=role)
    at = None if rows.cluster is None else np.unique(rows.cluster, return_inverse=True)[1].astype(np.int64)
    return Design(weight=data.weight, cluster=data.cluster, weights=rows.weight, at=at)


@lru_cache(maxsize=4096)
def worth(rows: int, clusters: int, confidence: float) -> float:
    """What is left of effective rows when a variance rests on `clusters` instead of on `rows` values.

    In (0, 1]: 1 where each row is its own cluster. Corrects the variance by clusters / (clusters - 1), and
    the normal quantile at `confidence` by the ratio of the t quantiles, as Korn and Graubard do.
    """
    if clusters >= rows:
        return 1.0
    if clusters < 2:
        return 0.0
    ends = [float(stats.t.ppf((1 + confidence) / 2, free - 1)) for free in (rows, clusters)]
    return (ends[0] / ends[1]) ** 2 * (1 - 1 / clusters) / (1 - 1 / rows)


def strictest(confidence: float, groups: int) -> float:
    """The level of one pair of `groups` where two rates are bounded at once: no comparison asks for more."""
    return 1 - (1 - confidence) / (2 * max(1, groups * (groups - 1) // 2))


def shared(covariance: Floats, signs: npt.ArrayLike) -> float:
    """By how much a sum of estimates that share clusters varies more than if they did not, at most.

    `covariance` (..., m, m) is of m estimates, `signs` (m,) is 1 where one is added and -1 where it is taken
    off. At least 1; the largest of the leading axes. It bounds every sum with such signs: the largest
    eigenvalue of the correlations that widen it (those that narrow it are left out, so nothing ever narrows).
    """
    spread = np.sqrt(np.einsum("...ii->...i", covariance))
    scale = spread[..., :, None] * spread[..., None, :]
    correlation = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    sign = np.asarray(signs, dtype=np.float64)
    widening = np.maximum(sign[:, None] * sign[None, :] * correlation, 0.0)
    widening[..., range(len(sign)), range(len(sign))] = 1.0
    return max(1.0, float(np.linalg.eigvalsh(widening).max(initial=1.0)))
