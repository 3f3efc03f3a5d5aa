"""A released version read back by digest: its model, its reports, the rows it was fitted on.

MLflow is not trusted: content counts only if it has the digest that signed evidence states, or, without
signed evidence, the one that the version's tags state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, params, paths
from clearance.data.tables import fitted_rows
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.registry import model_folder, versions
from clearance.registry.evidence import fetch_verified
from clearance.registry.mlflow_server import MlflowServer, open_run_files, translated
from clearance.registry.version import Version

MODEL_DIGEST = "clearance.model.sha256"
_EVIDENCE = "clearance.evidence"
_RECORDS = tuple(path.as_posix() for path in (paths.TRAINING, paths.SPLIT, paths.ORIGIN))


@dataclass(frozen=True, kw_only=True)
class SignedDigests:
    """What signed evidence states of a version: the SHA-256 of its model and records, its parameters."""

    model: str
    outs: Mapping[str, str]
    params: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedModel:
    """A version as it was judged. `file` is its model's, whose content has the digest `sha256`.

    `training`, `split` and `origin` are its records. `declared` is its `params.yaml`, which only signed
    evidence confirms. `fitted` are the digests of the rows it was fitted and tuned on; None where its run did
    not keep them.
    """

    version: Version
    file: Path
    sha256: str
    training: TrainingDocument
    split: SplitDocument
    origin: OriginDocument
    declared: Mapping[str, Any]
    fitted: tuple[bytes, ...] | None


def load_released(
    server: MlflowServer, version: Version, folder: Path, signed: SignedDigests | None = None
) -> ReleasedModel:
    """Download `version` to the empty `folder` and verify it.

    Raises IntegrityError when anything is missing or is not what was judged, and when the version was not
    released here.
    """
    sha256 = signed.model if signed else _tag(version, MODEL_DIGEST)
    file = versions.download(server, version, str(folder)) / model_folder.MODEL
    if not file.is_file() or files.sha256(file) != sha256:
        raise versions.unsound(version, f"{model_folder.MODEL} is not the model that was judged")
    fetch_verified(server, version, {path: _digest(version, path, signed) for path in _RECORDS}, folder)
    training, split = TrainingDocument.read(folder), SplitDocument.read(folder)
    if isinstance(training, BlockedDocument) or isinstance(split, BlockedDocument):
        raise versions.unsound(version, "no model was trained in its run")
    if sha256 != training.model.sha256:
        raise versions.unsound(version, "its model is not the one that its evidence is about")
    return ReleasedModel(
        version=version,
        file=file,
        sha256=sha256,
        training=training,
        split=split,
        origin=OriginDocument.read(folder),
        declared=_declared(server, version, folder, signed),
        fitted=_fitted(server, version, split, folder),
    )


def _digest(version: Version, path: str, signed: SignedDigests | None) -> str:
    """The SHA-256 of the record at `path` that the version was judged by."""
    if signed is None:
        return _tag(version, f"{_EVIDENCE}.{path.replace('/', '.')}")
    if (sha256 := signed.outs.get(path)) is None:
        raise versions.unsound(version, f"{path} of its run is not among its evidence")
    return sha256


def _tag(version: Version, key: str) -> str:
    if (value := version.tags.get(key)) is None:
        raise versions.unsound(version, f"it has no tag {key}, so it was not released here")
    return value


def _fitted(
    server: MlflowServer, version: Version, split: SplitDocument, folder: Path
) -> tuple[bytes, ...] | None:
    rows = []
    for side in fitted_rows.SPLITS:
        name = fitted_rows.name(side)
        if (file := _fetch_optional(server, version, name, folder)) is None:
            return None
        rows.append(file.read_bytes())
        if fitted_rows.digest(rows[-1]) != split.row_digests[side]:
            raise versions.unsound(version, f"{name} of its run does not hold the rows it was made from")
    return tuple(rows)


def _declared(
    server: MlflowServer, version: Version, folder: Path, signed: SignedDigests | None
) -> Mapping[str, Any]:
    if signed is None:
        file = _fetch_optional(server, version, paths.PARAMS.as_posix(), folder)
        return {} if file is None else params.read_yaml(file)
    files.write_text(folder / "signed" / paths.PARAMS, signed.params)
    return params.read_yaml(folder / "signed" / paths.PARAMS)


def _fetch_optional(server: MlflowServer, version: Version, name: str, folder: Path) -> Path | None:
    """A file of the version's run, not verified; None where the run keeps no such file."""
    parent = name.rpartition("/")[0]
    with translated(server.addresses[0]):
        run_files = open_run_files(server, version.run_id)
        if name not in run_files.names(parent or None):
            return None
        return run_files.download(name, str(folder))
