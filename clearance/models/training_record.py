"""What the training document says of candidates: all of them, the rule, the choice, before and after.

Reports what was measured on tune rows; nothing is measured, fitted or chosen here.
"""

from __future__ import annotations

from typing import Any

from clearance import params
from clearance.documents.measurement import Measurement
from clearance.documents.training_document import (
    BeforeAfter,
    BrokenRule,
    CandidateReport,
    ChoiceReport,
    ComparedModel,
    SkippedCandidateReport,
    TuneFigures,
)
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
    "train": "fits encodings, estimators, weights and constraints; a search uses folds of these rows alone",
    "tune": "chooses thresholds, the predictor that a mitigation ships, and the candidate: all on the same "
    "rows, so what is measured on them flatters the chosen one",
    "test": "none: these rows are not read here; they judge",
}
"""Which rows are used for what, as the training document says it."""

REFERENCE = "the chosen estimator without its mitigation, for comparison only: it can never be chosen"
"""Why the reference is there, as the training document says it."""


def protected_at_decision(chosen: Candidate) -> Measurement:
    """1 when the model takes in a protected attribute, else 0; exact."""
    return Measurement(value=float(chosen.declared.needs_protected_at_decision))


def utility(options: params.Train) -> str:
    """The name of the figure by which candidates are ranked."""
    objective = options.threshold.objective if options.threshold.fixed is None else None
    return objective or candidates.OBJECTIVE


def choice(
    selection: candidate_search.Selection, options: params.Train, constraints: tune_constraints.Constraints
) -> ChoiceReport:
    """The rule by which one candidate was chosen, and what it said of the chosen one."""
    best = selection.choice
    return ChoiceReport(
        rule=selection_rule.RULE.format(utility=utility(options)),
        keeps_every_rule=best.keeps_every_rule,
        reason=best.reasons[best.chosen],
        rules=tuple(sorted({rule.id for rule in constraints.rules})),
        rules_not_measured_on_tune_rows=tuple(
            tune_constraints.unmeasured_rules(constraints.rules, selection.chosen.figures)
        ),
        policy_on_protected_at_decision=constraints.protected,
    )


def candidate_reports(
    selection: candidate_search.Selection,
) -> tuple[CandidateReport | SkippedCandidateReport, ...]:
    """Every candidate in the order in which they were tried, with the reason why it was chosen, or not."""
    reasons = iter(zip(selection.fitted, selection.choice.reasons, strict=True))
    reports: list[CandidateReport | SkippedCandidateReport] = []
    for candidate in selection.tried:
        if isinstance(candidate, candidate_search.SkippedCandidate):
            reports.append(SkippedCandidateReport(**_identity(candidate), why=candidate.reason))
            continue
        _, why = next(reasons)
        checks = candidate.result.rule_checks
        broken = tuple(
            BrokenRule(rule=check.rule, attribute=check.attribute, value=check.value, excess=check.excess)
            for check in checks
            if check.excess != 0
        )
        reports.append(
            CandidateReport(
                **_identity(candidate),
                **_figures(candidate),
                chosen=candidate is selection.chosen,
                why=why,
                keeps_every_rule=candidate.result.keeps_every_rule,
                broken=broken,
            )
        )
    return tuple(reports)


def reference(selection: candidate_search.Selection) -> CandidateReport | None:
    """The model without mitigation that the chosen one is compared with; None where there is none."""
    plain = selection.reference
    if plain is None:
        return None
    return CandidateReport(**_identity(plain), **_figures(plain), chosen=False, why=REFERENCE)


def before_after(selection: candidate_search.Selection) -> BeforeAfter | None:
    """The chosen candidate beside its estimator without mitigation; None where it has no mitigation.

    Fairness has its intervals here, unlike in `candidate_reports`: two points alone would claim too much.
    """
    before, after = selection.before, selection.chosen
    if before is None or before is after:
        return None
    return BeforeAfter(
        estimator=estimators.import_path(after.estimator.estimator),
        mitigation=after.mitigation.label,
        before_was_a_candidate=selection.reference is None,
        before=_compared(before),
        after=_compared(after),
    )


def tune_figures(candidate: Candidate) -> TuneFigures:
    """The candidate's decisions on tune rows at its threshold."""
    return TuneFigures(**candidate.tune.to_json())


def _identity(candidate: Candidate | candidate_search.SkippedCandidate) -> dict[str, Any]:
    return {
        "estimator": estimators.import_path(candidate.estimator.estimator),
        "arguments": fitting.to_json_value(candidate.estimator.arguments),
        "mitigation": candidate.mitigation.label,
        "uses_protected_at_decision": MITIGATIONS[candidate.mitigation.method].needs_protected_at_decision,
    }


def _figures(candidate: Candidate) -> dict[str, Any]:
    return {
        "utility": candidate.result.utility,
        "threshold": candidate.threshold,
        "tune": tune_figures(candidate),
        "disparity": candidates.points(candidate.disparity),
    }


def _compared(candidate: Candidate) -> ComparedModel:
    return ComparedModel(
        utility=candidate.result.utility,
        threshold=candidate.threshold,
        tune=tune_figures(candidate),
        disparity=candidate.disparity,
    )
