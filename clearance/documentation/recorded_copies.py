"""What was recorded of a project's files, brought back where one has changed: from DVC's cache or git.

A copy counts only if its SHA-256 is the recorded one. Reads only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from clearance import paths
from clearance.errors import ClearanceError
from clearance.versioning import dvc_lock, git

Copies = Callable[[Mapping[str, str]], dict[str, bytes]]
"""The recorded content of files, by path, from their recorded SHA-256; a file without a copy is left out."""


def none(_: Mapping[str, str]) -> dict[str, bytes]:
    """No copies: for files that nothing else holds."""
    return {}


def of_project(root: Path) -> Copies:
    """The copies that the cache and the last commit of the project at `root` hold."""

    def find(recorded: Mapping[str, str]) -> dict[str, bytes]:
        if not recorded:
            return {}
        found: dict[str, bytes | None] = {**_committed(root, recorded), **_cached(root, recorded)}
        return {
            path: content
            for path, content in found.items()
            if content is not None and hashlib.sha256(content).hexdigest() == recorded[path]
        }

    return find


def _committed(root: Path, recorded: Mapping[str, str]) -> dict[str, bytes | None]:
    try:
        return git.files_at_head(root, list(recorded))[1]
    except ClearanceError:
        return {}


def _cached(root: Path, recorded: Mapping[str, str]) -> dict[str, bytes | None]:
    try:
        outs = dvc_lock.read(root / paths.DVC_LOCK).outs
        names = {path: outs[path] for path in recorded if path in outs}
        if not names:
            return {}
        from clearance.versioning import dvc_api

        with dvc_api.translated_errors(), dvc_api.Repository(root) as repository:
            cached = [path for path, name in names.items() if repository.cache.exists(name)]
            contents: dict[str, bytes | None] = {}
            for path in cached:
                with repository.cache.open(names[path]) as stream:
                    contents[path] = stream.read()
            return contents
    except (ClearanceError, OSError):
        return {}


def lay_out(root: Path, copies: Mapping[str, bytes], target: Path) -> None:
    """Make `target` the project at `root` with these copies in place of its files; the rest are links."""
    inner: dict[str, dict[str, bytes]] = {}
    for path, content in copies.items():
        first, _, rest = path.partition("/")
        if rest:
            inner.setdefault(first, {})[rest] = content
        else:
            (target / first).write_bytes(content)
    for name, below in inner.items():
        (target / name).mkdir()
        lay_out(root / name, below, target / name)
    for entry in os.scandir(root) if root.is_dir() else ():
        if not os.path.lexists(target / entry.name):
            (target / entry.name).symlink_to(Path(entry.path).resolve())
