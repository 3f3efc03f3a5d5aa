"""Repair a checkout whose outputs or DVC cache are not what `dvc.lock` recorded.

DVC trusts modification times and read-only marks; this trusts only content. What does not match is removed,
so that the next run restores or rebuilds it. It never touches inputs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from clearance.versioning import digests, dvc_lock


def remove_unsound(root: Path, cache: Path, outs: Mapping[str, str]) -> list[Path]:
    """Remove outputs below `root` and objects in `cache` that differ from their record; return those removed.

    `outs` maps the path of each output to DVC's MD5 of it. `cache` is the folder that holds DVC's objects
    (`.dvc/cache/files/md5`).
    """
    removed = []
    for name in sorted({name for md5 in outs.values() for name in _object_names(cache, md5)}):
        item = _object(cache, name)
        if item.is_file() and digests.md5(item) != name.removesuffix(digests.FOLDER_SUFFIX):
            item.unlink()
            removed.append(item)
    for path, md5 in outs.items():
        item = root / path
        if item.exists() and digests.md5(item) != md5:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
            removed.append(item)
    return removed


def repair_checkout(root: Path) -> list[Path]:
    """Repair the project at `root`, with the DVC cache it is configured for; return what was removed.

    Raises ConfigurationError when DVC cannot read its own settings, IntegrityError when `dvc.lock` is not
    readable.
    """
    from clearance.versioning import dvc_api

    with dvc_api.Repository(root) as repository:
        repository.remove_torn_lock()
        cache = repository.cache_folder
    return remove_unsound(root, cache, dvc_lock.read(root / dvc_lock.NAME).outs)


def cache_of(root: Path) -> Path:
    """The folder of DVC's objects of the project at `root`. Raises ConfigurationError if DVC cannot tell."""
    from clearance.versioning import dvc_api

    with dvc_api.Repository(root) as repository:
        return repository.cache_folder


def describe_removed(path: Path, root: Path) -> str:
    """One line about something that was removed."""
    return f"{os.path.relpath(path, root)} was not what dvc.lock recorded: removed, the next run rebuilds it"


def _object(cache: Path, name: str) -> Path:
    return cache / name[:2] / name[2:]


def _object_names(cache: Path, name: str) -> Iterator[str]:
    """The objects behind one output: its own, and for a folder those that its (sound) listing names."""
    yield name
    listing = _object(cache, name)
    is_folder = name.endswith(digests.FOLDER_SUFFIX)
    if is_folder and listing.is_file() and digests.md5(listing) == name.removesuffix(digests.FOLDER_SUFFIX):
        yield from dvc_lock.parse_listing(listing.read_bytes()).values()
