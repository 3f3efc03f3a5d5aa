"""The DVC remote: where data and models go so that somebody else can build a model again.

A release pushes there first and reads back what arrived. Whether it needs a remote is decided elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clearance.versioning import digests, dvc_lock, faults

if TYPE_CHECKING:
    from clearance.versioning.dvc_api import ObjectStore, Repository

READ_BACK = 1 << 30
"""How many bytes a push reads back from the remote, unless told otherwise."""


@dataclass(frozen=True)
class Remote:
    """The default remote by its name in DVC's configuration; `inside`: it lies within the project folder."""

    name: str
    inside: bool


def default_remote(root: Path) -> Remote | None:
    """The default DVC remote of the project at `root`, None when none is configured.

    Raises ConfigurationError when the default names a remote that is not configured, or DVC's
    configuration cannot be read.
    """
    from clearance.versioning import dvc_api

    if not (root / ".dvc").is_dir():
        return None
    if (remote := dvc_api.remote_settings(root)) is None:
        return None
    name, settings = remote
    if settings is None:
        raise faults.REMOTE_NOT_CONFIGURED(name=name)
    return Remote(name, _is_inside(root, settings["url"]))


def _is_inside(root: Path, address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "file":
        return True  # DVC takes it for a folder named `file:` where it was started
    if parts.scheme:
        return False
    return (root / ".dvc" / parts.path).resolve().is_relative_to(root.resolve())


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """What a remote was found to hold: `objects` in all, of which `size` bytes were read back and hashed.

    Of the `unread` objects only the size was compared. `resent` are outputs of which the remote held
    something else and which were sent again.
    """

    objects: int
    size: int
    unread: int
    resent: tuple[str, ...]


def push(root: Path, read_back: int = READ_BACK) -> PushReport:
    """Push every output of the project at `root` to the default remote, and check that it holds them.

    Objects are read back, the small ones first, up to `read_back` bytes in all. Raises UnavailableError when
    the remote does not take them, lacks one afterwards (DVC pushes what its cache still holds and passes over
    the rest), or holds something else under its name that cannot be replaced.
    """
    from clearance.versioning import dvc_api

    try:
        with dvc_api.quiet(), contextlib.chdir(root), dvc_api.Repository(root) as repository:
            resent = _resend_listings(repository)
            repository.push()
            report, corrupt = _check(repository, read_back, resent)
            lacking = [] if corrupt else sorted(_lacking(repository))
    except dvc_api.PushError as error:
        raise faults.PUSH_FAILED(reason=error) from error
    if lacking:
        raise faults.PUSH_INCOMPLETE(outputs=", ".join(lacking))
    if corrupt:
        raise faults.PUSH_CORRUPT(outputs=", ".join(corrupt))
    return report


def _resend_listings(repository: Repository) -> set[str]:
    """Send again each folder's listing that is damaged at the remote, because DVC does not push past one.

    Returns the outputs that are sound now.
    """
    remote, cache = repository.remote(), repository.cache
    return {
        output
        for name, output in _objects(repository)
        if name.endswith(digests.FOLDER_SUFFIX) and remote.exists(name) and not remote.is_sound(name)
        if cache.is_sound(name) and remote.replace_from(cache, name)
    }


def _check(repository: Repository, read_back: int, resent: set[str]) -> tuple[PushReport, list[str]]:
    """Hash what the remote holds and send again what is corrupt; also return what stays corrupt."""
    remote, cache = repository.remote(), repository.cache
    outputs = dict(_objects(repository))
    sizes = {name: remote.size(name) for name in outputs}
    resent, corrupt = set(resent), set[str]()
    read = unread = 0
    for name, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        if read + size > read_back and size == cache.size(name):
            unread += 1
            continue
        read += size
        if remote.is_sound(name):
            continue
        if cache.is_sound(name) and remote.replace_from(cache, name):
            resent.add(outputs[name])
        elif remote.exists(name):
            corrupt.add(outputs[name])
    report = PushReport(objects=len(outputs), size=read, unread=unread, resent=tuple(sorted(resent)))
    return report, sorted(corrupt)


def _objects(repository: Repository) -> Iterator[tuple[str, str]]:
    """The objects behind every output, each with the output's path; a folder's as the cache lists them."""
    cache = repository.cache
    for output in repository.outputs():
        if output.pushed and output.md5:
            yield output.md5, output.path
            yield from ((name, output.path) for name in _listed(cache, output.md5))


def _listed(store: ObjectStore, name: str) -> list[str]:
    """The objects that a folder's listing names; none for a file, or where the listing is not sound."""
    if not name.endswith(digests.FOLDER_SUFFIX) or not store.is_sound(name):
        return []
    with store.open(name) as stream:
        return list(dvc_lock.parse_listing(stream.read()).values())


def lacking(root: Path, lock: dvc_lock.Lock) -> list[str]:
    """The outputs of `lock`, of any version, of which the default remote lacks an object.

    What the project's `dvc.yaml` keeps from the remote does not count. Raises UnavailableError when the
    remote does not answer.
    """
    from clearance.versioning import dvc_api

    try:
        with dvc_api.quiet(), contextlib.chdir(root), dvc_api.Repository(root) as repository:
            local = {output.path for output in repository.outputs() if not output.pushed}
            remote = repository.remote()
            return sorted(
                path for path, name in lock.outs.items() if path not in local and _lacks(remote, name)
            )
    except dvc_api.PushError as error:
        raise faults.REMOTE_UNAVAILABLE(reason=error) from error


def _lacking(repository: Repository) -> Iterator[str]:
    """The outputs of which the remote lacks the object, or a folder's listing or one of its files."""
    remote = repository.remote()
    for output in repository.outputs():
        if output.pushed and (output.md5 is None or _lacks(remote, output.md5)):
            yield output.path


def _lacks(remote: ObjectStore, name: str) -> bool:
    """Whether the remote lacks the object, or a folder's sound listing or one of its files."""
    if remote.missing([name]):
        return True
    if not name.endswith(digests.FOLDER_SUFFIX):
        return False
    return not remote.is_sound(name) or bool(remote.missing(_listed(remote, name)))
