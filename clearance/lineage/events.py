"""One OpenLineage event (specification 2-0-2) from what is known of a run, a step and their data sets.

Pure: nothing here reads a file or a clock. An event holds names, digests and counts, never a value of a row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, Literal

from openlineage.client import event_v2, facet_v2
from openlineage.client.event_v2 import RunState
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

INTEGRATION = "CLEARANCE"
CLOSING = frozenset({"COMPLETE", "FAIL", "ABORT"})
"""The event types after which a run has ended."""

Kind = Literal["STAGE", "EFFECT"]


@dataclass(frozen=True, kw_only=True)
class CodeLocation:
    """A commit of a git repository, and where the project lies in it.

    `repository` is its address without credentials; None where it has no remote.
    """

    commit: str
    folder: str = ""
    repository: str | None = None
    modified: bool = False


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One run of the pipeline: its job is `name` in `namespace`.

    `nominal_start` is when a schedule meant it to start; None where none did.
    """

    run_id: str
    started: dt.datetime
    namespace: str
    name: str
    code: CodeLocation | None = None
    nominal_start: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """One attempt at a step of a run; `command` is what it runs."""

    name: str
    kind: Kind
    attempt: int = 1
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set as one event sees it: its name, and facets by their key."""

    namespace: str
    name: str
    facets: Mapping[str, facet_v2.DatasetFacet] = field(default_factory=dict)
    input_facets: Mapping[str, facet_v2.InputDatasetFacet] = field(default_factory=dict)
    output_facets: Mapping[str, facet_v2.OutputDatasetFacet] = field(default_factory=dict)


@cache
def software_version() -> str:
    """The version of this software."""
    return metadata.version("clearance")


def producer() -> str:
    """The URI of the software that wrote an event."""
    return f"urn:clearance:{software_version()}"


def run_id(start: dt.datetime, *names: str) -> str:
    """A UUID of version 7 that follows from the moment of the start and the names alone."""
    return str(generate_static_uuid(start, "\0".join(names).encode()))


def step_run_id(run: PipelineRun, step: StepRun) -> str:
    """The UUID (version 7) of an attempt at a step: it follows from the run, the step and the attempt."""
    return run_id(run.started, run.run_id, step.name, str(step.attempt))


def pipeline_event(
    run: PipelineRun,
    state: RunState,
    at: dt.datetime,
    *,
    tags: Mapping[str, str] | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    """The event of the run itself, whose steps name it as their parent."""
    described = event_v2.Run(runId=run.run_id, facets=_run_facets(run, tags or {}, error))
    job = event_v2.Job(
        namespace=run.namespace, name=run.name, facets=_job_facets(run, "PIPELINE", command=None)
    )
    return _event(state, at, described, job)


def step_event(
    run: PipelineRun,
    step: StepRun,
    state: RunState,
    at: dt.datetime,
    *,
    inputs: Iterable[DataSet] = (),
    outputs: Iterable[DataSet] = (),
    tags: Mapping[str, str] | None = None,
    error: str | None = None,
    tests: Iterable[facet_v2.test_run.TestExecution] = (),
) -> dict[str, Any]:
    """The event of one attempt at a step. `error` must hold no value of a row."""
    facets = _run_facets(run, {"attempt": str(step.attempt), **(tags or {})}, error)
    facets["parent"] = _parent(run)
    if executions := list(tests):
        facets["test"] = facet_v2.test_run.TestRunFacet(tests=executions, producer=producer())
    job = event_v2.Job(
        namespace=run.namespace,
        name=f"{run.name}.{step.name}",
        facets=_job_facets(run, step.kind, step.command),
    )
    described = event_v2.Run(runId=step_run_id(run, step), facets=facets)
    return _event(state, at, described, job, inputs=inputs, outputs=outputs)


def closing_event(start: Mapping[str, Any], at: dt.datetime, error: str) -> dict[str, Any]:
    """The ABORT of a run of which only this event, as it lies in a file, is known."""
    facets = {
        "errorMessage": _plain(_error(error)),
        **{name: start["run"]["facets"][name] for name in ("parent",) if name in start["run"]["facets"]},
    }
    return {
        **{key: start[key] for key in ("job", "producer", "schemaURL", "inputs", "outputs")},
        "eventTime": _time(at),
        "eventType": "ABORT",
        "run": {"runId": start["run"]["runId"], "facets": facets},
    }


def _event(
    state: RunState,
    at: dt.datetime,
    described: event_v2.Run,
    job: event_v2.Job,
    *,
    inputs: Iterable[DataSet] = (),
    outputs: Iterable[DataSet] = (),
) -> dict[str, Any]:
    read = [
        event_v2.InputDataset(
            one.namespace, one.name, inputFacets=dict(one.input_facets), facets=dict(one.facets)
        )
        for one in inputs
    ]
    written = [
        event_v2.OutputDataset(
            one.namespace, one.name, outputFacets=dict(one.output_facets), facets=dict(one.facets)
        )
        for one in outputs
    ]
    event = event_v2.RunEvent(
        eventType=state,
        eventTime=_time(at),
        run=described,
        job=job,
        inputs=read,
        outputs=written,
        producer=producer(),
    )
    return Serde.to_dict(event)


def _run_facets(run: PipelineRun, tags: Mapping[str, str], error: str | None) -> dict[str, facet_v2.RunFacet]:
    version = software_version()
    facets: dict[str, facet_v2.RunFacet] = {
        "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet(
            name="Clearance", version=version, openlineageAdapterVersion=version, producer=producer()
        )
    }
    if tags:
        fields = [
            facet_v2.tags_run.TagsRunFacetFields(key=key, value=value, source=INTEGRATION)
            for key, value in tags.items()
        ]
        facets["tags"] = facet_v2.tags_run.TagsRunFacet(tags=fields, producer=producer())
    if run.nominal_start is not None:
        facets["nominalTime"] = facet_v2.nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=_time(run.nominal_start), producer=producer()
        )
    if error is not None:
        facets["errorMessage"] = _error(error)
    return facets


def _error(message: str) -> facet_v2.error_message_run.ErrorMessageRunFacet:
    return facet_v2.error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="Python", producer=producer()
    )


def _parent(run: PipelineRun) -> facet_v2.parent_run.ParentRunFacet:
    parts = facet_v2.parent_run
    return parts.ParentRunFacet(
        run=parts.Run(runId=run.run_id),
        job=parts.Job(namespace=run.namespace, name=run.name),
        root=parts.Root(
            run=parts.RootRun(runId=run.run_id), job=parts.RootJob(namespace=run.namespace, name=run.name)
        ),
        producer=producer(),
    )


def _job_facets(run: PipelineRun, kind: str, command: str | None) -> dict[str, facet_v2.JobFacet]:
    facets: dict[str, facet_v2.JobFacet] = {
        "jobType": facet_v2.job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration=INTEGRATION, jobType=kind, producer=producer()
        )
    }
    if run.code is not None:
        facets["sourceCodeLocation"] = _location(run.code, _module_file(command))
    return facets


def _location(
    code: CodeLocation, file: str | None
) -> facet_v2.source_code_location_job.SourceCodeLocationJobFacet:
    """Where the code is. Without a remote the URL is the commit's own identifier (a SWHID, ISO 18670)."""
    path = "/".join(part for part in (code.folder, file) if part)
    return facet_v2.source_code_location_job.SourceCodeLocationJobFacet(
        type="git",
        url=code.repository or f"swh:1:rev:{code.commit}",
        repoUrl=code.repository,
        path=path or None,
        version=code.commit,
        producer=producer(),
    )


def _module_file(command: str | None) -> str | None:
    """The file of the module that `python -m MODULE …` runs; None for another command."""
    words = (command or "").split()
    return words[2].replace(".", "/") + ".py" if words[:2] == ["python", "-m"] and len(words) > 2 else None


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(facet: facet_v2.BaseFacet) -> dict[str, Any]:
    return Serde.to_dict(facet)
