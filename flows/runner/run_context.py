"""What one run holds, from its checked settings to its children, and how it does one step.

Opened by the command line before Prefect has started, or else by the flow itself; either way once a
run. It knows nothing of Prefect: states and retries are the flow's.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from clearance import environment, params, run_lock
from clearance.errors import ClearanceError
from clearance.policy import policy_file, project_verdict
from clearance.versioning import dvc_lock, dvc_repro, repair
from flows.runner import commands, overrides, preloaded, workspace
from flows.runner.child_processes import ChildProcesses
from flows.runner.early_start import EarlyStart

SNAPSHOT, TRACK, RELEASE = "snapshot", "track", "release"
EFFECTS = {name: f"python -m tasks.{name}" for name in (SNAPSHOT, TRACK, RELEASE)}
"""The steps that touch the world: never DVC stages, run by the flow before and after the stages."""


@dataclass(frozen=True)
class Progress:
    """News of one step, with its `seconds` once it has ended; or ("unsound") of a file that was removed."""

    step: str
    state: Literal["started", "done", "cached", "failed", "unsound"]
    seconds: float = 0.0


Watch = Callable[[Progress], None]


class RunContext:
    """An open run. `folder` is where its stages work: the checkout `root`, or a workspace of it."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        settings: params.Params,
        children: ChildProcesses,
        watch: Watch,
        *,
        force: bool,
    ) -> None:
        self.root = root
        self.folder = folder
        self.settings = settings
        self.children = children
        self.force = force
        self.notes: list[str] = []
        self._watch = watch
        self._ahead: EarlyStart | None = None
        self._waits = threading.Event()

    @cached_property
    def pipeline(self) -> dvc_repro.Pipeline:
        """The stages, in a checkout that was mended first; their modules begin to be imported."""
        pipeline = dvc_repro.open_pipeline(self.folder)
        recorded = dvc_lock.read(self.folder / dvc_lock.NAME).outs
        for path in repair.remove_unsound(self.folder, pipeline.cache, recorded):
            self.notes.append(repair.describe_removed(path, self.folder))
            self._watch(Progress(self.notes[-1], "unsound"))
        due = pipeline.order if self.force else pipeline.due()
        coming = [command for name in due for command in pipeline.commands(name)]
        coming += [EFFECTS[name] for name in self.effects_after]
        calls = [preloaded.module_call(command) for command in coming]
        self.children.preload(call[0] for call in calls if call)
        return pipeline

    def record(self) -> None:
        """Record what is finished, of a run that ends early."""
        if "pipeline" in self.__dict__:
            self.pipeline.record()

    @property
    def needs_snapshot(self) -> bool:
        """Whether the source is one that DVC cannot watch."""
        return self.settings.source.is_snapshot

    @property
    def effects_after(self) -> list[str]:
        """The effects after the stages, in order: none where the verdict is only hypothetical."""
        return [] if project_verdict.is_what_if(self.settings.overrides) else [TRACK, RELEASE]

    def start_ahead(self) -> None:
        """Begin with the stages, until `run_stage` is called for the first time; returns once a child works.

        Until then the interpreter is the stages': who imports a large library beside them would hold them up.
        """
        self._ahead = EarlyStart(self.pipeline.order, self._bring, self._waits)
        self._waits.wait()

    def end_ahead(self) -> None:
        """Wait for a stage that was begun ahead and never taken over: of a run whose children have ended."""
        if self._ahead:
            self._ahead.close()

    def run_stage(self, name: str, hear: Callable[[str], None]) -> bool:
        """Bring one stage up to date; returns whether it ran. Raises what `Pipeline.run` raises."""
        ran = self._ahead.take(name, hear) if self._ahead else None
        return self._bring(name, hear) if ran is None else ran

    def _bring(self, name: str, hear: Callable[[str], None]) -> bool:
        def execute(command: str) -> None:
            self._command(name, command, self.pipeline.folder(name), self.pipeline.timeout(name), hear)

        with self._told(name) as end:
            ran = self.pipeline.run(name, execute, force=self.force)
            end("done" if ran else "cached")
        return ran

    def run_effect(self, name: str, hear: Callable[[str], None]) -> bool:
        """Run one effect; returns that it ran. Raises what `commands.run` raises."""
        with self._told(name) as end:
            self._command(name, EFFECTS[name], self.folder, dvc_repro.TIMEOUT, hear)
            end("done")
        return True

    def _command(
        self, step: str, command: str, cwd: Path, timeout: float, hear: Callable[[str], None]
    ) -> None:
        self._waits.set()
        commands.run(
            self.children,
            step,
            command,
            cwd=cwd,
            timeout=timeout,
            log=self._log(step),
            hear=hear,
            env={"DVC_ROOT": str(self.folder), "DVC_STAGE": step},
        )

    def _log(self, step: str) -> Path:
        return self.root / ".clearance" / "logs" / f"{step.replace('/', '_')}.log"

    @contextlib.contextmanager
    def _told(self, step: str) -> Iterator[Callable[[Literal["done", "cached"]], None]]:
        """Tell the watcher when a step starts and ends."""
        start = time.monotonic()
        self._log(step).unlink(missing_ok=True)
        self._watch(Progress(step, "started"))
        try:
            yield lambda state: self._watch(Progress(step, state, time.monotonic() - start))
        except ClearanceError:
            self._watch(Progress(step, "failed", time.monotonic() - start))
            raise


_here: ContextVar[RunContext | None] = ContextVar("work", default=None)


def current() -> RunContext:
    """The run that is open around the caller. Raises LookupError when there is none."""
    work = _here.get()
    if work is None:
        raise LookupError("no run is open")
    return work


@contextlib.contextmanager
def open_run(
    root: Path, changes: Mapping[str, Any], watch: Watch = lambda _: None, *, force: bool = False
) -> Iterator[RunContext]:
    """The run that is open already, or a new one in the checkout at `root` with `changes` as its overrides.

    With `force` every stage of the new one runs, even where nothing changed.

    On leaving a new one its children are ended and the checkout is free. Raises ConfigurationError when
    parameters or policy are wrong, and BusyError when another run holds the checkout.
    """
    if work := _here.get():
        try:
            yield work
        except BaseException:  # Ctrl-C in the flow: end the children, or their threads would wait for them
            work.children.close()
            raise
        return
    environment.apply(root)
    content = params.read_yaml(root / "params.yaml")
    if changes:
        content = overrides.merge(content, changes)
    settings = params.parse(content, "params.yaml with the overrides" if changes else "params.yaml")
    policy_file.load(root / settings.policy.file)
    with run_lock.hold(root):
        folder = workspace.prepare(root, content) if changes else root
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.chdir(folder))
            children = ChildProcesses(folder)
            work = RunContext(root, folder, settings, children, watch, force=force)
            stack.callback(work.end_ahead)
            stack.enter_context(children)
            token = _here.set(work)
            try:
                yield work
            finally:
                _here.reset(token)
                work.record()
