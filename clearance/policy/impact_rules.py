"""When a policy lets a small category be left out of the impact ratios, and why.

Typed data; unknown keys are refused. `clearance.reporting.impact_table` applies it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from clearance.params import Fraction, Section
from clearance.policy.dated import Dated, Text


class ExcludedCategory(Section):
    """A category left out of the impact ratios, and the written reason."""

    attribute: Text
    category: Text
    justification: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ImpactTableRules(Dated):
    """When a small category may be left out of the impact ratios, and which categories are.

    Only a category that is listed in `excluded` and whose share of the rows is below `excludable_below` is
    left out, and only while this is in force. Its count and rate stay in the table.
    """

    excludable_below: Fraction
    excluded: tuple[ExcludedCategory, ...] = ()
