"""At which levels test rows are measured, for a policy that spends its level over attempts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clearance import params
from clearance.policy import attempt_terms, policy_file


def spent(choice: params.PolicyChoice) -> Sequence[float]:
    """The shares of the level that the chosen policy, read in the working folder, gives attempts; else none.

    Whatever the day: the evidence may be judged on a later one. Raises ConfigurationError on a faulty policy.
    """
    terms = policy_file.load(Path(choice.file)).attempts
    return attempt_terms.SHARES if terms and terms.spend else ()


def options(evaluate: params.Evaluate, shares: Sequence[float]) -> dict[float, params.Evaluate]:
    """How to measure for each share: at the confidence that leaves only this part of the error."""
    return {
        share: evaluate.model_copy(update={"confidence": attempt_terms.at_share(evaluate.confidence, share)})
        for share in shares
    }
