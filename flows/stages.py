"""How one stage of `dvc.yaml` runs: DVC decides and records, the caller executes the command.

DVC's Stage API in process, in DVC's own order of steps, so that `dvc.lock` is byte for byte what
`dvc repro` writes. It never starts a process and knows nothing of Prefect.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dvc.dependency.param import MissingParamsError
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage.cache import RunCacheNotFoundError

from clearance import artifacts, repair
from clearance.errors import BusyError, ConfigurationError, DataError

TIMEOUT = 3600.0
Execute = Callable[[str], None]


class Pipeline:
    """The stages of one project folder, which must be the working folder: DVC resolves names against it.

    `order` is the order in which `dvc repro` visits them, `after` the stages each one waits for.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._turn = threading.Lock()
        logging.getLogger("dvc").setLevel(logging.WARNING)
        with _clear_errors():
            self._repo = Repo(str(root))
            repair.remove_torn_lock(Path(self._repo.tmp_dir))
            graph = get_active_graph(self._repo.index.graph)
            plan = plan_repro(graph, collect_stages(self._repo, ["dvc.yaml"]))
        self._stages = {stage.addressing: stage for stage in plan}
        self.order = tuple(self._stages)
        self.after = {
            name: [needed.addressing for needed in graph.successors(stage)]
            for name, stage in self._stages.items()
        }
        self._unrecorded = list(self.order)
        self._finished: dict[str, bool] = {}
        self._tried: set[str] = set()

    @property
    def cache(self) -> Path:
        """The folder of DVC's objects."""
        return Path(self._repo.cache.local.path)

    def commands(self, name: str) -> list[str]:
        """The stage's commands, none for a `.dvc` file."""
        command = self._stages[name].cmd or []
        return list(command) if isinstance(command, list) else command.splitlines()

    def timeout(self, name: str) -> float:
        """For how many seconds each command may run: `meta: {timeout: ...}` in `dvc.yaml`, or an hour."""
        meta = self._stages[name].meta or {}
        return float(meta.get("timeout", TIMEOUT))

    def folder(self, name: str) -> Path:
        """Where the stage's commands run."""
        return Path(self._stages[name].wdir)

    def due(self) -> list[str]:
        """The stages that a run is going to need, as far as can be told beforehand."""
        due: list[str] = []
        with self._alone():
            for name, stage in self._stages.items():
                if any(needed in due for needed in self.after[name]) or stage.changed():
                    due.append(name)
        return due

    def run(self, name: str, execute: Execute, *, force: bool = False) -> bool:
        """Bring one stage up to date; the stages it waits for must be.

        Returns whether it ran: not when nothing changed, nor when DVC's cache held the outputs of this very
        run. Raises BusyError when another DVC process is in the way, DataError when an input changed
        meanwhile, ConfigurationError on DVC's own complaints, and whatever `execute` raises.
        """
        with self._alone():
            stage = self._fresh(name)
            if stage.cmd is None:  # a `.dvc` file, which may itself lie in the folder that a stage reads
                if stage.reproduce(force=force):
                    stage.dump(update_pipeline=False)
                return self._finish(name, changed=False, ran=False)
            if stage.frozen:
                return self._finish(name, changed=stage.reproduce(force=force) is not None, ran=False)
            if not force and not stage.changed():
                return self._finish(name, changed=False, ran=False)
        with self._claimed(stage):
            with self._alone():
                stage.remove_outs()
                restored = not force and self._restore(stage)
                if not restored:
                    stage.remove_outs()
                    stage.save_deps()
                inputs = [dep.hash_info for dep in stage.deps]
            for command in () if restored else self.commands(name):
                execute(command)
            with self._alone():
                stage.save(run_cache=False)
                if inputs != [dep.hash_info for dep in stage.deps]:
                    raise DataError(
                        f"an input of {name} changed while it ran", "run again, and edit nothing meanwhile"
                    )
                if all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs):
                    self._repo.stage_cache.save(stage)
                stage.commit()
                return self._finish(name, changed=True, ran=not restored)

    def _fresh(self, name: str) -> Any:
        """The stage as it was read; from the second try on, without the digests that the first left in it."""
        if name in self._tried:
            self._stages[name] = self._stages[name].reload()
        self._tried.add(name)
        return self._stages[name]

    def _restore(self, stage: Any) -> bool:
        """Take the outputs of an earlier run from the cache, if it has them and their content is sound."""
        try:
            self._repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            return False
        stage.save_outs()
        outs = [repair.Recorded(out.fs_path, out.hash_info.value) for out in stage.outs]
        return not repair.remove_unsound(self.root, self.cache, outs)

    def record(self) -> None:
        """Write what is finished into `dvc.lock`; done by itself once every stage is.

        In the order of `dvc repro`, none before those it would record first, and at once: DVC takes half a
        second to rewrite the file. What a killed run has not recorded, DVC's run cache still holds.
        """
        with self._alone():
            self._record()

    def _record(self) -> None:
        done = list(itertools.takewhile(self._finished.__contains__, self._unrecorded))
        del self._unrecorded[: len(done)]
        files: dict[str, list[Any]] = {}
        for stage in (self._stages[name] for name in done if self._finished[name]):
            files.setdefault(stage.path, []).append(stage)
        for graph, stages in files.items():
            lock = Path(graph).with_suffix(".lock")
            with artifacts.replacing(lock) as temporary:  # DVC rewrites it in place: half of it, if killed
                temporary.unlink()
                if lock.exists():
                    shutil.copyfile(lock, temporary)
                Lockfile(self._repo, str(temporary)).dump_stages(stages)

    def _finish(self, name: str, *, changed: bool, ran: bool) -> bool:
        self._finished[name] = changed
        if len(self._finished) == len(self.order):
            self._record()
        return ran

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One DVC operation at a time, in this process and beside others."""
        with _clear_errors(), self._turn, lock_repo(self._repo):
            yield

    @contextmanager
    def _claimed(self, stage: Any) -> Iterator[None]:
        """While a command runs, other DVC processes find its files busy, as with `dvc repro`."""
        inputs, outputs = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        with ExitStack() as claim:
            with _clear_errors(), self._turn:
                command = " ".join(sys.argv)
                claim.enter_context(
                    rwlock(self._repo.tmp_dir, self._repo.fs, command, inputs, outputs, hardlink)
                )
            try:
                yield
            finally:
                with self._turn:
                    claim.close()


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except LockError as error:
        raise BusyError(f"DVC is busy: {error}", "wait for the other DVC command to end") from error
    except FileNotFoundError as error:
        raise ConfigurationError(f"{error.filename} is missing", "restore it, or mend dvc.yaml") from error
    except MissingParamsError as error:
        raise ConfigurationError(
            f"DVC: {error}", "add the section to params.yaml: `evaluate: {}`, say, takes the defaults"
        ) from error
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend dvc.yaml, or the file it names") from error
