"""Tampering: one change at a time to a judged, tracked project, and whether a release refuses it.

Every kind of artefact is changed in every way that fits it. A second list of changes harms nothing, and must
never be refused. A change that leaves everything as consistent as a run would (another report, the lock and
the verdict redone, tracked anew) is not found here, only by building the model again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
import os
import secrets
import shutil
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assurance import artifact_changes
from clearance import files, registry
from clearance.errors import ClearanceError, ConfigurationError, IntegrityError, TransientError
from clearance.models import model_file
from clearance.promotion import promote, release
from tasks import track
from tests.support import judged

DAY = dt.date(2026, 11, 30)
NAME = "loan-approval"
MODEL = "models/trained/model.skops"
SEED = 20261130
PROCESSES = 2


@dataclass(frozen=True)
class Met:
    """What a release made of one change. `refused`: nobody became champion; `by` says why.

    `moved`: the alias points elsewhere than before; `loads`: a changed model file was loaded all the same.
    """

    name: str
    kind: str
    refused: bool
    by: str
    moved: bool
    loads: bool


class Ground:
    """A judged project of a second model, tracked and registered as a candidate, while a first is champion.

    Each change is made to it, met by a release, and undone.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.kept, self.store = root.with_name("kept"), root.with_name("store.db")
        self.outside = root.with_name("outside")
        judged.settle_with_store(root, patch, model=1)
        track.main()
        release.release(root, DAY)
        judged.put(root)
        track.main()
        self._register()
        self.digest = files.sha256(root / MODEL)
        self.before = self.champion()
        shutil.copytree(root, self.kept, symlinks=True, ignore=shutil.ignore_patterns("mlflow.db*"))
        _copy(root / "mlflow.db", self.store)

    def _register(self) -> None:
        """Leave a candidate that was proposed, as a release does that ended there."""

        def ended(*_: Any, **__: Any) -> Any:
            raise TransientError("it ended here", "")

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(TransientError):
            patch.setattr(promote, "promote", ended)
            release.release(self.root, DAY)

    def champion(self) -> int | None:
        version = registry.champion(registry.connect(), NAME)
        return version and version.number

    def meet(self, change: artifact_changes.Change, seed: int) -> Met:
        """Make the change, release, look who is champion, load the model, and undo everything."""
        shutil.rmtree(self.outside, ignore_errors=True)
        self.outside.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            place = artifact_changes.Ground(root=self.root, outside=self.outside, patch=patch)
            change.make(place, artifact_changes.random(seed, change.name))
            refused, by = self._release()
            moves = self.champion() != self.before
            loads = change.of_model and self._loads()
        os.umask(0o022)
        self.restore()
        return Met(change.name, change.kind, refused, by, moves, loads)

    def _release(self) -> tuple[bool, str]:
        try:
            receipt = release.release(Path.cwd(), DAY)
        except (IntegrityError, ConfigurationError) as error:
            return True, error.fault
        except ClearanceError as error:
            return True, f"{type(error).__name__}: {error.fault}"
        return not receipt["is_champion"], receipt["reason"]

    def _loads(self) -> bool:
        try:
            model_file.load(self.root / MODEL, self.digest)
        except IntegrityError:
            return False
        return True

    def restore(self) -> None:
        """Everything as it was, the registry in its place: MLflow keeps its connection."""
        os.chdir(self.root)
        for path in self.root.iterdir():
            if not path.name.startswith("mlflow.db"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(self.kept, self.root, symlinks=True, dirs_exist_ok=True)
        _copy(self.store, self.root / "mlflow.db")


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as here,
        contextlib.closing(sqlite3.connect(target)) as to,
    ):
        here.backup(to)


@contextlib.contextmanager
def ground(root: Path) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        yield Ground(root, patch)


def _share(scratch: Path, part: tuple[int, Sequence[str], int]) -> list[Met]:
    """What came of these changes, in a process and project of its own."""
    warnings.simplefilter("ignore")
    number, names, seed = part
    folder = scratch / str(number)
    folder.mkdir()
    with ground(folder / "project") as place:
        return [place.meet(artifact_changes.NAMED[name], seed) for name in names]


def study(scratch: Path, names: Sequence[str], seed: int) -> list[Met]:
    """Every change of these names, in two processes."""
    parts = [(at, names[at::PROCESSES], seed) for at in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [encounter for share in pool.map(partial(_share, scratch), parts) for encounter in share]


def run(scratch: Path, seeds: Sequence[int], _write: bool) -> int:
    """Print, for a fixed seed and a fresh one, what was injected, refused and lost, and false refusals.

    Returns how many changes broke a promise.
    """
    count = 0
    for seed in seeds or (SEED, secrets.randbelow(1 << 32)):
        place = scratch / str(seed)
        place.mkdir()
        encounters = study(place, [change.name for change in artifact_changes.ALL], seed)
        print(f"tampering, seed {seed}" + ("" if seed == SEED or seeds else " (fresh)"))
        print("  artefact                      injected  refused  lost  loaded")
        harmful = [change for change in encounters if change.kind != artifact_changes.HARMLESS]
        for kind in dict.fromkeys(
            change.kind for change in artifact_changes.ALL if change.kind != artifact_changes.HARMLESS
        ):
            print(_line(kind, [change for change in harmful if change.kind == kind]))
        print(_line("all", harmful))
        calm = [encounter for encounter in encounters if encounter.kind == artifact_changes.HARMLESS]
        refused = sum(not is_let_pass(encounter) for encounter in calm)
        print(f"  harmless changes {len(calm)}, falsely refused {refused}")
        failures = [case for case in harmful if not is_refused(case)]
        failures += [case for case in calm if not is_let_pass(case)]
        count += len(failures)
        for case in failures:
            print(f"    broken promise: {case}")
    return count


def is_refused(encounter: Met) -> bool:
    """Whether nothing moved, nothing was loaded, and it was said why."""
    return encounter.refused and not encounter.moved and not encounter.loads and bool(encounter.by)


def is_let_pass(encounter: Met) -> bool:
    """Whether the model was promoted in spite of a harmless change."""
    return not encounter.refused and encounter.moved


def _line(kind: str, encounters: Sequence[Met]) -> str:
    refused = sum(map(is_refused, encounters))
    loads = sum(encounter.loads for encounter in encounters)
    return f"  {kind:30} {len(encounters):7} {refused:8} {len(encounters) - refused:5} {loads:7}"
