"""A version of a registered model: a value, whatever the registry is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a registered model, as the registry has it; `stage` is MLflow's older kind of alias."""

    name: str
    number: int
    fingerprint: str | None
    tags: Mapping[str, str]
    run_id: str
    model_id: str
    stage: str | None = None

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"
