"""A folder that DVC tracks by itself: restored when it is missing, replaced when nobody reads it.

It decides nothing about the content. What was tracked before stays in DVC's cache.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clearance.errors import BusyError, ConfigurationError
from clearance.versioning import dvc_api, faults
from clearance.versioning.dvc_api import Repository

log = logging.getLogger(__name__)


def repository() -> Repository:
    """The DVC project of the working folder. Raises ConfigurationError when there is none."""
    return Repository()


def restore(repository: Repository, folder: Path) -> None:
    """Restore a tracked folder that is missing, from DVC's cache or remote; warn when they lack it."""
    pointer = folder.with_name(f"{folder.name}.dvc")
    if folder.exists() or not pointer.exists():
        return
    with _not_busy():
        if not repository.pull(pointer):
            log.warning("%s is tracked, but neither DVC's cache nor its remote has it", folder)


def replace(repository: Repository, folder: Path, swap: Callable[[], None]) -> None:
    """Run `swap`, which replaces `folder`, while no stage reads it. Raises BusyError when one does."""
    with _not_busy(), repository.claim("snapshot", [], [folder.resolve()]):
        swap()


def add(repository: Repository, folder: Path) -> None:
    """Let DVC track `folder` as it is now; nothing happens when it already does.

    Raises BusyError when another command holds the repository, ConfigurationError when DVC cannot.
    """
    try:
        with _not_busy():
            repository.add(folder)
    except ConfigurationError as error:
        raise faults.SNAPSHOT_NOT_TRACKED(folder=folder, reason=error.values.get("reason", error)) from None


@contextmanager
def _not_busy() -> Iterator[None]:
    try:
        with dvc_api.translated_errors():
            yield
    except BusyError:
        raise faults.SNAPSHOT_BUSY() from None
