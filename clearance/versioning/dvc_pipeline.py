"""How one stage of `dvc.yaml` runs: DVC decides and records, the caller executes the command.

DVC's Stage API in process, in DVC's own order of steps, so that `dvc.lock` is byte for byte what
`dvc repro` writes. It never starts a process and knows nothing of Prefect.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from dvc.dependency.param import MissingParamsError
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from clearance import files as artifacts
from clearance import yaml
from clearance.errors import BusyError, ClearanceError, ConfigurationError, DataError
from clearance.versioning import repair

TIMEOUT = 3600.0
Execute = Callable[[str], None]


class Pipeline:
    """The stages of one project folder, which must be the working folder: DVC resolves names against it.

    `order` is the order in which `dvc repro` visits them, `after` the stages each one waits for.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._turn = threading.RLock()
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
        self._unsettled: deque[tuple[Any, ExitStack]] = deque()
        self._entries: dict[str, str] = {}
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
        claim = self._claim(stage)
        try:
            with self._alone():
                stage.remove_outs()
                restored = not force and self._restore(stage)
                if not restored:
                    stage.remove_outs()
                    stage.save_deps()
                marks = _marks(stage)
            with self._settling():
                for command in () if restored else self.commands(name):
                    execute(command)
            with self._alone():
                self._settle()
                stage.save_outs()
                if marks != _marks(stage) and _changed(stage):
                    raise DataError(
                        f"an input of {name} changed while it ran", "run again, and edit nothing meanwhile"
                    )
                self._unsettled.append((stage, claim))
                if not all(out.use_cache for out in stage.outs):
                    self._settle()  # DVC would take them away from a reader for a moment
                return self._finish(name, changed=True, ran=not restored)
        except BaseException:
            with self._turn:
                claim.close()
            raise

    @contextmanager
    def _settling(self) -> Iterator[None]:
        """Settle meanwhile the stages that ended before; what fails is tried again in the foreground."""

        def settle() -> None:
            with suppress(ClearanceError, OSError), self._alone():
                self._settle()

        thread = threading.Thread(target=settle)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _settle(self) -> None:
        """Put the outputs of the stages that ended into DVC's cache, then let their files go.

        They stay where they are: a stage may be reading them, and must not miss one that is linked anew.
        """
        while self._unsettled:
            stage, claim = self._unsettled[0]
            stage.commit(relink=False)
            if all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs):
                self._repo.stage_cache.save(stage)
            self._entries[stage.addressing] = _entry(to_lockfile(stage))  # slow to write: not at the end
            self._unsettled.popleft()
            claim.close()

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
        outs = [repair.RecordedOutput(out.fs_path, out.hash_info.value) for out in stage.outs]
        return not repair.remove_unsound(self.root, self.cache, outs)

    def record(self) -> None:
        """Write what is finished into `dvc.lock`; done by itself once every stage is.

        In the order of `dvc repro`, none before those it would record first, and at once, for rewriting the
        file takes time. What a killed run has not recorded, DVC's run cache still holds. The words are
        DVC's, but not its way of rewriting: in place, so that a kill leaves half a file, and after a reading
        that keeps comments, which took most of the time.
        """
        with self._alone():
            self._settle()
            self._record()

    def _record(self) -> None:
        done = list(itertools.takewhile(self._finished.__contains__, self._unrecorded))
        del self._unrecorded[: len(done)]
        files: dict[str, list[Any]] = {}
        for stage in (self._stages[name] for name in done if self._finished[name]):
            files.setdefault(stage.path, []).append(stage)
        for graph, stages in files.items():
            lock = Path(graph).with_suffix(".lock")
            content: dict[str, Any] = {"schema": "2.0"}
            if lock.exists():
                content = yaml.loads(lock.read_text(encoding="utf-8"))
            entries = content.pop("stages", {}) | {stage.name: stage for stage in stages}
            text = [self._entry_of(name, entry) for name, entry in entries.items()]
            artifacts.write_text(lock, dumps_yaml(content) + "stages:\n" + "".join(text))

    def _entry_of(self, name: str, entry: Any) -> str:
        """A stage's part of the lock: from the old lock, or of a stage that ran, mostly written already."""
        if isinstance(entry, dict):
            return _entry({name: entry})
        return self._entries.get(entry.addressing) or _entry(to_lockfile(entry))

    def _finish(self, name: str, *, changed: bool, ran: bool) -> bool:
        self._finished[name] = changed
        if len(self._finished) == len(self.order):
            self._settle()
            self._record()
        return ran

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One DVC operation at a time, in this process and beside others."""
        with _clear_errors(), self._turn, lock_repo(self._repo):
            yield

    def _claim(self, stage: Any) -> ExitStack:
        """Until it is closed other DVC processes find the stage's files busy, as with `dvc repro`."""
        inputs, outputs = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        claim = ExitStack()
        with _clear_errors(), self._turn:
            claim.enter_context(
                rwlock(self._repo.tmp_dir, self._repo.fs, " ".join(sys.argv), inputs, outputs, hardlink)
            )
        return claim


def _marks(stage: Any) -> list[tuple[str, int, int, int]]:
    """What tells DVC that no input was written to, without reading one: name, inode, time and size."""
    inputs = [Path(dep.fs_path) for dep in stage.deps]
    files = itertools.chain(inputs, *(sorted(path.rglob("*")) for path in inputs if path.is_dir()))
    return [(str(file), (s := file.stat()).st_ino, s.st_mtime_ns, s.st_size) for file in files]


def _changed(stage: Any) -> bool:
    """Whether the content of an input is not what it was when the stage began."""
    before = [dep.hash_info for dep in stage.deps]
    stage.save_deps()
    return before != [dep.hash_info for dep in stage.deps]


def _entry(stages: Mapping[str, Any]) -> str:
    """What DVC writes of `stages` into its lock, without the key above them."""
    text: str = dumps_yaml({"stages": dict(stages)})
    return text.removeprefix("stages:\n")


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except LockError as error:
        raise BusyError(f"DVC is busy: {error}", "wait for the other DVC command to end") from error
    except FileNotFoundError as error:
        mend = "restore it, or mend its path: `source.path` in params.yaml, or else dvc.yaml"
        raise ConfigurationError(f"{error.filename} is missing", mend) from error
    except MissingParamsError as error:
        raise ConfigurationError(
            f"DVC: {error}", "add the section to params.yaml: `evaluate: {}`, say, takes the defaults"
        ) from error
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend dvc.yaml, or the file it names") from error
