"""`python -m flows.terminal` in a terminal: lines, exit statuses, what is left after Ctrl-C or `kill -9`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from clearance import file_lock, files, run_lock
from flows import terminal, ui
from tests.support import terminal_run, toys
from tests.support.nightly import NIGHTLY
from tests.support.prefect_server import PrefectServer

Done = subprocess.CompletedProcess[str]

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),  # Apprise's own
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),  # Prefect's own
]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "orders").mkdir()
    return toys.build(tmp_path / "toy")


def surroundings(toy: Path) -> dict[str, str]:
    return toys.surroundings(toy) | {"LC_TOY": str(toy.parent / "orders"), "NO_COLOR": "1"}


def run(toy: Path, *options: str, **more: str) -> Done:
    """A run in this process."""
    return terminal_run.run(toy, surroundings(toy) | more, *options)


def run_as_typed(toy: Path, *options: str, **more: str) -> Done:
    """A run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flows.terminal", *options],
        cwd=toy,
        env=surroundings(toy) | more,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "word", "code"),
    [
        ("passes", "Pass", 0),
        ("fails", "Refused", 3),
        ("lacks", "Insufficient evidence", 4),
        ("says-nothing", "Not evaluated", 5),
    ],
)
def test_the_exit_status_is_the_verdicts_and_the_lines_say_what_happened(
    toy: Path, name: str, word: str, code: int
) -> None:
    toys.edit(toy, name=name)
    result = (run_as_typed if name == "fails" else run)(toy)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.returncode == code, result.stderr
    assert {line[0]: line[1] for line in lines if line[-1:] == ["s"]} == dict.fromkeys(
        (*toys.ORDER, "track", "release"), "done"
    )
    assert f"{word}: {name} under toy 1" in result.stdout
    assert "reports/report.html" in result.stdout
    assert "make ui" in result.stdout
    assert result.stderr == ""
    again = run(toy, "--any-verdict")
    assert again.returncode == 0
    assert again.stdout.count("cached") == len(toys.ORDER)


def test_a_fault_is_told_once_with_its_mend_and_has_its_own_status(toy: Path) -> None:
    (toy.parent / "orders/model").write_text("fail")
    page = toy / "reports/report.html"
    files.write_text(page, "<h1>Pass</h1>")
    result = run(toy, "--any-verdict")
    assert result.returncode == 1
    assert "Stale" in page.read_text() and "Pass" not in page.read_text()
    assert result.stderr.strip() == "Failed: train: the table is empty\n  hint: give it rows"
    assert ["train", "failed"] in [line.split()[:2] for line in result.stdout.splitlines()]


def test_overrides_leave_the_users_files_alone_and_say_where_the_report_is(toy: Path) -> None:
    before = (toy / "params.yaml").read_bytes()
    result = run(toy, "--set", "seed=7", "--set", "name=fails")
    assert result.returncode == 3, result.stderr
    assert "report   .clearance/workspaces/" in result.stdout
    assert "MLflow keeps it for good" in result.stdout
    assert (toy / "params.yaml").read_bytes() == before
    assert not (toy / "reports").exists()


def test_another_policy_is_a_what_if(toy: Path) -> None:
    result = run(toy, "--policy", "policies/demo.yaml")
    assert (result.returncode, "(what-if)" in result.stdout) == (0, True), result.stderr
    assert "nothing was registered or released" in result.stdout
    assert not (toy / "effects.txt").exists()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--set", "train.mitigaton=none"], "did you mean `mitigation`"),
        (["--set", "seed"], "`seed` is not KEY=VALUE"),
        (["--set", "split.test=0.9"], "must add up to 1"),
        (["--policy", "policies/none.yaml"], "none.yaml is missing"),
        (["--set", "train.estimator=random_forrest"], "did you mean `random_forest`"),
    ],
)
def test_a_wrong_request_is_told_before_anything_starts(toy: Path, options: list[str], fault: str) -> None:
    result = (run_as_typed if "seed" in options else run)(toy, *options)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert fault in result.stderr
    assert "hint: " in result.stderr
    assert not (toy / ".clearance/logs").exists()
    assert not (toy / ".prefect").exists()


def test_outside_a_project_it_says_so(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.returncode, result.stderr.startswith("error: no dvc.yaml")) == (1, True)


def test_a_second_run_in_the_checkout_is_turned_away_at_once(toy: Path) -> None:
    with run_lock.hold(toy):
        result = run(toy)
    assert result.returncode == 1
    assert f"another run holds this checkout (pid {os.getpid()})" in result.stderr


@contextlib.contextmanager
def asleep(toy: Path, step: str, log: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A run at the moment when a step has half written and sleeps."""
    (toy.parent / "orders" / step).write_text("sleep 120")
    with subprocess.Popen(
        [sys.executable, "-m", "flows.terminal"],
        cwd=toy,
        env=surroundings(toy),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            end = time.monotonic() + 180
            while "asleep" not in (
                file.read_text() if (file := toy / ".clearance/logs" / log).exists() else ""
            ):
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < end
                time.sleep(0.05)
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) >= 2  # the fork server, the step
            yield process, family
        finally:
            if process.poll() is None:
                process.kill()


def assert_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=30)
    survivors = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert survivors == []


def at_work_in(folder: Path) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                processes.append(process)
    return processes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blow", "step", "stage"),
    [
        (signal.SIGINT, "model", "train"),
        (signal.SIGKILL, "figures", "evaluate"),
    ],
)
def test_a_run_that_is_stopped_leaves_nothing_running_and_the_next_one_recovers(
    toy: Path, blow: signal.Signals, step: str, stage: str
) -> None:
    with asleep(toy, step, f"{stage}.log") as (process, family):
        assert len(at_work_in(toy)) >= 3
        if blow == signal.SIGINT:
            os.killpg(process.pid, blow)  # as a terminal does
        else:
            process.send_signal(blow)
        output, _ = process.communicate(timeout=180)
        assert_gone(family)
    assert process.returncode == (130 if blow == signal.SIGINT else -blow)
    assert "Traceback" not in output
    assert not (toy / "dvc.lock").exists() or f"{stage}:" not in (toy / "dvc.lock").read_text()
    if blow == signal.SIGKILL or NIGHTLY:  # both leave the same: one recovery is enough in the suite
        assert_the_next_run_recovers(toy, stage)


def assert_the_next_run_recovers(toy: Path, stage: str) -> None:
    """With and without Prefect, to the same lock; and this run too leaves nothing running."""
    plain = toys.twin(toy, toy.parent / "plain")
    result = run_as_typed(toy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert at_work_in(toy) == []
    lines = [line.split()[:2] for line in result.stdout.splitlines()]
    assert ["ingest", "cached"] in lines  # what had ended is not done again
    assert [stage, "done"] in lines
    repair = [Path(sys.executable).with_name("clearance"), "repair"]  # as `make repro` does
    subprocess.run(repair, cwd=plain, env=surroundings(plain), check=True)
    assert toys.dvc(plain, "repro").returncode == 0
    assert (toy / "dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()
    assert not list(toy.glob("reports/figures/*.half"))


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An address for notifications, and what arrived there."""
    received: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}/", received
        server.shutdown()


def test_people_are_told_of_a_refusal_and_not_of_a_pass(
    toy: Path, notified: tuple[str, list[dict[str, str]]]
) -> None:
    address, received = notified
    assert run(toy, CLEARANCE_NOTIFY_URL=address).returncode == 0
    assert received == []
    toys.edit(toy, name="fails")
    assert run(toy, CLEARANCE_NOTIFY_URL=address).returncode == 3
    (message,) = received
    assert message["title"] == "training fails: Refused"
    assert "demographic parity difference by race" in message["message"]


def flow_run(client: SyncPrefectClient, model: str, known: frozenset[UUID]) -> FlowRun | None:
    """The newest run of the model that is not one of those `known` before."""
    runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
    return next((run for run in runs if run.name.startswith(f"{model}:") and run.id not in known), None)


@pytest.mark.slow
def test_a_server_that_is_there_records_the_run(toy: Path, prefect_api: PrefectServer) -> None:
    """The one that the environment names; and, without one, that of the project's own `make ui`."""
    with get_client(sync_client=True) as client:
        known = frozenset(run.id for run in client.read_flow_runs(limit=200))
        toys.edit(toy, name="lacks")
        assert run(toy, PREFECT_API_URL=prefect_api.api).returncode == 4
        recorded = flow_run(client, "lacks", known)
        assert recorded and recorded.state_name == "Insufficient evidence"
        toys.edit(toy, name="fails")
        (toy / ".clearance").mkdir(exist_ok=True)
        with file_lock.hold(toy / ui.RUNNING, wait=False) as descriptor:
            os.pwrite(descriptor, f"{prefect_api.api.removesuffix('/api')} http://127.0.0.1:9".encode(), 0)
            assert run(toy).returncode == 3
        recorded = flow_run(client, "fails", known)
        assert recorded and recorded.state_name == "Refused"
        toys.edit(toy, name="passes")
        assert run(toy).returncode == 0
        assert flow_run(client, "passes", known) is None, "the user interfaces no longer run"


class _Destroyed:
    """An object whose destructor raises."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __del__(self) -> None:
        raise self.kind


def test_ctrl_c_that_a_library_swallows_is_heeded_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    try:
        interrupted = terminal._catch_interrupts()
        terminal._raise_if(interrupted)
        with contextlib.suppress(KeyboardInterrupt):  # as an import that catches everything does
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            terminal._raise_if(interrupted)
        swallowed = _Destroyed(KeyboardInterrupt)
        del swallowed  # Python cannot raise what a destructor raises
        assert capsys.readouterr().err == ""
        swallowed = _Destroyed(ValueError)
        del swallowed
        assert "ValueError" in capsys.readouterr().err
    finally:
        signal.signal(signal.SIGINT, before)
