"""Which of DVC's objects must stay so that every registered version can be built again; the rest may go.

`dvc gc` knows only the workspace or git's commits: it would take what the evidence of a version still names.
Nothing goes while it is not known what a folder that must stay consists of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import run_lock
from clearance.errors import BusyError, ConfigurationError, UnavailableError
from clearance.versioning import dvc_lock, dvc_remote
from clearance.versioning.dvc_objects import Stores


@dataclass(frozen=True, kw_only=True)
class RemovedObjects:
    """What was removed at one place (or would be): so many `objects` of `size` bytes in all."""

    place: str
    objects: tuple[str, ...]
    size: int
    kept: int

    def __str__(self) -> str:
        many = "object" if len(self.objects) == 1 else "objects"
        return f"{self.place}: {len(self.objects)} {many}, {self.size:,} bytes; {self.kept} stay"


def referenced_objects(texts: Iterable[str]) -> set[str]:
    """The objects that these texts, each a `dvc.lock` or a `.dvc` file, name: written or read, by DVC's MD5.

    Code that a stage read is among them and is no object of DVC's: that does no harm. What a folder holds is
    named by its listing only. Raises IntegrityError when a text is neither.
    """
    named: set[str] = set()
    for text in texts:
        named |= dvc_lock.objects(text)
        if dvc_lock.is_lock(text):
            named |= set(dvc_lock.parse(text).sources.values())
    return named


def collect_garbage(
    root: Path, texts: Iterable[str], *, at_remote: bool = False, dry: bool = True
) -> tuple[RemovedObjects, ...]:
    """Remove every object that neither the project at `root` nor `texts` need; with `dry`, only say which.

    `texts` are the `dvc.lock` of every registered version, from its evidence, and the `.dvc` files of its
    commit (`revision.pointers`). `at_remote` does the same at the default remote: only where no other project
    keeps its objects there. Raises IntegrityError, with nothing removed, when a folder that must stay has no
    sound listing any more; BusyError when a run holds the checkout; UnavailableError when the remote fails.
    """
    texts = list(texts)
    with run_lock.hold(root), _dvc(root) as repo:
        there = repo.cloud.get_remote_odb() if dvc_remote.default_remote(root) else None
        stores = Stores(places=tuple(place for place in (repo.cache.local, there) if place is not None))
        whole = {out.hash_info.value for out in repo.index.outs if out.hash_info}
        whole |= {name for text in texts for name in dvc_lock.objects(text)}
        needed = whole | referenced_objects([*texts, *_workspaces(root)])
        needed |= set(_inside(stores, needed, whole))
        places = [("the cache", repo.cache.local)]
        if at_remote and there is not None:
            places.append(("the remote", there))
        held = [set(place.all()) for _, place in places]  # all of them listed before anything is removed
        return tuple(
            _sweep(name, place, here, needed, dry=dry)
            for (name, place), here in zip(places, held, strict=True)
        )


def _workspaces(root: Path) -> list[str]:
    """The locks of runs with overrides."""
    return [file.read_text(encoding="utf-8") for file in root.glob(".clearance/workspaces/*/dvc.lock")]


def _inside(stores: Stores, needed: Iterable[str], whole: Iterable[str]) -> Iterator[str]:
    """The objects of the files in each folder. Only the `whole` ones must be objects of DVC's."""
    for name in sorted(needed):
        if name.endswith(dvc_lock.FOLDER) and (name in whole or stores.has(name)):
            yield from stores.listing(name).values()


def _sweep(where: str, place: Any, there: set[str], needed: set[str], *, dry: bool) -> RemovedObjects:
    spare = sorted(there - needed)
    size = sum(int(place.fs.size(place.oid_to_path(name))) for name in spare)
    for name in () if dry else spare:
        place.delete(name)
    return RemovedObjects(place=where, objects=tuple(spare), size=size, kept=len(there) - len(spare))


@contextlib.contextmanager
def _dvc(root: Path) -> Iterator[Any]:
    """The DVC repository at `root`, while no other DVC command works on it."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    try:
        with dvc_remote.quiet("dvc", "dvc_data", "dvc_objects"), Repo(str(root)) as repo, lock_repo(repo):
            yield repo
    except LockError as error:
        raise BusyError(f"DVC is busy: {error}", "wait for the other DVC command to end") from None
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend .dvc/config or dvc.yaml") from None
    except NotImplementedError:  # fsspec: a web server has no listing, and takes nothing away
        raise ConfigurationError(
            "this kind of remote lists or removes nothing", "collect in the cache"
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"an object cannot be removed: {error}", "see its permissions, repeat"
        ) from None
