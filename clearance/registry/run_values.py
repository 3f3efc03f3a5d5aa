"""The values that make up a run in MLflow. Nothing is written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlflow.entities import Dataset, DatasetInput, InputTag

from clearance.registry import model_folder

_DIGEST = 36


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Rows that a run read, by digest; `context` is their use: training, tuning or testing."""

    name: str
    context: str
    sha256: str
    source: str
    rows: int
    columns: tuple[tuple[str, str], ...]

    def to_mlflow(self) -> DatasetInput:
        """The rows as an input of a run. MLflow takes 36 characters of a digest; a tag holds all of it."""
        columns: list[dict[str, Any]] = [{"type": kind, "name": name} for name, kind in self.columns]
        size = {"num_rows": self.rows, "num_elements": self.rows * len(columns)}
        dataset = Dataset(
            name=self.name,
            digest=self.sha256[:_DIGEST],
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps(size),
        )
        tags = {"mlflow.data.context": self.context, "clearance.sha256": self.sha256}
        return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])


@dataclass(frozen=True, kw_only=True)
class CandidateRun:
    """A model that was tried: a child of the execution's run. `place` is its number among the others."""

    place: int
    title: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is recorded about one execution of the pipeline.

    `files` maps a path in MLflow to the file or folder to store there, `contents` to the bytes of a file.
    `test_rows` is the digest of the rows that judged a model, None when no model was judged. `status` is how
    MLflow shows that it ended: only a pass is FINISHED.
    """

    experiment: str
    fingerprint: str
    title: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    data: tuple[DataSet, ...]
    model: model_folder.ModelDescription | None
    files: Mapping[str, Path]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    candidates: tuple[CandidateRun, ...] = ()
    test_rows: str | None = None
    status: Literal["FINISHED", "FAILED"] = "FINISHED"


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run in MLflow, `started` in ms since 1970; `model_id` is None for a run without a model."""

    run_id: str
    started: int
    model_id: str | None
    complete: bool
