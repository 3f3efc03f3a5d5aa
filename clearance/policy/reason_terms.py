"""How a policy wants denials to be reasoned. Typed data; unknown keys are refused.

Source of the terms: 12 CFR 1002.9(b)(2) and its official interpretation. `clearance.reasons` applies them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clearance.params import Fraction
from clearance.policy.dated import Dated

ReasonMethod = Literal["near_cutoff", "all_applicants"]


class ReasonTerms(Dated):
    """Which features are the principal reasons for a denial, and how many are stated.

    Reasons are the features whose contribution falls furthest below the mean of a group of applicants, as the
    model scored them during its development. `method` names the group: those at or slightly above the
    threshold, or all. `band` says what slightly above is: the share of those who passed, from the lowest
    score up. `minimum_rows` of the group must be there. At most `at_most` reasons are stated; where the next
    feature falls short by at least `near_share` of what the last one stated does, the answer says so.
    `key_factors`: the list of the Fair Credit Reporting Act is made as well. `required`: a version whose
    denials cannot be reasoned is not promoted.
    """

    method: ReasonMethod = "near_cutoff"
    band: Fraction = 0.2
    minimum_rows: int = Field(default=30, ge=10)
    at_most: int = Field(default=4, ge=1, le=10)
    near_share: Fraction = 0.9
    key_factors: bool = False
    required: bool = True
