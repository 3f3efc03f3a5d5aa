"""What is kept beside a released version, read back by digest: its model, its reports, the rows it saw.

MLflow is not believed: content counts only where it has the digest that signed evidence says; without any,
the one that the version's tags say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, params
from clearance.data.tables import fitted_rows
from clearance.errors import IntegrityError
from clearance.registry import model_folder, versions
from clearance.registry.server import MlflowServer, translated
from clearance.registry.version import Version

MODEL_DIGEST = "clearance.model.sha256"
_EVIDENCE = "clearance.evidence"


@dataclass(frozen=True, kw_only=True)
class SignedDigests:
    """What signed evidence says of a version: the SHA-256 of its model and of each record, its parameters."""

    model: str
    outs: Mapping[str, str]
    params: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedModel:
    """A version as it was judged. `file` is its model's, whose content has the digest `sha256`.

    `training`, `split` and `origin` are its records; `declared` is its `params.yaml`, for which nothing
    vouches without signed evidence. `fitted` are the rows it was fitted and tuned on (`seen`); None where its
    run did not keep them.
    """

    version: Version
    file: Path
    sha256: str
    training: Mapping[str, Any]
    split: Mapping[str, Any]
    origin: Mapping[str, Any]
    declared: Mapping[str, Any]
    fitted: tuple[bytes, ...] | None


def load_released(
    server: MlflowServer, version: Version, into: Path, vouched: SignedDigests | None = None
) -> ReleasedModel:
    """Download what is kept of `version` to the folder `into`, and check it.

    Raises IntegrityError when anything is missing or is not what was judged, and when the version was not
    released here.
    """
    expected = vouched.model if vouched else _said(version, MODEL_DIGEST)
    file = versions.download(server, version, str(into)) / model_folder.MODEL
    if not file.is_file() or files.sha256(file) != expected:
        raise _unsound(version, f"{model_folder.MODEL} is not the model that was judged")
    training, split, origin = (
        _report(server, version, path, into, vouched)
        for path in ("reports/training.json", "reports/split.json", "data/origin.json")
    )
    if expected != training["model"]["sha256"]:
        raise _unsound(version, "its model is not the one that its evidence is about")
    return ReleasedModel(
        version=version,
        file=file,
        sha256=expected,
        training=training,
        split=split,
        origin=origin,
        declared=_declared(server, version, into, vouched),
        fitted=_fitted(server, version, split, into),
    )


def _fitted(
    server: MlflowServer, version: Version, split: Mapping[str, Any], into: Path
) -> tuple[bytes, ...] | None:
    found = []
    for side in fitted_rows.SPLITS:
        if (kept := _fetch(server, version, fitted_rows.name(side), into)) is None:
            return None
        found.append(kept.read_bytes())
        if fitted_rows.digest(found[-1]) != split["row_digests"][side]:
            raise _unsound(version, f"{fitted_rows.name(side)} of its run is not the rows it was made from")
    return tuple(found)


def _declared(
    server: MlflowServer, version: Version, into: Path, vouched: SignedDigests | None
) -> Mapping[str, Any]:
    if vouched is None:
        kept = _fetch(server, version, "params.yaml", into)
        return {} if kept is None else params.read_yaml(kept)
    files.write_text(into / "vouched" / "params.yaml", vouched.params)
    return params.read_yaml(into / "vouched" / "params.yaml")


def _report(
    server: MlflowServer, version: Version, path: str, into: Path, vouched: SignedDigests | None
) -> Any:
    """The record at `path` that the version was judged by."""
    tag = f"{_EVIDENCE}.{path.replace('/', '.')}"
    expected = vouched.outs.get(path) if vouched else _said(version, tag)
    file = _fetch(server, version, path, into)
    if file is None or files.sha256(file) != expected:
        raise _unsound(version, f"{path} of its run is not what it was judged by")
    return files.read_json(file)


def _said(version: Version, key: str) -> str:
    if (said := version.tags.get(key)) is None:
        raise _unsound(version, f"it has no tag {key}, so it was not released here")
    return said


def _fetch(server: MlflowServer, version: Version, path: str, into: Path) -> Path | None:
    """A file of the version's run, not checked; None where the run keeps no such file."""
    parent = path.rpartition("/")[0]
    with translated(server.addresses[0]):
        listed = server.client.list_artifacts(version.run_id, parent or None)
        if path not in {each.path for each in listed}:
            return None
        return Path(server.client.download_artifacts(version.run_id, path, str(into)))


def _unsound(version: Version, fault: str) -> IntegrityError:
    mend = "find out who changed it; roll back to a version that verifies, or release a model anew"
    return IntegrityError(f"{version}: {fault}", mend)
