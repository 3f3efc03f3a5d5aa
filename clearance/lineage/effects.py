"""The data sets of the effects: what a snapshot copies, what tracking and a release write into MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from clearance import paths
from clearance.documents.release_receipt import ReceiptVersion, ReleaseReceipt
from clearance.lineage import databases, facets, moments
from clearance.lineage.datasets import Project
from clearance.lineage.events import DataSet

_READ = (*paths.EVIDENCE, paths.REASONS, paths.BASELINE, paths.VERDICT, paths.TRAINED)


def datasets(
    step: str,
    project: Project,
    *,
    digests: Mapping[str, str] | None = None,
    receipt: ReleaseReceipt | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[list[DataSet], list[DataSet]]:
    """What an effect reads and writes: with `digests` (MD5 by path) and a receipt, which versions.

    Nothing is known of a step that is not one of the effects.
    """
    if step == moments.SNAPSHOT:
        return databases.read_by(project.settings.source, environ), [project.source]
    if step == moments.PREREGISTER:
        stated = (paths.SPLIT.as_posix(), project.settings.policy.file)
        ledger = DataSet(namespace=project.namespace, name=f"{project.settings.name}/ledger")
        return [project.dataset(path) for path in stated], [ledger]  # `dvc.lock` is not written yet
    if step not in (moments.TRACK, moments.RELEASE):
        return [], []
    reads = [_read(project, path.as_posix(), digests or {}) for path in _READ]
    registry = registry_namespace(project.namespace, environ)
    if step == moments.TRACK:
        name = f"experiments/{project.settings.experiment}"
        return reads, [DataSet(namespace=registry, name=name)]
    if receipt is None:
        return reads, [DataSet(namespace=registry, name=f"models/{project.settings.name}-candidate")]
    versions = [receipt.candidate, receipt.champion if receipt.is_champion else None]
    return reads, [_version(registry, version) for version in versions if version is not None]


def registry_namespace(default: str, environ: Mapping[str, str] = os.environ) -> str:
    """`mlflow://HOST:PORT` where a server holds the registry, else the project's own namespace."""
    address = urlsplit(environ.get("MLFLOW_TRACKING_URI", ""))
    try:
        host, port = address.hostname, address.port
    except ValueError:
        return default
    if address.scheme not in ("http", "https") or not host:
        return default
    return f"mlflow://{host}" + (f":{port}" if port else "")


def _read(project: Project, path: str, digests: Mapping[str, str]) -> DataSet:
    dataset = project.dataset(path)
    if path not in digests:
        return dataset
    return replace(dataset, facets={"version": facets.version(f"md5:{digests[path]}")})


def _version(namespace: str, version: ReceiptVersion) -> DataSet:
    return DataSet(
        namespace=namespace,
        name=f"models/{version.name}",
        facets={"version": facets.version(str(version.version))},
    )
