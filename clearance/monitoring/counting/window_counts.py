"""The counts of one window: everything that a look reads about live decisions.

Sums of hourly counts, of one version; adding two of them gives the counts of both windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""One count a cell, in the order of `FeatureBins`."""

Groups = tuple[tuple[str, str | None], ...]
"""The group of a decision by protected attribute; None where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """Sums over `rows` decisions of the absolute contribution of a feature, and of its square."""

    rows: int
    total: float
    squares: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowCounts:
    """The counts of a window.

    `features` and `score` are cells of the baseline. `decisions` are counts by (groups, score cell, decision
    1 for favourable), `labelled` by (groups, score cell, decision, label 1 for favourable): late labels add
    there. `by_day` are the counts of each feature by calendar day of the policy's time zone, for the variance
    between days. `repeated` are decisions whose whole input came before in the same hour. `violations` are
    rows that break a blocking column rule, `skew_tried` and `skewed` the rows that were computed again and
    those that differed. `named` are decisions that name their entity, `replayed` those of them whose entity
    and whole input came before in another hour. `quiet_hours` are hours of the window without any decision.
    `sizes` are counts of numbers by power of ten of their size, for changes of units.
    """

    rows: int
    features: Mapping[str, Counts]
    score: Counts
    decisions: Mapping[tuple[Groups, int, int], int] = field(default_factory=dict)
    labelled: Mapping[tuple[Groups, int, int, int], int] = field(default_factory=dict)
    by_day: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)
    sizes: Mapping[str, Counts] = field(default_factory=dict)
    contributions: Mapping[str, Contributions] = field(default_factory=dict)
    repeated: int = 0
    violations: int = 0
    skew_tried: int = 0
    skewed: int = 0
    named: int = 0
    replayed: int = 0
    quiet_hours: int = 0
