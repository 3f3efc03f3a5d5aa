"""DVC's objects by name, from the cache or the remote.

An object is taken only when its content is what its name says; anything else counts as missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearance import files
from clearance.errors import IntegrityError
from clearance.versioning import digests, dvc_lock, dvc_remote, faults

if TYPE_CHECKING:
    from clearance.versioning.dvc_api import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where objects are looked for, in this order: DVC's cache, then the remote if one is configured."""

    places: tuple[ObjectStore, ...]

    def restore(self, name: str, target: Path) -> None:
        """Write the file or folder that DVC calls `name` at `target`.

        Raises IntegrityError, and leaves nothing, when no store holds one of its objects unchanged, and
        UnavailableError when the remote does not answer.
        """
        if not name.endswith(digests.FOLDER_SUFFIX):
            return self._restore_file(name, target)
        with files.replacing_folder(target) as folder:
            for path, md5 in self.listing(name).items():
                self._restore_file(md5, folder / path)
        return None

    def exists(self, name: str) -> bool:
        """Whether a store has an object under that name, sound or not."""
        with _remote_errors():
            return any(store.exists(name) for store in self.places)

    def listing(self, name: str) -> dict[str, str]:
        """The files of a folder and their MD5s. Raises what `restore` raises."""
        for store in self.places:
            with contextlib.suppress(FileNotFoundError, IntegrityError):
                content = _read(store, name)
                try:
                    return dvc_lock.parse_listing(content)
                except ValueError:
                    break
        raise faults.OBJECT_LOST(name=name)

    def _restore_file(self, name: str, target: Path) -> None:
        for store in self.places:
            with contextlib.suppress(FileNotFoundError, IntegrityError), files.replacing(target) as new:
                with _remote_errors():
                    store.download(name, new)
                if digests.md5(new) != name:
                    raise faults.OBJECT_LOST(name=name)
                return
        raise faults.OBJECT_LOST(name=name)


def _read(store: ObjectStore, name: str) -> bytes:
    with _remote_errors(), store.open(name) as stream:
        content = stream.read()
    if digests.bytes_md5(content) != name.removesuffix(digests.FOLDER_SUFFIX):
        raise faults.OBJECT_LOST(name=name)
    return content


@contextlib.contextmanager
def _remote_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise faults.REMOTE_UNAVAILABLE(reason=error) from None


@contextlib.contextmanager
def open_stores(root: Path) -> Iterator[Stores]:
    """The cache and the default remote of the project at `root`.

    Raises ConfigurationError when DVC cannot read its settings.
    """
    from clearance.versioning import dvc_api

    with dvc_api.translated_errors():
        has_remote = dvc_remote.default_remote(root) is not None
        with dvc_api.Repository(root) as repository:
            remote = (repository.remote(),) if has_remote else ()
            yield Stores(places=(repository.cache, *remote))
