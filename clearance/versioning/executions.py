"""Which stages ran in this checkout, each with exactly these inputs, parameters, command and outputs.

DVC takes outputs from its run cache by inputs alone, and anybody who shares the cache can put outputs there.
What is signed must have run here, so outputs from elsewhere are not taken, and not released.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from clearance import paths
from clearance.versioning import dvc_lock, faults, git
from clearance.versioning.dvc_lock import LockedStage


class Executions:
    """The executions recorded in the checkout that `root` belongs to. A workspace shares them."""

    def __init__(self, root: Path) -> None:
        self._file = git.checkout_of(root) / paths.EXECUTIONS
        lines = self._file.read_text(encoding="ascii", errors="replace") if self._file.is_file() else ""
        self._digests = set(lines.split())

    def has(self, name: str, stage: LockedStage | None) -> bool:
        """Whether this stage ran here and wrote these outputs."""
        return stage is not None and _digest(name, stage) in self._digests

    def add(self, stages: Iterable[tuple[str, LockedStage]]) -> None:
        """Record that these stages ran here."""
        new = [digest for name, stage in stages if (digest := _digest(name, stage)) not in self._digests]
        if new:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="ascii") as file:
                file.write("".join(f"{digest}\n" for digest in new))
            self._digests.update(new)


def ensure_executed(root: Path, lock: dvc_lock.Lock) -> None:
    """Raise IntegrityError unless every stage of `lock` ran in the checkout that `root` belongs to."""
    executions = Executions(root)
    if foreign := [name for name, stage in lock.stages.items() if not executions.has(name, stage)]:
        raise faults.NOT_EXECUTED_HERE(stages=", ".join(foreign))


def _digest(name: str, stage: LockedStage) -> str:
    content = json.dumps([name, stage.model_dump(mode="json")])
    return hashlib.sha256(content.encode()).hexdigest()
