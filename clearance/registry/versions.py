"""Versions of registered models: candidates under one name, what was promoted under another.

A version is created with all its tags in one step and found again by its content fingerprint. Whether it
may be promoted is decided elsewhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import mlflow.artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from clearance import files
from clearance.errors import ClearanceError, ConfigurationError, TransientError
from clearance.registry import faults, model_folder
from clearance.registry.mlflow_server import MlflowServer, translated
from clearance.registry.run_values import TrackedRun
from clearance.registry.test_set_uses import FINGERPRINT
from clearance.registry.version import Version

CHAMPION = "champion"
CHALLENGER = "challenger"
"""The alias of the candidate that scores the traffic in shadow; it is on the name of the candidates."""
MODEL_ID = "clearance.model.id"
_TRIES = 5
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_EXISTS = "RESOURCE_ALREADY_EXISTS"


def candidate_name(name: str) -> str:
    """The registered model that holds the candidates for `name`."""
    return f"{name}-candidate"


def find_version(server: MlflowServer, name: str, fingerprint: str) -> Version | None:
    """The version of `name` with this content, the oldest if there are several."""
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
    server: MlflowServer,
    name: str,
    tracked: TrackedRun,
    fingerprint: str,
    tags: Mapping[str, str],
    *,
    description: str = "",
) -> Version:
    """Create a version of `name` from the tracked model, with these tags and the fingerprint, once.

    `description` is what MLflow shows first of it, for people.
    """
    if tracked.model_id is None:
        raise ValueError("a run without a model cannot be registered")

    def create() -> ModelVersion:
        return server.client.create_model_version(
            name,
            f"models:/{tracked.model_id}",
            tracked.run_id,
            tags=dict(tags) | {FINGERPRINT: fingerprint, MODEL_ID: tracked.model_id},
            model_id=tracked.model_id,
            description=description,
        )

    with translated(server.addresses[-1]):
        _ensure_model(server, name)
        return _create(server, name, fingerprint, create)


def discard_version(server: MlflowServer, version: Version) -> None:
    """Delete a version that nobody has proposed; its number is not used again."""
    with translated(server.addresses[-1]):
        server.client.delete_model_version(version.name, str(version.number))


def copy_version(server: MlflowServer, version: Version, name: str) -> Version:
    """Copy a candidate with its tags to the registered model `name`, once."""
    if version.fingerprint is None:
        raise ValueError(f"{version} has no fingerprint")
    source = f"models:/{version.name}/{version.number}"
    with translated(server.addresses[-1]):
        _ensure_model(server, name)
        return _create(
            server, name, version.fingerprint, lambda: server.client.copy_model_version(source, name)
        )


def set_champion(server: MlflowServer, version: Version) -> None:
    """Point the alias `champion` at the version. Raises TransientError when another release moved it."""
    with translated(server.addresses[-1]):
        server.client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
    current = champion(server, version.name)
    if current is None or current.number != version.number:
        raise faults.CHAMPION_MOVED(name=version.name)


def set_challenger(server: MlflowServer, version: Version) -> None:
    """Point the alias `challenger` of the candidates at this one."""
    with translated(server.addresses[-1]):
        server.client.set_registered_model_alias(version.name, CHALLENGER, str(version.number))


def clear_challenger(server: MlflowServer, name: str) -> None:
    """Remove the alias `challenger` from the candidates for `name`."""
    with translated(server.addresses[-1]):
        server.client.delete_registered_model_alias(candidate_name(name), CHALLENGER)


def challenger(server: MlflowServer, name: str) -> int | None:
    """The number of the candidate for `name` that the alias `challenger` points at."""
    return aliases(server, candidate_name(name)).get(CHALLENGER)


def annotate(server: MlflowServer, version: Version, notes: Mapping[str, str]) -> None:
    """Add notes to the version, as tags and before its description, for people who look at it in MLflow.

    Nothing relies on them: people who may edit the version can remove them.
    """
    if not notes:
        return
    with translated(server.addresses[-1]):
        for key, note in notes.items():
            server.client.set_model_version_tag(version.name, str(version.number), key, note)
        text, number = "; ".join(notes.values()), str(version.number)
        described = server.client.get_model_version(version.name, number).description or ""
        if not described.startswith(text):
            described = f"{text}\n\n{described}".strip()
            server.client.update_model_version(version.name, number, described)


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
        raise faults.NO_SUCH_VERSION(name=candidates, number=number)
    return version


def list_versions(server: MlflowServer, name: str) -> tuple[Version, ...]:
    """Every version of `name`, in order; empty when there is no such model."""
    versions: list[Version] = []
    token: str | None = None
    with translated(server.addresses[-1]):
        while True:
            page = server.client.search_model_versions(f"name = '{name}'", page_token=token)
            versions += map(_version, page)
            token = page.token
            if not token:
                return tuple(sorted(versions, key=lambda version: version.number))


def aliases(server: MlflowServer, name: str) -> dict[str, int]:
    """The number of the version that each alias of `name` points at; empty when there is no such model."""
    with translated(server.addresses[-1]):
        try:
            by_alias = server.client.get_registered_model(name).aliases
        except MlflowException as error:
            if error.error_code == _ABSENT:
                return {}
            raise
    return {alias: int(number) for alias, number in by_alias.items()}


def clear_champion(server: MlflowServer, name: str) -> None:
    """Remove the alias `champion`: no version is served from now on."""
    with translated(server.addresses[-1]):
        server.client.delete_registered_model_alias(name, CHAMPION)


def verify_files(server: MlflowServer, version: Version, described: model_folder.ModelDescription) -> None:
    """Raise IntegrityError unless the version's files are byte for byte those of the judged model."""
    with tempfile.TemporaryDirectory() as temporary:
        expected = Path(temporary) / "expected"
        with translated(server.addresses[-1]):
            created = server.client.get_run(version.run_id).info.start_time
        actual = download(server, version, temporary)
        model_folder.write(
            expected, described, model_id=version.model_id, run_id=version.run_id, created=created
        )
        ensure_same_files(version, model_folder.folder_digests(actual), model_folder.folder_digests(expected))


def ensure_same_files(version: Version, actual: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raise IntegrityError unless both map the same names to the same digests."""
    names = sorted(name for name in {*actual, *expected} if actual.get(name) != expected.get(name))
    if names:
        raise unsound(version, f"{', '.join(names)} is not what was judged")


def download(server: MlflowServer, version: Version, folder: str) -> Path:
    """The folder below `folder` with the version's files. Raises IntegrityError when MLflow has lost them."""
    try:
        with translated(server.addresses[-1]):
            location = server.client.get_model_version_download_uri(version.name, str(version.number))
            return Path(mlflow.artifacts.download_artifacts(location, dst_path=folder))
    except (TransientError, ConfigurationError):
        raise
    except (ClearanceError, OSError) as error:
        if (passing := files.passing_fault(error)) is not None:
            raise passing from None
        raise unsound(version, f"its files cannot be read ({error})") from error


def unsound(version: Version, reason: str) -> ClearanceError:
    """The error that this version is not what was judged."""
    return faults.VERSION_ALTERED(version=version, reason=reason, run_id=version.run_id)


def _ensure_model(server: MlflowServer, name: str) -> None:
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
    """Create the version; of two created at once the older one stays. Collisions are retried."""
    for tries_left in reversed(range(_TRIES)):
        if version := _find(server, name, fingerprint):
            return version
        try:
            created = create()
        except MlflowException as error:
            if not tries_left or "IntegrityError" not in str(error):
                raise
            continue
        oldest = _find(server, name, fingerprint)
        if oldest is not None and oldest.number != int(created.version):
            server.client.delete_model_version(name, str(created.version))
        if oldest is not None:
            return oldest
    raise faults.VERSION_NOT_FOUND(name=name)


def _find(server: MlflowServer, name: str, fingerprint: str) -> Version | None:
    query = f"name = '{name}' AND tags.`{FINGERPRINT}` = '{fingerprint}'"
    versions = map(_version, server.client.search_model_versions(query))
    return min(versions, key=lambda version: version.number, default=None)


def _version(model: ModelVersion) -> Version:
    return Version(
        name=model.name,
        number=int(model.version),
        fingerprint=model.tags.get(FINGERPRINT),
        tags=dict(model.tags),
        run_id=str(model.run_id),
        model_id=model.tags.get(MODEL_ID, ""),
        stage=None if model.current_stage in (None, "", "None") else str(model.current_stage),
    )
