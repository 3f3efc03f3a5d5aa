"""Every mitigation by its name in `params.yaml`.

A new mitigation needs three things: a method and its options in `clearance/params/model_choices.py`, a module
that defines its `MitigationSpec`, and an entry here. Types its models hold must be trusted
(`trusted_types.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from clearance.models import correlation_remover, group_thresholds, reductions, reweighing
from clearance.models.mitigation_spec import MitigationSpec

MITIGATIONS: Mapping[str, MitigationSpec] = {
    "none": MitigationSpec(
        needs_protected_at_decision=False, needs_weights=False, ships="the estimator as it is fitted"
    ),
    "reweighing": reweighing.SPEC,
    "correlation_remover": correlation_remover.SPEC,
    "exponentiated_gradient": reductions.EXPONENTIATED_GRADIENT,
    "grid_search": reductions.GRID_SEARCH,
    "threshold_optimizer": group_thresholds.SPEC,
}
