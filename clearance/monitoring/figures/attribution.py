"""Attribution drift: whether features still matter in the order in which they did in the evidence.

The mean absolute contributions of the window put the features in an order; nDCG says how well that agrees
with the profile of the evidence. Its null: every mean lies within its own interval, all at once, whatever
the correlation of contributions; the best and the worst order that such means allow bound the agreement.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring.counting.window_counts import Contributions, WindowCounts
from clearance.monitoring.figures import estimates
from clearance.monitoring.figures.estimates import Estimate, Figure, Interval, Undefined

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

ASSUMPTION = "the profile of the evidence is taken as it is; means of contributions are nearly normal"
DRAWS = 2_000
SEED = 20_260_101
_FARTHEST = 60.0


def measure(window: WindowCounts, baseline: BaselineDocument) -> Figure:
    """The nDCG of the window's order of features against the profile of the evidence, in [0, 1].

    1: the same order, or one that differs in nothing that matters. Not evaluated for a version without a
    profile, or a window without contributions of one of its features; undefined with fewer than two rows.
    """
    profile = baseline.attribution
    if not profile or not any(profile.values()):
        reason = "the evidence has no contributions of features"
        return Undefined(undefined=reason, rows=window.rows, evaluated=False)
    if absent := sorted(set(profile) - set(window.contributions)):
        reason = f"the window has no contributions of {', '.join(absent)}"
        return Undefined(undefined=reason, rows=window.rows, evaluated=False)
    live = [window.contributions[name] for name in profile]
    rows = min(part.rows for part in live)
    if rows < 2:
        return Undefined(undefined=f"contributions of {rows} rows have no spread", rows=rows)
    agreement = Agreement(
        profile=np.array(list(profile.values())),
        means=np.array([part.total / part.rows for part in live]),
        errors=np.array([_error(part) for part in live]),
        rows=rows,
    )
    return Estimate(
        value=agreement.value,
        rows=rows,
        bounds=lambda confidence: agreement.ends(1 - confidence),
        above=agreement.p_above,
        below=agreement.p_below,
        assumption=estimates.assuming(ASSUMPTION),
        chance=agreement.chance,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """The `profile` of the evidence, the live `means` of its features with their standard `errors`."""

    profile: Numbers
    means: Numbers
    errors: Numbers
    rows: int

    @property
    def value(self) -> float:
        """nDCG: K. Jarvelin and J. Kekalainen, ACM Trans. Inf. Syst. 20 (2002) 422-446; ties share places."""
        return float(ndcg(self.profile, self.means))

    def ends(self, error: float) -> Interval:
        """The worst and the best agreement of means that all lie in their intervals, save with `error`."""
        return self._ends(float(special.stdtrit(self.rows - 1, 1 - error / (2 * len(self.means)))))

    def p_below(self, limit: float) -> float:
        """The smallest error with which no order that the means allow agrees so well as `limit`."""
        return self._p_value(lambda reach: self._ends(reach)[1] < limit)

    def p_above(self, limit: float) -> float:
        """The smallest error with which every order that the means allow agrees better than `limit`."""
        return self._p_value(lambda reach: self._ends(reach)[0] > limit)

    def chance(self, limit: float) -> float:
        """How often the plain value is below `limit` if the true means are those of the profile. By draws."""
        random = np.random.default_rng(SEED)
        drawn = random.normal(self.profile, self.errors, size=(DRAWS, len(self.profile)))
        return float(np.mean(ndcg(self.profile, drawn) < limit))

    def _p_value(self, beyond: Callable[[float], bool]) -> float:
        """By bisection: the wider the intervals, the less is beyond a limit."""
        if not beyond(0.0):
            return 1.0
        near, far = 0.0, _FARTHEST
        if beyond(far):
            near = far
        while far - near > 1e-3:
            middle = (near + far) / 2
            near, far = (middle, far) if beyond(middle) else (near, middle)
        return min(1.0, 2 * len(self.means) * float(special.stdtr(self.rows - 1, -near)))

    def _ends(self, reach: float) -> Interval:
        low, high = self.means - reach * self.errors, self.means + reach * self.errors
        above = (low[None, :] > high[:, None]).sum(axis=1)
        below = (high[None, :] < low[:, None]).sum(axis=1)
        return _worst(self.profile, below), _best(self.profile, above)


def ndcg(profile: Numbers, means: Numbers) -> Numbers:
    """The gain of the order of `means` (..., features) in `profile`, over that of its own order: [0, 1]."""
    places = stats.rankdata(-means, method="min", axis=-1)
    last = stats.rankdata(-means, method="max", axis=-1)
    sums = np.concatenate([[0.0], np.cumsum(_discounts(len(profile)))])
    shared = (sums[last] - sums[places - 1]) / (last - places + 1)
    gain: Numbers = (shared * profile).sum(axis=-1) / _ideal(profile)
    return gain


def _best(profile: Numbers, above: Places) -> float:
    """The largest agreement where at least so many features come before each: the greedy choice is best."""
    return _greedy(profile, above, _discounts(len(profile)))


def _worst(profile: Numbers, below: Places) -> float:
    """The smallest agreement where at least so many features come after each: from the last place on."""
    return _greedy(profile, below, _discounts(len(profile))[::-1])


def _greedy(profile: Numbers, before: Places, discounts: Numbers) -> float:
    """The gain where each place goes to the largest feature that may have it already."""
    waiting = sorted(range(len(profile)), key=lambda feature: -before[feature])
    open_features: list[float] = []
    gain = 0.0
    for place, discount in enumerate(discounts.tolist()):
        while waiting and before[waiting[-1]] <= place:
            heapq.heappush(open_features, -float(profile[waiting.pop()]))
        gain -= discount * heapq.heappop(open_features)
    return min(1.0, gain / _ideal(profile))


def _discounts(features: int) -> Numbers:
    discounts: Numbers = 1 / np.log2(np.arange(2, features + 2))
    return discounts


def _ideal(profile: Numbers) -> float:
    return float(np.sort(profile)[::-1] @ _discounts(len(profile)))


def _error(part: Contributions) -> float:
    """The standard error of the mean, from the sums of values and of squares."""
    mean = part.total / part.rows
    variance = max(0.0, part.squares / part.rows - mean * mean) * part.rows / (part.rows - 1)
    return math.sqrt(variance / part.rows)
