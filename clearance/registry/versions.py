"""Versions of registered models: candidates under one name, what was promoted under another.

A version is created with all its tags in one step and found again by its content fingerprint. Whether it
may be promoted is not decided here; a version is only crowned when its files are what was judged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import mlflow.artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from clearance.errors import (
    ClearanceError,
    ConfigurationError,
    IntegrityError,
    TransientError,
    UnavailableError,
)
from clearance.registry import model_folder
from clearance.registry.record import TrackedRun
from clearance.registry.server import MlflowServer, translated
from clearance.registry.test_set_uses import FINGERPRINT
from clearance.registry.version import Version

CHAMPION = "champion"
MODEL_ID = "clearance.model.id"
_TRIES = 5
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_EXISTS = "RESOURCE_ALREADY_EXISTS"


def candidate_name(name: str) -> str:
    """The registered model that holds the candidates for `name`."""
    return f"{name}-candidate"


def find_version(server: MlflowServer, name: str, fingerprint: str) -> Version | None:
    """The version of `name` that has this content; the oldest where there are several."""
    with translated(server.addresses[-1]):
        return _find(server, name, fingerprint)


def champion(server: MlflowServer, name: str) -> Version | None:
    """The version of `name` that the alias `champion` points at."""
    with translated(server.addresses[-1]):
        try:
            number = server.client.get_registered_model(name).aliases.get(CHAMPION)
            return None if number is None else _version(server.client.get_model_version(name, number))
        except MlflowException as error:
            if error.error_code == _ABSENT:
                return None
            raise


def register_version(
    server: MlflowServer, name: str, tracked: TrackedRun, fingerprint: str, tags: Mapping[str, str]
) -> Version:
    """Create a version of `name` from the tracked model, with these tags and the fingerprint, once."""
    if tracked.model_id is None:
        raise ValueError("a run without a model cannot be registered")

    def create() -> ModelVersion:
        return server.client.create_model_version(
            name,
            f"models:/{tracked.model_id}",
            tracked.run_id,
            tags=dict(tags) | {FINGERPRINT: fingerprint, MODEL_ID: tracked.model_id},
            model_id=tracked.model_id,
        )

    with translated(server.addresses[-1]):
        _ensure(server, name)
        return _create(server, name, fingerprint, create)


def copy_version(server: MlflowServer, version: Version, name: str) -> Version:
    """Copy a candidate with its tags to the registered model `name`, once."""
    if version.fingerprint is None:
        raise ValueError(f"{version} has no fingerprint")
    source = f"models:/{version.name}/{version.number}"
    with translated(server.addresses[-1]):
        _ensure(server, name)
        return _create(
            server, name, version.fingerprint, lambda: server.client.copy_model_version(source, name)
        )


def set_champion(server: MlflowServer, version: Version) -> None:
    """Point the alias `champion` at the version. Raises TransientError when another release was faster."""
    with translated(server.addresses[-1]):
        server.client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
    now = champion(server, version.name)
    if now is None or now.number != version.number:
        raise TransientError(f"another release moved the champion of {version.name} meanwhile", "repeat this")


def annotate(server: MlflowServer, version: Version, notes: Mapping[str, str]) -> None:
    """Say of the version, as tags and in its description, what must be said wherever it is named.

    Shown and never gone by: whoever may edit the version can take them away again.
    """
    if not notes:
        return
    with translated(server.addresses[-1]):
        for key, note in notes.items():
            server.client.set_model_version_tag(version.name, str(version.number), key, note)
        text = "; ".join(notes.values())
        server.client.update_model_version(version.name, str(version.number), text)


def find_number(server: MlflowServer, name: str, number: int) -> Version | None:
    """The version of `name` with this number."""
    with translated(server.addresses[-1]):
        try:
            return _version(server.client.get_model_version(name, str(number)))
        except MlflowException as error:
            if error.error_code == _ABSENT:
                return None
            raise


def candidate_version(server: MlflowServer, name: str, number: int) -> Version:
    """Candidate `number` of the model. Raises ConfigurationError when there is none."""
    candidates = candidate_name(name)
    if (version := find_number(server, candidates, number)) is None:
        raise ConfigurationError(f"{candidates} has no version {number}", "look with `clearance ledger show`")
    return version


def clear_champion(server: MlflowServer, name: str) -> None:
    """Take the alias `champion` away: from here on no version is served."""
    with translated(server.addresses[-1]):
        server.client.delete_registered_model_alias(name, CHAMPION)


def verify_files(server: MlflowServer, version: Version, described: model_folder.ModelDescription) -> None:
    """Raise IntegrityError unless the version's files are, byte for byte, what was judged and no others."""
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "wanted"
        with translated(server.addresses[-1]):
            created = server.client.get_run(version.run_id).info.start_time
        there = download(server, version, temporary)
        model_folder.write(
            wanted, described, model_id=version.model_id, run_id=version.run_id, created=created
        )
        held, meant = model_folder.folder_digests(there), model_folder.folder_digests(wanted)
    odd = sorted(name for name in {*held, *meant} if held.get(name) != meant.get(name))
    if odd:
        raise unsound(version, f"{', '.join(odd)} is not what was judged")


def download(server: MlflowServer, version: Version, folder: str) -> Path:
    """The folder below `folder` with the version's files. Raises IntegrityError when MLflow lost them."""
    try:
        with translated(server.addresses[-1]):
            where = server.client.get_model_version_download_uri(version.name, str(version.number))
            return Path(mlflow.artifacts.download_artifacts(where, dst_path=folder))
    except (UnavailableError, ConfigurationError):
        raise
    except (ClearanceError, OSError) as error:
        raise unsound(version, f"its files cannot be read ({error})") from error


def unsound(version: Version, fault: str) -> IntegrityError:
    """The error that this version is not what was judged, and how it becomes so again."""
    return IntegrityError(
        f"{version}: {fault}",
        f"find out who changed it; then delete run {version.run_id} and this version in MLflow, and run "
        "`clearance track` and `clearance release` where it was made: both are recorded anew",
    )


def _ensure(server: MlflowServer, name: str) -> None:
    try:
        server.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != _ABSENT:
            raise
        try:
            server.client.create_registered_model(name)
        except MlflowException as late:
            if late.error_code != _EXISTS:
                raise


def _create(server: MlflowServer, name: str, fingerprint: str, create: Callable[[], ModelVersion]) -> Version:
    """Create the version; of two that arise at once the older one stays. Collisions are tried again."""
    for tries_left in reversed(range(_TRIES)):
        if found := _find(server, name, fingerprint):
            return found
        try:
            created = create()
        except MlflowException as error:
            if not tries_left or "IntegrityError" not in str(error):
                raise
            continue
        stays = _find(server, name, fingerprint)
        if stays is not None and stays.number != int(created.version):
            server.client.delete_model_version(name, str(created.version))
            return stays
        if stays is not None:
            return stays
    raise TransientError(f"a version of {name} was created and is not found", "repeat this")


def _find(server: MlflowServer, name: str, fingerprint: str) -> Version | None:
    found = server.client.search_model_versions(f"name = '{name}' AND tags.`{FINGERPRINT}` = '{fingerprint}'")
    return min(map(_version, found), key=lambda version: version.number, default=None)


def _version(found: ModelVersion) -> Version:
    return Version(
        name=found.name,
        number=int(found.version),
        fingerprint=found.tags.get(FINGERPRINT),
        tags=dict(found.tags),
        run_id=str(found.run_id),
        model_id=found.tags.get(MODEL_ID, ""),
    )
