"""What a policy asks of the server that decides with a version. Typed data; unknown keys are refused."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clearance.params import Section


class ServingTerms(Section):
    """How a server decides with a version of a model.

    `lapsed` says what it does when an override of the champion has ended or an approval was withdrawn: it
    refuses new decisions, or goes on and raises an alarm. `unusual_inputs` says whether a row that breaks the
    column rules which the training data kept is refused, or decided and flagged. `unchecked_minutes` is how
    long it goes on deciding while ledger or registry cannot be asked whether the champion still holds.
    `window_hours` is how far back the fairness of decisions is measured.
    """

    lapsed: Literal["refuse", "alarm"] = "refuse"
    unusual_inputs: Literal["refuse", "flag"] = "refuse"
    unchecked_minutes: int = Field(default=15, ge=1, le=24 * 60)
    window_hours: int = Field(default=24 * 30, ge=1, le=24 * 366)
