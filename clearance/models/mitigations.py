"""What each mitigation needs, and in which form it ships.

Declarations only; nothing is fitted here. Whether what a mitigation needs is allowed is the policy's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clearance.errors import ConfigurationError


class IncompatibleMitigation(ConfigurationError):
    """An estimator and a mitigation do not go together, or not on these rows."""


@dataclass(frozen=True, kw_only=True)
class MitigationSpec:
    """What a mitigation needs, and how what it fits becomes one deterministic model.

    `needs_protected_at_decision`: a row cannot be decided without its protected attributes.
    `needs_weights`: the estimator's `fit` must take `sample_weight`.
    """

    needs_protected_at_decision: bool
    needs_weights: bool
    ships: str


MEMBER = "one predictor of those fitted, chosen on tune rows by the rule that chooses among candidates"

MITIGATIONS: Mapping[str, MitigationSpec] = {
    "none": MitigationSpec(
        needs_protected_at_decision=False, needs_weights=False, ships="the estimator as it is fitted"
    ),
    "reweighing": MitigationSpec(
        needs_protected_at_decision=False, needs_weights=True, ships="the estimator fitted on weighed rows"
    ),
    "correlation_remover": MitigationSpec(
        needs_protected_at_decision=True,
        needs_weights=False,
        ships="the estimator on columns whose linear correlation with the protected attributes is removed",
    ),
    "exponentiated_gradient": MitigationSpec(
        needs_protected_at_decision=False,
        needs_weights=True,
        ships=f"{MEMBER}; only predictors with a share in the randomised mixture take part, and the mixture "
        "itself (which decides the same row by chance) does not ship",
    ),
    "grid_search": MitigationSpec(needs_protected_at_decision=False, needs_weights=True, ships=MEMBER),
    "threshold_optimizer": MitigationSpec(
        needs_protected_at_decision=True,
        needs_weights=False,
        ships="scores moved group by group so that one threshold stands for the group's own; of each pair of "
        "thresholds between which the optimiser would decide by chance, the likelier one",
    ),
}
"""By the name of the mitigation in `params.yaml`."""
