"""A judged model as an MLflow model folder: our own verified bytes, and plain text around them.

The model is never loaded here and nothing is inferred. The same model for the same run gives the same
folder, byte for byte, on every machine, so tampering shows.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from clearance import files as artifacts
from clearance import paths, yaml
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.training_document import TrainingDocument
from clearance.models import trusted_types
from clearance.registry import faults
from clearance.versioning.pipeline_state import PipelineState

MODEL = "model.skops"
LOCK = paths.REQUIREMENTS_LOCK.as_posix()
RECORD = paths.TRAINING.as_posix()
_SKOPS = "skops"
_TYPES = {"double": DataType.double, "string": DataType.string}


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What MLflow records about a model: its file by digest, its inputs, its requirements.

    `inputs` are (name, `double` or `string`) in order. `example` is a made-up row. What MLflow serves is the
    decision: 1, favourable, from the score `threshold` on, else 0. The scores are the second column of
    `predict_proba` of the same model. `trusted` are the types that its file may hold.
    """

    file: Path
    sha256: str
    inputs: tuple[tuple[str, str], ...]
    example: Mapping[str, float | str | None]
    threshold: float
    requirements: tuple[str, ...]
    sklearn_version: str
    python: str
    trusted: tuple[str, ...]


def describe_model(state: PipelineState) -> ModelDescription | None:
    """The description of the model that the pipeline trained; None when it trained none.

    Raises IntegrityError when the record is not complete or the lock pins other versions than were used.
    """
    record = TrainingDocument.from_json(state.read_json(RECORD))
    if isinstance(record, BlockedDocument):
        return None
    libraries = {name: version for name, version in record.libraries.items() if name != "python"}
    try:
        return ModelDescription(
            file=state.root / record.model.file,
            sha256=record.model.sha256,
            inputs=tuple((column.name, column.type) for column in record.inputs),
            example=dict(record.input_example),
            threshold=float(record.threshold),
            requirements=_requirements(state.root, libraries),
            sklearn_version=libraries["scikit-learn"],
            python=record.libraries["python"],
            trusted=trusted_types.trusted_types(state.root / trusted_types.MORE_TRUSTED),
        )
    except KeyError as error:
        raise faults.RECORD_INCOMPLETE(path=RECORD, reason=repr(error)) from None


def _requirements(root: Path, libraries: Mapping[str, str]) -> tuple[str, ...]:
    """What the locks pin for these libraries and for MLflow itself, in order of name."""
    locks = [root / lock for lock in (paths.REQUIREMENTS_LOCK, *paths.EXTRA_LOCKS.values())]
    text = "\n".join(lock.read_text(encoding="utf-8") for lock in locks if lock.is_file())
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    pinned = {(_normal(name), version) for name, version in pins}
    used = {_normal(name): version for name, version in libraries.items()} | {"mlflow": mlflow.__version__}
    for name, version in used.items():
        if (name, version) not in pinned:
            raise faults.LIBRARY_NOT_PINNED(name=name, version=version, lock=LOCK)
    return tuple(f"{name}=={version}" for name, version in sorted(used.items()))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def write(folder: Path, described: ModelDescription, *, model_id: str, run_id: str, created: int) -> None:
    """Write the MLflow model folder of a model; `created` is the time of its run in ms since 1970.

    Raises IntegrityError when the model's file is not the one that was described.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = described.file.read_bytes() if described.file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != described.sha256:
        artifacts.verify(described.file, described.sha256)
    (folder / MODEL).write_bytes(content)
    _write_environment(folder, described)
    model = Model(
        run_id=run_id,
        model_id=model_id,
        model_uuid=model_id,
        utc_time_created=str(dt.datetime.fromtimestamp(created / 1000, dt.UTC).replace(tzinfo=None)),
        signature=_signature(described),
        saved_input_example_info=_write_example(folder, described.example),
        metadata={"clearance": {"threshold": described.threshold, "model_sha256": described.sha256}},
        model_size_bytes=len(content),
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.sklearn",
        model_path=MODEL,
        predict_fn="predict",
        env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        python_version=described.python,
    )
    model.add_flavor(
        "sklearn",
        pickled_model=MODEL,
        sklearn_version=described.sklearn_version,
        serialization_format=_SKOPS,
        code=None,
        skops_trusted_types=list(described.trusted),
    )
    model.save(str(folder / "MLmodel"))


def folder_digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below `folder`, by its relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): artifacts.sha256(path) for path in files}


def _signature(described: ModelDescription) -> ModelSignature:
    columns: list[ColSpec | TensorSpec] = [ColSpec(_TYPES[kind], name) for name, kind in described.inputs]
    return ModelSignature(Schema(columns), Schema([TensorSpec(np.dtype("int8"), (-1,))]))


def _write_example(folder: Path, example: Mapping[str, Any]) -> dict[str, Any]:
    split = {"columns": list(example), "data": [list(example.values())]}
    (folder / "input_example.json").write_text(json.dumps(split), encoding="utf-8")
    serving_input = json.dumps({"dataframe_split": split}, indent=2)
    (folder / "serving_input_example.json").write_text(serving_input, encoding="utf-8")
    return {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
        "serving_input_path": "serving_input_example.json",
    }


def _write_environment(folder: Path, described: ModelDescription) -> None:
    python, requirements = described.python, list(described.requirements)
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
        "name": "mlflow-env",
    }
    virtual = {
        "python": python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    (folder / "conda.yaml").write_text(yaml.dumps(conda), encoding="utf-8")
    (folder / "python_env.yaml").write_text(yaml.dumps(virtual), encoding="utf-8")
