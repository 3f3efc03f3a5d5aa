"""The content of files under two names, DVC's MD5 and our SHA-256, each file read once.

DVC takes a file as unchanged when size, inode and time are; nothing here trusts those.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from clearance import files as artifacts

_CHUNK = 1 << 23
_NEVER_WATCHED = (".git", ".hg", ".dvc")


@dataclass(frozen=True, kw_only=True)
class Digest:
    """`md5` as `dvc.lock` writes it (`….dir` for a folder), `sha256` as `artifacts.sha256` defines it.

    `size` is in bytes, a folder's that of all its files; `files` is how many they are, None for a file.
    """

    md5: str
    sha256: str
    size: int
    files: int | None = None


def reader(root: Path, outs: Collection[str]) -> Callable[[str], Digest | None]:
    """A function from a path in `root` to its digest (None: nothing is there) that remembers what it read.

    A folder among `outs` counts with every file in it. In any other folder, files that DVC ignores
    are ignored: `.git` and the like, and the names and `*` patterns (without a slash) of `.dvcignore`.
    """
    ignored = (*_NEVER_WATCHED, *_ignore_patterns(root / ".dvcignore"))
    file = functools.cache(_read)

    @functools.cache
    def read(path: str) -> Digest | None:
        place = root / path
        if place.is_file():
            return file(place)
        if not place.is_dir():
            return None
        names = _below(place, () if path in outs else ignored)
        return _of_folder({name: file(place / name) for name in names})

    return read


def listing(root: Path, path: str) -> list[str]:
    """The files of the folder at `path` in `root` that DVC does not ignore, relative to it, sorted."""
    return _below(root / path, (*_NEVER_WATCHED, *_ignore_patterns(root / ".dvcignore")))


def _below(folder: Path, ignored: Collection[str]) -> list[str]:
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return [name for name in names if not _matches(name, ignored)]


def unseen(root: Path, path: str) -> Path | None:
    """The first thing below the folder `path` that no digest covers, as DVC does not look at it either.

    That is a link to a folder, a link to nothing, a pipe or the like, unless `reader` would ignore it.
    """
    place, ignored = root / path, (*_NEVER_WATCHED, *_ignore_patterns(root / ".dvcignore"))
    found = (p for p in place.rglob("*") if not p.is_file() and (p.is_symlink() or not p.is_dir()))
    kept = (p for p in found if not _matches(p.relative_to(place).as_posix(), ignored))
    return min(kept, default=None)


def link(root: Path, path: str) -> Path | None:
    """The first link at, below or on the way from `root` to `path`: what it leads to may lie with anybody.

    One into DVC's cache (`cache.type symlink`) is none: the target's name is that of its content.
    """
    place = root / path
    way = [root / parent for parent in Path(path).parents[:-1]]
    links = (p for p in (*way, place, *place.rglob("*")) if p.is_symlink())
    return min((p for p in links if not _is_object(p)), default=None)


def _is_object(place: Path) -> bool:
    if not place.is_file():
        return False
    md5 = _read(place).md5
    return place.resolve().parts[-4:] == ("files", "md5", md5[:2], md5[2:])


def _of_folder(files: dict[str, Digest]) -> Digest:
    listing = json.dumps([{"md5": digest.md5, "relpath": name} for name, digest in files.items()])
    return Digest(
        md5=hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir",
        sha256=artifacts.sha256_json({name: digest.sha256 for name, digest in files.items()}),
        size=sum(digest.size for digest in files.values()),
        files=len(files),
    )


def _read(path: Path) -> Digest:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file, ThreadPoolExecutor(1) as beside:
        while chunk := file.read(_CHUNK):
            known = beside.submit(md5.update, chunk)
            sha256.update(chunk)
            size += len(chunk)
            known.result()
    return Digest(md5=md5.hexdigest(), sha256=sha256.hexdigest(), size=size)


def _ignore_patterns(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(part, pattern) for part in name.split("/") for pattern in patterns)
