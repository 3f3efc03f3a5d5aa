"""What the pipeline recorded becomes one MLflow run, whole, once, and found again by its content."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from clearance import files, params, registry
from clearance.errors import ConfigurationError, IntegrityError, UnavailableError
from clearance.registry import run_record
from clearance.versioning import pipeline_state
from tasks import track
from tests.support import evidence, judged
from tests.support.nightly import every_third

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle_with_store(tmp_path / "project", monkeypatch)


def runs() -> list[Run]:
    client = MlflowClient()
    experiment = client.get_experiment_by_name("governance-demo")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def whole(root: Path) -> dict[str, Any]:
    """What the only run holds, without what differs between two runs: ids, times and places."""
    (run,) = runs()
    client = MlflowClient()
    models = client.search_logged_models([run.info.experiment_id])
    artifact_files = sorted(
        path for path in (root / "mlruns").rglob("*") if path.is_file() and path.name != "MLmodel"
    )
    return {
        "status": run.info.status,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": run.data.tags,
        "inputs": sorted(
            (
                dataset_input.dataset.name,
                dataset_input.dataset.digest,
                sorted((tag.key, tag.value) for tag in dataset_input.tags),
            )
            for dataset_input in run.inputs.dataset_inputs
        ),
        "outputs": len(run.outputs.model_outputs),
        "models": [
            (str(model.status), sorted((metric.key, metric.value) for metric in model.metrics))
            for model in models
        ],
        "files": {
            "/".join(path.parts[path.parts.index("artifacts") :]): files.sha256(path)
            for path in artifact_files
        },
    }


def record(root: Path) -> registry.RunRecord:
    return run_record.record(pipeline_state.verify(root), params.load(root / "params.yaml"))


def test_every_number_is_a_metric_and_what_decides_has_its_interval(project: Path) -> None:
    assert record(project).metrics == {
        "validation_raw/blocking_failures": 0.0,
        "split/overlap": 0.0,
        "validation_prepared/blocking_failures": 0.0,
        "performance/roc_auc": 0.8,
        "fairness/demographic_parity_difference.race": 0.04,
        "decides/sound": 0.0,
        "decides/gap.race": 0.04,
        "decides/gap.race.low": 0.01,
        "decides/gap.race.high": 0.08,
        "training/protected_at_decision": 0.0,
        **{f"tune/{name}": value for name, value in evidence.TUNE.items()},
        "tune/threshold": 0.45,
    }


def test_parameters_tags_data_and_files_say_what_was_run_and_judged(project: Path) -> None:
    facts = record(project)
    assert facts.params["train.arguments.C"] == "0.1"
    assert facts.params["data.features"] == '["amount", "purpose", "ratio"]'
    assert facts.tags["clearance.verdict"] == "pass"
    assert not [key for key in facts.tags if key.startswith("clearance.rule.")], "only what does not pass"
    assert facts.tags["clearance.judging.policy.sha256"] == files.sha256(project / "policies/test.yaml")
    assert [key for key in facts.tags if key.startswith("clearance.evidence.")] == [registry.SOURCE]
    assert facts.title == f"Pass: loan-approval {facts.fingerprint[:8]}"
    assert facts.tags["mlflow.note.content"].startswith("## Pass: loan-approval")
    assert [(dataset.name, dataset.context, dataset.rows) for dataset in facts.data] == [
        ("train", "training", 50),
        ("tune", "tuning", 20),
        ("test", "testing", 30),
    ]
    assert len({dataset.sha256 for dataset in facts.data}) == 3
    inputs = {"params.yaml", "dvc.yaml", "dvc.lock", "requirements.lock", "policies/test.yaml"}
    assert inputs | {"reports/verdict.json", "reports/figures"} <= set(facts.files)
    assert all(path.exists() for path in facts.files.values())


def test_a_key_mlflow_would_refuse_is_changed_and_stays_apart() -> None:
    names = ["a", "ä", "ö", "x/y", "x_y", "n" * 300, "n" * 301, "two words"]
    keys = [run_record._key("data", name) for name in names]
    assert len(set(keys)) == len(names)
    assert keys[0] == "data.a" and keys[-1] == "data.two words"
    assert all(len(key) <= 250 and key.isascii() and "/" not in key for key in keys)


def test_the_run_in_mlflow_is_the_record(project: Path) -> None:
    facts = record(project)
    track.main()
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == facts.params
    assert run.data.metrics == facts.metrics
    assert facts.tags.items() <= run.data.tags.items()
    assert run.data.tags["clearance.fingerprint"] == pipeline_state.verify(project).fingerprint
    data = {entry.dataset.name: entry for entry in run.inputs.dataset_inputs}
    for entry in facts.data:
        tags = {tag.key: tag.value for tag in data[entry.name].tags}
        assert entry.sha256.startswith(data[entry.name].dataset.digest)
        assert tags == {"mlflow.data.context": entry.context, "clearance.sha256": entry.sha256}
    there = Path(run.info.artifact_uri.removeprefix("file://"))
    assert there.is_relative_to(project)
    for name, path in facts.files.items():
        assert files.sha256(there / name) == files.sha256(path), name
    (model,) = MlflowClient().search_logged_models([run.info.experiment_id])
    assert run.outputs.model_outputs[0].model_id == model.model_id
    assert {metric.key: metric.value for metric in model.metrics} == facts.metrics


def test_the_second_call_changes_nothing(project: Path) -> None:
    track.main()
    before = judged.dump(project)
    track.main()
    assert judged.dump(project) == before


def test_other_content_is_another_run(project: Path) -> None:
    track.main()
    judged.put(project, model=1)
    track.main()
    judged.put(project)
    track.main()
    assert len(runs()) == 2


def test_a_blocked_run_is_tracked_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = judged.settle_with_store(tmp_path / "project", monkeypatch, blocked=True)
    track.main()
    (run,) = runs()
    assert (run.data.tags["clearance.verdict"], run.data.tags["clearance.rule.sound"]) == ("fail", "fail")
    assert run.data.metrics == {"validation_raw/blocking_failures": 1.0, "decides/sound": 1.0}
    assert (run.info.status, run.info.run_name.partition(":")[0]) == ("FAILED", "Refused")
    assert not run.inputs.dataset_inputs
    assert not MlflowClient().search_logged_models([run.info.experiment_id])
    before = judged.dump(root)
    track.main()
    assert judged.dump(root) == before


def test_a_fresh_store_is_filled_anew(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track.main()
    before = whole(project)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(judged.empty_store(), fresh / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{fresh / 'mlflow.db'}")
    track.main()
    assert whole(fresh) == before


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


WRITES = (
    "create_experiment",
    "create_run",
    "create_logged_model",
    "log_model_artifacts",
    "finalize_logged_model",
    "log_outputs",
    "log_batch",
    "log_inputs",
    "log_artifacts",
    "set_terminated",
    "set_tag",
)


def kill_at(patch: pytest.MonkeyPatch, moment: int, *, after: bool) -> list[str]:
    """Die before, or `after`, the write number `moment`; the writes so far are returned as they come."""
    writes: list[str] = []

    def wrap(name: str) -> None:
        original = getattr(MlflowClient, name)

        def write(*arguments: Any, **keywords: Any) -> Any:
            writes.append(name)
            if len(writes) == moment and not after:
                raise Killed
            result = original(*arguments, **keywords)
            if len(writes) == moment:
                raise Killed
            return result

        patch.setattr(MlflowClient, name, write)

    for name in WRITES:
        wrap(name)
    return writes


def test_a_run_killed_at_any_write_is_completed_by_the_next_call(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        writes = kill_at(patch, 0, after=False)
        track.main()
    baseline = whole(project)
    assert set(writes) == set(WRITES)
    for moment, after in every_third(product(range(1, len(writes) + 1), (False, True))):
        place = tmp_path / f"{moment}-{after}"
        place.mkdir()
        shutil.copy(judged.empty_store(), place / "mlflow.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, moment, after=after)
            track.main()
        track.main()
        assert whole(place) == baseline, (writes[moment - 1], after)


def test_the_experiment_opens_as_training_runs_also_where_it_was_there_before(project: Path) -> None:
    client = MlflowClient()
    experiment = client.create_experiment("governance-demo")
    track.main()
    assert client.get_experiment(experiment).tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_run_that_mlflow_itself_started_is_filled(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    started = client.create_run(client.create_experiment("governance-demo")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", started)
    track.main()
    (run,) = runs()
    assert run.info.run_id == started and run.info.run_name.startswith("Pass: loan-approval")
    assert run.data.metrics == record(project).metrics
    before = judged.dump(project)
    track.main()
    assert judged.dump(project) == before


def test_a_run_started_by_mlflow_elsewhere_and_ours_point_at_each_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track.main()
    ours = runs()[0].info.run_id
    client = MlflowClient()
    starter = client.create_run(client.create_experiment("started")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", starter)
    track.main()
    assert client.get_run(starter).data.tags["clearance.tracked_run"] == ours
    assert not client.get_run(starter).data.params
    assert client.get_run(ours).data.tags[f"clearance.started_by.{starter}"] == "mlflow run"
    before = judged.dump(project)
    track.main()
    assert judged.dump(project) == before


def test_a_starter_that_mlflow_does_not_know_is_only_mentioned(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    track.main()
    assert "MLflow has no run 000" in caplog.text
    assert runs()[0].data.tags["clearance.complete"] == "true"


def test_evidence_that_does_not_match_is_not_tracked(project: Path) -> None:
    before = judged.dump(project)
    (project / "reports/fairness.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"reports/fairness\.json"):
        track.main()
    assert judged.dump(project) == before


def test_a_deleted_experiment_is_named(project: Path) -> None:
    client = MlflowClient()
    client.delete_experiment(client.create_experiment("governance-demo"))
    with pytest.raises(ConfigurationError, match="experiment governance-demo was deleted"):
        track.main()


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "address", ["http://user:secret@127.0.0.1:{port}", "postgresql://user:secret@127.0.0.1:{port}/mlflow"]
)
def test_a_server_that_is_down_is_told_soon_and_nothing_is_lost(
    project: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    before = files.sha256(project / "reports"), files.sha256(project / "dvc.lock")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(port=closed_port()))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with pytest.raises(UnavailableError, match=r"MLflow at .* does not answer") as error:
        track.main()
    assert "secret" not in str(error.value)
    assert (files.sha256(project / "reports"), files.sha256(project / "dvc.lock")) == before
    monkeypatch.undo()
    judged.move_in(project, monkeypatch)
    track.main()
    assert len(runs()) == 1


def test_the_command_says_what_it_did_and_its_exit_code_tells_a_fault_that_may_pass(project: Path) -> None:
    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tasks.track"],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    (project / "mlflow.db").unlink()  # creating the tables is where MLflow talks most
    result = run()
    assert result.returncode == 0
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"tracked: run {runs()[0].info.run_id} in experiment governance-demo",
        "attempt 1 at loan-approval since the beginning",
        "this test set has now been used to judge 1 model",
    ]
    down = run(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{closed_port()}", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert down.returncode == 75
    assert len(down.stderr.splitlines()) == 2
    assert down.stderr.startswith("error: MLflow at http://127.0.0.1:")


def test_the_project_file_names_the_flow() -> None:
    project = yaml.safe_load((ROOT / "MLproject").read_text())
    assert project["entry_points"] == {"main": {"command": "python -m flows.terminal"}}


@pytest.mark.slow
def test_a_run_that_mlflow_starts_is_linked(project: Path) -> None:
    text = (ROOT / "MLproject").read_text()
    (project / "MLproject").write_text(text.replace("flows.terminal", "tasks.track"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["mlflow", "run", ".", "--env-manager", "local", "--experiment-name", "started"],
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    client = MlflowClient()
    (starter,) = client.search_runs([client.get_experiment_by_name("started").experiment_id])
    (ours,) = runs()
    assert starter.data.tags["clearance.tracked_run"] == ours.info.run_id
    assert f"clearance.started_by.{starter.info.run_id}" in ours.data.tags
