"""DVC's objects by name, from the cache or the remote.

An object is taken only when its content is what its name says; whatever else lies there counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from clearance import files
from clearance.errors import ConfigurationError, IntegrityError, UnavailableError
from clearance.versioning import dvc_remote, repair
from clearance.versioning.dvc_lock import FOLDER


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where objects are looked for, in this order: DVC's cache, then the remote if one is configured."""

    places: tuple[Any, ...]

    def bring(self, name: str, target: Path) -> None:
        """Write the file or folder that DVC calls `name` at `target`.

        Raises IntegrityError, and leaves nothing, when an object that it takes is nowhere kept soundly, and
        UnavailableError when the remote does not answer.
        """
        if not name.endswith(FOLDER):
            return self._fetch(name, target)
        with files.replacing_folder(target) as folder:
            for path, inner in self.listing(name).items():
                self._fetch(inner, folder / path)
        return None

    def has(self, name: str) -> bool:
        """Whether something lies under that name, sound or not."""
        with _answering():
            return any(place.exists(name) for place in self.places)

    def listing(self, name: str) -> dict[str, str]:
        """The files of a folder and their MD5s. Raises what `bring` raises."""
        for place in self.places:
            with contextlib.suppress(FileNotFoundError, IntegrityError):
                content = _read(place, name)
                files = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
                if any(PurePosixPath(path).is_absolute() or ".." in path.split("/") for path in files):
                    break
                return files
        raise _lacking(name)

    def _fetch(self, name: str, target: Path) -> None:
        for place in self.places:
            with contextlib.suppress(FileNotFoundError, IntegrityError), files.replacing(target) as new:
                with _answering():
                    place.fs.get_file(place.oid_to_path(name), str(new))
                if repair.md5(new) != name:
                    raise _lacking(name)
                return
        raise _lacking(name)


def _read(place: Any, name: str) -> bytes:
    with _answering(), place.fs.open(place.oid_to_path(name), "rb") as file:
        content: bytes = file.read()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != name.removesuffix(FOLDER):
        raise _lacking(name)
    return content


def _lacking(name: str) -> IntegrityError:
    return IntegrityError(
        f"neither DVC's cache nor its remote keeps the object {name} as it was",
        "bring it back from a copy: `dvc fetch`, or another machine's cache and `dvc push`",
    )


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnavailableError(
            f"the DVC remote does not answer: {error}", "see `dvc status --cloud`, then repeat this"
        ) from None


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Stores]:
    """The cache and the default remote of the project at `root`.

    Raises ConfigurationError when DVC cannot read its settings.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        kept = dvc_remote.default_remote(root)
        with Repo(str(root)) as repo:
            there = (repo.cloud.get_remote_odb(),) if kept else ()
            yield Stores(places=(repo.cache.local, *there))
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend .dvc/config or .dvc/config.local") from None
