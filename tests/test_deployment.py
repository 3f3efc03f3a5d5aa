"""prefect.yaml on a real server with a real worker: deployed, and started through the API as the UI does."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter

from clearance import files
from clearance.monitoring.alerts import store
from clearance.monitoring.alerts.alert import Intent, IntentKind
from clearance.monitoring.counting import database
from flows import monitoring_event
from tests.support import prefect_server, toys
from tests.support.prefect_server import PrefectServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),  # Prefect's own
]
DEPLOYMENT = "training/training"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toys.build(tmp_path_factory.mktemp("deployment") / "toy", name="fails")
    shutil.copy(toys.ROOT / "prefect.yaml", folder)
    shutil.copy(toys.ROOT / "prefect.toml", folder)
    return folder


@pytest.fixture(scope="module")
def client(prefect: PrefectServer, toy: Path) -> Iterator[SyncPrefectClient]:
    """A client of a server that has the deployments of prefect.yaml and a worker."""
    with prefect_server.deployed(prefect, toy) as client:
        yield client


def start(client: SyncPrefectClient, parameters: dict[str, Any]) -> Any:
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id


def test_runs_started_through_the_api_wait_for_each_other_and_end_with_the_verdict(
    client: SyncPrefectClient, toy: Path
) -> None:
    runs = [start(client, {}) for _ in range(2)]
    for run in runs:
        state = prefect_server.ended(client, run)
        assert (state.type.value, state.name) == ("FAILED", "Refused"), state.message
        assert "demographic parity difference by race is 0.2" in (state.message or "")
    assert (toy / "effects.txt").read_text().split() == ["track", "release"] * 2
    plain = toys.dvc(toy, "repro")
    assert plain.stdout.count("didn't change, skipping") == len(toys.ORDER)


def test_a_form_with_overrides_runs_in_a_workspace(client: SyncPrefectClient, toy: Path) -> None:
    form = {"overrides": {"name": "passes", "seed": None, "train": {"estimator": None}}, "force": False}
    state = prefect_server.ended(client, start(client, form))
    assert state.name == "Completed", state.message
    (folder,) = (toy / ".clearance/workspaces").iterdir()
    assert files.read_json(folder / "reports/verdict.json")["overrides"] == {"name": "passes"}


@pytest.mark.parametrize("overrides", [{"sede": 1}, {"seed": "many"}, {"train": {"estimater": "x"}}])
def test_the_api_refuses_what_the_form_does_not_know(
    client: SyncPrefectClient, overrides: dict[str, Any]
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r"409|422"):
        start(client, {"overrides": overrides})


def test_the_deployment_has_a_schedule_with_a_time_zone(client: SyncPrefectClient) -> None:
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    (schedule,) = deployment.schedules
    assert schedule.active
    assert schedule.schedule.timezone == "UTC"
    assert deployment.work_pool_name == "clearance"


def test_nothing_of_this_checkout_is_written_into_prefect_yaml() -> None:
    text = (toys.ROOT / "prefect.yaml").read_text()
    assert [deployment["entrypoint"] for deployment in yaml.safe_load(text)["deployments"]] == [
        "flows.training.training",
        "flows.promotion.promotion",
        "flows.monitoring.monitoring",
        "flows.retraining.retraining",
        "flows.alerts.alerts",
    ]
    assert "directory" not in text


def test_the_automation_expects_the_event_that_the_monitor_emits() -> None:
    listed = yaml.safe_load((toys.ROOT / "prefect.yaml").read_text())["deployments"]
    (trigger,) = next(item["triggers"] for item in listed if item["name"] == "retraining")
    assert trigger["expect"] == [monitoring_event.NAMES["retrain"]]
    event = monitoring_event.event("loans", "retrain", "a1.retraining.run", "drift", 3)
    assert event.id == monitoring_event.event("loans", "retrain", "a1.retraining.run", "drift", 3).id
    assert event.resource.id == "clearance.model.loans"
    asked = {name: event.payload[name] for name in trigger["parameters"]}
    assert asked == {"model": "loans", "intent": "a1.retraining.run"}


@pytest.mark.skipif(not os.environ.get("CLEARANCE_NIGHTLY"), reason="a run of the pipeline by an automation")
def test_an_event_of_the_monitor_starts_one_retraining(
    client: SyncPrefectClient, toy: Path, prefect: PrefectServer
) -> None:
    name = yaml.safe_load((toy / "params.yaml").read_text())["name"]
    intent = Intent(
        id="a1.retraining.run",
        alert="a1",
        model=name,
        kind=IntentKind.RETRAINING,
        body={},
        due=dt.datetime.now(dt.UTC),
    )
    engine = database.open(toy)
    with database.transaction(engine) as connection:
        store.want(connection, intent, intent.due)
    before = (toy / "effects.txt").read_text().split()
    words = ["-m", "flows.monitoring_event", name, "retrain", intent.id, "drift", "1"]
    for _ in range(2):
        subprocess.run([sys.executable, *words], cwd=toy, env=prefect.variables(), check=True, timeout=120)
    deployment = client.read_deployment_by_name("retraining/retraining")
    found = FlowRunFilter(deployment_id={"any_": [deployment.id]})
    end = time.monotonic() + 120
    while not (runs := client.read_flow_runs(flow_run_filter=found)):
        assert time.monotonic() < end
        time.sleep(0.3)
    states = [prefect_server.ended(client, run.id) for run in runs]
    assert [state.type.value for state in states] == ["COMPLETED"], [state.message for state in states]
    assert len(client.read_flow_runs(flow_run_filter=found)) == 1, "an event sent twice is one event"
    with database.transaction(engine) as connection:
        (done,) = store.retrainings(connection, name)
    assert done.result == "judged: exit status 3", "a refusal of the gate is an end of the retraining"
    assert (toy / "effects.txt").read_text().split() == [*before, "track", "release"]


def test_plain_prefect_commands_keep_their_home_in_the_project(
    prefect: PrefectServer, client: SyncPrefectClient
) -> None:
    """The server and the worker were started as one types them, in a folder with our prefect.toml."""
    settings = tomllib.loads((toys.ROOT / "prefect.toml").read_text())
    assert settings["server"]["analytics_enabled"] is False
    assert (prefect.folder / ".prefect/prefect.db").is_file()
    assert not prefect.home.exists()
