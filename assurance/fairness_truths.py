"""Fairness truths: groups whose scores, labels and decisions have known chances, and rows drawn from them.

The logit of a group's scores is normal; the chance of a favourable label is logistic in it, so that scores
are calibrated, too bold, too shy or shifted. Every metric's true value follows by summing over a fine grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from clearance.metrics import entropy

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRATA = ((20, 29), (30, 99), (100, 499), (500, 5000))
"""Rows of the smallest group of a truth, both ends included."""
BINS = 10
_EDGES = np.unique(
    np.concatenate([np.linspace(-14, 14, 2801), special.logit(np.arange(1, BINS) / BINS), [-np.inf, np.inf]])
)
_MIDDLES = np.concatenate([[_EDGES[1]], (_EDGES[1:-2] + _EDGES[2:-1]) / 2, [_EDGES[-2]]])
_BIN = np.searchsorted(np.arange(1, BINS) / BINS, special.expit(_MIDDLES), side="right")


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """One model seen by 2 to 6 groups; every array has a number per group. A score of 0.5 is favourable.

    `label_above` and `label_below` replace the chance of a favourable label among those decided favourably
    and unfavourably, where they are not NaN: at 0 and 1 they leave cells of the table empty.
    """

    sizes: Ints
    mean: Array
    spread: Array
    slope: Array
    shift: Array
    label_above: Array
    label_below: Array

    def chance(self, logit: Array, group: Ints) -> Array:
        """The chance of a favourable label at these logits of the score, in these groups."""
        logistic = special.expit(self.shift[group] + self.slope[group] * logit)
        fixed = np.where(logit >= 0, self.label_above[group], self.label_below[group])
        return np.where(np.isnan(fixed), logistic, fixed)


def sizes(random: np.random.Generator, stratum: tuple[int, int], groups: int) -> Ints:
    """Rows of each group: the first has the fewest, the others either as few or up to 5,000."""
    low, high = stratum
    most = high if random.random() < 0.5 else STRATA[-1][1]
    first = random.integers(low, high + 1)
    others = np.exp(random.uniform(np.log(first), np.log(most), groups - 1)).astype(np.int64)
    return np.concatenate([[first], np.maximum(others, first)])


def draw(random: np.random.Generator, stratum: tuple[int, int]) -> Truth:
    """A truth whose smallest group lies in the stratum.

    A third treats all groups alike; in a quarter the scores are calibrated; a quarter are of strong models,
    whose areas and rates lie near 1; in a fifth the smallest group has structurally empty cells: nobody
    decided favourably, no or only favourable labels, no error of one kind.
    """
    groups = int(random.integers(2, 7))
    spread = random.uniform(0.7, 2.5, groups)
    rate = random.uniform(0.03, 0.97, groups)
    kind = random.random()
    plain, strong = kind < 1 / 4, kind > 3 / 4
    slope = np.ones(groups) if plain else random.uniform(*((3, 9) if strong else (0.3, 1.6)), groups)
    shift = np.zeros(groups) if plain else random.uniform(-1, 1, groups)
    parts = [spread * special.ndtri(rate), spread, slope, shift]
    above, below = np.full(groups, np.nan), np.full(groups, np.nan)
    if random.random() < 1 / 3:
        parts = [np.repeat(part[:1], groups) for part in parts]
    elif random.random() < 0.3:
        empty = random.integers(5)
        if empty == 0:
            parts[0][0] = -9 * spread[0]
            below[0] = 0.3
        elif empty in (1, 2):
            above[0] = below[0] = empty - 1
        elif empty == 3:
            above[0] = 1
        else:
            below[0] = 0
    mean, spread, slope, shift = parts
    return Truth(
        sizes=sizes(random, stratum, groups),
        mean=mean,
        spread=spread,
        slope=slope,
        shift=shift,
        label_above=above,
        label_below=below,
    )


def sample(random: np.random.Generator, truth: Truth) -> tuple[Ints, npt.NDArray[np.int8], Array]:
    """Group, label and score of every row."""
    group = np.repeat(np.arange(len(truth.sizes)), truth.sizes)
    logit = random.normal(truth.mean[group], truth.spread[group])
    label = (random.random(len(group)) < truth.chance(logit, group)).astype(np.int8)
    return group, label, special.expit(logit)


def values(truth: Truth, reference: int) -> tuple[dict[str, float], dict[str, Array]]:
    """The true value of every metric, NaN where it has none, and the three true rates of each group."""
    mass = np.diff(special.ndtr((_EDGES - truth.mean[:, None]) / truth.spread[:, None]), axis=1)
    chance = truth.chance(_MIDDLES, np.arange(len(truth.sizes))[:, None])
    favourable, other = mass * chance, mass * (1 - chance)
    decided = _MIDDLES >= 0
    tp, fn = favourable[:, decided].sum(axis=1), favourable[:, ~decided].sum(axis=1)
    fp, tn = other[:, decided].sum(axis=1), other[:, ~decided].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = {
            "selection_rate": tp + fp,
            "true_positive_rate": tp / (tp + fn),
            "false_positive_rate": fp / (fp + tn),
        }
        areas = (favourable * (np.cumsum(other, axis=1) - other / 2)).sum(axis=1) / (tp + fn) / (fp + tn)
        figures = _of_rates(*rates.values(), reference)  # type: ignore[call-arg]
        predictive, accuracy, above = tp / (tp + fp), tp + tn, _above_median(truth)
    surplus = favourable - mass * special.expit(_MIDDLES)
    errors = sum(np.abs(surplus[:, at == _BIN].sum(axis=1)) for at in range(BINS))
    cells = np.stack([tp, fp, fn, tn], axis=1) * truth.sizes[:, None]
    indices = {
        "theil_index": entropy.theil,
        "generalized_entropy_index": entropy.generalized_entropy,
        "between_group_theil_index": entropy.between_group_theil,
        "between_group_generalized_entropy_index": entropy.between_group_generalized_entropy,
    }
    figures |= {
        "predictive_parity_difference": np.ptp(predictive),
        "accuracy_difference": np.ptp(accuracy),
        "accuracy_lowest": accuracy.min(),
        "scoring_rate_ratio": above.min() / above.max(),
        "roc_auc_difference": np.ptp(areas),
        "calibration_error_highest": np.max(errors),
    } | {name: index(cells) for name, index in indices.items()}
    return {name: float(value) for name, value in figures.items()}, rates


def _of_rates(selected: Array, true: Array, false: Array, reference: int) -> dict[str, np.floating]:
    ratio = {name: rates.min() / rates.max() for name, rates in (("s", selected), ("t", true), ("f", false))}
    return {
        "demographic_parity_difference": np.ptp(selected),
        "demographic_parity_ratio": ratio["s"],
        "disparate_impact_best_group": ratio["s"],
        "disparate_impact_reference_group": np.delete(selected, reference).min() / selected[reference],
        "equal_opportunity_difference": np.ptp(true),
        "false_positive_rate_difference": np.ptp(false),
        "false_negative_rate_difference": np.ptp(true),
        "true_negative_rate_difference": np.ptp(false),
        "average_odds_difference": np.ptp((true + false) / 2),
        "equalized_odds_difference": np.max([np.ptp(true), np.ptp(false)]),
        "equalized_odds_ratio": np.min([ratio["t"], ratio["f"]]),
        "true_positive_rate_lowest": true.min(),
    }


def _above_median(truth: Truth) -> Array:
    """The share of each group that scores above the median of all rows."""

    def share(logit: float) -> Array:
        return special.ndtr((truth.mean - logit) / truth.spread)

    middle = optimize.brentq(lambda logit: float(truth.sizes @ (share(logit) - 0.5)), -50, 50)
    return share(middle)
