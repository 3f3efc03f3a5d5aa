"""prefect.yaml on a real server with a real worker: deployed, and started through the API as the UI does."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import toys
import yaml
from prefect import State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from clearance import artifacts, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),  # Prefect's own
]
DEPLOYMENT = "training/training"


@contextlib.contextmanager
def process(toy: Path, variables: dict[str, str], *arguments: str) -> Iterator[None]:
    """A Prefect command that lasts, in a session of its own, ended by its own process id."""
    log = toy.parent / f"{arguments[0]}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=toy,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as started,
    ):
        try:
            yield
        except BaseException:
            sys.stderr.write(log.read_text())
            raise
        finally:
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    started.send_signal(number)
                    started.wait(timeout=10)


def prefect(toy: Path, variables: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=toy,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toys.build(tmp_path_factory.mktemp("deployment") / "toy", name="fails")
    shutil.copy(toys.ROOT / "prefect.yaml", folder)
    shutil.copy(toys.ROOT / "prefect.toml", folder)
    return folder


@pytest.fixture(scope="module")
def client(toy: Path) -> Iterator[SyncPrefectClient]:
    """A client of a server that has the deployments of prefect.yaml and a worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    kept = {name: value for name, value in os.environ.items() if name not in environment.homes(toy)}
    variables = (
        kept
        | environment.QUIET
        | {
            "PREFECT_API_URL": api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "HOME": str(toy.parent / "home"),
        }
    )
    with process(toy, variables, "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"):
        wait_for(f"{api}/health")
        prefect(toy, variables, "work-pool", "create", "clearance", "--type", "process")
        prefect(toy, variables, "deploy", "--all")
        with (
            process(toy, variables, "worker", "start", "--pool", "clearance"),
            temporary_settings({PREFECT_API_URL: api, PREFECT_HOME: toy.parent / "prefect"}),
            get_client(sync_client=True) as client,
        ):
            yield client


def wait_for(url: str) -> None:
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url).is_success:
                return
        assert time.monotonic() < end
        time.sleep(0.2)


def start(client: SyncPrefectClient, parameters: dict[str, Any]) -> Any:
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id


def ended(client: SyncPrefectClient, run: Any) -> State[Any]:
    end = time.monotonic() + 180
    while True:
        state = client.read_flow_run(run).state
        if state and state.is_final():
            return state
        assert time.monotonic() < end, state
        time.sleep(0.3)


def test_a_run_started_through_the_api_ends_with_the_verdict(client: SyncPrefectClient, toy: Path) -> None:
    state = ended(client, start(client, {}))
    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert "demographic parity difference by race is 0.2" in (state.message or "")
    assert (toy / "effects.txt").read_text().split() == ["track", "release"]
    plain = toys.dvc(toy, "repro")
    assert plain.stdout.count("didn't change, skipping") == len(toys.ORDER)


def test_a_form_with_overrides_runs_in_a_workspace(client: SyncPrefectClient, toy: Path) -> None:
    form = {"overrides": {"name": "passes", "seed": None, "train": {"estimator": None}}, "force": False}
    assert ended(client, start(client, form)).name == "Completed"
    (folder,) = (toy / ".clearance/workspaces").iterdir()
    assert artifacts.read_json(folder / "reports/verdict.json")["overrides"] == {"name": "passes"}


@pytest.mark.parametrize("overrides", [{"sede": 1}, {"seed": "many"}, {"train": {"estimater": "x"}}])
def test_the_api_refuses_what_the_form_does_not_know(
    client: SyncPrefectClient, overrides: dict[str, Any]
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r"409|422"):
        start(client, {"overrides": overrides})


def test_runs_of_one_checkout_wait_for_each_other(client: SyncPrefectClient) -> None:
    runs = [start(client, {"force": True}) for _ in range(2)]
    assert {ended(client, run).name for run in runs} == {"Refused"}


def test_the_deployment_has_a_schedule_with_a_time_zone(client: SyncPrefectClient) -> None:
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    (schedule,) = deployment.schedules
    assert schedule.active
    assert schedule.schedule.timezone == "UTC"
    assert deployment.work_pool_name == "clearance"


def test_nothing_of_this_checkout_is_written_into_prefect_yaml() -> None:
    text = (toys.ROOT / "prefect.yaml").read_text()
    assert [each["entrypoint"] for each in yaml.safe_load(text)["deployments"]] == ["flows.training.training"]
    assert "directory" not in text


def test_plain_prefect_commands_keep_their_home_in_the_project(toy: Path, client: SyncPrefectClient) -> None:
    settings = tomllib.loads((toys.ROOT / "prefect.toml").read_text())
    assert settings["server"]["analytics_enabled"] is False
    assert (toy / ".prefect/prefect.db").is_file()
    assert not (toy.parent / "home").exists()
