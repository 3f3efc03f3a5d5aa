"""Turns what a run tells into events in the run's file, and hands the file to the delivery.

It reads documents, git and settings, which the pure functions of this room do not.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from openlineage.client.event_v2 import RunState
from openlineage.client.generated.test_run import TestExecution

from clearance import paths
from clearance.documents.measurement import Outcome
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.errors import ClearanceError
from clearance.lineage import datasets, delivery, effects, endpoint, events, facets, moments, spool
from clearance.lineage.events import CodeLocation, DataSet, Kind, PipelineRun, StepRun
from clearance.lineage.moments import RunDescription, RunMoment, StepMoment
from clearance.policy import project_verdict
from clearance.versioning import dvc_lock, git


class LineageWriter:
    """Writes the events of one run."""

    def __init__(self, run: RunDescription, started: dt.datetime) -> None:
        """Close what killed runs left open, and open this run's file. Raises OSError when it cannot."""
        self._run = run
        self._notes: list[str] = []
        self._verdict: Outcome | None = None
        namespace = endpoint.namespace()
        close_left_open(run.root, started)
        spool.prune(run.root)
        settings = self._settings()
        self._pipeline = PipelineRun(
            run_id=events.run_id(started, namespace, run.job, str(run.root), str(os.getpid())),
            started=started,
            namespace=namespace,
            name=run.job,
            code=code_location(run.root),
            nominal_start=run.nominal_start,
        )
        self._project = datasets.Project(namespace=namespace, settings=run.settings, folder=run.place)
        self._file = spool.create(run.root, self._pipeline.run_id, outbound=settings is not None)
        self._address = endpoint.address(settings) if settings else ""
        self._delivery = delivery.Delivery(run.root, settings) if settings else None

    def _settings(self) -> dict[str, object] | None:
        try:
            return endpoint.settings(self._run.root)
        except ClearanceError as error:
            self._notes.append(f"lineage is not sent: {error}")
            return None

    def write(self, moment: RunMoment | StepMoment) -> None:
        """Write the event of this moment. Raises OSError when it cannot be written."""
        if isinstance(moment, StepMoment):
            event = self._step_event(moment)
        else:
            event = events.pipeline_event(
                self._pipeline,
                RunState(moment.end or "START"),
                moment.at,
                tags=self._run_tags(),
                error=moment.error,
            )
        self._file.append(event)
        if self._delivery:
            self._delivery.wake()

    def close(self) -> list[str]:
        """Make the events durable, and end the delivery; returns what people should know, a sentence each."""
        try:
            self._file.sync()
        except OSError as error:
            self._notes.append(f"lineage may not survive a loss of power: {os.strerror(error.errno or 0)}")
        if self._delivery:
            report = self._delivery.finish()
            if report.waiting:
                self._notes.append(
                    f"lineage: {report.waiting} events wait for {self._address} ({report.fault}); "
                    "the next run sends them again"
                )
            if report.refused:
                place = spool.folder(self._run.root).relative_to(self._run.root)
                self._notes.append(
                    f"lineage: {self._address} refused {report.refused} events for good; {place} keeps them"
                )
        return self._notes

    def _step_event(self, moment: StepMoment) -> dict[str, object]:
        ended = moment.end == "COMPLETE"
        kind: Kind = "EFFECT" if moment.files is None else "STAGE"
        reads, writes, tests = self._stage(moment) if kind == "STAGE" else (*self._effect(moment), [])
        return events.step_event(
            self._pipeline,
            StepRun(name=moment.step, kind=kind, attempt=moment.attempt, command=_command(moment)),
            RunState(moment.end or "START"),
            moment.at,
            inputs=reads,
            outputs=writes,
            tags={"cached": str(moment.cached).lower()} if ended else {},
            error=moment.error,
            tests=tests,
        )

    def _stage(self, moment: StepMoment) -> tuple[list[DataSet], list[DataSet], list[TestExecution]]:
        """The data sets of a stage, and the rules where it judged; with what is in them once it has ended."""
        stage = moment.files
        if stage is None or moment.end != "COMPLETE":
            return (*datasets.declared(self._project, stage), []) if stage else ([], [], [])
        evidence = datasets.read_evidence(self._run.folder, stage.writes)
        reads, writes = datasets.described(self._project, stage, evidence)
        if paths.VERDICT.as_posix() not in stage.writes or evidence.verdict is None:
            return reads, writes, []
        self._verdict = evidence.verdict.verdict
        return reads, writes, facets.tests(evidence.verdict)

    def _effect(self, moment: StepMoment) -> tuple[list[DataSet], list[DataSet]]:
        folder = self._run.folder
        if moment.end != "COMPLETE":
            return effects.datasets(moment.step, self._project)
        receipt = None
        if moment.step == moments.RELEASE and (folder / paths.RELEASE_RECEIPT).is_file():
            receipt = ReleaseReceipt.read(folder)
        digests = dvc_lock.read(folder / dvc_lock.NAME).outs
        return effects.datasets(moment.step, self._project, digests=digests, receipt=receipt)

    def _run_tags(self) -> dict[str, str]:
        """The verdict, where the run reached one; whether it is a what-if; whether its code is committed."""
        code = self._pipeline.code
        return {
            **({"verdict": self._verdict.value} if self._verdict else {}),
            **({"code": "modified" if code.modified else "committed"} if code else {}),
            "what_if": str(project_verdict.is_what_if(self._run.settings.overrides)).lower(),
        }


def _command(moment: StepMoment) -> str:
    return moment.files.command if moment.files else f"python -m tasks.{moment.step}"


def close_left_open(root: Path, at: dt.datetime) -> None:
    """End with ABORT what earlier runs in this checkout started and never ended. Raises OSError."""
    for run in (run for run in spool.runs(root) if not run.has_ended):
        for start in reversed(run.open_starts()):  # the steps first, then the run itself
            run.append(events.closing_event(start, at, moments.LEFT_OPEN))


def code_location(root: Path) -> CodeLocation | None:
    """The commit that is checked out at `root`; None without git or a first commit."""
    try:
        commit = git.head(root)
        if commit is None:
            return None
        return CodeLocation(
            commit=commit,
            folder=git.prefix(root),
            repository=git.remote(root),
            modified=bool(git.output(root, "status", "--porcelain", "--untracked-files=no")),
        )
    except ClearanceError:
        return None
