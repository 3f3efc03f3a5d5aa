"""What a model that was made elsewhere becomes here, whatever file it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sklearn.pipeline import Pipeline

from clearance import labels, params
from clearance.data.tables import prepared
from clearance.models.external.inputs import Inputs
from clearance.models.scoring import Kind
from clearance.params.external import Format

Answer = Literal["scores", "decisions"]
Origin = Literal["computed", "sandboxed", "declared"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """What a model made elsewhere must fit, as params.yaml says it: its declaration and the roles of columns.

    `threshold` is the declared one, None where none is. `protected_allowed`: it may take in protected
    attributes.
    """

    external: params.External
    data: params.Data
    threshold: float | None = None
    protected_allowed: bool = False

    @property
    def file(self) -> Path:
        """The model's file or folder."""
        return Path(self.external.file)

    @property
    def favourable(self) -> str | None:
        """The model's own name for the favourable outcome, as a canonical text."""
        own = self.external.favourable
        return labels.text(self.data.favourable if own is None else own)


@dataclass(frozen=True, kw_only=True, eq=False)
class Project(Terms):
    """The same with some rows, which give the names and the kinds of features; no label of theirs is read."""

    rows: prepared.Prepared


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
