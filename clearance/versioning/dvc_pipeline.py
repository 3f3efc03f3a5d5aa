"""How one stage of `dvc.yaml` runs: DVC decides and records, the caller executes the command.

DVC's own steps in DVC's own order, in this process, so that `dvc.lock` is byte for byte what `dvc repro`
writes. It never starts a process and knows nothing of Prefect. `dvc_repro` opens it.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from clearance import files as artifacts
from clearance.errors import ClearanceError
from clearance.versioning import dvc_api, dvc_lock, executions, faults, repair
from clearance.versioning.dvc_api import Stage
from clearance.versioning.dvc_repro import TIMEOUT
from clearance.versioning.stage_files import StageFiles

Execute = Callable[[str], None]


class Pipeline:
    """The stages of one project folder, which must be the working folder: DVC resolves names against it.

    `order` is the order in which `dvc repro` visits them, `after` the stages each one waits for.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fallback: str | None = None
        self._turn = threading.RLock()
        logging.getLogger("dvc").setLevel(logging.WARNING)
        with _translated_errors():
            self._repository = dvc_api.Repository(root)
            self._repository.remove_torn_lock()
            plan = self._repository.stages()
        self._stages = {stage.name: stage for stage, _ in plan}
        self.order = tuple(self._stages)
        self.after = {stage.name: needed for stage, needed in plan}
        self._unrecorded = list(self.order)
        self._finished: dict[str, bool] = {}
        self._uncommitted: deque[tuple[Stage, ExitStack]] = deque()
        self._lock_entries: dict[str, str] = {}
        self._tried: set[str] = set()
        self._executions = executions.Executions(root)
        self._recorded = dvc_lock.read(root / dvc_lock.NAME).stages

    @property
    def cache(self) -> Path:
        """The folder of DVC's objects."""
        return self._repository.cache_folder

    def commands(self, name: str) -> list[str]:
        """The stage's commands, none for a `.dvc` file."""
        return self._stages[name].commands

    def timeout(self, name: str) -> float:
        """For how many seconds each command may run: `meta: {timeout: ...}` in `dvc.yaml`, or an hour."""
        return float(self._stages[name].meta.get("timeout", TIMEOUT))

    def folder(self, name: str) -> Path:
        """Where the stage's commands run."""
        return self._stages[name].folder

    def files(self, name: str) -> StageFiles:
        """What the stage reads and writes, with the digests saved last; a `.dvc` file has no command."""
        stage = self._stages[name]
        reads, writes = (
            {self._relative(path): md5 for path, md5 in digests.items()} for digests in stage.recorded_digests
        )
        return StageFiles(command="\n".join(stage.commands), reads=reads, writes=writes)

    def _relative(self, path: str) -> str:
        place = Path(path)
        return place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else path

    def due(self) -> list[str]:
        """The stages that a run is going to need, as far as can be told in advance."""
        due: list[str] = []
        with self._locked():
            for name, stage in self._stages.items():
                needed = any(needed in due for needed in self.after[name])
                if needed or stage.has_changed() or not self._has_run(stage):
                    due.append(name)
        return due

    def is_due(self, name: str) -> bool:
        """Whether one stage would run now; the stages it waits for must be up to date."""
        with self._locked():
            stage = self._stages[name]
            return stage.has_changed() or not self._has_run(stage)

    def run(self, name: str, execute: Execute, *, force: bool = False) -> bool:
        """Bring one stage up to date; the stages it waits for must be.

        Returns whether it ran: not when nothing changed, nor when DVC's cache held the outputs of this very
        run, and in both cases only if that run was made in this checkout. Raises BusyError when another DVC
        process is in the way, DataError when an input changed meanwhile, ConfigurationError when DVC refuses,
        and whatever `execute` raises.
        """
        with self._locked():
            stage = self._fresh(name)
            if stage.is_data_source:  # a `.dvc` file, which may itself lie in the folder that a stage reads
                if stage.reproduce(force=force):
                    stage.write_pointer()
                return self._finish(name, changed=False, ran=False)
            if stage.is_frozen:
                return self._finish(name, changed=stage.reproduce(force=force), ran=False)
            force = force or (not stage.has_changed() and not self._has_run(stage))
            if not force and not stage.has_changed():
                return self._finish(name, changed=False, ran=False)
        claim = self._claim(stage)
        try:
            with self._locked():
                stage.remove_outputs()
                restored = not force and self._restore(stage)
                if not restored:
                    stage.remove_outputs()
                    stage.save_inputs()
                before = _input_stats(stage)
            with self._committing():
                for command in () if restored else stage.commands:
                    execute(command)
            with self._locked():
                self._commit()
                stage.save_outputs()
                if before != _input_stats(stage) and _inputs_changed(stage):
                    raise faults.INPUT_CHANGED(stage=name)
                self._uncommitted.append((stage, claim))
                if not stage.is_cached:
                    self._commit()  # DVC would take them away from a reader for a moment
                return self._finish(name, changed=True, ran=not restored)
        except BaseException:
            with self._turn:
                claim.close()
            raise

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Commit the stages that ended before, meanwhile; what fails is tried again in the foreground."""

        def commit() -> None:
            with suppress(ClearanceError, OSError), self._locked():
                self._commit()

        thread = threading.Thread(target=commit)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _commit(self) -> None:
        """Put the outputs of the stages that ended into DVC's cache, then release their files.

        The files stay in place: a stage may be reading one, and must not find it missing while it is linked.
        """
        while self._uncommitted:
            stage, claim = self._uncommitted[0]
            self._repository.commit(stage)
            entry = stage.lock_entry()  # slow to write: not at the end
            self._lock_entries[stage.name] = entry
            self._executions.add(_locked_stages(entry))
            self._uncommitted.popleft()
            claim.close()

    def _fresh(self, name: str) -> Stage:
        """The stage as it was read; from the second try on, without the digests that the first left in it."""
        if name in self._tried:
            self._stages[name] = self._stages[name].reload()
        self._tried.add(name)
        return self._stages[name]

    def _restore(self, stage: Stage) -> bool:
        """Take the outputs of an earlier run here from the cache, if it has them and their content is sound.

        What somebody else's run put there under the same inputs is not taken.
        """
        if not self._repository.restore(stage):
            return False
        stage.save_outputs()
        restored = _locked_stages(stage.lock_entry())
        if not all(self._executions.has(name, entry) for name, entry in restored):
            return False
        return not repair.remove_unsound(self.root, self.cache, stage.outputs)

    def _has_run(self, stage: Stage) -> bool:
        """Whether what `dvc.lock` records of the stage ran in this checkout. A `.dvc` file does not run."""
        recorded = self._recorded.get(stage.lock_name)
        return stage.is_data_source or self._executions.has(stage.lock_name, recorded)

    def record(self) -> None:
        """Write what is finished into `dvc.lock`; this happens by itself once every stage is finished.

        In the order of `dvc repro`, none before those it would record first, and all at once, because
        rewriting the file takes time. What a killed run has not recorded, DVC's run cache still holds. The
        text is DVC's, but not its way of rewriting: in place, so that a kill leaves half a file, and after a
        reading that keeps comments, which took most of the time.
        """
        with self._locked():
            self._commit()
            self._write_locks()

    def _write_locks(self) -> None:
        finished = list(itertools.takewhile(self._finished.__contains__, self._unrecorded))
        del self._unrecorded[: len(finished)]
        stages_by_file: dict[Path, list[Stage]] = {}
        for stage in (self._stages[name] for name in finished if self._finished[name]):
            stages_by_file.setdefault(stage.file, []).append(stage)
        for graph, stages in stages_by_file.items():
            lock = graph.with_suffix(".lock")
            content: dict[str, Any] = {"schema": "2.0", "stages": {}}
            if lock.exists():
                content = dvc_lock.document(dvc_lock.read_text(lock), lock.name)
            entries = content.pop("stages") | {stage.lock_name: stage for stage in stages}
            text = [self._lock_entry(name, entry) for name, entry in entries.items()]
            artifacts.write_text(lock, dvc_api.lock_header(content) + "stages:\n" + "".join(text))

    def _lock_entry(self, name: str, entry: Any) -> str:
        """A stage's part of the lock: from the old lock, or of a stage that ran, mostly prepared already."""
        if isinstance(entry, Stage):
            return self._lock_entries.get(entry.name) or entry.lock_entry()
        return dvc_api.lock_entry({name: entry})

    def _finish(self, name: str, *, changed: bool, ran: bool) -> bool:
        self._finished[name] = changed
        if len(self._finished) == len(self.order):
            self._commit()
            self._write_locks()
        return ran

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One DVC operation at a time, in this process and beside others."""
        with _translated_errors(), self._turn, self._repository.locked():
            yield

    def _claim(self, stage: Stage) -> ExitStack:
        """Until it is closed other DVC processes find the stage's files busy, as with `dvc repro`."""
        with _translated_errors(), self._turn:
            return self._repository.claim(dvc_api.command_line(), stage.inputs, stage.output_paths)


def _locked_stages(entry: str) -> Iterable[tuple[str, dvc_lock.LockedStage]]:
    """The stage in its part of a lock."""
    return dvc_lock.parse(f"schema: '2.0'\nstages:\n{entry}").stages.items()


def _input_stats(stage: Stage) -> list[tuple[str, int, int, int]]:
    """Name, inode, time and size of every input file: unless they change, no input was written to."""
    items = itertools.chain(
        stage.inputs, *(sorted(path.rglob("*")) for path in stage.inputs if path.is_dir())
    )
    return [(str(item), (stat := item.stat()).st_ino, stat.st_mtime_ns, stat.st_size) for item in items]


def _inputs_changed(stage: Stage) -> bool:
    """Whether the content of an input is not what it was when the stage began."""
    before = stage.input_digests
    stage.save_inputs()
    return before != stage.input_digests


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        with dvc_api.translated_errors():
            yield
    except FileNotFoundError as error:
        raise faults.SOURCE_MISSING(path=error.filename) from error
