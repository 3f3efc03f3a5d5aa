"""Which of DVC's objects must stay so that every registered version can be built again; the rest may go.

`dvc gc` knows only the workspace or git's commits, and would remove what the evidence of a version still
names. Nothing is removed while it is unknown what a folder that must stay consists of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearance import paths, run_lock
from clearance.versioning import digests, dvc_lock, dvc_remote, faults
from clearance.versioning.dvc_objects import Stores

if TYPE_CHECKING:
    from clearance.versioning.dvc_api import ObjectStore, Repository


@dataclass(frozen=True, kw_only=True)
class RemovedObjects:
    """What was removed at one place (or would be): `objects`, of `size` bytes in all; `remaining` stay."""

    place: str
    objects: tuple[str, ...]
    size: int
    remaining: int

    def __str__(self) -> str:
        if not self.objects:
            return f"{self.place}: nothing to remove ({self.remaining} objects kept)"
        noun = "object" if len(self.objects) == 1 else "objects"
        return f"{self.place}: {len(self.objects)} {noun}, {self.size:,} bytes ({self.remaining} kept)"


def referenced_objects(texts: Iterable[str]) -> set[str]:
    """The objects that these texts, each a `dvc.lock` or a `.dvc` file, name: written or read, by DVC's MD5.

    Code that a stage read is among them and is not an object of DVC's, which does no harm. A folder is
    named by its listing only. Raises IntegrityError when a text is neither.
    """
    names: set[str] = set()
    for text in texts:
        names |= dvc_lock.objects(text)
        if dvc_lock.is_lock(text):
            names |= set(dvc_lock.parse(text).sources.values())
    return names


def collect_garbage(
    root: Path, texts: Iterable[str], *, at_remote: bool = False, dry: bool = True
) -> tuple[RemovedObjects, ...]:
    """Remove every object that neither the project at `root` nor `texts` need; with `dry`, only list them.

    `texts` are the `dvc.lock` of every registered version, from its evidence, and the `.dvc` files of its
    commit (`git.dvc_files`). `at_remote` does the same at the default remote: use it only where no other
    project keeps its objects there. Raises IntegrityError, with nothing removed, when a folder that must stay
    has no sound listing any more; BusyError when a run holds the checkout; UnavailableError when the remote
    fails.
    """
    texts = list(texts)
    with run_lock.hold(root), _repository(root) as repository:
        remote = repository.remote() if dvc_remote.default_remote(root) else None
        stores = Stores(places=tuple(store for store in (repository.cache, remote) if store is not None))
        outputs = {output.md5 for output in repository.outputs() if output.md5}
        outputs |= {name for text in texts for name in dvc_lock.objects(text)}
        needed = outputs | referenced_objects([*texts, *_workspace_locks(root)])
        needed |= set(_files_of_folders(stores, needed, outputs))
        places = [("cache", repository.cache)]
        if at_remote and remote is not None:
            places.append(("remote", remote))
        present = [store.names() for _, store in places]  # all of them listed before anything is removed
        return tuple(
            _remove(place, store, names, needed, dry=dry)
            for (place, store), names in zip(places, present, strict=True)
        )


def _workspace_locks(root: Path) -> list[str]:
    """The locks of runs with overrides."""
    return [file.read_text(encoding="utf-8") for file in root.glob(f"{paths.WORKSPACES}/*/{paths.DVC_LOCK}")]


def _files_of_folders(stores: Stores, needed: Iterable[str], outputs: set[str]) -> Iterator[str]:
    """The objects of the files in each needed folder. Only those of `outputs` must be objects of DVC's."""
    for name in sorted(needed):
        if name.endswith(digests.FOLDER_SUFFIX) and (name in outputs or stores.exists(name)):
            yield from stores.listing(name).values()


def _remove(
    place: str, store: ObjectStore, present: set[str], needed: set[str], *, dry: bool
) -> RemovedObjects:
    spare = sorted(present - needed)
    size = sum(store.size(name) for name in spare)
    for name in () if dry else spare:
        store.delete(name)
    return RemovedObjects(place=place, objects=tuple(spare), size=size, remaining=len(present) - len(spare))


@contextlib.contextmanager
def _repository(root: Path) -> Iterator[Repository]:
    """The DVC repository at `root`, while no other DVC command works on it."""
    from clearance.versioning import dvc_api

    try:
        with (
            dvc_api.translated_errors(),
            dvc_api.quiet(),
            dvc_api.Repository(root) as repository,
            repository.locked(),
        ):
            yield repository
    except NotImplementedError:  # fsspec: a web server has no listing, and removes nothing
        raise faults.REMOTE_CANNOT_LIST() from None
    except OSError as error:
        raise faults.OBJECT_NOT_REMOVED(reason=error) from None
