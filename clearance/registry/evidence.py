"""What MLflow keeps beside a version: its evidence bundle, and the files of its run and of the model itself.

Files are fetched by name and never trusted: their digests are compared with signed evidence, here or by the
caller.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException

from clearance import files
from clearance.registry import faults, model_folder, versions
from clearance.registry.mlflow_server import MlflowServer, open_run_files, translated
from clearance.registry.version import Version

FOLDER = "evidence"


def store_evidence(server: MlflowServer, version: Version, file: Path) -> None:
    """Store a file beside the version, in the folder `evidence` of its run; the same name replaces it."""
    with translated(server.addresses[0]):
        server.client.log_artifact(version.run_id, str(file), FOLDER)


def fetch_files(server: MlflowServer, version: Version, names: list[str], target: Path) -> None:
    """Copy files of the version's run to `target`.

    Raises IntegrityError when MLflow no longer has one, UnavailableError when there is no space for it here.
    """
    if not names:
        return
    name = names[0]
    with translated(server.addresses[0]):
        try:
            run_files = open_run_files(server, version.run_id)
            for name in names:
                with tempfile.TemporaryDirectory() as folder:
                    file = run_files.download(name, folder)
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(file, target / name)
        except (MlflowException, OSError) as error:
            if (passing := files.passing_fault(error)) is not None:
                raise passing from None
            if isinstance(error, MlflowException) and error.error_code not in _LOST:
                raise
            reason = " ".join(str(error).split())[:200]
            raise faults.FILE_LOST(version=version, name=name, reason=reason) from error


_LOST = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INTERNAL_ERROR", "NOT_FOUND"}


def fetch_verified(server: MlflowServer, version: Version, digests: Mapping[str, str], target: Path) -> None:
    """Copy files of the version's run to `target`; `digests` maps the name of each to its SHA-256.

    Raises IntegrityError when MLflow no longer has one, or its content has another digest.
    """
    fetch_files(server, version, sorted(digests), target)
    for name, sha256 in digests.items():
        if files.sha256(target / name) != sha256:
            raise versions.unsound(version, f"{name} of its run is not what was judged")


@contextmanager
def downloaded_model(server: MlflowServer, version: Version) -> Iterator[Path]:
    """The version's model folder as MLflow holds it now, for a while. Raises IntegrityError if it is lost."""
    with tempfile.TemporaryDirectory() as temporary:
        yield versions.download(server, version, temporary)


@contextmanager
def verified_model(server: MlflowServer, version: Version, digests: Mapping[str, str]) -> Iterator[Path]:
    """The version's model folder for a while; `digests` maps the name of each file to its SHA-256.

    Raises IntegrityError unless the folder holds exactly these files.
    """
    with downloaded_model(server, version) as folder:
        versions.ensure_same_files(version, model_folder.folder_digests(folder), digests)
        yield folder


def model_file_digests(server: MlflowServer, version: Version) -> dict[str, str]:
    """The SHA-256 of every file of the version's model folder, by its relative name."""
    with downloaded_model(server, version) as folder:
        return model_folder.folder_digests(folder)
