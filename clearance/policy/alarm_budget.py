"""The budget of false alarms: how much error one look may make, so that the looks of a year keep the whole.

Shared equally by the kinds of look, then by the looks of a year, then by the rules that wait for labels and
those that do not; Bonferroni, so valid under any dependence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from clearance.policy.monitoring_terms import MonitoringTerms

LOOKS_A_YEAR: Mapping[str, int] = {"day": 366, "week": 53, "month": 12}
"""The most windows of each kind that end in one year."""


def level(terms: MonitoringTerms, period: Literal["day", "week", "month", "batch"]) -> float:
    """The probability of any false failure that one look at a `period` may have, in (0, 1).

    A batch (one file, looked at once) has the whole budget. A period that the policy does not look at has
    that of the same number of looks beside those it lists. Where some rules need labels and others do not, a
    window has two looks, and each has half.
    """
    if period == "batch":
        return terms.false_alarms
    kinds = len({*terms.looks, period})
    return terms.false_alarms / kinds / LOOKS_A_YEAR[period] / looks_a_window(terms)


def looks_a_window(terms: MonitoringTerms) -> int:
    """How many looks one window has: two where some rules wait for labels and others do not."""
    return len({rule.needs_labels for rule in terms.rules})
