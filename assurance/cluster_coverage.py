"""What intervals of rows in clusters cover, against those that take rows as independent. Nothing is timed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.metrics import contingency, count_rows, fairness
from clearance.metrics.sampling_design import INDEPENDENT, Design

TRIALS, SIZE, RATE, ALIKE = 2000, 20, 0.3, 0.2
METRIC = "demographic_parity_difference"


def apart(clusters: int, random: np.random.Generator) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """Each cluster holds one of two groups and has a rate of its own: a correlation of `ALIKE` within."""
    at = np.repeat(np.arange(clusters), SIZE)
    spread = (1 - ALIKE) / ALIKE
    own = random.beta(RATE * spread, (1 - RATE) * spread, clusters)
    return np.where(at % 2, "A", "B"), random.random(len(at)) < own[at]


def rival(clusters: int, random: np.random.Generator) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """Each cluster holds both groups and favours one of them, by chance."""
    at = np.repeat(np.arange(clusters), SIZE)
    group = np.where(random.random(len(at)) < 0.5, "A", "B")
    favoured = np.where(random.random(clusters) < 0.5, "A", "B")[at] == group
    return group, random.random(len(at)) < np.where(favoured, 1.6 * RATE, 0.4 * RATE)


def run(_: Path, _seeds: Sequence[int], _write: bool) -> int:
    """Two groups of the same true rate: print how often a 95 % interval of their difference holds 0.

    Returns 0: the figures stand in decision 0010, which sets no bar.
    """
    for draw in (apart, rival):
        for clusters in (20, 40, 100):
            random = np.random.default_rng(clusters)
            how = Design(cluster="c", at=np.repeat(np.arange(clusters), SIZE))
            coverage = np.zeros(2)
            for _trial in range(TRIALS):
                group, decisions = draw(clusters, random)
                encoding = contingency.encode(pd.DataFrame({"group": group.astype(object)}))
                for place, design in enumerate((how, INDEPENDENT)):
                    counts = count_rows.count(encoding, random.integers(0, 2, len(group)), decisions, design)
                    gap = fairness.measure(counts.groups(["group"], (), 0.95), 0.95)[METRIC]
                    coverage[place] += gap.low == 0
            by, naive = coverage / TRIALS
            print(
                f"{draw.__name__}, {clusters} clusters: held {by:.1%} by cluster, {naive:.1%} as independent"
            )
    return 0
