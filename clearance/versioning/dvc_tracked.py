"""A folder that DVC tracks by itself: put back when it is missing, replaced when nobody reads it.

It decides nothing about the content. What was tracked before stays in DVC's cache.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import rwlock

from clearance.errors import BusyError, ConfigurationError

log = logging.getLogger(__name__)


@contextmanager
def repository() -> Iterator[Repo]:
    """The DVC repository of the working folder. Raises ConfigurationError when there is none."""
    try:
        repo = Repo()
    except NotDvcRepoError:
        raise ConfigurationError("this folder is not under DVC", "run `make setup`, or `dvc init`") from None
    repo.scm_context.quiet = True  # what to commit is said by us, and only when it changed
    with repo:
        yield repo


def restore(repo: Repo, folder: Path) -> None:
    """Bring a tracked folder back that is not here, from DVC's cache or remote; say so when they lack it."""
    pointer = folder.with_name(f"{folder.name}.dvc")
    if folder.exists() or not pointer.exists():
        return
    try:
        with _not_busy():
            repo.pull([str(pointer)], force=True)
    except DvcException:
        log.warning("%s is tracked, but neither DVC's cache nor its remote has it", folder)


def replace(repo: Repo, folder: Path, swap: Callable[[], None]) -> None:
    """Run `swap`, which replaces `folder`, while no stage reads it. Raises BusyError when one does."""
    hardlink = repo.config["core"].get("hardlink_lock", False)
    with _not_busy(), rwlock(repo.tmp_dir, repo.fs, "snapshot", [], [str(folder.resolve())], hardlink):
        swap()


def add(repo: Repo, folder: Path) -> None:
    """Let DVC track `folder` as it is now; nothing happens when it already does.

    Raises BusyError when another command holds the repository, ConfigurationError when DVC cannot.
    """
    try:
        with _not_busy():
            repo.add(str(folder))
    except DvcException as error:
        raise ConfigurationError(
            f"DVC cannot track {folder}: {error}", "name another folder in `source.path`"
        ) from None


@contextmanager
def _not_busy() -> Iterator[None]:
    try:
        yield
    except LockError:
        raise BusyError(
            "another command reads the snapshot or holds DVC's lock",
            "wait until it has ended, then run again",
        ) from None
