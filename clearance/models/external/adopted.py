"""What a model that was made elsewhere becomes here, whatever file it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sklearn.pipeline import Pipeline

from clearance.models.external.inputs import Inputs
from clearance.models.scoring import Kind
from clearance.params.external import Format

Answer = Literal["scores", "decisions"]
Origin = Literal["computed", "sandboxed", "declared"]


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """A model in the form in which ours ship, and what its file says of it.

    `origin` says where its scores come from: `computed` here by a model that ships, `sandboxed` by code that
    never ships, `declared` by a table. `answer` is `decisions` where it gives no scores: each is then 0 or 1.
    `threshold` is the file's own (None: it has none). `made_with` are the versions that the file records.
    """

    format: Format
    sha256: str
    pipeline: Pipeline
    origin: Origin
    answer: Answer = "scores"
    threshold: float | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)

    @property
    def ships(self) -> bool:
        """Whether what ships is the model itself, not only its answers."""
        return self.origin == "computed"


def pipeline(kinds: Mapping[str, Kind], model: Any) -> Pipeline:
    """The model behind the columns it takes, in its order."""
    return Pipeline([("inputs", Inputs(dict(kinds))), ("model", model)])
