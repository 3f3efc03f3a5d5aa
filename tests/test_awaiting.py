"""A model that passed waits for people without holding a worker; the last approval has it promoted."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import StateType

from clearance import cli, environment, files, paths, registry
from clearance.documents.verdict_document import VerdictDocument
from clearance.promotion import receipt, version_record
from clearance.promotion.next_step import Status
from clearance.promotion.session import open_session
from clearance.reporting import summary
from flows import training
from tasks import promote as promote_task
from tasks import release as release_task
from tasks import track
from tests.support import judged, prefect_server, terminal_run, toys
from tests.support.prefect_server import PrefectServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),  # Prefect's own
]
NAME = "loan-approval"
ASKED = {"validator": 1, "risk_officer": 1}
TIERS = {"promotion": judged.PROMOTION | {"override_days": 30, "approvals": {"none": ASKED}}}
RECEIPT = {
    "status": "awaiting approval",
    "reason": "Missing: 1 approval from role validator (possible: vera).",
    "fingerprint": "ab" * 32,
    "verdict": "pass",
    "is_champion": False,
    "candidate": {"name": "passes-candidate", "version": 7},
    "champion": None,
}


def write_receipt(folder: Path, **changes: Any) -> None:
    files.write_json(folder / paths.RELEASE_RECEIPT, RECEIPT | changes)


def test_what_is_awaited_is_told_with_the_commands_that_give_it(tmp_path: Path) -> None:
    assert receipt.waiting_lines(tmp_path) == []
    write_receipt(tmp_path)
    who, how = receipt.waiting_lines(tmp_path)
    assert who == "awaiting approval: Missing: 1 approval from role validator (possible: vera)."
    assert "clearance verify 7" in how and "clearance approve 7 --as" in how
    assert receipt.release_lines(tmp_path) == ["registered passes-candidate version 7", who, how]


@pytest.mark.parametrize("status", [status for status in Status if status != "awaiting approval"])
def test_no_other_end_of_a_release_waits_for_anybody(tmp_path: Path, status: str) -> None:
    write_receipt(tmp_path, status=status)
    assert receipt.waiting_lines(tmp_path) == []


@pytest.fixture
def toy(tmp_path: Path, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A toy project whose `release` leaves the receipt that lies in `receipt.json`."""
    before = dict(os.environ)
    for name in environment.tool_locations(tmp_path):
        monkeypatch.delenv(name, raising=False)
    folder = toys.build(tmp_path / "toy")
    files.write_json(folder / "receipt.json", RECEIPT)
    leave = "from shutil import copy\nPath('.clearance').mkdir(exist_ok=True)\n"
    leave += "copy(registry.with_name('receipt.json'), '.clearance/release.json')\n"
    task = folder / "tasks/release.py"
    task.write_text(task.read_text() + "".join(f"    {line}\n" for line in leave.splitlines()))
    monkeypatch.chdir(folder)
    yield folder
    os.environ.clear()
    os.environ.update(before)


def test_a_pass_that_waits_is_completed_under_a_name_of_its_own(toy: Path) -> None:
    state = training.training(return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Awaiting approval")
    assert (state.message or "").startswith("Pass: passes under toy 1")
    assert "(possible: vera)" in (state.message or "") and "clearance approve 7" in (state.message or "")


def test_what_waits_and_is_no_pass_ends_with_its_verdict(toy: Path) -> None:
    toys.edit(toy, name="fails")
    assert training.training(return_state=True).name == "Refused"


def test_a_what_if_waits_for_nobody_whatever_was_released_before(toy: Path) -> None:
    training.training(return_state=True)
    (toy / "policies/other.yaml").write_text((toy / "policies/demo.yaml").read_text())
    assert training.training(policy_file="policies/other.yaml", return_state=True).name == "Completed"


@pytest.mark.slow
def test_the_terminal_says_who_must_agree_and_ends_with_the_verdicts_status(toy: Path) -> None:
    result = terminal_run.run(toy, toys.surroundings(toy) | {"NO_COLOR": "1"})
    assert result.returncode == 0, result.stderr
    assert "Pass: passes under toy 1" in result.stdout
    assert "awaiting approval: Missing: 1 approval from role validator (possible: vera)." in result.stdout


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A judged project that was released and waits for a validator and a risk officer."""

    def place(**options: Any) -> Path:
        root = judged.settle_with_store(tmp_path / "project", monkeypatch, policy=TIERS, **options)
        for name in ("tasks", "flows"):  # a step is found beside the project
            (root / name).symlink_to(toys.ROOT / name)
        track.main()
        release_task.main()
        return root

    return place


def decide(who: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """What `clearance approve …` does in the working folder: its exit status, and what it says."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREFECT_API_URL", "CLEARANCE_IDENTITY"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        words = [*arguments, "--as", who, "--reason", "seen the evidence"]
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            pytest.raises(SystemExit) as excinfo,
        ):
            cli.main.main(words, standalone_mode=False)
    return int(str(excinfo.value.code)), output.getvalue()


def told(root: Path) -> list[tuple[str, str]]:
    with open_session(root) as office:
        return [(entry.kind, entry.actor) for entry in office.entries(NAME)]


def test_the_last_approval_promotes_where_whoever_acts_may(waiting: Callable[..., Path]) -> None:
    root = waiting()
    assert receipt.waiting_lines(root)
    code, output = decide("vera", "approve", "1")
    assert code == 0 and "from role risk_officer (possible: rita)" in output
    code, output = decide("rita", "approve", "1", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert code == 0 and "promoted: loan-approval version 1 is the champion." in output
    assert "could not notify Prefect" in output  # a Prefect that is down changes nothing
    assert ("promotion", "pipeline") in told(root)


def test_an_approver_who_may_not_promote_is_told_who_does_and_refused_nothing(
    waiting: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = waiting()
    decide("vera", "approve", "1")
    code, output = decide("rita", "approve", "1", CLEARANCE_IDENTITY="rita")
    assert code == 0 and "an operator makes it champion with `clearance promote 1`" in output
    assert not {"promotion", "refusal"} & {kind for kind, _ in told(root)}
    monkeypatch.setenv("CLEARANCE_IDENTITY", "otto")
    monkeypatch.setattr(sys, "argv", ["promote", "1"])
    promote_task.main()
    assert told(root)[-1] == ("promotion", "otto")


def test_an_override_and_demo_keys_are_named_wherever_the_version_is(
    waiting: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = waiting(verdict="fail")
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=20)).date().isoformat()
    for who in ("vera", "rita"):
        code, output = decide(who, "override", "1", "--until", until)
        assert code == 0, output
    release_task.main()
    note = files.read_json(root / paths.RELEASE_RECEIPT)["champion"]["note"]
    assert "demo keys" in note
    assert f"BY OVERRIDE of rita and vera until {until}: seen the evidence" in note
    assert f"champion loan-approval version 1 ({note})" in receipt.release_lines(root)
    version = MlflowClient().get_model_version(NAME, "1")
    first, title, *_ = str(version.description).split("\n\n")
    assert first == note
    assert title == summary.title(VerdictDocument.read(root))
    assert f"{version.tags[version_record.DEMO]}; {version.tags[version_record.OVERRIDE]}" == note
    with pytest.raises(SystemExit, match="0"):
        cli.main(["history"], standalone_mode=False)
    assert f"BY OVERRIDE of rita and vera until {until}" in capsys.readouterr().out


@pytest.mark.slow
def test_the_approval_that_completes_the_set_starts_the_promotion_on_a_worker(
    waiting: Callable[..., Path], prefect: PrefectServer
) -> None:
    root = waiting()
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copy(toys.ROOT / name, root)
    server = registry.connect()
    with prefect_server.deployed(prefect, root, CLEARANCE_IDENTITY="otto") as client:
        told_prefect = {"PREFECT_API_URL": prefect.api, "CLEARANCE_IDENTITY": "rita"}
        assert decide("vera", "approve", "1", **told_prefect)[0] == 0
        assert runs(client) == [] and registry.champion(server, NAME) is None
        code, output = decide("rita", "approve", "1", **told_prefect)
        assert code == 0 and "Prefect was notified and promotes it" in output, output
        end = time.monotonic() + 180
        while not runs(client):
            assert time.monotonic() < end, "no promotion was started"
            time.sleep(0.3)
        (run,) = runs(client)
        state = prefect_server.ended(client, run.id)
        assert (state.type, state.name) == (StateType.COMPLETED, "Completed"), state.message
        assert "is the champion" in (state.message or "")
        assert run.parameters == {"model": NAME, "version": 1}
    champion = registry.champion(server, NAME)
    assert champion and champion.number == 1
    assert told(root)[-1] == ("promotion", "otto")


def runs(client: SyncPrefectClient) -> list[Any]:
    deployment = client.read_deployment_by_name("promotion/promotion")
    run_filter = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]))
    return client.read_flow_runs(flow_run_filter=run_filter)
