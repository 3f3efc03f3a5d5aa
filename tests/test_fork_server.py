"""Warm children: they do what a fresh Python would, and none of them outlives the run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clearance import environment, isolation
from flows.runner import preloaded
from flows.runner.child_processes import ChildProcesses, ExitReport, RunEnded

SPOKEN = """
import sys
from pathlib import Path
from tasks import heavy
print(__name__, sys.argv[1:], Path(sys.argv[0]).name, sys.path[0], Path.cwd(), "tasks.spoken" in sys.modules)
print("to stderr", file=sys.stderr)
if sys.argv[1:] == ["crash"]:
    raise ValueError("a defect")
sys.exit(7)
"""
SLEEP = """
import os, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), other.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment.TOOL_DEFAULTS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tasks").mkdir()
    texts = {"__init__": "", "heavy": "import os\nHOME = os.getpid()\n", "spoken": SPOKEN, "sleep": SLEEP}
    for name, text in texts.items():
        (tmp_path / "tasks" / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def children(folder: Path) -> Iterator[ChildProcesses]:
    with ChildProcesses(folder) as children:
        yield children


def run(children: ChildProcesses, command: str, folder: Path, **more: object) -> tuple[ExitReport, list[str]]:
    lines: list[str] = []
    options = {"cwd": folder, "env": {}, "timeout": None, "on_line": lines.append} | more
    return children.run(command, **options), lines  # type: ignore[arg-type]


def cold(command: list[str], folder: Path) -> tuple[int, list[str]]:
    result = subprocess.run(
        isolation.command(*command),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout.splitlines()


def wait_for_the_end_of(*pids: int) -> None:
    end = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, f"{pids} still run"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_warm_child_says_and_ends_as_python_would(children: ChildProcesses, folder: Path) -> None:
    children.preload(["tasks.spoken", "tasks.heavy"])
    end, lines = run(children, "python -m tasks.spoken a 'b c'", folder)
    assert (end.status, sorted(lines)) == (7, sorted(cold(["-m", "tasks.spoken", "a", "b c"], folder)[1]))
    assert str(["a", "b c"]) in "".join(lines)


def test_a_defect_in_a_warm_child_is_told_with_its_place(children: ChildProcesses, folder: Path) -> None:
    children.preload(["tasks.spoken"])
    end, lines = run(children, "python -m tasks.spoken crash", folder)
    assert end.status == cold(["-m", "tasks.spoken", "crash"], folder)[0] == 1
    assert lines[-1] == "ValueError: a defect"
    assert any("tasks/spoken.py" in line for line in lines)


def test_imports_are_paid_once(children: ChildProcesses, folder: Path) -> None:
    (folder / "tasks/who.py").write_text(
        "import os\nfrom tasks import heavy\nprint(heavy.HOME, os.getpid())\n"
    )
    children.preload(["tasks.who"])
    first, second = (run(children, "python -m tasks.who", folder)[1][0].split() for _ in range(2))
    assert first[0] == second[0] not in (first[1], second[1])


def test_a_child_sees_only_its_own_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in its own environment, nor in that of the process that it was forked from, nor in memory."""
    (folder / "tasks/seen.py").write_text(
        "import gc, os\n"
        "text = open('/proc/self/environ').read() + open(f'/proc/{os.getppid()}/environ').read()\n"
        "kept = [item for item in gc.get_objects() if isinstance(item, dict) and 'PASSPHRASE' in item]\n"
        "print(sorted(name for name in os.environ if name.startswith('O')), 'word' in text, len(kept))\n"
    )
    monkeypatch.setenv("CLEARANCE_PASSPHRASE", "the word")
    with ChildProcesses(folder) as children:
        assert run(children, "echo $PASSPHRASE", folder, env={"PASSPHRASE": "the word"})[1] == ["the word"]
        lines = run(children, "python -m tasks.seen", folder, env={"ONLY": "this"})[1]
    assert lines == ["['ONLY'] False 0"]


def test_a_module_that_cannot_be_imported_is_heard_in_its_child(
    children: ChildProcesses, folder: Path
) -> None:
    (folder / "tasks/broken.py").write_text("import no_such_module\n")
    children.preload(["tasks.broken", "tasks.spoken"])
    end, lines = run(children, "python -m tasks.broken", folder)
    assert (end.status, lines[-1]) == (1, "ModuleNotFoundError: No module named 'no_such_module'")
    assert run(children, "python -m tasks.spoken", folder)[0].status == 7


def test_code_that_changed_after_its_import_is_run_as_it_is_now(
    children: ChildProcesses, folder: Path
) -> None:
    (folder / "tasks/report.py").write_text("from tasks import part\nprint(part.WORD)\n")
    (folder / "tasks/part.py").write_text("WORD = 'old'\n")
    children.preload(["tasks.report"])
    assert run(children, "python -m tasks.report", folder)[1] == ["old"]
    (folder / "tasks/part.py").write_text("WORD = 'brand new'\n")
    assert run(children, "python -m tasks.report", folder)[1] == ["brand new"]


def test_any_other_command_is_run_by_the_shell(children: ChildProcesses, folder: Path) -> None:
    end, lines = run(children, "echo $WHO; pwd; exit 3", folder / "tasks", env={"WHO": "me"})
    assert (end.status, lines) == (3, ["me", str(folder / "tasks")])


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("python -m tasks.train", ["tasks.train"]),
        ("python -m tasks.validate raw", ["tasks.validate", "raw"]),
        ("python -m tasks.train > log", None),
        ("python -m tasks.train && true", None),
        ("python -m tasks.train $HOME", None),
        ("python tasks/train.py", None),
        ("python -m", None),
    ],
)
def test_only_a_plain_module_call_is_run_warm(command: str, call: list[str] | None) -> None:
    assert preloaded.module_call(command) == call


def test_a_child_and_its_own_children_are_stopped_when_time_is_up(
    children: ChildProcesses, folder: Path
) -> None:
    end, lines = run(children, "python -m tasks.sleep", folder, timeout=2)
    assert end == ExitReport(-signal.SIGTERM, timed_out=True)
    wait_for_the_end_of(*map(int, lines[0].split()))


def test_what_a_child_leaves_behind_ends_with_it(children: ChildProcesses, folder: Path) -> None:
    _, lines = run(children, "(sleep 10; touch left) & echo $!", folder)
    wait_for_the_end_of(int(lines[0]))
    assert not (folder / "left").exists()


def test_leaving_stops_what_runs(folder: Path) -> None:
    pids: list[int] = []
    with ChildProcesses(folder) as children:

        def on_line(line: str) -> None:
            pids.extend(map(int, line.split()))
            children.close()

        with pytest.raises(RunEnded):
            run(children, "python -m tasks.sleep", folder, on_line=on_line)
    wait_for_the_end_of(*pids)
    with pytest.raises(RunEnded):
        run(children, "true", folder)


def test_a_killed_run_leaves_no_child(folder: Path) -> None:
    script = f"""
from pathlib import Path
from flows.runner.child_processes import ChildProcesses
folder = Path({str(folder)!r})
children = ChildProcesses(folder)
def on_line(line):
    print(line, flush=True)
children.run("python -m tasks.sleep", cwd=folder, env={{}}, timeout=None, on_line=on_line)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        keeper = [child.pid for child in psutil.Process(process.pid).children()]
        assert all(map(alive, [*pids, *keeper]))
        os.kill(process.pid, signal.SIGKILL)
    wait_for_the_end_of(*pids, *keeper)


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        "linear_model.LogisticRegression",
        "ensemble.RandomForestClassifier",
        "ensemble.HistGradientBoostingClassifier",
    ],
)
def test_training_in_a_fork_ends_and_gives_the_same_model(
    children: ChildProcesses, folder: Path, estimator: str
) -> None:
    module, _, name = estimator.rpartition(".")
    (folder / "tasks/fit.py").write_text(
        f"import hashlib\nimport numpy as np\nfrom sklearn.{module} import {name}\n"
        "if __name__ == '__main__':\n"
        "    random = np.random.default_rng(1)\n"
        "    x, y = random.normal(size=(3000, 20)), random.integers(0, 2, 3000)\n"
        f"    scores = {name}(random_state=1).fit(x @ np.eye(20), y).predict_proba(x)\n"
        "    print(hashlib.sha256(scores.tobytes()).hexdigest())\n"
    )
    children.preload(["tasks.fit"])
    results = [run(children, "python -m tasks.fit", folder, timeout=120) for _ in range(2)]
    assert results[0] == results[1] == (ExitReport(0), cold(["-m", "tasks.fit"], folder)[1])
