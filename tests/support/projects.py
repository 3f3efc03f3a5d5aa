"""Throw-away copies of this project: what a fresh clone of the working tree would hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clearance import paths

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "tests" / "guard"


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str

    def ok(self) -> Done:
        assert self.code == 0, self.out
        return self


@dataclass(frozen=True)
class Project:
    """A copy of this project with empty stores, its own home, and no way off the machine."""

    root: Path
    home: Path

    def run(self, *command: str, timeout: float = 400, variables: Mapping[str, str] | None = None) -> Done:
        """Run a command in the project; what it printed comes back in one text."""
        result = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment() | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(result.returncode, result.stdout)

    def python(self, *arguments: str, **more: Any) -> Done:
        """Run this interpreter in the project."""
        return self.run(sys.executable, *arguments, **more)

    def environment(self) -> dict[str, str]:
        """A newcomer's environment: own home, nothing exported, the guard on."""
        names = ("LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
        kept_here = {name: os.environ[name] for name in names if name in os.environ}
        arithmetic = {
            name: value for name, value in os.environ.items() if name.startswith(("OPENBLAS_", "OMP_"))
        }
        return (
            kept_here
            | arithmetic
            | {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.home),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(GUARD),
                "CLEARANCE_GUARD_LOG": str(self.guard_log),
            }
        )

    @property
    def guard_log(self) -> Path:
        """Where an attempt to leave the machine is written."""
        return self.home.parent / "guard.log"

    def edit(self, key: str, value: Any) -> None:
        """Change one key (dotted) of the copy's params.yaml."""
        path = self.root / "params.yaml"
        data = yaml.safe_load(path.read_text())
        *way, last = key.split(".")
        place = data
        for part in way:
            place = place[part]
        place[last] = value
        path.write_text(yaml.safe_dump(data, sort_keys=False))


def copy(folder: Path) -> Project:
    """A clone of the working tree as it stands, uncommitted changes and new files included."""
    root, home = folder / "project", folder / "home"
    home.mkdir(parents=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    _commit(root)
    return Project(root, home)


def warm_copy(folder: Path, source: Project) -> Project:
    """Such a clone without a lock, with the DVC cache, and the executions of `source`.

    Stages are then restored from DVC's run cache; the registry is empty.
    """
    project = copy(folder)
    (project.root / "dvc.lock").unlink(missing_ok=True)
    shutil.copytree(source.root / ".dvc/cache", project.root / ".dvc/cache")
    (project.root / ".clearance").mkdir()
    shutil.copy2(source.root / paths.EXECUTIONS, project.root / paths.EXECUTIONS)
    return project


def _commit(root: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "copy")


def files(root: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The content of each of these files."""
    return {name: (root / name).read_bytes() for name in names}
