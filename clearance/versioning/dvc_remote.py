"""The DVC remote: where data and models go so that somebody else can build a model again.

A release pushes there first and reads back what arrived. Whether it needs a remote is not decided here.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from clearance.errors import ConfigurationError, UnavailableError
from clearance.versioning.dvc_lock import FOLDER

READ_BACK = 1 << 30
"""How many bytes a push reads back from the remote, unless told otherwise."""

_CHUNK = 1 << 20


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
    if not (root / ".dvc").is_dir():
        return None
    try:
        config = Config(str(root / ".dvc"))
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend .dvc/config") from None
    name = config["core"].get("remote")
    if not name:
        return None
    if name not in config["remote"]:
        raise ConfigurationError(f"the DVC remote {name} is not configured", "add it: `dvc remote add`")
    return Remote(name, _is_inside(root, config["remote"][name]["url"]))


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

    `unread` are those of which only the size was compared. `mended` are outputs of which the remote held
    something else and which were sent again.
    """

    objects: int
    size: int
    unread: int
    mended: tuple[str, ...]


def push(root: Path, read_back: int = READ_BACK) -> PushReport:
    """Push every output of the project at `root` to the default remote, and see that it holds them.

    Objects are read back, the small ones first, up to `read_back` bytes in all. Raises UnavailableError when
    the remote does not take them, lacks one afterwards (DVC pushes what its cache still holds and passes over
    the rest), or holds something else under its name that cannot be replaced.
    """
    mend = "see `dvc push -v`, then repeat this: nothing was promoted"
    try:
        with quiet("dvc", "dvc_data", "dvc_objects"), contextlib.chdir(root), Repo(str(root)) as repo:
            listings = _mend_listings(repo)
            repo.push()
            checked, faulty = _check(repo, read_back, listings)
            lacking = [] if faulty else sorted(_lacking(repo))
    except (DvcException, ObjectFormatError, OSError) as error:
        raise UnavailableError(f"the outputs cannot be pushed to the DVC remote: {error}", mend) from error
    if lacking:
        raise UnavailableError(f"the DVC remote lacks {', '.join(lacking)} after the push", mend)
    if faulty:
        raise UnavailableError(
            f"neither the DVC remote nor DVC's cache holds {', '.join(faulty)} as recorded",
            "run `clearance repair` and then the pipeline, which rebuilds it; nothing was promoted",
        )
    return checked


def _mend_listings(repo: Repo) -> set[str]:
    """Send again each folder's listing that is damaged at the remote, past which DVC does not push."""
    there, cache = repo.cloud.get_remote_odb(), repo.cache.local
    return {
        out
        for name, out in _objects(repo)
        if name.endswith(FOLDER) and there.exists(name) and not _is_sound(there, name)
        if _is_sound(cache, name) and _send_again(there, cache, name)
    }


def _check(repo: Repo, read_back: int, mended: set[str]) -> tuple[PushReport, list[str]]:
    """Hash what the remote holds and send again what is not as named; which outputs stay something else."""
    there, cache = repo.cloud.get_remote_odb(), repo.cache.local
    outs = dict(_objects(repo))
    sizes = {name: _size(there, name) for name in outs}
    mended, faulty = set(mended), set[str]()
    read = unread = 0
    for name, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        if read + size > read_back and size == _size(cache, name):
            unread += 1
            continue
        read += size
        if _is_sound(there, name):
            continue
        if _is_sound(cache, name) and _send_again(there, cache, name):
            mended.add(outs[name])
        elif there.exists(name):
            faulty.add(outs[name])
    checked = PushReport(objects=len(outs), size=read, unread=unread, mended=tuple(sorted(mended)))
    return checked, sorted(faulty)


def _objects(repo: Repo) -> Iterator[tuple[str, str]]:
    """The objects behind every output, each with the output's path; a folder's as the cache lists them."""
    for out in repo.index.outs:
        if out.use_cache and out.can_push and out.hash_info:
            yield out.hash_info.value, str(out)
            if out.hash_info.isdir and _is_sound(repo.cache.local, out.hash_info.value):
                listed = Tree.load(repo.cache.local, out.hash_info)
                yield from ((content.value, str(out)) for _, _, content in listed)


def _size(store: Any, name: str) -> int:
    """The size of an object in bytes, 0 when there is none."""
    try:
        return int(store.fs.size(store.oid_to_path(name)))
    except FileNotFoundError:
        return 0


def _is_sound(store: Any, name: str) -> bool:
    """Whether the store holds the object, and its content is what its name says."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with store.fs.open(store.oid_to_path(name), "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == name.removesuffix(FOLDER)


def _send_again(there: Any, cache: Any, name: str) -> bool:
    """Put the cache's object where the remote's is, which DVC never overwrites; whether it is sound then."""
    there.add(cache.oid_to_path(name), cache.fs, name, check_exists=False)
    return _is_sound(there, name)


def _lacking(repo: Repo) -> Iterator[str]:
    """The outputs of which the remote lacks the object, or that of a file in the folder."""
    there = repo.cloud.get_remote_odb()
    for out in repo.index.outs:
        if out.use_cache and out.can_push:
            names = [out.hash_info.value] if out.hash_info else []
            if out.hash_info and out.hash_info.isdir and there.exists(out.hash_info.value):
                names += [content.value for _, _, content in Tree.load(there, out.hash_info)]
            if not names or set(names) - set(there.oids_exist(names)):
                yield str(out)


@contextlib.contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keep the warnings and progress bars of these loggers' owners back: what matters is raised."""
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
