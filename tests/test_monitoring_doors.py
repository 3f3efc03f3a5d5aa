"""The doors of the monitor: the command line, the task of the flow, and decisions of a real server."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clearance import cli
from clearance.errors import ExitCode
from clearance.inference_log import settings
from clearance.monitoring import run
from clearance.serving import served_model
from flows import monitoring
from flows.runner.child_processes import ChildProcesses, ExitReport
from tasks import watch
from tests.support import serving, watched
from tests.support.governed import Place

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    watched.version()
    return watched.enter(monkeypatch)


def days_ago(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(
        days=days
    )


def record(place: Place, rows: int, **changes: Any) -> None:
    """Decisions of the day before yesterday."""
    inputs = watched.inputs(rows, **changes)
    watched.record(place, watched.decisions(watched.version(), inputs, days_ago(2), 24 * HOUR / rows))


def test_the_command_ends_with_the_worst_look_and_prints_what_fails(place: Place) -> None:
    record(place, 200, amount=99_000.0)
    done = place.command("monitor")
    assert (done.code, done.error) == (ExitCode.REFUSED, "")
    assert "fails: units" in done.said and "amount" in done.said
    assert "200 new decisions of loan-approval counted" in done.said
    again = place.command("monitor", "--json", "--since", days_ago(2).date().isoformat())
    document = json.loads(again.said)
    assert (again.code, document["counted"]) == (ExitCode.REFUSED, 0)
    assert {look["window"]["period"] for look in document["looks"]} >= {"day"}


def test_the_command_without_decisions_evaluates_nothing(place: Place) -> None:
    with watched.log(place, days_ago(1)):
        pass
    done = place.command("monitor")
    assert done.code == ExitCode.NOT_EVALUATED and "0 new decisions" in done.said


def test_days_that_are_the_wrong_way_round_are_refused(place: Place) -> None:
    done = place.command("monitor", "--since", "2026-12-02", "--until", "2026-12-01")
    assert (done.code, done.error) == (ExitCode.ERROR, "monitoring.days_reversed")


@pytest.mark.parametrize("word", ["yesterday", "Today"])
def test_days_may_be_words(place: Place, word: str) -> None:
    record(place, 10)
    done = place.command("monitor", "--since", word)
    assert done.code == ExitCode.NOT_EVALUATED, done.said


def test_what_is_no_day_is_refused_with_what_can_be_given() -> None:
    done = CliRunner().invoke(cli.main, ["monitor", "--since", "last week"])
    assert done.exit_code == 2 and "`yesterday`" in done.output


def test_who_may_not_watch_is_refused_and_the_attempt_is_recorded(place: Place) -> None:
    record(place, 10)
    done = place.command("monitor", "--as", "vera")
    assert done.error == "promotion.right_missing"
    assert len(place.entries("refusal")) == 1


def test_labels_are_added_at_the_command_line(place: Place, tmp_path: Path) -> None:
    record(place, 10)
    file = tmp_path / "labels.csv"
    file.write_text("entity,label\nperson-3,1\nperson-4,0\nnobody,1\n")
    done = place.command("labels", "add", str(file))
    assert done.code == ExitCode.PASS
    assert "2 labels added, 0 corrected, 0 known already" in done.said
    assert "no decision on record: row 3" in done.said


def test_the_task_ends_with_the_worst_look(place: Place) -> None:
    record(place, 200, amount=99_000.0)
    assert place.run(watch.main, by="pipeline").code == ExitCode.REFUSED


@pytest.mark.parametrize(
    ("status", "name", "completed"),
    [
        (ExitCode.PASS, "Completed", True),
        (ExitCode.REFUSED, "Rule failed", False),
        (ExitCode.INSUFFICIENT_EVIDENCE, "Insufficient evidence", True),
        (ExitCode.NOT_EVALUATED, "Not evaluated", True),
        (ExitCode.ERROR, "Failed", False),
        (ExitCode.TRANSIENT, "Unavailable", False),
    ],
)
def test_the_state_of_the_flow_is_that_of_the_worst_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, name: str, completed: bool
) -> None:
    commands: list[str] = []

    def ended(self: ChildProcesses, command: str, **options: Any) -> ExitReport:
        commands.append(command)
        options["on_line"]("a line")
        return ExitReport(status=status)

    monkeypatch.setattr(ChildProcesses, "run", ended)
    monkeypatch.setattr("flows.steps.get_run_logger", lambda: __import__("logging").getLogger("test"))
    state = monitoring.watch.fn("watch", tmp_path)
    assert (state.name, state.is_completed(), commands) == (name, completed, ["python -m tasks.watch"])


def test_decisions_of_a_real_server_are_counted_and_judged(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = served_model.load_champion(place.root)
    with serving.running(tmp_path, serving.fixed(lambda: model)) as server:
        for start in range(0, 60, 20):
            answer = server.predict(*watched.inputs(20, start))
            assert answer.status_code == 200
    monkeypatch.setenv(settings.ADDRESS, f"sqlite:///{tmp_path}/inference.db")
    monkeypatch.setenv(settings.KEY, str(tmp_path / "inference.key"))
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    result = run.run(place.root, clock=lambda: later)
    assert result.counted == 60
    looks = [look for look in result.looks if look.rows and look.basis == "decisions"]
    assert sum(look.rows for look in looks if look.window.period == "day") == 60
    skew = [finding for look in looks for finding in look.findings if finding.rule == "skew"]
    assert {finding.value for finding in skew} == {0}
