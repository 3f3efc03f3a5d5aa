"""A project of one's own from the commit of Clearance that is checked out here, and later from a newer one.

The branch `clearance` of such a project holds versions of Clearance and nothing else, one commit each. A
newer version is one more commit there; whoever works in the project merges it when they choose. The history
of Clearance itself stays outside: its authors are not the authors of what the project trains.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from clearance.versioning import faults

BRANCH = "clearance"
MAIN = "main"
_REF = f"refs/heads/{BRANCH}"
_SECONDS = 120.0


def make_project(source: Path, folder: Path) -> list[str]:
    """Make the project, or bring its branch `clearance` up to the commit at `source`; lines about that.

    Raises ConfigurationError where `source` is no checkout, `folder` holds something else, or git refuses.
    """
    folder = folder.resolve()
    try:
        commit = _git(source, "rev-parse", "--verify", "HEAD^{commit}")
    except subprocess.CalledProcessError:
        raise faults.NO_COMMIT(folder=source) from None
    label = f"Clearance at {commit[:12]}"
    is_new = not folder.exists() or not any(folder.iterdir())
    if not is_new and not _has_branch(folder):
        raise faults.PROJECT_NOT_EMPTY(folder=folder)
    try:
        return _create(source, folder, label) if is_new else _update(source, folder, label)
    except subprocess.CalledProcessError as error:
        raise faults.PROJECT_NOT_WRITTEN(reason=_first_line(error)) from None


def _create(source: Path, folder: Path, label: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    _git(folder, "init", "--quiet", f"--initial-branch={MAIN}")
    _commit(source, folder, label)
    _git(folder, "reset", "--quiet", "--hard", BRANCH)
    return [
        f"made       {folder} from {label}; its branch `{BRANCH}` keeps that version",
        f"next       cd {folder} && make setup && . .venv/bin/activate",
    ]


def _update(source: Path, folder: Path, label: str) -> list[str]:
    before = _git(folder, "rev-parse", _REF)
    _commit(source, folder, label)
    if _git(folder, "rev-parse", _REF) == before:
        return [f"unchanged  {folder} already has {label}"]
    return [
        f"updated    the branch `{BRANCH}` of {folder} to {label}",
        f"next       cd {folder} && git merge {BRANCH}",
    ]


def _commit(source: Path, folder: Path, label: str) -> None:
    """Commit the tree of `source` on the branch, unless it is there already; no file of `folder` changes."""
    with tempfile.TemporaryDirectory() as temporary:
        tree_folder, index = Path(temporary) / "tree", Path(temporary) / "index"
        tree_folder.mkdir()
        archive = subprocess.run(
            ["git", "archive", "--format=tar", "HEAD"],  # noqa: S607
            cwd=source,
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
        subprocess.run(  # noqa: S603
            ["tar", "-xf", "-", "-C", str(tree_folder)],  # noqa: S607
            input=archive.stdout,
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
        variables = {"GIT_INDEX_FILE": str(index)}
        _git(
            folder,
            "--work-tree",
            str(tree_folder),
            "add",
            "--all",
            "--force",
            ".",
            more=variables,
            cwd=tree_folder,
        )
        tree = _git(folder, "write-tree", more=variables)
    parent = _git(folder, "rev-parse", _REF) if _has_branch(folder) else None
    if parent and _git(folder, "rev-parse", f"{parent}^{{tree}}") == tree:
        return
    parents = ["-p", parent] if parent else []
    commit = _git(folder, "commit-tree", tree, *parents, "-m", label)
    _git(folder, "update-ref", _REF, commit)


def _has_branch(folder: Path) -> bool:
    try:
        _git(folder, "rev-parse", "--verify", "--quiet", _REF)
    except subprocess.CalledProcessError:
        return False
    return (folder / ".git").exists()


def _git(
    folder: Path, *arguments: str, more: Mapping[str, str] | None = None, cwd: Path | None = None
) -> str:
    """What git prints. Raises CalledProcessError when it fails."""
    command = ["git", f"--git-dir={folder / '.git'}" if cwd else "", *arguments]
    result = subprocess.run(  # noqa: S603
        [word for word in command if word],
        cwd=cwd or folder,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return result.stdout.strip()


def _first_line(error: subprocess.CalledProcessError) -> str:
    text = error.stderr if isinstance(error.stderr, str) else (error.stderr or b"").decode(errors="replace")
    return text.strip().partition("\n")[0] or f"it ended with {error.returncode}"
