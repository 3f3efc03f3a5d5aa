"""Opens the stages of a project: one by one through DVC's own steps, or all at once through `dvc repro`.

The second way needs only DVC's documented commands. It is taken when the installed DVC lacks what the first
one needs; it is slower, shows one step for the whole graph, and writes the same outputs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from clearance.errors import ConfigurationError
from clearance.versioning import dvc_lock, executions, faults
from clearance.versioning.stage_files import StageFiles

TIMEOUT = 3600.0
"""Seconds that one command may run, unless `meta: {timeout: ...}` in `dvc.yaml` says otherwise."""

REPRO = "dvc repro"
_WHOLE_GRAPH_TIMEOUT = 24 * TIMEOUT


class ReproducibleGraph(Protocol):
    """What brings the outputs of a project up to date: `dvc_pipeline.Pipeline`, or `WholeGraph`.

    `fallback` says why it is the latter, and is None for the former.
    """

    root: Path
    order: tuple[str, ...]
    after: dict[str, list[str]]
    fallback: str | None

    @property
    def cache(self) -> Path:
        """The folder of DVC's objects."""

    def commands(self, name: str) -> list[str]:
        """The commands of a step."""

    def timeout(self, name: str) -> float:
        """Seconds that each of them may run."""

    def folder(self, name: str) -> Path:
        """Where they run."""

    def files(self, name: str) -> StageFiles:
        """What a step reads and writes; its command is empty where it runs nothing."""

    def due(self) -> list[str]:
        """The steps that a run is going to need."""

    def is_due(self, name: str) -> bool:
        """Whether one step would run now; those it waits for must be up to date."""

    def run(self, name: str, execute: Callable[[str], None], *, force: bool = False) -> bool:
        """Bring one step up to date with `execute`; return whether it ran."""

    def record(self) -> None:
        """Write what is finished into `dvc.lock`."""


class WholeGraph:
    """The whole graph as one step, `dvc repro`; `fallback` says why."""

    def __init__(self, root: Path, fallback: str) -> None:
        self.root = root
        self.fallback: str | None = fallback
        self.order: tuple[str, ...] = (REPRO,)
        self.after: dict[str, list[str]] = {REPRO: []}

    @property
    def cache(self) -> Path:
        """The folder of DVC's objects. Raises ConfigurationError when `dvc cache dir` fails."""
        result = subprocess.run(
            [sys.executable, "-m", "dvc", "cache", "dir"],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise faults.DVC_REFUSED(reason=result.stderr.strip())
        return self.root / result.stdout.strip() / "files" / "md5"

    def commands(self, name: str) -> list[str]:
        """`dvc repro` itself."""
        return [name]

    def timeout(self, name: str) -> float:  # noqa: ARG002
        """A day for the whole graph."""
        return _WHOLE_GRAPH_TIMEOUT

    def folder(self, name: str) -> Path:  # noqa: ARG002
        """The project."""
        return self.root

    def files(self, name: str) -> StageFiles:
        """What the whole graph has read from outside and has written, by `dvc.lock`."""
        lock = dvc_lock.read(self.root / dvc_lock.NAME)
        return StageFiles(command=name, reads=lock.sources, writes=lock.outs)

    def due(self) -> list[str]:
        """Always the whole graph: DVC finds out by itself."""
        return [REPRO]

    def is_due(self, name: str) -> bool:  # noqa: ARG002
        """True: DVC finds out by itself."""
        return True

    def run(self, name: str, execute: Callable[[str], None], *, force: bool = False) -> bool:  # noqa: ARG002
        """Run `dvc repro` without any cache; return True. Raises what `execute` raises."""
        execute(f"{name} --force --no-run-cache")
        stages = dvc_lock.read(self.root / dvc_lock.NAME).stages
        executions.Executions(self.root).add(stages.items())
        return True

    def record(self) -> None:
        """Nothing: `dvc repro` records each stage itself."""


def open_pipeline(root: Path) -> ReproducibleGraph:
    """The stages of the project at `root`, which must be the working folder.

    Raises ConfigurationError when DVC cannot read the project.
    """
    try:
        from clearance.versioning import dvc_pipeline
    except ConfigurationError as error:
        if error.code != faults.UNSUPPORTED_DVC.code:
            raise
        return WholeGraph(root, error.fault)
    return dvc_pipeline.Pipeline(root)
