"""The reasons for one decision: contributions of a row against the signed profile, in the version's words.

A server builds one `Reasoner` from a version and asks it for each denial. Nothing here decides, and every
answer names the method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.documents.reasons_document import ReasonMethod, ReasonsDocument
from clearance.models import row_plan
from clearance.models.plan import columns
from clearance.reasons import contributions, faults, selection

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A feature that falls below the profile: its text, and how far its contribution is below.

    `contribution` and `shortfall` are in the space of the model's output, log-odds or probability.
    """

    feature: str
    text: str
    contribution: float
    shortfall: float


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """Why a row was denied, the most important reason first.

    `nearly` follow the last one stated so closely that the policy wants it said. `key_factors` is the list of
    the Fair Credit Reporting Act, None where the policy does not ask for it. `contributions` has every
    feature; with `base` they add up to the model's output in `space`.
    """

    method: ReasonMethod
    principal: tuple[Reason, ...]
    nearly: tuple[Reason, ...]
    key_factors: tuple[Reason, ...] | None
    space: str
    base: float
    contributions: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The signed profile of a version, and how it is read: `means` and `texts` in the order of `features`."""

    features: tuple[str, ...]
    method: ReasonMethod
    rows: int
    means: Matrix
    texts: tuple[str, ...]
    at_most: int
    near_share: float
    key_factors: bool
    inquiries: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Reasoner:
    """All that a version needs to reason a denial: plan, explainer and profile, made once."""

    plan: row_plan.RowPlan
    explainer: contributions.Explainer
    profile: Profile

    def contributions(self, encoded: Matrix, output: Matrix) -> Matrix:
        """The contributions of encoded rows: shape (n, features). Raises as `Explainer.contributions`."""
        return self.explainer.contributions(encoded, output)

    def reasons(self, values: Matrix) -> Reasons:
        """The reasons for a row with these contributions, shape (features,).

        Raises IntegrityError (`reasons.no_reason`) when no feature falls below the profile.
        """
        profile = self.profile
        shortfall = selection.shortfalls(values, profile.means)
        chosen = selection.select(
            shortfall,
            at_most=profile.at_most,
            near_share=profile.near_share,
            key_factors=profile.key_factors,
            inquiries=profile.inquiries,
        )
        if not chosen.principal:
            raise faults.NO_REASON()

        def stated(places: tuple[int, ...]) -> tuple[Reason, ...]:
            return tuple(
                Reason(
                    feature=profile.features[place],
                    text=profile.texts[place],
                    contribution=float(values[place]),
                    shortfall=float(shortfall[place]),
                )
                for place in places
            )

        return Reasons(
            method=profile.method,
            principal=stated(chosen.principal),
            nearly=stated(chosen.nearly),
            key_factors=stated(chosen.key_factors) if profile.key_factors else None,
            space=self.explainer.space,
            base=self.explainer.base,
            contributions=dict(zip(profile.features, values.tolist(), strict=True)),
        )


def explain_decision(reasoner: Reasoner, row: Sequence[columns.Value]) -> Reasons:
    """The reasons for one row of values in the order of the features, as if it was denied.

    Raises DataError when the model refuses the row, IntegrityError as `Reasoner` does.
    """
    encoded = reasoner.plan.encode([row])
    return reasoner.reasons(reasoner.contributions(encoded, reasoner.plan.output(encoded))[0])


def load(document: ReasonsDocument, plan: row_plan.RowPlan) -> Reasoner | str:
    """What reasons the denials of a version; or why nothing can: then the server says so in each answer.

    Raises IntegrityError when the document is about other features than the plan's.
    """
    policy, means, background = document.policy, document.profile, document.background
    if (obstacle := document.obstacle) is not None:
        return obstacle
    if policy is None or means is None or means.means is None or background is None:
        return "the version has no profile of applicants"
    if document.features != plan.features or set(document.texts) < set(plan.features):
        raise faults.NOT_OF_THIS_MODEL()
    explainer = contributions.restore(plan, background)
    if isinstance(explainer, str):
        return explainer
    profile = Profile(
        features=plan.features,
        method=policy.method,
        rows=means.rows,
        means=np.array([means.means[name] for name in plan.features]),
        texts=tuple(document.texts[name] for name in plan.features),
        at_most=policy.at_most,
        near_share=policy.near_share,
        key_factors=policy.key_factors,
        inquiries=tuple(plan.features.index(name) for name in document.inquiries if name in plan.features),
    )
    return Reasoner(plan=plan, explainer=explainer, profile=profile)
