"""What costs seconds to start, started once for all tests."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import projects
import pytest
from xdist.scheduler import LoadFileScheduling

from clearance import environment

if TYPE_CHECKING:
    from prefect_server import PrefectServer

pytest_plugins = ("ledgers", "words", "tests.support.cpu_times")
GROUPS = {
    "demo": ("test_doors.py", "test_pipeline.py", "test_reproduce.py"),
    "prefect": (
        *("test_awaiting.py", "test_deployment.py", "test_new_data.py", "test_terminal.py"),
        "test_training_flow.py",
    ),
}
"""Files that share something expensive: the demo's run, a Prefect server. One worker runs them all."""

GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many workers as processors: more threads only wait
os.environ["TZ"] = "America/St_Johns"  # nobody's evidence is of UTC because the machine is
time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the last minute of a run on two cores then has work for both."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


class _Scheduling(LoadFileScheduling):
    """A worker for a file, and one for all files of a group."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return GROUP_OF.get(Path(file).name, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Scheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One Prefect server for all tests of this process that need one, with an empty database at first."""
    import prefect_server

    with prefect_server.running(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_api(prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """That server as the API of every flow run in this process."""
    before = dict(os.environ)
    os.environ.update(
        {
            **environment.TOOL_DEFAULTS,
            "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect-home")),
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
    )
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect.api}):
        yield prefect
        APILogWorker.instance().drain()
        EventsWorker.drain_all()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> projects.Project:
    """A fresh copy of this project with empty stores."""
    return projects.copy(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo_run(demo: projects.Project) -> projects.Done:
    """The one full run of the pipeline on the demo, as a newcomer starts it."""
    return demo.run("clearance", "run")
