"""The training flow: DVC's stages under Prefect's supervision, and an end state for every verdict."""

import datetime as dt
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prefect import State, get_client
from prefect.artifacts import Artifact
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.states import Running

from clearance import environment, files, run_lock
from flows import crash_marker, training
from tests.support import openlineage, toys

pytestmark = [
    pytest.mark.usefixtures("prefect_api"),
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),  # Apprise's own
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),  # Prefect's own
]
Listener = tuple[str, list[dict[str, Any]]]
STATES = dict.fromkeys((*toys.ORDER, "track", "release"), "Completed")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = dict(os.environ)
    for name in environment.tool_locations(tmp_path):
        monkeypatch.delenv(name, raising=False)
    folder = toys.build(tmp_path / "toy")
    (tmp_path / "orders").mkdir()
    monkeypatch.setenv("LC_TOY", str(tmp_path / "orders"))
    monkeypatch.chdir(folder)
    yield folder
    os.environ.clear()
    os.environ.update(before)


def order(toy: Path, step: str, word: str) -> None:
    """Have a toy step do something else than its work."""
    (toy.parent / "orders" / step).write_text(word)


def run(**parameters: Any) -> State[Any]:
    return training.training(**parameters, return_state=True)


def names(state: State[Any]) -> dict[str, str | None]:
    """The name of the last state of every task run of a flow run; the server hears of them a little later."""
    run_filter = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    end = time.monotonic() + 20
    with get_client(sync_client=True) as client:
        while True:
            task_runs = client.read_task_runs(flow_run_filter=run_filter)
            if all(
                task_run.state and (task_run.state.is_final() or task_run.state_name == "NotReady")
                for task_run in task_runs
            ):
                return {task_run.name: task_run.state_name for task_run in task_runs}
            assert time.monotonic() < end, task_runs
            time.sleep(0.1)


def logged(state: State[Any], line: str) -> bool:
    log_filter = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    end = time.monotonic() + 20
    with get_client(sync_client=True) as client:
        while time.monotonic() < end:
            if any(line in log.message for log in client.read_logs(log_filter)):
                return True
            time.sleep(0.2)
    return False


def effects(toy: Path) -> list[str]:
    file = toy / "effects.txt"
    return file.read_text().split() if file.exists() else []


def test_a_pass_completes_with_a_task_run_for_each_step(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_scheduled_start", lambda: dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    state = run()
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
    assert state.message and state.message.startswith("Pass: passes under toy 1")
    assert names(state) == STATES
    assert effects(toy) == ["track", "release"]
    (events,) = openlineage.runs(toy)  # the same as of a run in a terminal
    jobs = ["passes", *(f"passes.{step}" for step in STATES)]
    assert openlineage.by_step(events) == {job: ["START", "COMPLETE"] for job in jobs}
    nominal = [event["run"]["facets"]["nominalTime"]["nominalStartTime"] for event in events]
    assert set(nominal) == {"2026-03-01T00:00:00.000000Z"}


def test_what_lineage_could_not_do_is_in_prefects_log(toy: Path) -> None:
    (toy / "openlineage.yml").write_text("transport: {type: kafka}")
    state = run()
    assert state.is_completed()
    assert logged(state, "lineage is not sent")


@pytest.mark.parametrize("scheduled", [True, False])
def test_only_a_schedule_gives_a_run_a_nominal_time(scheduled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    context = SimpleNamespace(flow_run=SimpleNamespace(auto_scheduled=scheduled, expected_start_time=at))
    monkeypatch.setattr(FlowRunContext, "get", lambda: context)
    assert training._scheduled_start() == (at if scheduled else None)


def test_a_steps_lines_are_in_prefects_log_and_in_a_file(toy: Path) -> None:
    run()
    state = run(force=True)
    assert logged(state, "working on models/model.txt")
    assert (toy / ".clearance/logs/train.log").read_text() == "working on models/model.txt\n"


def test_what_has_not_changed_is_cached_and_the_effects_run_again(toy: Path) -> None:
    run()
    lock = (toy / "dvc.lock").read_bytes()
    assert names(run()) == STATES | dict.fromkeys(toys.ORDER, "Cached")
    assert names(run(force=True)) == STATES
    assert (toy / "dvc.lock").read_bytes() == lock
    assert effects(toy) == ["track", "release"] * 3


def test_independent_stages_run_side_by_side(toy: Path) -> None:
    order(toy, "figures", "await reports/fairness.txt")
    assert run().is_completed()


@pytest.mark.parametrize(
    ("name", "word"),
    [("fails", "Refused"), ("lacks", "Insufficient evidence"), ("says-nothing", "Not evaluated")],
)
def test_any_other_verdict_is_a_failed_state_of_its_own_name(toy: Path, name: str, word: str) -> None:
    toys.edit(toy, name=name)
    state = run()
    assert (state.type, state.name) == (StateType.FAILED, word)
    assert state.message and "demographic parity difference by race is 0.2" in state.message
    assert names(state) == STATES  # every step did its work, and was tried once
    assert effects(toy) == ["track", "release"]


def test_the_verdict_is_an_artifact(toy: Path) -> None:
    toys.edit(toy, name="fails")
    run()
    artifact = Artifact.get("verdict", _sync=True)  # type: ignore[call-arg]
    assert "## Refused: fails" in str(artifact.data)
    assert "| gap | race | **fail** |" in str(artifact.data)
    assert "reports/report.html" in str(artifact.data)


def test_a_fault_ends_the_run_says_how_to_mend_it_and_the_next_run_recovers(toy: Path) -> None:
    order(toy, "model", "fail")
    state = run()
    assert (state.type, state.name) == (StateType.FAILED, "Failed")
    assert state.message == "train: the table is empty\n  hint: give it rows"
    states = names(state)
    assert (states["ingest"], states["train"]) == ("Completed", "Failed")
    assert {states[name] for name in STATES if name not in ("ingest", "train")} == {"NotReady"}
    assert effects(toy) == []
    order(toy, "model", "nothing")
    assert names(run()) == STATES | {"ingest": "Cached"}


def test_a_defect_is_told_with_its_last_lines(toy: Path) -> None:
    order(toy, "fairness", "crash")
    message = run().message or ""
    assert message.startswith("assess: ended with exit status 1")
    assert "RuntimeError: a defect" in message
    assert ".clearance/logs/assess.log" in message


def test_what_may_pass_is_tried_again(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.stage, "retry_delay_seconds", [0.1])
    order(toy, "raw", "once")
    state = run()
    assert names(state) == STATES
    assert logged(state, "Retry 1/3")


def test_a_step_that_takes_too_long_is_stopped(toy: Path) -> None:
    graph = yaml.safe_load((toy / "dvc.yaml").read_text())
    graph["stages"]["train"]["meta"] = {"timeout": 1.5}
    (toy / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    order(toy, "model", "sleep 60")
    assert (run().message or "").startswith("train: took longer than 1.5 s and was stopped")
    assert not (toy / "models/model.txt").exists()


def test_overrides_work_in_a_copy_and_are_recorded_verbatim(toy: Path) -> None:
    run()
    mine = {name: (toy / name).read_bytes() for name in ("params.yaml", "dvc.lock", "reports/verdict.json")}
    state = run(overrides={"seed": 7, "name": "fails"})
    assert state.name == "Refused"
    assert {name: (toy / name).read_bytes() for name in mine} == mine
    (folder,) = (toy / ".clearance/workspaces").iterdir()
    verdict = files.read_json(folder / "reports/verdict.json")
    assert verdict["overrides"] == {"seed": 7, "name": "fails"}
    assert (folder / "models/model.txt").read_text().endswith(" 7")
    states = names(state)
    assert (states["ingest"], states["train"]) == ("Cached", "Completed")
    assert effects(toy) == ["track", "release"] * 2  # in the project's own registry
    assert Path.cwd() == toy


def test_a_policy_chosen_at_run_time_is_a_what_if_that_touches_nothing(toy: Path) -> None:
    (toy / "policies/other.yaml").write_text((toy / "policies/demo.yaml").read_text())
    state = run(policy_file="policies/other.yaml")
    assert "(what-if)" in (state.message or "")
    assert names(state) == dict.fromkeys(toys.ORDER, "Completed")
    assert effects(toy) == []


def test_a_source_that_dvc_cannot_watch_is_snapshot_first(toy: Path) -> None:
    toys.edit(toy, source={"kind": "openml", "path": "data/source", "openml_id": 31})
    assert names(run()) == STATES | {"snapshot": "Completed"}
    assert effects(toy) == ["snapshot", "track", "release"]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda toy: toys.edit(toy, tarin={}), "did you mean `train`"),
        (
            lambda toy: toys.edit(toy, policy={"file": "none.yaml", "as_of": "2026-01-01"}),
            "none.yaml is missing",
        ),
        (lambda toy: (toy / "policies/demo.yaml").write_text("rules: []\n"), "policies/demo.yaml"),
        (lambda toy: (toy / "dvc.yaml").write_text("stages: ["), "dvc.yaml"),
        (lambda toy: (toy / "dvc.lock").write_text("["), "dvc.lock"),
    ],
)
def test_what_cannot_be_read_is_a_fault_before_any_step(
    toy: Path, spoil: Callable[[Path], None], fault: str
) -> None:
    spoil(toy)
    state = run()
    assert (state.type, state.name) == (StateType.FAILED, "Failed")
    assert fault in (state.message or "")
    assert "hint" in (state.message or "")
    assert names(state) == {}


def test_a_second_run_in_the_same_checkout_is_turned_away(toy: Path) -> None:
    with run_lock.hold(toy):
        state = run()
    pid = os.getpid()
    assert (
        state.message
        == f"another run holds this checkout (pid {pid})\n  hint: wait until it ends, or stop it"
    )
    assert run().is_completed()


def test_an_edited_output_is_rebuilt(toy: Path) -> None:
    run()
    good = (toy / "models/model.txt").read_bytes()
    (toy / "models/model.txt").write_bytes(good[::-1])
    state = run()
    assert (toy / "models/model.txt").read_bytes() == good
    assert logged(state, "models/model.txt was not what dvc.lock recorded")


@pytest.fixture
def listener() -> Iterator[Listener]:
    notices: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}/", notices
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "told"), [("fails", ["Refused"]), ("lacks", ["Insufficient evidence"]), ("passes", [])]
)
def test_whoever_is_named_is_told_of_a_run_that_did_not_pass(
    toy: Path, name: str, told: list[str], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, notices = listener
    monkeypatch.setenv("CLEARANCE_NOTIFY_URL", address)
    toys.edit(toy, name=name)
    run()
    assert [notice["title"].rpartition(": ")[2] for notice in notices] == told
    assert all("demographic parity difference by race is 0.2" in notice["message"] for notice in notices)


def test_a_notice_that_cannot_be_sent_changes_nothing(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARANCE_NOTIFY_URL", "json://127.0.0.1:9/")
    toys.edit(toy, name="fails")
    assert run().name == "Refused"


def test_a_run_that_was_killed_is_marked_as_crashed_by_the_next_one_in_the_checkout(toy: Path) -> None:
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(training.training, state=Running())
        step = client.create_task_run(training.stage, flow_run.id, dynamic_key="0", state=Running())
    (toy / ".clearance").mkdir(exist_ok=True)
    (toy / crash_marker.FILE).write_text(f"{flow_run.id}\n")
    assert run().is_completed()
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run(flow_run.id).state, client.read_task_run(step.id).state]
    assert [(state.type, state.message) for state in states if state] == [
        (StateType.CRASHED, crash_marker.MESSAGE)
    ] * 2
    assert not (toy / crash_marker.FILE).exists()


@pytest.mark.parametrize("left", ["", "no id\n", "00000000-0000-4000-8000-000000000000\n"])
def test_a_trace_that_no_server_knows_stops_nobody(toy: Path, left: str) -> None:
    (toy / ".clearance").mkdir(exist_ok=True)
    (toy / crash_marker.FILE).write_text(left)
    assert run().is_completed()


def test_a_run_that_has_ended_is_left_as_it_ended(toy: Path) -> None:
    state = run()
    (toy / crash_marker.FILE).write_text(f"{state.state_details.flow_run_id}\n")
    run()
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        final_state = client.read_flow_run(state.state_details.flow_run_id).state
    assert final_state
    assert final_state.name == "Completed"
