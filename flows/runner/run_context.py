"""What one run holds, from its checked settings to its children, and how it does one step.

The command line opens it, or else the flow itself does; either way once per run. It knows nothing of Prefect.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from clearance import environment, isolation, params, paths, run_lock, stage
from clearance.errors import ClearanceError
from clearance.lineage.moments import End, RunDescription
from clearance.lineage.recorder import LineageRecorder
from clearance.policy import project_verdict
from clearance.preflight import check
from clearance.reporting import current_verdict
from clearance.versioning import dvc_lock, dvc_repro, git, repair
from clearance.versioning.stage_files import StageFiles
from flows.runner import commands, overrides, preloaded, workspace
from flows.runner.child_processes import ChildProcesses, OnLine, RunEnded

SNAPSHOT, PREREGISTER, TRACK, RELEASE = "snapshot", "preregister", "track", "release"
EFFECTS = {name: f"python -m tasks.{name}" for name in (SNAPSHOT, PREREGISTER, TRACK, RELEASE)}
"""The steps that touch the world: never DVC stages, run by the flow beside the stages."""

SCORE = "score"
"""The stage that sees the test rows first; what is judged by is recorded before it runs."""

SIGNING = (PREREGISTER, RELEASE)
"""The effects that record something in the ledger under somebody's signature."""


_PROGRESS = stage.PROGRESS.partition("%")[0]


@dataclass(frozen=True)
class Progress:
    """The state of one step, with its `seconds` once it has ended, and how far it is while it works."""

    step: str
    state: Literal["started", "working", "done", "cached", "failed"]
    seconds: float = 0.0
    detail: str = ""


Watch = Callable[[Progress | str], None]
"""Receives the progress of each step, and each note about the run as text."""


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
        nominal_start: dt.datetime | None = None,
    ) -> None:
        self.root = root
        self.folder = folder
        self.settings = settings
        self.children = children
        self.force = force
        self.notes: list[str] = []
        self._watch = watch
        description = RunDescription(root=root, folder=folder, settings=settings, nominal_start=nominal_start)
        self.lineage = LineageRecorder(description, self._note)

    @cached_property
    def pipeline(self) -> dvc_repro.ReproducibleGraph:
        """The stages, in a checkout that was repaired first; the import of their modules begins."""
        pipeline = dvc_repro.open_pipeline(self.folder)
        if pipeline.fallback:
            self._note(f"{pipeline.fallback}: all stages run as one `{dvc_repro.REPRO}`")
        outs = dvc_lock.read(self.folder / dvc_lock.NAME).outs
        current_verdict.remove_withdrawn_page(self.folder)
        for path in repair.remove_unsound(self.folder, pipeline.cache, outs):
            self._note(repair.describe_removed(path, self.folder))
        due = pipeline.order if self.force else pipeline.due()
        if due:
            current_verdict.withdraw_page(self.folder)
        expected = [command for name in due for command in pipeline.commands(name)]
        if self.effects_after and SCORE in due:
            expected.append(EFFECTS[PREREGISTER])
        expected += [EFFECTS[name] for name in self.effects_after]
        calls = [preloaded.module_call(command) for command in expected]
        self.children.preload(call[0] for call in calls if call)
        return pipeline

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._watch(text)

    def record(self) -> None:
        """Record what is finished, if the run ends early."""
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

    @property
    def steps(self) -> dict[str, list[str]]:
        """The steps after the snapshot, each with those it waits for, in an order that respects that."""
        steps: dict[str, list[str]] = {}
        for name in self.pipeline.order:
            needed = list(self.pipeline.after[name])
            if name == SCORE and self.effects_after:
                steps[PREREGISTER] = needed
                needed = [*needed, PREREGISTER]
            steps[name] = needed
        for effect in self.effects_after:
            steps[effect] = list(steps)
        return steps

    @property
    def retention(self) -> str:
        """How long the report of a run with overrides stays, and where for good; empty in the checkout."""
        if self.folder == self.root:
            return ""
        runs = f"the last {workspace.MAX_WORKSPACES} runs with overrides"
        if not self.effects_after:
            return f"kept for {runs} only: a what-if is not tracked, so copy what you need"
        return f"kept here for {runs}; MLflow keeps it for good: experiment {self.settings.experiment}"

    def run_stage(self, name: str, on_line: OnLine) -> bool:
        """Bring one stage up to date; return whether it ran. Raises what `Pipeline.run` raises."""

        def execute(command: str) -> None:
            folder, timeout = self.pipeline.folder(name), self.pipeline.timeout(name)
            variables = isolation.variables()
            self._run_command(
                name, command, cwd=folder, timeout=timeout, on_line=on_line, variables=variables
            )

        with self._reporting(name) as report_end:
            ran = self.pipeline.run(name, execute, force=self.force)
            report_end("done" if ran else "cached")
        return ran

    def run_effect(self, name: str, on_line: OnLine) -> bool:
        """Run one effect; return whether it ran. Raises what `commands.run` raises.

        A model whose test rows are scored already is not preregistered: too late.
        """
        with self._reporting(name) as report_end:
            if name == PREREGISTER and not self.force and not self.pipeline.is_due(SCORE):
                report_end("cached")
                return False
            variables = isolation.effect_variables(signs=name in SIGNING)
            self._run_command(
                name,
                EFFECTS[name],
                cwd=self.folder,
                timeout=dvc_repro.TIMEOUT,
                on_line=on_line,
                variables=variables,
            )
            report_end("done")
        return True

    def _run_command(
        self,
        step: str,
        command: str,
        *,
        cwd: Path,
        timeout: float,
        on_line: OnLine,
        variables: Mapping[str, str],
    ) -> None:
        def pass_on(line: str) -> None:
            if line.startswith(_PROGRESS):
                self._watch(Progress(step, "working", detail=line.removeprefix(_PROGRESS)))
            on_line(line)

        commands.run(
            self.children,
            step,
            command,
            cwd=cwd,
            timeout=timeout,
            log=self._log(step),
            on_line=pass_on,
            env={**variables, "DVC_ROOT": str(self.folder), "DVC_STAGE": step},
        )

    def _log(self, step: str) -> Path:
        return self.root / paths.LOGS / f"{step.replace('/', '_')}.log"

    @contextlib.contextmanager
    def _reporting(self, step: str) -> Iterator[Callable[[Literal["done", "cached"]], None]]:
        """Report to the watcher and to lineage when a step starts and ends."""
        start = time.monotonic()
        self._log(step).unlink(missing_ok=True)
        self._watch(Progress(step, "started"))
        files = None if step in EFFECTS else functools.partial(self._files, step)
        self.lineage.start_step(step, files)

        def report_end(state: Literal["done", "cached"]) -> None:
            self.lineage.end_step(step, "COMPLETE", files, cached=state == "cached")
            self._watch(Progress(step, state, time.monotonic() - start))

        try:
            yield report_end
        except ClearanceError as error:
            self.lineage.end_step(step, "FAIL", files, code=error.code)
            self._watch(Progress(step, "failed", time.monotonic() - start))
            raise
        except BaseException as error:
            end: End = "FAIL" if isinstance(error, Exception) and not isinstance(error, RunEnded) else "ABORT"
            self.lineage.end_step(step, end, files)
            raise

    def _files(self, step: str) -> StageFiles:
        return self.pipeline.files(step)


_current: ContextVar[RunContext | None] = ContextVar("run", default=None)


def current() -> RunContext:
    """The run that is open around the caller. Raises LookupError when there is none."""
    run = _current.get()
    if run is None:
        raise LookupError("no run is open")
    return run


@contextlib.contextmanager
def open_run(
    root: Path,
    changes: Mapping[str, Any],
    watch: Watch = lambda _: None,
    *,
    force: bool = False,
    nominal_start: dt.datetime | None = None,
) -> Iterator[RunContext]:
    """The run that is open already, or a new one in the checkout at `root` with `changes` as its overrides.

    With `force` every stage of a new one runs, even where nothing changed; `nominal_start` is when a schedule
    meant it to start. On leaving a new one its children
    are ended and the checkout is free. Raises ConfigurationError when parameters or policy are wrong, and
    BusyError when another run holds the checkout.
    """
    if run := _current.get():
        try:
            yield run
        except BaseException:  # Ctrl-C in the flow: end the children, or their threads would wait for them
            run.children.close()
            raise
        return
    environment.apply(root)
    git.refuse_unreadable(root)
    isolation.seal_process()  # it holds what the effects need, and runs what others wrote
    content = params.read_yaml(root / paths.PARAMS)
    if changes:
        content = overrides.merge(content, changes)
    where = "params.yaml with the overrides" if changes else "params.yaml"
    problems = check.check_content(root, content, where)
    try:
        check.refuse_blocking(problems)
        settings = params.parse(content, where)
    except ClearanceError:
        if not changes:
            current_verdict.withdraw_page(root)
        raise
    with run_lock.hold(root):
        folder = workspace.prepare(root, content) if changes else root
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.chdir(folder))
            children = ChildProcesses(folder)
            run = RunContext(
                root, folder, settings, children, watch, force=force, nominal_start=nominal_start
            )
            stack.enter_context(children)
            for line in (line for problem in problems for line in str(problem).splitlines()):
                watch(line)
            token = _current.set(run)
            fault: BaseException | None = None
            try:
                yield run
            except BaseException as error:
                fault = error
                raise
            finally:
                _current.reset(token)
                try:
                    run.record()
                finally:
                    run.lineage.finish(fault)
