"""The `clearance` command: thin, quick to start, and its exit statuses are the verdict's."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import toys
from click.testing import CliRunner, Result

from clearance import cli, files, run_lock
from clearance.promotion import receipt

HEAVY = {"prefect", "mlflow", "dvc", "pandas", "numpy", "sklearn", "pydantic", "great_expectations", "yaml"}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = toys.build(tmp_path / "toy")
    for name, value in toys.surroundings(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)


def judged(toy: Path, name: str) -> None:
    toys.edit(toy, name=name)
    assert toys.dvc(toy, "repro").returncode == 0


def test_it_starts_without_any_framework() -> None:
    code = "import sys, clearance.cli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_every_command_says_what_it_does() -> None:
    said = call("--help").output
    names = {"run", "snapshot", "track", "release", "verdict", "judge", "policy", "repair"}
    names |= {"approve", "reject", "revoke", "override", "promote", "rollback", "retire", "verify"}
    names |= {"history", "ledger", "keys", "roles", "reproduce", "gc", "desk", "root"}
    assert set(cli.main.commands) == names
    groups = {
        "policy": {"check", "explain", "schema"},
        "ledger": {"verify", "show", "export", "erase"},
        "keys": {"create"},
        "roles": {"show", "sign"},
        "root": {"show", "pin", "propose", "sign", "adopt"},
    }
    for name, command in cli.main.commands.items():
        assert name in said
        assert command.help
        assert isinstance(command, click.Group) is (name in groups)
    for name, below in groups.items():
        group = cli.main.commands[name]
        assert isinstance(group, click.Group) and set(group.commands) == below
        assert all(
            command.help and each in call(name, "--help").output for each, command in group.commands.items()
        )


@pytest.mark.parametrize(("name", "code"), [("passes", 0), ("fails", 3), ("lacks", 4), ("says-nothing", 5)])
def test_the_verdict_is_printed_and_is_the_exit_status(toy: Path, name: str, code: int) -> None:
    judged(toy, name)
    plain, table = call("verdict"), call("verdict", "--markdown")
    assert plain.exit_code == table.exit_code == code
    assert f"{name} under toy 1" in plain.output
    assert table.output.startswith("## ")
    assert "| gap | race |" in table.output


def test_a_refusals_reasons_are_printed(toy: Path) -> None:
    judged(toy, "fails")
    assert "demographic parity difference by race is 0.2" in call("verdict").output


def test_where_there_is_no_verdict_it_says_what_to_do(toy: Path) -> None:
    done = call("verdict")
    assert done.exit_code == 1
    assert "verdict.json is missing" in done.stderr
    assert "hint: run `make run`" in done.stderr


def test_repair_removes_what_does_not_match_and_dvc_rebuilds_it(toy: Path) -> None:
    judged(toy, "passes")
    assert call("repair").output == ""
    good = (toy / "models/model.txt").read_bytes()
    (toy / "models/model.txt").write_bytes(good[::-1])
    said = call("repair")
    assert said.output.startswith("models/model.txt was not what dvc.lock recorded")
    assert toys.dvc(toy, "repro").returncode == 0
    assert (toy / "models/model.txt").read_bytes() == good


@pytest.mark.parametrize("name", ["snapshot", "track", "release"])
def test_an_effect_is_run_in_the_project_and_its_status_handed_on(toy: Path, name: str) -> None:
    assert call(name).exit_code == 0
    assert (toy / "effects.txt").read_text().split() == [name]
    (toy / f"tasks/{name}.py").write_text("import sys\nsys.exit(75)\n")
    assert call(name).exit_code == 75


@pytest.mark.parametrize("name", ["snapshot", "track", "release", "repair"])
def test_what_changes_something_waits_for_no_run(toy: Path, name: str) -> None:
    with run_lock.hold(toy):
        done = call(name)
    assert done.exit_code == 75
    assert "another run holds this checkout" in done.stderr
    assert not (toy / "effects.txt").exists()


def test_run_is_the_flow_with_its_own_options(toy: Path) -> None:
    command = Path(sys.executable).with_name("clearance")
    said = subprocess.run([command, "run", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--any-verdict" in said
    wrong = subprocess.run(
        [command, "run", "--set", "sed=1"], cwd=toy / "tasks", capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "did you mean `seed`" in wrong.stderr


def test_the_summary_of_a_release_is_read_from_its_receipt(toy: Path) -> None:
    assert receipt.release_lines(toy) == []
    written = {
        "status": "refused",
        "reason": "the verdict is no pass",
        "candidate": {"name": "m-candidate", "version": 2},
        "champion": None,
    }
    files.write_json(toy / ".clearance/release.json", written)
    assert receipt.release_lines(toy) == [
        "registered m-candidate version 2",
        "refused: the verdict is no pass",
    ]
