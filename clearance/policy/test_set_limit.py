"""When a policy warns that the same test set has been used too often.

Typed data; unknown keys are refused. `clearance.registry.test_set_uses` counts the uses; the count blocks
nothing.
"""

from __future__ import annotations

from pydantic import Field

from clearance.policy.dated import Dated


class TestSetLimit(Dated):
    """How many models the same test set may judge before that is a warning.

    While this is in force, use number `warn_from` and every later one is reported as a warning.
    """

    warn_from: int = Field(ge=1)
