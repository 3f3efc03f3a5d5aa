"""The bases of what people and programs write: frozen, typed, without unknown keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

APART = "apart"
"""In the context of a validation: the section is read apart from what its keys say together."""

Scalar = bool | int | float | str
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]

_NUMBERS = (int, float, int | None, float | None)


class Section(BaseModel):
    """A part of `params.yaml`: frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` where a number is wanted: pydantic would read it as 1."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind in _NUMBERS:
            return str(value).lower()  # the text `true`, which is no number
        return value


class StrictSection(BaseModel):
    """A part of a signed statement, which a program wrote: no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
