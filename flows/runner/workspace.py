"""A copy of the project in which a run with overrides works, so that the user's own files stay as they are.

It holds the project's own files, its source and policy, and a `params.yaml` with the overrides. It shares
DVC's cache with the project, so an unchanged stage is restored, not computed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clearance import files, paths, yaml
from clearance.versioning import repair
from flows.runner import faults

MAX_WORKSPACES = 5
"""How many workspaces stay; the oldest are removed."""

_EXCLUDED = frozenset(
    {
        ".git",
        ".venv",
        paths.STATE.name,
        ".prefect",
        paths.MLFLOW_ARTIFACTS.name,
        "mlartifacts",
        "__pycache__",
        "data",
        "models",
        paths.REPORTS.name,
    }
)
_EXCLUDED_IN_DVC = frozenset({"cache", "tmp", "config.local"})


def prepare(root: Path, settings: Mapping[str, Any]) -> Path:
    """Build the workspace of a run with these settings, the content of its `params.yaml`; return its folder.

    The same overrides get the same folder, built afresh. Raises ConfigurationError when the source or the
    policy is given relative to the project and lies outside it.
    """
    home = root / paths.WORKSPACES
    folder = home / files.sha256_json(settings["overrides"])[:16]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for own in _own_files(root):
        _copy(root / own, folder / own)
    for name in (settings["source"]["path"], settings["policy"]["file"], paths.EXTERNAL):
        _copy_input(root, folder, Path(name))
    text = yaml.dumps(dict(settings))
    files.write_text(folder / paths.PARAMS, text)
    cache = repair.cache_of(root).parents[1]  # without `files/md5`
    local = f"[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n"
    files.write_text(folder / ".dvc" / "config.local", local)
    _prune(home)
    return folder


def _own_files(root: Path) -> Iterator[Path]:
    """The project's files below `root`: what git tracks or would track; without git, all but outputs."""
    if (root / ".git").exists() and (git := shutil.which("git")):
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout  # noqa: S603
        names = (Path(os.fsdecode(name)) for name in listed.split(b"\0") if name)
        yield from (name for name in names if (root / name).is_file())
        return
    for name, folders, file_names in os.walk(root):
        folder = Path(name).relative_to(root)
        excluded = _excluded(folder)
        folders[:] = [name for name in folders if name not in excluded]
        yield from (folder / name for name in file_names if name not in excluded)


def _excluded(folder: Path) -> frozenset[str]:
    if folder == Path():
        return _EXCLUDED
    return _EXCLUDED_IN_DVC if folder == Path(".dvc") else frozenset({"__pycache__"})


def _copy_input(root: Path, folder: Path, path: Path) -> None:
    """Copy the file or folder that the settings name, as far as it is not there yet."""
    if path.is_absolute():
        return
    if ".." in path.parts:
        raise faults.OUTSIDE_PROJECT(path=path)
    source = root / path
    files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
    for file in files:
        target = folder / file.relative_to(root)
        if not target.exists():
            _copy(file, target, link=True)
    if source.is_dir():
        (folder / path).mkdir(parents=True, exist_ok=True)


def _copy(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy a file with its times. An input may be linked, because it is only read and may be large."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            target.hardlink_to(source)
        except OSError:  # another file system, or one without links
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)


def _prune(home: Path) -> None:
    newest_first = sorted(home.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for old in newest_first[MAX_WORKSPACES:]:
        shutil.rmtree(old, ignore_errors=True)
