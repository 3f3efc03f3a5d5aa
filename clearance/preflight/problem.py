"""A fault that is known before any stage runs, and whether a run may begin all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clearance.errors import ClearanceError


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, with its hint and code in `error`.

    `blocks`: no run may begin, because a stage would end in a fault or the settings contradict each other.
    Otherwise a run reaches a verdict, but not a pass, or its model cannot be promoted.
    """

    error: ClearanceError
    blocks: bool = True

    def to_json(self) -> dict[str, Any]:
        """The problem as a JSON value."""
        return {
            "code": self.error.code,
            "blocks": self.blocks,
            "fault": self.error.fault,
            "hint": self.error.hint,
        }

    def __str__(self) -> str:
        return f"{'error' if self.blocks else 'warning'}: {self.error}"


def warning(error: ClearanceError) -> Problem:
    """A problem with which a run may begin."""
    return Problem(error=error, blocks=False)
