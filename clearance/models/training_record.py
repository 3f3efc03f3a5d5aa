"""What the training record says about candidates: all of them, the rule, the choice, before and after.

Plain JSON from what was measured on tune rows; nothing is measured, fitted or chosen here.
"""

from __future__ import annotations

from typing import Any

from clearance import params
from clearance.documents.measurement import Measurement
from clearance.models import (
    candidate_search,
    candidates,
    estimators,
    fitting,
    selection_rule,
    tune_constraints,
)
from clearance.models.candidates import Candidate
from clearance.models.mitigations import MITIGATIONS

SPLIT_USE = {
    "train": "fits encodings, estimators, weights, constraints; a search uses folds of these rows alone",
    "tune": "chooses thresholds, the predictor that a mitigation ships, and the candidate: all on the same "
    "rows, so what is measured on them flatters the chosen one",
    "test": "none: these rows are not read here; they judge",
}
"""Which rows are used for what, as it stands in the evidence."""

REFERENCE = "the chosen estimator without its mitigation, to compare with: no candidate, never to be chosen"
"""Why the reference is there, as it stands in the evidence."""


def protected_at_decision(chosen: Candidate) -> Measurement:
    """1 when the model takes in a protected attribute, else 0; exact."""
    return Measurement(value=float(chosen.declared.needs_protected_at_decision))


def selection(
    found: candidate_search.Selection, asked: params.Train, demands: tune_constraints.Constraints
) -> dict[str, Any]:
    """The fields of the training record that tell how one candidate came to be chosen."""
    chosen = found.chosen
    objective = asked.threshold.objective if asked.threshold.fixed is None else None
    utility = objective or candidates.OBJECTIVE
    return {
        "utility": utility,
        "mitigation_ships": chosen.declared.ships,
        "uses_protected_at_decision": chosen.declared.needs_protected_at_decision,
        "split_use": SPLIT_USE,
        "choice": {
            "rule": selection_rule.RULE.format(utility=utility),
            "keeps_every_rule": found.choice.keeps_every_rule,
            "reason": found.choice.reasons[found.choice.chosen],
            "rules": sorted({rule.id for rule in demands.rules}),
            "rules_not_measured_on_tune_rows": tune_constraints.unmeasured_rules(
                demands.rules, chosen.disparity
            ),
            "policy_on_protected_at_decision": demands.protected,
        },
        "members": chosen.members,
        "candidates": _all(found),
        "reference": None if found.reference is None else _reference(found.reference),
        "before_after": _before_after(found),
    }


def _all(found: candidate_search.Selection) -> list[dict[str, Any]]:
    reasons = iter(zip(found.fitted, found.choice.reasons, strict=True))
    told = []
    for each in found.tried:
        if isinstance(each, candidate_search.SkippedCandidate):
            measured: dict[str, Any] = {"fitted": False, "chosen": False, "why": each.reason}
        else:
            _, why = next(reasons)
            measured = {
                "fitted": True,
                "chosen": each is found.chosen,
                "why": why,
                "keeps_every_rule": each.result.keeps_every_rule,
                "broken": [
                    {
                        "rule": held.rule,
                        "attribute": held.attribute,
                        "value": held.value,
                        "excess": held.excess,
                    }
                    for held in each.result.rule_checks
                    if held.excess != 0
                ],
                **_measured(each),
            }
        told.append(_named(each) | measured)
    return told


def _named(each: Candidate | candidate_search.SkippedCandidate) -> dict[str, Any]:
    return {
        "estimator": estimators.import_path(each.estimator.estimator),
        "arguments": fitting.to_json_value(each.estimator.arguments),
        "mitigation": each.mitigation.label,
        "uses_protected_at_decision": MITIGATIONS[each.mitigation.method].needs_protected_at_decision,
    }


def _reference(plain: Candidate) -> dict[str, Any]:
    return _named(plain) | {"fitted": True, "chosen": False, "why": REFERENCE} | _measured(plain)


def _measured(each: Candidate) -> dict[str, Any]:
    return {
        "utility": each.result.utility,
        "threshold": each.threshold,
        "tune": each.tune.to_json(),
        "disparity": candidates.points(each.disparity),
    }


def _before_after(found: candidate_search.Selection) -> dict[str, Any] | None:
    """The chosen candidate beside its estimator without mitigation; None where it has no mitigation.

    Fairness with its intervals, unlike in `candidates`: two point values alone would tell too much.
    """
    before, after = found.before, found.chosen
    if before is None or before is after:
        return None
    return {
        "estimator": estimators.import_path(after.estimator.estimator),
        "mitigation": after.mitigation.label,
        "rows": "tune",
        "before_was_a_candidate": found.reference is None,
        "before": _compared(before),
        "after": _compared(after),
    }


def _compared(each: Candidate) -> dict[str, Any]:
    fairness = {
        metric: {name: measured.to_json() for name, measured in by.items()}
        for metric, by in each.disparity.items()
    }
    return _measured(each) | {"disparity": fairness}
