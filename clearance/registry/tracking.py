"""One MLflow run for what one execution of the pipeline recorded, found by its content fingerprint.

Every write may be repeated: the next call completes a run that was killed half-way, and leaves a complete
one alone.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mlflow.entities import (
    Experiment,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException

from clearance import files
from clearance.registry import faults, model_folder, test_set_uses
from clearance.registry.mlflow_server import MlflowServer, translated
from clearance.registry.run_values import CandidateRun, DataSet, RunRecord, TrackedRun
from clearance.registry.test_set_uses import FINGERPRINT

COMPLETE = "clearance.complete"
STARTED_BY = "clearance.started_by"
TRACKED_RUN = "clearance.tracked_run"
CANDIDATE = "clearance.candidate"

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The tag by which MLflow opens an experiment as training runs, not on its pages for language models."""

_A_BATCH = 100
_LONGEST = 6000
_Item = TypeVar("_Item")


def find_run(server: MlflowServer, experiment: str, fingerprint: str) -> TrackedRun | None:
    """The run of this content in the experiment, complete or not; the oldest where there are several."""
    with translated(server.addresses[0]):
        active = server.client.get_experiment_by_name(experiment)
        return None if active is None else _find(server, active.experiment_id, fingerprint)


def track_run(server: MlflowServer, record: RunRecord, started: str | None = None) -> TrackedRun:
    """Record what `record` holds, once; complete what an earlier call left half-written.

    The run that MLflow itself `started` for this execution, if it is an empty one of this experiment, is
    filled, and no other one is created.
    Raises IntegrityError when a file changed meanwhile, and MLflow's errors as `server.translated` does.
    """
    with translated(server.addresses[0]):
        experiment = _experiment(server, record.experiment)
        tracked = _find(server, experiment, record.fingerprint) or (
            _adopt(server, experiment, record, started) or _create(server, experiment, record)
        )
        if tracked.complete:
            return tracked
        model_id = _log_model(server, experiment, tracked, record, record.model) if record.model else None
        _log_values(server, tracked, record, model_id)
        _log_data(server, tracked, record.data)
        _log_files(server, tracked, record.files, record.contents)
        for candidate in record.candidates:
            _log_candidate(server, experiment, tracked, record, candidate)
        if record.test_rows:
            test_set_uses.mark(server, tracked.run_id, record.test_rows)
        server.client.set_terminated(tracked.run_id, record.status)
        server.client.set_tag(tracked.run_id, COMPLETE, "true")
        return TrackedRun(run_id=tracked.run_id, started=tracked.started, model_id=model_id, complete=True)


def link_runs(server: MlflowServer, tracked: TrackedRun, starter: str) -> bool:
    """Tag the run `starter` (of `mlflow run`) and our run with each other.

    Returns False when the tracking store has no such run. Tags that are already there are not written again.
    """
    tags = {
        starter: (TRACKED_RUN, tracked.run_id),
        tracked.run_id: (f"{STARTED_BY}.{starter}", "mlflow run"),
    }
    with translated(server.addresses[0]):
        for run_id, (key, value) in tags.items():
            run = _get_run(server, run_id)
            if run is None:
                return False
            if run.data.tags.get(key) != value:
                server.client.set_tag(run_id, key, value)
    return True


def _experiment(server: MlflowServer, name: str) -> str:
    """The id of the experiment, created when there is none."""
    experiment = server.client.get_experiment_by_name(name)
    if experiment is None:
        folder_name = re.sub(r"[^\w.-]+", "_", name)
        location = (server.artifacts / folder_name).as_uri() if server.artifacts else None
        try:
            return str(server.client.create_experiment(name, artifact_location=location, tags=_KIND))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = server.client.get_experiment_by_name(name)
    experiment_id = _active_id(experiment, name)
    for key, value in _KIND.items():
        if experiment is not None and key not in experiment.tags:
            server.client.set_experiment_tag(experiment_id, key, value)
    return experiment_id


def _active_id(experiment: Experiment | None, name: str) -> str:
    if experiment is None or experiment.lifecycle_stage != "active":
        raise faults.EXPERIMENT_DELETED(name=name)
    return str(experiment.experiment_id)


def _find(server: MlflowServer, experiment: str, fingerprint: str) -> TrackedRun | None:
    run = _oldest(server, experiment, FINGERPRINT, fingerprint)
    if run is None:
        return None
    return TrackedRun(
        run_id=run.info.run_id,
        started=run.info.start_time,
        model_id=_model_of(server, experiment, run.info.run_id),
        complete=run.data.tags.get(COMPLETE) == "true",
    )


def _oldest(server: MlflowServer, experiment: str, tag: str, value: str) -> Run | None:
    runs = server.client.search_runs(
        [experiment], f"tags.`{tag}` = '{value}'", run_view_type=ViewType.ACTIVE_ONLY
    )
    return min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)


def _adopt(
    server: MlflowServer, experiment: str, record: RunRecord, started: str | None
) -> TrackedRun | None:
    """The run that MLflow started, as ours; None unless it is of this experiment and holds nothing yet."""
    run = None if started is None else _get_run(server, started)
    if run is None or run.info.experiment_id != experiment or run.data.params or FINGERPRINT in run.data.tags:
        return None
    tags = {FINGERPRINT: record.fingerprint, "mlflow.runName": record.title}
    server.client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    return _find(server, experiment, record.fingerprint)


def _get_run(server: MlflowServer, run_id: str) -> Run | None:
    """The run with this id; None where the tracking store has no such run."""
    try:
        return server.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _create(server: MlflowServer, experiment: str, record: RunRecord) -> TrackedRun:
    """Create the run, tagged from its first moment; of two that arise at once the older one stays."""
    tags = {FINGERPRINT: record.fingerprint, "mlflow.source.name": "clearance"}
    created = server.client.create_run(experiment, tags=tags, run_name=record.title)
    oldest = _find(server, experiment, record.fingerprint)
    if oldest is not None and oldest.run_id != created.info.run_id:
        server.client.delete_run(created.info.run_id)
        return oldest
    return TrackedRun(
        run_id=created.info.run_id, started=created.info.start_time, model_id=None, complete=False
    )


def _log_candidate(
    server: MlflowServer, experiment: str, parent: TrackedRun, record: RunRecord, candidate: CandidateRun
) -> None:
    """Log the candidate as a child run, found again by the parent's content and its own number."""
    client, key = server.client, f"{record.fingerprint}/{candidate.place}"
    run = _oldest(server, experiment, CANDIDATE, key)
    if run is None:
        own_tags = {CANDIDATE: key, "mlflow.parentRunId": parent.run_id, "mlflow.source.name": "clearance"}
        created = client.create_run(experiment, tags=own_tags, run_name=candidate.title)
        run = _oldest(server, experiment, CANDIDATE, key) or created
        if run.info.run_id != created.info.run_id:
            client.delete_run(created.info.run_id)
    run_id = run.info.run_id
    params = [Param(name, _fit(value)) for name, value in candidate.params.items()]
    metrics = [Metric(name, value, parent.started, 0) for name, value in candidate.metrics.items()]
    tags = {**candidate.tags, "mlflow.parentRunId": parent.run_id}
    client.log_batch(run_id, params=params, metrics=metrics)
    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
    client.set_terminated(run_id, "FINISHED")


def _model_of(server: MlflowServer, experiment: str, run_id: str) -> str | None:
    models = server.client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    oldest = min(models, key=lambda model: (model.creation_timestamp, model.model_id), default=None)
    return None if oldest is None else str(oldest.model_id)


def _log_model(
    server: MlflowServer,
    experiment: str,
    tracked: TrackedRun,
    record: RunRecord,
    described: model_folder.ModelDescription,
) -> str:
    """Log the model's folder under the run, and return the model's id."""
    client, run_id = server.client, tracked.run_id
    model_id = tracked.model_id
    if model_id is None:
        tags = {FINGERPRINT: record.fingerprint, "clearance.model.sha256": described.sha256}
        model_id = str(
            client.create_logged_model(experiment, name="model", source_run_id=run_id, tags=tags).model_id
        )
    with tempfile.TemporaryDirectory() as temporary:
        model_folder.write(
            Path(temporary), described, model_id=model_id, run_id=run_id, created=tracked.started
        )
        client.log_model_artifacts(model_id, temporary)
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    outputs = client.get_run(run_id).outputs
    if model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def _log_values(server: MlflowServer, tracked: TrackedRun, record: RunRecord, model_id: str | None) -> None:
    params = [Param(key, _fit(value)) for key, value in record.params.items()]
    tags = [RunTag(key, value) for key, value in record.tags.items()]
    metrics = [
        Metric(key, value, tracked.started, 0, model_id=model_id, run_id=tracked.run_id)
        for key, value in record.metrics.items()
    ]
    for some_params in _batches(params):
        server.client.log_batch(tracked.run_id, params=some_params)
    for some_metrics in _batches(metrics):
        server.client.log_batch(tracked.run_id, metrics=some_metrics)
    for some_tags in _batches(tags):
        server.client.log_batch(tracked.run_id, tags=some_tags)


def _fit(value: str) -> str:
    """The value, cut short if it is too long for MLflow, with the digest of all of it."""
    if len(value) <= _LONGEST:
        return value
    end = f"… (cut; SHA-256 of all of it {files.sha256_json(value)})"
    return value[: _LONGEST - len(end)] + end


def _batches(items: Iterable[_Item]) -> Iterable[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, _A_BATCH)):
        yield batch


def _log_data(server: MlflowServer, tracked: TrackedRun, data: Sequence[DataSet]) -> None:
    inputs = [data_set.to_mlflow() for data_set in data]
    if inputs:
        server.client.log_inputs(tracked.run_id, inputs)


def _log_files(
    server: MlflowServer, tracked: TrackedRun, files: Mapping[str, Path], contents: Mapping[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in files.items():
            target = Path(temporary) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copy2(path, target)
        for name, content in contents.items():
            target = Path(temporary) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        server.client.log_artifacts(tracked.run_id, temporary)
