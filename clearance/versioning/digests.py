"""The digests of files and folders: DVC's MD5, which names objects, and SHA-256, which proves content.

DVC trusts size, inode and modification time to tell that a file is unchanged. Nothing here trusts those: a
digest always comes from the content.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from clearance import files as artifacts

FOLDER_SUFFIX = ".dir"
"""The end of the MD5 that DVC gives a folder, which is the MD5 of its listing."""

_CHUNK = 1 << 23
_NEVER_TRACKED = (".git", ".hg", ".dvc")


@dataclass(frozen=True, kw_only=True)
class Digest:
    """`md5` as `dvc.lock` writes it (`….dir` for a folder), `sha256` as `files.sha256` defines it.

    `size` is in bytes; for a folder, that of all its files. `files` is the number of files in a folder, None
    for a file.
    """

    md5: str
    sha256: str
    size: int
    files: int | None = None


def md5(path: Path) -> str:
    """DVC's MD5 of a file, or of a folder (`<32 hex digits>.dir`, over the names and MD5s of its files)."""
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        return _folder_md5({name: md5(path / name) for name in names})
    with path.open("rb") as file:
        return stream_md5(file)


def stream_md5(stream: BinaryIO) -> str:
    """The MD5 of what is left to read in `stream`, as 32 hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def bytes_md5(content: bytes) -> str:
    """The MD5 of `content`, as 32 hex digits."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _folder_md5(md5s: Mapping[str, str]) -> str:
    """The MD5 of the listing that DVC keeps of a folder with these files, in this order."""
    listing = json.dumps([{"md5": value, "relpath": name} for name, value in md5s.items()])
    return bytes_md5(listing.encode()) + FOLDER_SUFFIX


def reader(root: Path, outs: Collection[str]) -> Callable[[str], Digest | None]:
    """A function from a path in `root` to its digest, or to None where nothing is; it reads each file once.

    The digest of a folder among `outs` covers every file in it. In any other folder it leaves out what DVC
    ignores: `.git` and the like, and the names and `*` patterns (without a slash) of `.dvcignore`.
    """
    ignored = _ignored(root)
    digest_of_file = functools.cache(_read)

    @functools.cache
    def read(path: str) -> Digest | None:
        item = root / path
        if item.is_file():
            return digest_of_file(item)
        if not item.is_dir():
            return None
        names = _files_below(item, () if path in outs else ignored)
        return _of_folder({name: digest_of_file(item / name) for name in names})

    return read


def list_files(root: Path, path: str) -> list[str]:
    """The files of the folder at `path` in `root` that DVC does not ignore, relative to it, sorted."""
    return _files_below(root / path, _ignored(root))


def _files_below(folder: Path, ignored: Collection[str]) -> list[str]:
    names = sorted(item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file())
    return [name for name in names if not _matches(name, ignored)]


def first_irregular(root: Path, path: str) -> Path | None:
    """The first item below the folder `path` that no digest covers, because DVC passes over it as well.

    That is a link to a folder, a broken link, a pipe or the like, unless DVC ignores its name.
    """
    folder, ignored = root / path, _ignored(root)
    irregular = (
        item for item in folder.rglob("*") if not item.is_file() and (item.is_symlink() or not item.is_dir())
    )
    not_ignored = (item for item in irregular if not _matches(item.relative_to(folder).as_posix(), ignored))
    return min(not_ignored, default=None)


def first_link(root: Path, path: str) -> Path | None:
    """The first link at `path`, below it, or on the way to it from `root`: its target may change unseen.

    A link into DVC's cache (`cache.type symlink`) does not count: its target is named by its content.
    """
    item = root / path
    parents = [root / parent for parent in Path(path).parents[:-1]]
    links = (place for place in (*parents, item, *item.rglob("*")) if place.is_symlink())
    return min((place for place in links if not is_object(place)), default=None)


def is_object(path: Path) -> bool:
    """Whether the path leads to an object of DVC's cache, by its place and its content."""
    if not path.is_file():
        return False
    name = _read(path).md5
    return path.resolve().parts[-4:] == ("files", "md5", name[:2], name[2:])


def _of_folder(files: Mapping[str, Digest]) -> Digest:
    return Digest(
        md5=_folder_md5({name: digest.md5 for name, digest in files.items()}),
        sha256=artifacts.sha256_json({name: digest.sha256 for name, digest in files.items()}),
        size=sum(digest.size for digest in files.values()),
        files=len(files),
    )


def _read(path: Path) -> Digest:
    """Both digests of a file in one reading, MD5 in a second thread."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file, ThreadPoolExecutor(1) as pool:
        while chunk := file.read(_CHUNK):
            update = pool.submit(md5.update, chunk)
            sha256.update(chunk)
            size += len(chunk)
            update.result()
    return Digest(md5=md5.hexdigest(), sha256=sha256.hexdigest(), size=size)


def _ignored(root: Path) -> tuple[str, ...]:
    file = root / ".dvcignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    patterns = [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
    return (*_NEVER_TRACKED, *patterns)


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(part, pattern) for part in name.split("/") for pattern in patterns)
