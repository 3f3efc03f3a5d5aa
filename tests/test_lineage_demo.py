"""The demo's own events: what its documents say, and no value of its rows."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearance.documents.origin_document import OriginDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import RawValidationDocument
from clearance.documents.verdict_document import VerdictDocument
from tests.support import openlineage, projects, terminal_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),  # Apprise's own
]
MODEL = "loan-approval"


@pytest.fixture(scope="module")
def root(demo: projects.Project, demo_run: projects.Done) -> Path:
    assert demo_run.code == 4, demo_run.out
    return demo.root


@pytest.fixture(scope="module")
def run(root: Path) -> list[openlineage.Event]:
    """The events of the demo's first run."""
    return openlineage.runs(root)[0]


def ended(run: list[openlineage.Event], step: str) -> openlineage.Event:
    (event,) = [
        event
        for event in run
        if (event["job"]["name"], event["eventType"]) == (f"{MODEL}.{step}", "COMPLETE")
    ]
    return event


def dataset(event: openlineage.Event, side: str, path: str) -> dict[str, Any]:
    (found,) = [one for one in event[side] if one["name"] == f"{MODEL}/{path}"]
    return dict(found)


def test_every_event_is_valid(run: list[openlineage.Event]) -> None:
    assert [fault for event in run for fault in openlineage.faults(event)] == []
    assert {"schema", "columnLineage", "dataQualityMetrics", "dataQualityAssertions", "parent"} <= {
        name for event in run for name, _ in openlineage.facets(event)
    }


def test_no_event_holds_a_value_of_a_row(root: Path, run: list[openlineage.Event]) -> None:
    """Every text of the table, and every number that is not one of few digits: one that says something."""
    table = pq.read_table(root / "data/raw.parquet")
    values: set[str] = set()
    for column in table.columns:
        distinct = column.unique().drop_null().to_pylist()
        if pa.types.is_string(column.type):
            values |= {json.dumps(value) for value in distinct}
        else:
            values |= {repr(value) for value in distinct if len(str(value)) > 6}
    assert {'"Hispanic"', '"female"'} <= values and len(values) > 1000
    text = "\n".join(map(json.dumps, run))
    assert {value for value in values if value in text} - {'"male"'} == set()  # `male` is also a column


def test_the_raw_table_is_told_with_types_and_the_columns_behind_it(
    root: Path, run: list[openlineage.Event]
) -> None:
    raw = dataset(ended(run, "ingest"), "outputs", "data/raw.parquet")
    origin = OriginDocument.read(root)
    fields = raw["facets"]["schema"]["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        (name, origin.types[name]) for name in origin.columns
    ]
    behind = raw["facets"]["columnLineage"]["fields"]
    assert set(behind) == set(origin.columns)
    assert [
        (use["name"], use["field"], use["transformations"][0]["type"], use["transformations"][0]["subtype"])
        for use in behind["race"]["inputFields"]
    ] == [(f"{MODEL}/data/source", name, "INDIRECT", "CONDITIONAL") for name in ("black", "hispan")]
    assert raw["outputFacets"]["outputStatistics"]["rowCount"] == origin.rows


def test_the_score_is_told_with_every_input_of_the_model(root: Path, run: list[openlineage.Event]) -> None:
    scored = dataset(ended(run, "score"), "outputs", "data/scored")
    training = TrainingDocument.read(root)
    assert isinstance(training, TrainingDocument)
    uses = scored["facets"]["columnLineage"]["fields"]["score"]["inputFields"]
    assert [use["field"] for use in uses] == [entry.name for entry in training.inputs]
    assert {use["name"] for use in uses} == {f"{MODEL}/data/prepared"}


def test_what_was_expected_of_the_table_is_told_with_its_result(
    root: Path, run: list[openlineage.Event]
) -> None:
    table = dataset(ended(run, "validate_raw"), "inputs", "data/raw.parquet")
    document = RawValidationDocument.read(root)
    assert isinstance(document, RawValidationDocument)
    assertions = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    severities = {"block": "error", "warn": "warn"}
    assert [(one["assertion"], one["success"], one.get("column"), one["severity"]) for one in assertions] == [
        (entry.expectation, entry.success, entry.column, severities[entry.severity])
        for entry in document.expectations
    ]
    assert not all(one["success"] for one in assertions)
    for metrics in (table["facets"]["dataQualityMetrics"], table["inputFacets"]["dataQualityMetrics"]):
        assert metrics["rowCount"] == OriginDocument.read(root).rows
        assert metrics["columnMetrics"]["application"] == {"nullCount": 0, "quantiles": {}}


def test_each_rule_is_told_as_a_test_and_what_is_not_decided_is_no_pass(
    root: Path, run: list[openlineage.Event]
) -> None:
    verdict = VerdictDocument.read(root)
    tests = ended(run, "judge")["run"]["facets"]["test"]["tests"]
    told = {(test["name"].split(" by ")[0], test["params"]["outcome"]): test["status"] for test in tests}
    statuses = {"pass": "pass", "fail": "fail"}
    assert told == {
        (finding.rule, finding.outcome.value): statuses.get(finding.outcome.value, "skip")
        for finding in verdict.findings
        if finding.outcome is not None
    }
    assert "skip" in told.values()


def test_the_release_is_told_with_the_version_that_it_registered(run: list[openlineage.Event]) -> None:
    (output,) = ended(run, "release")["outputs"]
    assert output["name"] == f"models/{MODEL}-candidate"
    assert output["facets"]["version"]["datasetVersion"] == "1"


def test_a_blocked_table_is_told_as_one(demo: projects.Project, root: Path) -> None:
    before = {path.name for path in (root / ".clearance/lineage").iterdir()}
    result = terminal_run.in_project(
        demo, "--set", "data.rows_min=100000", "--policy", "policies/demo.yaml", "--any-verdict"
    )
    assert result.code == 0, result.out
    (workspace,) = (root / ".clearance/workspaces").iterdir()
    (new,) = {path.name for path in (root / ".clearance/lineage").iterdir()} - before
    run = next(events for events in openlineage.runs(root) if events[0]["run"]["runId"] in new)
    assert [fault for event in run for fault in openlineage.faults(event)] == []
    assert openlineage.tags(run[-1])["verdict"] == VerdictDocument.read(workspace).verdict.value == "fail"
    by_job = {
        event["job"]["name"].rpartition(".")[2]: event for event in run if event["eventType"] == "COMPLETE"
    }
    failed = [
        one["assertion"]
        for dataset_ in by_job["validate_raw"]["inputs"]
        for one in dataset_.get("inputFacets", {}).get("dataQualityAssertions", {}).get("assertions", ())
        if not one["success"] and one["severity"] == "error"
    ]
    assert failed == ["expect_table_row_count_to_be_between"]
    for event in (by_job["prepare"], by_job["train"], by_job["score"]):
        assert all("schema" not in output["facets"] for output in event["outputs"])


def test_the_command_tells_chain_steps_and_columns(demo: projects.Project, root: Path) -> None:
    content = json.loads(demo.run("clearance", "lineage", "--format", "json").ok().out)
    assert [part["role"] for part in content["chain"]] == [
        "source",
        "table",
        "tables",
        "model",
        "policy",
        "verdict",
    ]
    assert all(len(part["sha256"]) == 64 for part in content["chain"])
    order = [step["name"] for step in content["steps"]]
    assert [name for name in order if name in ("ingest", "prepare", "train", "score", "judge")] == [
        "ingest",
        "prepare",
        "train",
        "score",
        "judge",
    ]
    for earlier, later in itertools.combinations(content["steps"], 2):
        assert not set(later["writes"]) & set(earlier["reads"])
    columns = {column["name"]: column for column in content["columns"]}
    assert columns["race"]["role"] == "a protected attribute" and columns["race"]["input_type"] is None
    assert columns["gdlin"]["input_type"] == "double"
    assert "gdlin: feature" in demo.run("clearance", "lineage", "--column", "gdlin").ok().out
    of_version = json.loads(demo.run("clearance", "lineage", "--version", "1", "--format", "json").ok().out)
    same = ("fingerprint", "chain", "steps", "columns")
    assert {key: of_version[key] for key in same} == {key: content[key] for key in same}


def test_files_that_are_not_those_of_the_last_run_tell_nothing(
    demo: projects.Project, root: Path, tmp_path: Path
) -> None:
    kept = shutil.copy2(root / "reports/training.json", tmp_path)
    (root / "reports/training.json").write_text("{}")
    try:
        result = demo.run("clearance", "lineage")
    finally:
        shutil.copy2(kept, root / "reports/training.json")
    assert (result.code, result.out.startswith("error: ")) == (1, True)
