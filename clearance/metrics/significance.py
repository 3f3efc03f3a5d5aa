"""Whether two groups' rates differ by more than chance: the tests an auditor expects, and exact bounds.

A small p-value says that there is a gap, never how large it is; nothing is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scipy import special, stats

from clearance.documents.group_names import MISSING
from clearance.metrics import counts, intervals, rates
from clearance.metrics.rates import Group

_INEXACT = "Fisher's test needs independent rows that count for one each"


def clopper_pearson(successes: float, total: float, confidence: float) -> intervals.Interval:
    """Exact bounds on a rate: they cover it at least as often as `confidence`, at any count.

    Both ends lie in [0, 1] and enclose `successes / total`; wider than Wilson's. Raises ValueError on counts
    that cannot be. Sources: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413; on effective
    numbers of rows E. L. Korn and B. I. Graubard, Survey Methodol. 24 (1998) 193-201.
    """
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} successes in {total} rows is not a valid count")
    tail, failures = (1 - confidence) / 2, total - successes
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, failures + 1, tail))
    high = 1.0 if failures == 0 else float(special.betaincinv(successes + 1, failures, 1 - tail))
    return low, high


def z_score(successes_1: float, total_1: float, successes_2: float, total_2: float) -> float | None:
    """How many standard deviations the first rate lies from the second, pooled two-proportion z.

    Any number: 0 means equal rates, beyond -2 or 2 is the "two or three standard deviations" of Hazelwood
    School District v. United States, 433 U.S. 299 (1977). None where there is no spread: no rows of a group,
    or all rows of both alike. Effective numbers of rows adjust it for their design (J. N. K. Rao and
    A. J. Scott, Biometrics 48 (1992) 577-585).
    """
    if not (total_1 and total_2):
        return None
    pooled = (successes_1 + successes_2) / (total_1 + total_2)
    spread = pooled * (1 - pooled) * (1 / total_1 + 1 / total_2)
    if spread <= 0:
        return None
    return (successes_1 / total_1 - successes_2 / total_2) / math.sqrt(spread)


def fisher(successes_1: int, total_1: int, successes_2: int, total_2: int) -> float | None:
    """Fisher's exact two-sided p-value that both groups have the same rate.

    Range (0, 1]: small means that the gap is hardly chance. None without rows of a group. Source: R. A.
    Fisher, J. R. Stat. Soc. 98 (1935) 39-82; tables at most as likely as the one found.
    """
    if not (total_1 and total_2):
        return None
    table = [[successes_1, total_1 - successes_1], [successes_2, total_2 - successes_2]]
    return float(stats.fisher_exact(table).pvalue)


def against_best(groups: Mapping[str, Group], confidence: float) -> list[dict[str, Any]]:
    """Each named group's selection rate against that of the group with the highest: ratio, bounds, tests.

    A row per group with rows, the lowest ratio first. `impact_ratio`, in [0, 1], is 1 for the best group
    itself, and None where the best rate is 0; its MOVER-R bounds hold for this pair alone.
    `standard_deviations` and `fisher_p` are the two tests, and `fisher_p_adjusted` is Holm's for all pairs
    of the list (S. Holm, Scand. J. Stat. 6 (1979) 65-70). Where rows weigh or come in clusters the exact
    test is None, as are all bounds and tests on few clusters; `undefined` says why. Empty with fewer than two
    groups that have rows.
    """
    known_groups = {name: cells for name, cells in groups.items() if name != MISSING and cells.count}
    if len(known_groups) < 2:
        return []
    plain = all(isinstance(cells, counts.Cells) for cells in known_groups.values())
    over = {name: rates.rate(cells, "selection_rate") for name, cells in known_groups.items()}
    best = max(over, key=lambda name: (over[name].value or 0.0, over[name].rows, name))
    others = [name for name in over if name != best]
    pairs = [_pair(name, best, over[name], over[best], confidence=confidence, plain=plain) for name in others]
    adjusted = _holm({row["group"]: row["fisher_p"] for row in pairs if row["fisher_p"] is not None})
    rows = [row | {"fisher_p_adjusted": adjusted.get(row["group"])} for row in pairs]
    return sorted(rows, key=lambda row: (row["difference"], row["group"]))


def _pair(
    name: str, best: str, at: rates.Rate, top: rates.Rate, *, confidence: float, plain: bool
) -> dict[str, Any]:
    rate, highest = at.value or 0.0, top.value or 0.0
    hole = rates.few_clusters({name: at, best: top})
    if not hole and min(at.total, top.total) < 1:
        hole = "its rows together count for less than one"
    pair = (at.successes, at.total, top.successes, top.total)
    low, high = (0.0, math.inf) if hole else intervals.ratio(*pair, confidence)
    bounded = not hole and highest > 0
    return {
        "group": name,
        "against": best,
        "difference": rate - highest,
        "impact_ratio": rate / highest if highest else None,
        "low": low if bounded else None,
        "high": high if bounded and math.isfinite(high) else None,
        "standard_deviations": None if hole else z_score(*pair),
        "fisher_p": fisher(*(int(count) for count in pair)) if plain else None,
        "undefined": hole or (None if plain else _INEXACT),
    }


def _holm(p_values: Mapping[str, float]) -> dict[str, float]:
    adjusted, highest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = highest
    return adjusted
