"""What a model file says of itself, before anybody asks whether that fits the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearance.params.external import Format


@dataclass(frozen=True, kw_only=True)
class ModelRead:
    """A classifier as its file has it.

    `classes` are its own labels, in the order of its probabilities. `features` are the names of its inputs in
    order; None where the file names none of them. `inputs` counts them; None where the file does not say it.
    `made_with` are the versions of libraries that the file records.
    """

    format: Format
    model: Any
    classes: tuple[Any, ...]
    inputs: int | None
    features: tuple[str, ...] | None
    threshold: float | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)
