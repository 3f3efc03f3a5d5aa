"""What a policy says about repeated attempts: whether each costs a part of the level, and when to warn.

Typed data; unknown keys are refused. Also the alpha-spending sequence. Pure.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from clearance.policy.dated import Dated

RUNGS = 6
MOST = 2**RUNGS - 1
"""The last attempt that has a share of the level: 63."""

SHARES = tuple(2.0 ** -(2 * rung + 1) for rung in range(RUNGS))
"""The distinct shares of the level: 1/2, 1/8, 1/32, 1/128, 1/512, 1/2048."""


def share(attempt: int) -> float | None:
    """The share of the level at which attempt number `attempt` (from 1 up) is decided; None after the last.

    The first attempt may use 1/2 of the level, the next two 1/8 each, the next four 1/32 each, and so on: the
    attempts from 2^j to 2^(j+1) - 1 share 2^-(j+1) of it. All shares together are 63/64 of the level. By the
    union bound, the chance that any of the attempts passes wrongly is then at most the level. The idea is
    alpha spending: K. K. G. Lan and D. L. DeMets, Biometrika 70 (1983) 659-663.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not from {attempt}")
    rung = attempt.bit_length() - 1
    return SHARES[rung] if rung < RUNGS else None


def at_share(confidence: float, part: float) -> float:
    """The confidence at which only this part of the error remains: 0.975 for half of that of 0.95."""
    return 1 - (1 - confidence) * part


class AttemptTerms(Dated):
    """What repeated attempts at one model name cost, counted since its last promotion.

    Attempts from before `valid_from` do not count. `spend`: rules that decide by an interval of test rows
    decide attempt k at its share of their level (`share`). From attempt number `warn_from` on, the number of
    attempts is reported as a warning.
    """

    spend: bool = False
    warn_from: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        if not self.spend and self.warn_from is None:
            raise ValueError("`attempts` needs `spend: true` or `warn_from`")
        return self
