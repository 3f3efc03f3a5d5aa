"""Events and their parts from plain values: ids, places, names of data sets, and what a run tells."""

import datetime as dt
import re
from typing import Any

import pytest
from openlineage.client.event_v2 import RunState

from clearance import params
from clearance.documents.measurement import Outcome
from clearance.documents.release_receipt import ReceiptVersion, ReleaseReceipt
from clearance.lineage import databases, datasets, effects, events
from clearance.lineage.events import CodeLocation, PipelineRun, StepRun
from clearance.lineage.moments import Attempts
from clearance.params import Params
from clearance.versioning.stage_files import StageFiles
from tests.support import openlineage

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
UUID_7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def pipeline(**changes: Any) -> PipelineRun:
    return PipelineRun(
        **{
            "run_id": events.run_id(START, "clearance", "loans"),
            "started": START,
            "namespace": "clearance",
            "name": "loans",
        }
        | changes
    )


def settings(**source: Any) -> Params:
    content = params.read_yaml(openlineage.ROOT / "params.yaml")
    content["source"] = {"kind": "demo", "path": "data/source"} | source
    return params.parse(content, "params.yaml")


TRAIN = StepRun(name="train", kind="STAGE", attempt=1, command="python -m tasks.train")


def test_ids_follow_from_the_run_the_step_and_the_attempt_and_sort_by_time() -> None:
    run = pipeline()
    second = StepRun(name="train", kind="STAGE", attempt=2)
    ids = [run.run_id, events.step_run_id(run, TRAIN), events.step_run_id(run, second)]
    assert all(re.fullmatch(UUID_7, identity) for identity in ids)
    assert len(set(ids)) == 3
    assert events.step_run_id(pipeline(), TRAIN) == ids[1]
    assert events.step_run_id(pipeline(run_id=events.run_id(START, "other")), TRAIN) != ids[1]
    assert events.run_id(START + dt.timedelta(seconds=1), "a") > events.run_id(START, "b")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (None, None),
        (
            CodeLocation(commit="c" * 40),
            {"url": f"swh:1:rev:{'c' * 40}", "path": "tasks/train.py", "version": "c" * 40},
        ),
        (
            CodeLocation(commit="c" * 40, folder="models/loans", repository="https://git.example.org/x"),
            {
                "url": "https://git.example.org/x",
                "repoUrl": "https://git.example.org/x",
                "path": "models/loans/tasks/train.py",
                "version": "c" * 40,
            },
        ),
    ],
)
def test_the_code_is_told_by_commit_and_file(code: CodeLocation | None, told: dict[str, str] | None) -> None:
    event = events.step_event(pipeline(code=code), TRAIN, RunState.START, START)
    location = event["job"]["facets"].get("sourceCodeLocation")
    assert openlineage.faults(event) == []
    if told is None:
        assert location is None
    else:
        assert {key: value for key, value in location.items() if not key.startswith("_")} == {
            "type": "git"
        } | told


def test_a_scheduled_run_tells_when_it_was_meant_to_start() -> None:
    event = events.pipeline_event(pipeline(nominal_start=START), RunState.START, START)
    assert event["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-03-01T12:00:00.000000Z"
    assert openlineage.faults(event) == []
    assert "nominalTime" not in events.pipeline_event(pipeline(), RunState.START, START)["run"]["facets"]


def test_what_was_left_open_is_closed_under_the_same_run_and_job() -> None:
    start = events.step_event(pipeline(), TRAIN, RunState.START, START)
    end = events.closing_event(start, START + dt.timedelta(days=1), "it is gone")
    assert openlineage.faults(end) == []
    assert (end["eventType"], end["run"]["runId"]) == ("ABORT", start["run"]["runId"])
    assert end["job"] == start["job"] and end["run"]["facets"]["parent"] == start["run"]["facets"]["parent"]
    assert end["run"]["facets"]["errorMessage"]["message"] == "it is gone"


@pytest.mark.parametrize(
    ("ends", "error", "end"),
    [
        (["COMPLETE", "COMPLETE"], None, "COMPLETE"),
        (["COMPLETE", "FAIL"], None, "FAIL"),
        (["COMPLETE", "ABORT"], None, "ABORT"),
        (["COMPLETE", None], None, "ABORT"),
        ([], None, "ABORT"),
        ([], ValueError(), "FAIL"),
        (["FAIL"], KeyboardInterrupt(), "ABORT"),
        (["COMPLETE"], SystemExit(), "ABORT"),
    ],
)
def test_a_run_is_complete_only_if_every_step_is(
    ends: list[Any], error: BaseException | None, end: str
) -> None:
    attempts = Attempts()
    for number, one in enumerate(ends):
        attempts.begin(f"step{number}")
        attempts.end[f"step{number}"] = one
    assert attempts.conclude(error)[0] == end


def test_a_second_try_that_ends_well_ends_the_run_well() -> None:
    attempts = Attempts()
    for end in ("FAIL", "COMPLETE"):
        attempts.begin("train")
        attempts.end["train"] = end  # type: ignore[assignment]
    assert (attempts.number["train"], attempts.conclude(None)[0]) == (2, "COMPLETE")


def test_data_sets_have_the_same_names_on_every_machine_and_code_is_none_of_them() -> None:
    project = datasets.Project(namespace="estate", settings=settings())
    stage = StageFiles(
        command="python -m tasks.ingest",
        reads={"data/source": "1", "/srv/loans.csv": None, "tasks/ingest.py": "2", "requirements.lock": "3"},
        writes={"data/raw.parquet": "4"},
    )
    reads, writes = datasets.declared(project, stage)
    assert [(one.namespace, one.name) for one in (*reads, *writes)] == [
        ("estate", "loan-approval/data/source"),
        ("file", "/srv/loans.csv"),
        ("estate", "loan-approval/data/raw.parquet"),
    ]
    assert all(one.facets == {} for one in (*reads, *writes))


@pytest.mark.parametrize(
    ("url", "query", "names"),
    [
        (
            "postgresql://me:s3cret@db.example.org/bank",
            "WITH w AS (SELECT * FROM core.loans) SELECT * FROM w JOIN people USING (id)",
            [
                ("postgres://db.example.org:5432", "bank.core.loans"),
                ("postgres://db.example.org:5432", "bank.people"),
            ],
        ),
        ("mysql+pymysql://me:s3cret@db:3307/bank", "SELECT 1", [("mysql://db:3307", "bank")]),
        ("mssql+pyodbc://me:s3cret@db/bank", "SELECT TOP 5 * FROM [x]", [("mssql://db:1433", "bank")]),
        ("sqlite:////home/me/bank.db", "SELECT * FROM loans", [("sqlite", "bank.db")]),
        ("not a url s3cret", "SELECT * FROM loans", []),
    ],
)
def test_a_snapshot_is_told_with_the_tables_it_copies_and_no_credential(
    url: str, query: str, names: list[tuple[str, str]]
) -> None:
    source = settings(kind="sql", url_env="BANK", query=query).source
    found = [(one.namespace, one.name) for one in databases.read_by(source, {"BANK": url})]
    assert found == names
    assert "s3cret" not in str(found) and "/home" not in str(found)
    assert databases.read_by(source, {}) == []


def test_a_snapshot_of_openml_names_its_data_set() -> None:
    (found,) = databases.read_by(settings(kind="openml", openml_id=31).source, {})
    assert (found.namespace, found.name) == ("openml", "data/31")


def test_a_release_names_the_versions_it_registered_and_promoted_where_the_registry_is() -> None:
    project = datasets.Project(namespace="estate", settings=settings())
    receipt = ReleaseReceipt(
        status="promoted",
        reason="",
        fingerprint="f" * 64,
        verdict=Outcome.PASS,
        is_champion=True,
        candidate=ReceiptVersion(name="loan-approval-candidate", version=7),
        champion=ReceiptVersion(name="loan-approval", version=3),
    )
    environ = {"MLFLOW_TRACKING_URI": "https://me:s3cret@mlflow.example.org:5000/x"}
    _, writes = effects.datasets("release", project, receipt=receipt, environ=environ)
    told = [(one.namespace, one.name, one.facets["version"].datasetVersion) for one in writes]  # type: ignore[attr-defined]
    assert told == [
        ("mlflow://mlflow.example.org:5000", "models/loan-approval-candidate", "7"),
        ("mlflow://mlflow.example.org:5000", "models/loan-approval", "3"),
    ]
    local = {"MLFLOW_TRACKING_URI": "sqlite:////home/me/mlflow.db"}
    _, (experiment,) = effects.datasets("track", project, environ=local)
    assert (experiment.namespace, experiment.name) == ("estate", "experiments/governance-demo")
