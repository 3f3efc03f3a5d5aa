"""How many intervals stand in the fairness document, and what that does to their level together.

States the family; it changes no interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.documents.measurement import Measurement


def describe(measured: Mapping[str, Mapping[str, Measurement]], confidence: float) -> dict[str, Any]:
    """The family of simultaneous statements, by attribute or intersection and by metric.

    `held_each` is the level at which one interval holds for all its groups at once; `held_together` the
    least level (Bonferroni) at which all intervals of the document do, 0 where they are too many to say.
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
            "Within one metric and attribute an interval holds for all groups and pairs of groups at once. "
            "A verdict passes only when every blocking rule passes, so more rules never ease a pass: "
            "the chance that a model which breaks some limit passes is at most that of a single interval "
            "missing. The chance that a fair model fails adds up over rules: with m rules, each at level c, "
            "it is at most m (1 - c)."
        ),
    }
