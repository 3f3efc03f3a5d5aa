"""How many intervals stand in the fairness document, and what that does to their level together.

States the family; it changes no interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.documents.measurement import Measurement


def describe(measured: Mapping[str, Mapping[str, Measurement]], confidence: float) -> dict[str, Any]:
    """The family of intervals, by attribute or intersection and by metric.

    `held_each` is the least level at which both ends of one interval hold for all its groups; `held_together`
    the least level (Bonferroni) at which all intervals of the document do, 0 where they are too many to say.
    """
    bounded = {
        name: sum(figure.low is not None for figure in figures.values()) for name, figures in measured.items()
    }
    total = sum(bounded.values())
    return {
        "attributes": list(measured),
        "metrics": len(next(iter(measured.values()), {})),
        "intervals": bounded,
        "held_each": confidence,
        "held_together": max(0.0, 1 - total * (1 - confidence)),
        "statement": (
            "Each end of an interval at level c answers its own question. The end that lets a rule pass, "
            "the upper one of a largest gap and the lower one of a smallest ratio or rate, holds for all "
            "groups and pairs of groups at once with a chance of at least (1 + c) / 2, uncorrected, because "
            "one of them attains the extreme. The other end is corrected for their number (Bonferroni). "
            "A verdict passes only when every blocking rule passes for every attribute, so more rules never "
            "ease a pass: the chance that a model which breaks some limit passes is at most that of a single "
            "end missing, (1 - c) / 2. The chance that a fair model fails adds up over rules: with m rules, "
            "each at level c, it is at most m (1 - c)."
        ),
    }
