"""What costs seconds to start, started once for all tests."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import projects
import pytest
from xdist.scheduler import LoadFileScheduling

from clearance import environment

pytest_plugins = ("ledgers", "words", "tests.support.cpu_times")
ON_THE_DEMO = ("test_doors.py", "test_pipeline.py", "test_reproduce.py")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many workers as processors: more threads only wait
os.environ["TZ"] = "America/St_Johns"  # nobody's evidence is of UTC because the machine is
time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the last minute of a run on two cores then has work for both."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


class _Scheduling(LoadFileScheduling):
    """A worker for a file, and one for all files about the demo: so that it runs once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "demo" if Path(file).name in ON_THE_DEMO else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Scheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server of the tests' own, with an empty database, for every flow run in this process."""
    home = str(tmp_path_factory.mktemp("prefect"))
    before = dict(os.environ)
    os.environ.update(
        {
            **environment.TOOL_DEFAULTS,
            "PREFECT_HOME": home,
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
    )
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
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
