"""Mend a checkout whose outputs or DVC cache are not what `dvc.lock` recorded.

DVC trusts modification times and read-only marks; this trusts only content. What does not match
is removed, so that the next run restores or rebuilds it. It never touches inputs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import yaml
from clearance.errors import ConfigurationError, IntegrityError

_CHUNK = 1 << 20
_FOLDER = ".dir"


@dataclass(frozen=True)
class RecordedOutput:
    """An output as `dvc.lock` records it: its path below the project, and DVC's MD5 of it."""

    path: str
    md5: str


def recorded_outs(lock: Path) -> list[RecordedOutput]:
    """Every output in `dvc.lock`, none when there is no lock. Raises IntegrityError when it is unreadable."""
    if not lock.exists():
        return []
    try:
        stages = yaml.loads(lock.read_text(encoding="utf-8"))["stages"].values()
        return [RecordedOutput(out["path"], out["md5"]) for stage in stages for out in stage.get("outs", [])]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{lock} is not readable ({error})", f"restore {lock.name} from git, or delete it and run again"
        ) from None


def md5(path: Path) -> str:
    """DVC's MD5 of a file, or of a folder (`<32 hex digits>.dir`, over the names and MD5s of its files).

    MD5 names objects in DVC's cache; evidence is bound by SHA-256 (`artifacts.sha256`).
    """
    if path.is_dir():
        files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        listing = [{"md5": md5(path / name), "relpath": name} for name in files]
        text = json.dumps(listing, sort_keys=True)
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + _FOLDER
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def remove_unsound(root: Path, cache: Path, outs: Iterable[RecordedOutput]) -> list[Path]:
    """Remove outputs below `root` and objects in `cache` that differ from their record; return those.

    `cache` is the folder that holds DVC's objects (`.dvc/cache/files/md5`).
    """
    outs = list(outs)
    removed = []
    for name in sorted({name for out in outs for name in _objects(cache, out.md5)}):
        item = _object(cache, name)
        if item.is_file() and md5(item) != name.removesuffix(_FOLDER):
            item.unlink()
            removed.append(item)
    for out in outs:
        item = root / out.path
        if item.exists() and md5(item) != out.md5:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
            removed.append(item)
    return removed


def repair_checkout(root: Path) -> list[Path]:
    """Do it for the project at `root`, with the DVC cache it is set up for; return what was removed.

    Raises ConfigurationError when DVC cannot read its own settings.
    """
    repo = _open(root)
    remove_torn_lock(Path(repo.tmp_dir))
    return remove_unsound(root, Path(repo.cache.local.path), recorded_outs(root / "dvc.lock"))


def cache_of(root: Path) -> Path:
    """The folder of DVC's objects of the project at `root`. Raises ConfigurationError if DVC cannot tell."""
    return Path(_open(root).cache.local.path)


def remove_torn_lock(folder: Path) -> None:
    """Remove DVC's list of busy files from its temporary `folder`, if `kill -9` tore it in the writing."""
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
        try:
            json.loads((folder / RWLOCK_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except ValueError:
            (folder / RWLOCK_FILE).unlink()


def _open(root: Path) -> Any:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return Repo(str(root))
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend .dvc/config or .dvc/config.local") from None


def describe_removed(path: Path, root: Path) -> str:
    """One line about something that was removed."""
    return f"{os.path.relpath(path, root)} was not what dvc.lock recorded: removed, the next run rebuilds it"


def _object(cache: Path, name: str) -> Path:
    return cache / name[:2] / name[2:]


def _objects(cache: Path, name: str) -> Iterator[str]:
    """The objects behind one output: its own, and for a folder those that its (sound) listing names."""
    yield name
    listing = _object(cache, name)
    if name.endswith(_FOLDER) and listing.is_file() and md5(listing) == name.removesuffix(_FOLDER):
        yield from (entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8")))
