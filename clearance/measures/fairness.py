"""How far the groups of one protected attribute lie apart, with bounds that hold for all pairs at once.

Definitions are Fairlearn's; the numbers come from counts alone. Where a comparison has no meaning it is
undefined and says why: never a silent 0 or 1. Nothing here judges.
"""

from __future__ import annotations

from clearance.evidence import Measurement, undefined
from clearance.measures import counts, intervals


def measure(groups: counts.Groups, confidence: float) -> dict[str, Measurement]:
    """Demographic parity difference and ratio, equalized odds difference, and the share of unnamed rows.

    Defined as in Fairlearn over the named groups, in [0, 1]. Difference: highest minus lowest rate, 0 is
    parity. Ratio: lowest over highest selection rate, 1 is parity. `missing_share`: 0 means
    every row has a group.
    """
    named = {group: cells for group, cells in groups.items() if group != counts.MISSING}
    selected = {group: cells.selected for group, cells in named.items()}
    totals = {group: cells.count for group, cells in named.items()}
    return {
        "demographic_parity_difference": intervals.max_difference(selected, totals, confidence),
        "demographic_parity_ratio": intervals.min_ratio(selected, totals, confidence),
        "equalized_odds_difference": _equalized_odds(named, confidence),
        "missing_share": _missing_share(groups),
    }


def _equalized_odds(named: counts.Groups, confidence: float) -> Measurement:
    """The larger of the true and the false positive rate's difference, both bounded at once (Bonferroni)."""
    each = 1 - (1 - confidence) / 2
    hits = {group: cells.true_positive for group, cells in named.items()}
    favourable = {group: cells.favourable for group, cells in named.items()}
    alarms = {group: cells.false_positive for group, cells in named.items()}
    unfavourable = {group: cells.unfavourable for group, cells in named.items()}
    support = {f"{group}, favourable label": rows for group, rows in favourable.items()}
    support |= {f"{group}, unfavourable label": rows for group, rows in unfavourable.items()}
    by_rate = {
        "true positive rate": intervals.max_difference(hits, favourable, each),
        "false positive rate": intervals.max_difference(alarms, unfavourable, each),
    }
    holes = [f"{name}: {gap.undefined}" for name, gap in by_rate.items() if gap.undefined]
    if holes:
        return undefined("; ".join(holes), support)
    gaps = list(by_rate.values())
    return Measurement(
        value=max(gap.value for gap in gaps if gap.value is not None),
        low=max(gap.low for gap in gaps if gap.low is not None),
        high=max(gap.high for gap in gaps if gap.high is not None),
        confidence=confidence,
        method=f"{gaps[0].method}, over both rates",
        support=support,
    )


def _missing_share(groups: counts.Groups) -> Measurement:
    total = sum(cells.count for cells in groups.values())
    if total == 0:
        return undefined("there are no test rows")
    missing = groups.get(counts.MISSING, counts.Cells()).count
    return Measurement(value=missing / total, support={"test rows": total})
