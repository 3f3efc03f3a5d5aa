"""Which candidate ships: a rule in words, and the same rule as a pure function.

It sees what was measured on tune rows and nothing else. Judging is the policy's, on test rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RULE = (
    "of the candidates whose tune-row point values keep every blocking fairness rule of the policy, the "
    "one with the highest utility ({utility}); of equals the first listed. When none keeps them all, the one "
    "whose largest excess over a limit is smallest; of equals the one with the higher utility, then the "
    "first listed. A candidate that decides all tune rows alike, or has no utility, is chosen only when all "
    "are such"
)
"""What `choose` does, as it stands in the evidence."""


@dataclass(frozen=True, kw_only=True)
class RuleCheck:
    """A rule of the policy held against tune rows, for one attribute.

    `excess` is how far `value` lies outside the limit, in units of the metric: 0 when it keeps it. Both are
    None where the value is undefined, which keeps no limit.
    """

    rule: str
    attribute: str | None
    value: float | None
    excess: float | None


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """What the rule knows of a candidate: its utility, the rules held against it, why it is no use, if so."""

    utility: float | None
    held: tuple[RuleCheck, ...]
    unusable_because: str | None = None

    @property
    def keeps(self) -> bool:
        """Whether every rule is kept; undefined is not kept."""
        return all(each.excess == 0 for each in self.held)

    @property
    def worst(self) -> float:
        """The largest excess: 0 when every rule is kept, infinite when a value is undefined or no number."""
        return max((_number(each.excess, math.inf) for each in self.held), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The place of the chosen candidate, whether it keeps every rule, and a reason for each candidate."""

    chosen: int
    keeps: bool
    reasons: tuple[str, ...]


def choose(candidates: Sequence[CandidateResult]) -> Choice:
    """Choose by `RULE`. Raises ValueError when there is no candidate."""
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    best = min(range(len(candidates)), key=lambda place: (*_rank(candidates[place]), place))
    winner = candidates[best]
    keeps = winner.keeps and winner.unusable_because is None and winner.utility is not None
    return Choice(
        chosen=best,
        keeps=keeps,
        reasons=tuple(
            _why(winner) if place == best else _why_not(each, winner) for place, each in enumerate(candidates)
        ),
    )


def _rank(candidate: CandidateResult) -> tuple[bool, bool, float, float]:
    """The smaller the better."""
    return (
        candidate.unusable_because is not None or candidate.utility is None,
        not candidate.keeps,
        candidate.worst,
        -_number(candidate.utility, -math.inf),
    )


def _number(value: float | None, otherwise: float) -> float:
    return otherwise if value is None or math.isnan(value) else value


def _why(winner: CandidateResult) -> str:
    if winner.unusable_because is not None:
        return f"chosen although {winner.unusable_because}: so do all candidates"
    if winner.utility is None:
        return "chosen although its utility is undefined: so is that of all candidates"
    if not winner.keeps:
        return f"chosen as the least violating: none keeps every rule; {_breach(winner)}"
    return "chosen: the highest utility among those that keep every rule"


def _why_not(candidate: CandidateResult, winner: CandidateResult) -> str:
    if candidate.unusable_because is not None:
        return candidate.unusable_because
    if candidate.utility is None:
        return "its utility is undefined"
    if not candidate.keeps:
        return _breach(candidate)
    if winner.utility is not None and candidate.utility < winner.utility:
        return "keeps every rule, with less utility than the chosen one"
    return "equal to the chosen one, and listed after it"


def _breach(candidate: CandidateResult) -> str:
    """The rule that is broken by most, and by how much."""
    worst = max(
        (each for each in candidate.held if each.excess != 0),
        key=lambda each: _number(each.excess, math.inf),
    )
    by = f" by {worst.attribute}" if worst.attribute else ""
    if worst.value is None or worst.excess is None:
        return f"breaks {worst.rule}{by}: undefined"
    return f"breaks {worst.rule}{by}: {worst.value:.3f}, {worst.excess:.3f} outside the limit"
