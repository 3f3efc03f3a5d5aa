"""What costs seconds to start, started once for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from clearance import environment
from tests.support import projects

if TYPE_CHECKING:
    from tests.support.prefect_server import PrefectServer

pytest_plugins = ("tests.support.ledgers", "tests.support.words", "tests.support.cpu_times")
SHARED_WORKER = frozenset(
    {
        *("test_awaiting.py", "test_deployment.py", "test_doors.py", "test_new_data.py", "test_pipeline.py"),
        *("test_lineage_demo.py", "test_reproduce.py", "test_terminal.py", "test_training_flow.py"),
    }
)
"""Files that share the demo's run and a Prefect server: one worker runs them all, first."""

GOVERNANCE = (
    *("test_attempts.py", "test_contract.py", "test_lapse.py", "test_void.py"),
    *("test_approvals_api.py", "test_compare.py", "test_decide.py", "test_erase.py", "test_forged.py"),
    *("test_external_tables.py", "test_decisions_cli.py"),
    *("test_alert_effects.py", "test_incidents.py", "test_restrictions.py"),
    *("test_governance.py", "test_hostile.py", "test_library.py", "test_rebuild.py", "test_registry.py"),
    *("test_release.py", "test_rollback.py", "test_samples.py", "test_tampering.py", "test_track.py"),
    *(
        "test_monitoring_overview.py",
        "test_preregistration.py",
        "test_prometheus.py",
        "test_served_champion.py",
        "test_shadow.py",
        "test_show.py",
        "test_technical_documents.py",
        "test_serving.py",
        "test_serving_api.py",
        "test_serving_features.py",
        "test_track_candidates.py",
        "test_verify.py",
    ),
)
"""Files whose tests work on a registry, a ledger and signed evidence: half a second or more each."""

HEAVY = (
    *("test_boosters.py", "test_drafting.py", "test_preflight.py", "test_written_values.py"),
    *("test_assess.py", "test_bad_input.py", "test_candidates.py", "test_corruption.py", "test_database.py"),
    "test_charts.py",
    *("test_document.py", "test_dvc_pipeline.py", "test_dvc_remote.py", "test_evaluate.py"),
    *("test_expectations.py", "test_explain.py", "test_fork_server.py", "test_ingest.py"),
    *("test_ledger_crashes.py", "test_pipeline_state.py", "test_repair.py", "test_report_page.py"),
    *("test_sampled_data.py", "test_sampling.py", "test_snapshot.py", "test_train.py", "test_validate.py"),
    *("test_external_files.py", "test_external_sandbox.py", "test_validate_model.py", "test_workspace.py"),
    *("test_monitor_task.py", "test_monitoring_page.py", "test_observed_table.py", "test_workspace.py"),
    *("test_inference_log_crashes.py", "test_inference_log_faults.py"),
    *("test_contributions_exact.py", "test_reasons.py", "test_row_plan.py"),
    *("test_card.py", "test_card_formats.py", "test_check_documents.py"),
)
"""Files that fit models, validate tables, run DVC, or read and write MLflow's store."""

SLOW_FILES = frozenset({*SHARED_WORKER, *GOVERNANCE, *HEAVY})
"""Every test of these files is slow; elsewhere a mark says which is."""


MEMORY, ENOUGH = Path("/dev/shm"), 8 << 30  # noqa: S108 - pytest makes its own folder there
"""Where files lie in memory, and how many bytes must be free: thousands of projects come and go."""

if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asked for again

settings.register_profile("suite", deadline=None)  # a loaded machine is slow, not wrong
settings.load_profile("suite")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many workers as processors: more threads only wait
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # as in every run; a file alone must not compile half of it
os.environ["TZ"] = "America/St_Johns"  # nobody's evidence is of UTC because the machine is
time.tzset()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of slow tests is not even imported where only fast tests are wanted."""
    only_fast = config.getoption("markexpr") == "not slow"
    return True if only_fast and collection_path.name in SLOW_FILES else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests. What shares and what is slow runs first: the last minute has work for every worker."""
    for item in items:
        if item.path.name in SLOW_FILES:
            item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name not in SHARED_WORKER, item.path not in slow))


def pytest_collection_finish() -> None:
    """Libraries and collected tests stay: the garbage collector need not walk over them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


class _Scheduling(LoadFileScheduling):
    """A worker for a file, and one for all files of `SHARED_WORKER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "shared" if Path(file).name in SHARED_WORKER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Scheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One Prefect server for all tests of this process that need one, with an empty database at first."""
    from tests.support import prefect_server

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
