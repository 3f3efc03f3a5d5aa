"""`python -m flows.terminal` in a terminal: lines, exit statuses, what is left after Ctrl-C or `kill -9`."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clearance import files, run_lock
from flows import terminal
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


@pytest.fixture
def api(prefect_api: PrefectServer) -> dict[str, str]:
    return {"PREFECT_API_URL": prefect_api.api}


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
    toy: Path, api: dict[str, str], name: str, word: str, code: int
) -> None:
    toys.edit(toy, name=name)
    result = (run_as_typed if name == "fails" else run)(toy, **api)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.returncode == code, result.stderr
    assert {line[0]: line[1] for line in lines if line[-1:] == ["s"]} == dict.fromkeys(
        (*toys.ORDER, "track", "release"), "done"
    )
    assert f"{word}: {name} under toy 1" in result.stdout
    assert "reports/report.html" in result.stdout
    assert "make ui" in result.stdout
    assert result.stderr == ""
    again = run(toy, "--any-verdict", **api)
    assert again.returncode == 0
    assert again.stdout.count("cached") == len(toys.ORDER)


def test_a_fault_is_told_once_with_its_mend_and_has_its_own_status(toy: Path, api: dict[str, str]) -> None:
    (toy.parent / "orders/model").write_text("fail")
    page = toy / "reports/report.html"
    files.write_text(page, "<h1>Pass</h1>")
    result = run(toy, "--any-verdict", **api)
    assert result.returncode == 1
    assert "Stale" in page.read_text() and "Pass" not in page.read_text()
    assert result.stderr.strip() == "Failed: train: the table is empty\n  hint: give it rows"
    assert ["train", "failed"] in [line.split()[:2] for line in result.stdout.splitlines()]


def test_overrides_leave_the_users_files_alone_and_say_where_the_report_is(
    toy: Path, api: dict[str, str]
) -> None:
    before = (toy / "params.yaml").read_bytes()
    result = run(toy, "--set", "seed=7", "--set", "name=fails", **api)
    assert result.returncode == 3, result.stderr
    assert "report   .clearance/workspaces/" in result.stdout
    assert (toy / "params.yaml").read_bytes() == before
    assert not (toy / "reports").exists()


def test_another_policy_is_a_what_if(toy: Path, api: dict[str, str]) -> None:
    result = run(toy, "--policy", "policies/demo.yaml", **api)
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


@pytest.fixture(scope="module")
def home(prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One home for the temporary servers, with a copy of a migrated database: migrations take seconds."""
    home = tmp_path_factory.mktemp("home")
    with (
        contextlib.closing(sqlite3.connect(prefect.folder / ".prefect/prefect.db")) as source,
        contextlib.closing(sqlite3.connect(home / "prefect.db")) as copy,
    ):
        source.backup(copy)
    return {"PREFECT_HOME": str(home)}


@contextlib.contextmanager
def asleep(
    toy: Path, step: str, log: str, home: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A run, with Prefect's temporary server, at the moment when a step has half written and sleeps."""
    (toy.parent / "orders" / step).write_text("sleep 120")
    with subprocess.Popen(
        [sys.executable, "-m", "flows.terminal"],
        cwd=toy,
        env=surroundings(toy) | home,
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
            assert len(family) >= 4  # two keepers, the server, the step
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
    toy: Path, blow: signal.Signals, step: str, stage: str, home: dict[str, str]
) -> None:
    with asleep(toy, step, f"{stage}.log", home) as (process, family):
        assert len(at_work_in(toy)) >= 5
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
        assert_the_next_run_recovers(toy, stage, home)


def assert_the_next_run_recovers(toy: Path, stage: str, home: dict[str, str]) -> None:
    """With and without Prefect, to the same lock; and this run too leaves nothing running."""
    plain = toys.twin(toy, toy.parent / "plain")
    result = run_as_typed(toy, **home)
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


@pytest.mark.slow
def test_a_server_that_cannot_start_is_a_fault_that_names_its_log(toy: Path) -> None:
    result = run(toy, PREFECT_SERVER_DATABASE_CONNECTION_URL="nonsense")
    assert result.returncode == 1
    assert "Prefect's temporary server did not start" in result.stderr
    assert ".clearance/logs/prefect.log" in result.stderr
    assert not (toy / "effects.txt").exists()  # stages may have had a head start; nothing touched the world


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
