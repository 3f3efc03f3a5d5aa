"""What MLflow keeps beside a version: its evidence bundle, and the files of its run and of the model itself.

Fetched by name and never believed: whoever asks holds the content against a digest from elsewhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException

from clearance.errors import IntegrityError
from clearance.registry import model_folder, versions
from clearance.registry.server import MlflowServer, translated
from clearance.registry.version import Version

FOLDER = "evidence"


def store_evidence(server: MlflowServer, version: Version, file: Path) -> None:
    """Keep a file beside the version, in the folder `evidence` of its run; the same name replaces it."""
    with translated(server.addresses[0]):
        server.client.log_artifact(version.run_id, str(file), FOLDER)


def fetch_files(server: MlflowServer, version: Version, names: Collection[str], target: Path) -> None:
    """Copy files of the version's run to `target`; several of one folder are downloaded at once.

    Raises IntegrityError when MLflow no longer has one.
    """
    for source, wanted in _sources(names).items():
        with translated(server.addresses[0]), tempfile.TemporaryDirectory() as place:
            name = source
            try:
                downloaded = Path(server.client.download_artifacts(version.run_id, source, place))
                for name in wanted:
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(downloaded / Path(name).relative_to(source), target / name)
            except (MlflowException, OSError) as error:
                if isinstance(error, MlflowException) and error.error_code not in _LOST:
                    raise
                raise IntegrityError(
                    f"{version}: MLflow has no {name} for it ({' '.join(str(error).split())[:200]})",
                    "run `clearance release` where the model was made: what is missing is kept again",
                ) from error


def _sources(names: Collection[str]) -> dict[str, list[str]]:
    """What to download, and the files wanted of it: the folder of several files, else the file."""
    by_folder: dict[str, list[str]] = {}
    for name in names:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    sources: dict[str, list[str]] = {}
    for folder, wanted in by_folder.items():
        sources |= {folder: wanted} if folder and len(wanted) > 1 else {name: [name] for name in wanted}
    return sources


_LOST = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INTERNAL_ERROR", "NOT_FOUND"}


@contextmanager
def downloaded_model(server: MlflowServer, version: Version) -> Iterator[Path]:
    """The version's model folder as MLflow holds it now, for a while. Raises IntegrityError if it is lost."""
    with tempfile.TemporaryDirectory() as temporary:
        yield versions.download(server, version, temporary)


def model_file_digests(server: MlflowServer, version: Version) -> dict[str, str]:
    """The SHA-256 of every file of the version's model folder, by its relative name."""
    with downloaded_model(server, version) as there:
        return model_folder.folder_digests(there)
