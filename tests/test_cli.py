"""The `clearance` command: thin, quick to start, and its exit statuses are the verdict's."""

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from clearance import cli, files, run_lock
from clearance.promotion import receipt
from tests.support import toys

HEAVY = {"prefect", "mlflow", "dvc", "pandas", "numpy", "sklearn", "pydantic", "great_expectations", "yaml"}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = toys.build(tmp_path / "toy")
    for name, value in toys.surroundings(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False, prog_name="clearance")


def judged(toy: Path, name: str) -> None:
    toys.edit(toy, name=name)
    assert toys.dvc(toy, "repro").returncode == 0


def test_it_starts_without_any_framework() -> None:
    code = "import sys, clearance.cli; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(result.stdout.split())


def test_commands_print_in_one_place() -> None:
    folder = Path(cli.__file__).parent
    printing = {
        path.name for path in folder.glob("*.py") if re.search(r"click\.(s?echo)\(|print\(", path.read_text())
    }
    assert printing == {"process.py"}


SECTIONS = {
    "Start": {"init", "check", "status"},
    "Run the pipeline": {"run", "snapshot", "track", "release"},
    "Read the verdict": {"verdict", "report", "judge", "contract", "policy"},
    "Read the documents": {
        *("show", "card", "technical-file", "compliance", "diff", "lineage", "check-documents"),
    },
    "Decide": {"approve", "reject", "revoke", "override", "serve-approvals"},
    "Champions": {"promote", "rollback", "retire", "verify", "history", "list", "reproduce"},
    "Serve": {"serve", "serve-key", "predict", "shadow", "decisions"},
    "Watch": {"monitor", "labels", "alerts", "incident", "plan"},
    "Ledger": {"ledger"},
    "Trust": {"keys", "roles", "root"},
    "Maintenance": {"repair", "gc"},
}
GROUPS = {
    "policy": {"check", "explain", "schema"},
    "ledger": {"verify", "show", "export", "erase"},
    "decisions": {"verify", "show", "erase", "expire", "seal", "hold", "stop", "resume", "restriction"},
    "labels": {"add"},
    "alerts": {"list", "take", "resolve", "send"},
    "incident": {"open", "report", "close", "list", "show", "decisions"},
    "keys": {"create"},
    "roles": {"show", "sign"},
    "root": {"show", "pin", "propose", "sign", "adopt"},
}


def test_the_help_lists_every_command_under_its_section() -> None:
    sections = {
        title: {line.split()[0] for line in block.splitlines() if line.startswith("  ")}
        for title, block in re.findall(r"^(\S[^\n]*):\n((?:  .*\n)+)", call("--help").output, re.MULTILINE)
    }
    assert {title: sections[title] for title in SECTIONS} == SECTIONS
    assert set(cli.main.commands) == set().union(*SECTIONS.values())


def test_the_groups_have_these_commands() -> None:
    groups = {name: group for name, group in cli.main.commands.items() if isinstance(group, click.Group)}
    assert {name: set(group.commands) for name, group in groups.items()} == GROUPS


def pages() -> list[tuple[str, ...]]:
    below = [(group, name) for group, names in GROUPS.items() for name in sorted(names)]
    return [(), *((name,) for names in SECTIONS.values() for name in sorted(names)), *below]


@pytest.mark.parametrize("words", pages(), ids=" ".join)
def test_a_help_page_is_whole_sentences_with_words_for_its_values(words: tuple[str, ...]) -> None:
    page = call(*words, "--help").output
    assert page.startswith(f"Usage: {' '.join(['clearance', *words])}")
    assert "..." not in page.partition("\n")[2], "a sentence is cut"
    assert "%" not in page, "a format string instead of a word"
    assert max(map(len, page.splitlines())) <= 80


def test_the_help_of_run_imports_nothing_of_the_flow() -> None:
    code = "import sys; from clearance.cli import main\ntry: main(['run', '--help'])\n"
    code += "except SystemExit: print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (HEAVY | {"flows", "tasks", "rich"}).isdisjoint(result.stdout.splitlines()[-1].split())


def test_run_and_the_flow_share_one_declaration_of_options() -> None:
    from flows import terminal

    run = cli.main.commands["run"]
    assert [option.to_info_dict() for option in terminal.main.params] == [
        option.to_info_dict() for option in run.params
    ]


def test_an_unknown_option_of_run_is_a_usage_error_before_anything_starts(toy: Path) -> None:
    result = call("run", "--anyverdict")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (2, "Usage: clearance run [OPTIONS]")


@pytest.mark.parametrize("words", [("gc",), ("ledger", "erase")])
def test_what_destroys_is_a_dry_run_without_yes(words: tuple[str, ...]) -> None:
    command: click.Command = cli.main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    (option,) = [option for option in command.params if "--yes" in option.opts]
    assert isinstance(option, click.Option) and option.is_flag and not option.required


def test_gc_removes_an_object_that_nothing_needs_only_with_yes(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(toy, "passes")
    monkeypatch.setattr("clearance.promotion.session.open_read_only", nullcontext)
    monkeypatch.setattr("clearance.promotion.needed_objects.find_needed", lambda *_: [])
    cache = toy / ".dvc/cache/files/md5"
    needed = {path for path in cache.rglob("*") if path.is_file()}
    stray = cache / "00" / ("0" * 30)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("left by an old run")
    assert call("gc").exit_code == 0
    assert stray.exists()
    assert call("gc", "--yes").exit_code == 0
    assert {path for path in cache.rglob("*") if path.is_file()} == needed


def test_nothing_is_erased_without_a_reason(toy: Path) -> None:
    assert call("ledger", "erase", "--yes").exit_code == 2
    assert call("ledger", "erase", "--yes", "--reason", " ").exit_code == 2


def test_a_fault_is_one_error_with_its_hint_and_its_exit_status(toy: Path) -> None:
    (toy / "params.yaml").write_text("name: [\n")
    result = call("history")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ") and "\n  hint: " in result.stderr


def test_ctrl_c_ends_a_command_with_130(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clearance.library.history", interrupt)
    assert call("history").exit_code == 130


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
    result = call("verdict")
    assert result.exit_code == 1
    assert "verdict.json is missing" in result.stderr
    assert "hint: run `clearance run`" in result.stderr


def test_check_names_every_problem_and_its_status_says_whether_a_run_can_begin(toy: Path) -> None:
    sound = call("check", "--json")
    assert (sound.exit_code, json.loads(sound.output)["ready"]) == (0, True)
    toys.edit(toy, seed=-1, experiment=7)
    faulty = call("check", "--json")
    problems = json.loads(faulty.output)["problems"]
    assert (faulty.exit_code, [problem["code"] for problem in problems if problem["blocks"]]) == (
        1,
        ["params.invalid", "params.invalid"],
    )
    lines = call("check").output.splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 2


def test_check_says_what_it_leaves_to_the_run(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearance.library.left_to_run", lambda _: ["external/v.csv was not compared"])
    assert json.loads(call("check", "--json").output)["left_to_run"] == ["external/v.csv was not compared"]
    assert call("check").output.splitlines()[-1].endswith("; external/v.csv was not compared")
    assert call("check").output.splitlines()[-1].startswith("ready: ")


def test_without_a_report_there_is_nothing_to_open(toy: Path) -> None:
    result = call("report", "--open")
    assert (result.exit_code, result.exception.__cause__.code) == (1, "reporting.no_report")


def test_repair_removes_what_does_not_match_and_dvc_rebuilds_it(toy: Path) -> None:
    judged(toy, "passes")
    assert call("repair").output == ""
    good = (toy / "models/model.txt").read_bytes()
    (toy / "models/model.txt").write_bytes(good[::-1])
    result = call("repair")
    assert result.output.startswith("models/model.txt was not what dvc.lock recorded")
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
        result = call(name)
    assert result.exit_code == 75
    assert "another run holds this checkout" in result.stderr
    assert not (toy / "effects.txt").exists()


def test_run_is_the_flow_with_its_own_options(toy: Path) -> None:
    command = Path(sys.executable).with_name("clearance")
    wrong = subprocess.run(
        [command, "run", "--set", "sed=1"], cwd=toy / "tasks", capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "did you mean `seed`" in wrong.stderr


def test_the_summary_of_a_release_is_read_from_its_receipt(toy: Path) -> None:
    assert receipt.release_lines(toy) == []
    record = {
        "status": "refused",
        "reason": "the verdict is no pass",
        "fingerprint": "ab" * 32,
        "verdict": "fail",
        "is_champion": False,
        "candidate": {"name": "m-candidate", "version": 2},
        "champion": None,
    }
    files.write_json(toy / ".clearance/release.json", record)
    assert receipt.release_lines(toy) == [
        "registered m-candidate version 2",
        "refused: the verdict is no pass",
    ]
