"""Which candidate ships: a rule in words, and the same rule as a pure function.

It sees measurements on tune rows only. The policy judges the chosen candidate on test rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RULE = (
    "of the candidates whose tune-row point values keep every blocking rule of the policy that tune rows can "
    "tell, the one with the highest utility ({utility}); of equals the first listed. When none keeps them "
    "all, the one with the fewest undefined values, then the one whose largest excess over a limit is "
    "smallest; of equals the one with the higher utility, then the first listed. A candidate that decides "
    "all tune rows alike, ranks them worse than a coin, or has no utility, is chosen only when all are such"
)
"""What `choose` does, as the evidence states it."""


@dataclass(frozen=True, kw_only=True)
class RuleCheck:
    """A rule of the policy checked on tune rows, for one attribute.

    `excess` is how far `value` lies outside the limit, in units of the metric: 0 when it is inside. Both are
    None where the value is undefined, which counts as outside.
    """

    rule: str
    attribute: str | None
    value: float | None
    excess: float | None


@dataclass(frozen=True, kw_only=True)
class CandidateResult:
    """What the rule compares: a candidate's utility, its rule checks, and why it cannot be used, if so."""

    utility: float | None
    rule_checks: tuple[RuleCheck, ...]
    unusable_because: str | None = None

    @property
    def keeps_every_rule(self) -> bool:
        """Whether every value is inside its limit; an undefined value is not."""
        return all(check.excess == 0 for check in self.rule_checks)

    @property
    def undefined(self) -> int:
        """How many values are undefined, or NaN."""
        return sum(check.excess is None or math.isnan(check.excess) for check in self.rule_checks)

    @property
    def worst(self) -> float:
        """The largest excess of a value that is defined: 0 when every such rule is kept."""
        return max((_number(check.excess, 0.0) for check in self.rule_checks), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The index of the chosen candidate, whether it keeps every rule, and a reason for each candidate."""

    chosen: int
    keeps_every_rule: bool
    reasons: tuple[str, ...]


def choose(candidates: Sequence[CandidateResult]) -> Choice:
    """Choose by `RULE`. Raises ValueError when `candidates` is empty."""
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    best = min(range(len(candidates)), key=lambda index: (*_rank(candidates[index]), index))
    winner = candidates[best]
    keeps = winner.keeps_every_rule and winner.unusable_because is None and winner.utility is not None
    return Choice(
        chosen=best,
        keeps_every_rule=keeps,
        reasons=tuple(
            _why(winner) if index == best else _why_not(candidate, winner)
            for index, candidate in enumerate(candidates)
        ),
    )


def _rank(candidate: CandidateResult) -> tuple[bool, bool, int, float, float]:
    """The sort key: the smallest is the best."""
    return (
        candidate.unusable_because is not None or candidate.utility is None,
        not candidate.keeps_every_rule,
        candidate.undefined,
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
    if not winner.keeps_every_rule:
        return f"chosen as the least violating: none keeps every rule; {_breach(winner)}"
    return "chosen: the highest utility among those that keep every rule"


def _why_not(candidate: CandidateResult, winner: CandidateResult) -> str:
    if candidate.unusable_because is not None:
        return candidate.unusable_because
    if candidate.utility is None:
        return "its utility is undefined"
    if not candidate.keeps_every_rule:
        return _breach(candidate)
    if winner.utility is not None and candidate.utility < winner.utility:
        return "keeps every rule, with less utility than the chosen one"
    return "equal to the chosen one, and listed after it"


def _breach(candidate: CandidateResult) -> str:
    """The rule whose limit is exceeded most, and by how much."""
    worst = max(
        (check for check in candidate.rule_checks if check.excess != 0),
        key=lambda check: _number(check.excess, math.inf),
    )
    by = f" by {worst.attribute}" if worst.attribute else ""
    if worst.value is None or worst.excess is None:
        return f"breaks {worst.rule}{by}: undefined"
    return f"breaks {worst.rule}{by}: {worst.value:.3f}, {worst.excess:.3f} outside the limit"
