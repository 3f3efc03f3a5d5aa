"""From the file to an endpoint: nothing is lost, nothing counts twice, nobody waits for a bad endpoint."""

import datetime as dt
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import RunState

from clearance import files
from clearance.errors import ConfigurationError
from clearance.lineage import delivery, endpoint, events, spool, writer
from clearance.lineage.delivery import Delivery, DeliveryReport
from tests.support import disks, lineage_receiver
from tests.support.lineage_receiver import Receiver
from tests.support.nightly import NIGHTLY

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def http(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "http", "url": url, "timeout": 1.0, **more}


def record(root: Path, steps: int = 2, *, minute: int = 0, outbound: bool = True) -> spool.RunFile:
    """A run with an event for its start and its end, and two for each of its steps."""
    at = START + dt.timedelta(minutes=minute)
    run = events.PipelineRun(
        run_id=events.run_id(at, "loans"), started=at, namespace="clearance", name="loans"
    )
    file = spool.create(root, run.run_id, outbound=outbound)
    file.append(events.pipeline_event(run, RunState.START, at))
    for number in range(steps):
        step = events.StepRun(name=f"step{number}", kind="STAGE", command="python -m tasks.train")
        for state in (RunState.START, RunState.COMPLETE):
            at += dt.timedelta(seconds=1)
            file.append(events.step_event(run, step, state, at))
    file.append(events.pipeline_event(run, RunState.COMPLETE, at))
    return file


def deliver(root: Path, settings: dict[str, Any], patience: float = 20.0) -> DeliveryReport:
    sender = Delivery(root, settings)
    sender.wake()
    return sender.finish(patience)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def receiver() -> Any:
    with lineage_receiver.running() as endpoint_:
        yield endpoint_


def test_what_waits_is_sent_once_and_in_order(tmp_path: Path, receiver: Receiver) -> None:
    runs = [record(tmp_path, minute=minute) for minute in (0, 1)]
    report = deliver(tmp_path, http(receiver.url))
    assert report == DeliveryReport(accepted=12, refused=0, waiting=0, fault=None)
    assert receiver.events == [event for run in runs for event in run.read()]
    assert deliver(tmp_path, http(receiver.url)).accepted == 0
    assert len(receiver.events) == 12


def test_a_run_without_an_endpoint_stays_in_its_file(tmp_path: Path, receiver: Receiver) -> None:
    record(tmp_path, outbound=False)
    assert deliver(tmp_path, http(receiver.url)) == DeliveryReport(
        accepted=0, refused=0, waiting=0, fault=None
    )
    assert receiver.events == []


@pytest.mark.parametrize("behaviour", ["500", "503", "401", "404", "429", "cut", "hang"])
def test_what_an_endpoint_does_not_take_is_sent_again_by_the_next_run(
    tmp_path: Path, receiver: Receiver, behaviour: str
) -> None:
    run = record(tmp_path)
    receiver.behaviour = behaviour
    report = deliver(tmp_path, http(receiver.url))
    assert (report.accepted, report.waiting, receiver.events) == (0, 6, [])
    assert report.fault == (f"answer {behaviour}" if behaviour.isdigit() else report.fault)
    assert len(receiver.headers) == 1  # one try a run: it does not hammer
    receiver.behaviour = "201"
    assert deliver(tmp_path, http(receiver.url)).accepted == 6
    assert receiver.events == run.read()


def test_an_event_whose_answer_is_lost_comes_again_with_the_same_key(
    tmp_path: Path, receiver: Receiver
) -> None:
    run = record(tmp_path)
    receiver.behaviour = "lost answer"
    assert deliver(tmp_path, http(receiver.url)).accepted == 0
    receiver.behaviour = "201"
    assert deliver(tmp_path, http(receiver.url)).accepted == 6
    first, again, *_ = receiver.events
    assert first == again
    assert receiver.headers[0]["Idempotency-Key"] == receiver.headers[1]["Idempotency-Key"]
    assert len({headers["Idempotency-Key"] for headers in receiver.headers}) == 6
    assert set(receiver.keys()) == {lineage_receiver.key(event) for event in run.read()}


@pytest.mark.parametrize("status", sorted(delivery.NEVER_ACCEPTED))
def test_an_event_that_is_refused_for_good_is_kept_apart_and_stops_no_other(
    tmp_path: Path, receiver: Receiver, status: int
) -> None:
    run = record(tmp_path, steps=0)
    receiver.behaviour = str(status)
    report = deliver(tmp_path, http(receiver.url))
    assert report == DeliveryReport(accepted=0, refused=2, waiting=0, fault=None)
    kept = run.path.with_suffix(spool.REFUSED).read_bytes().splitlines()
    assert [json.loads(line) for line in kept] == run.read()
    receiver.behaviour = "201"
    record(tmp_path, steps=0, minute=1)
    assert deliver(tmp_path, http(receiver.url)).accepted == 2


def test_a_hanging_endpoint_costs_the_end_of_a_run_its_patience_and_no_more(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path)
    receiver.behaviour = "hang"
    sender = Delivery(tmp_path, http(receiver.url, timeout=50))
    sender.wake()
    waited: list[float] = []
    join = sender._thread.join
    monkeypatch.setattr(sender._thread, "join", lambda seconds: (waited.append(seconds), join(0.01)))
    report = sender.finish()
    assert waited == [delivery.PATIENCE]
    assert (report.waiting, report.fault) == (6, "no answer yet")


def test_what_a_run_no_longer_waits_for_is_not_sent_beside_the_next_one(
    tmp_path: Path, receiver: Receiver
) -> None:
    record(tmp_path)
    receiver.behaviour = "hang"
    sender = Delivery(tmp_path, http(receiver.url, timeout=50))
    sender.wake()
    wait_for(lambda: bool(receiver.headers))
    assert sender.finish(0).waiting == 6
    receiver.behaviour = "201"
    receiver.release.set()  # the answer to the first one comes after all
    sender._thread.join(20)
    assert not sender._thread.is_alive()
    assert len(receiver.headers) == 1
    assert deliver(tmp_path, http(receiver.url)).waiting == 0
    assert len(receiver.events) == 6


def test_after_a_failed_try_the_end_of_a_run_does_not_try_again(tmp_path: Path, receiver: Receiver) -> None:
    record(tmp_path)
    receiver.behaviour = "500"
    sender = Delivery(tmp_path, http(receiver.url))
    sender.wake()
    wait_for(lambda: bool(receiver.headers))
    assert sender.finish(20).fault == "answer 500"
    assert len(receiver.headers) == 1


def test_a_key_is_sent_and_never_told(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    record(tmp_path, steps=0)
    receiver.behaviour = "500"
    settings = http(f"{receiver.url}?api_key=s3cret", auth={"type": "api_key", "apiKey": "k3y-of-mine"})
    told = [deliver(tmp_path, settings), endpoint.address(settings)]
    assert receiver.headers[0]["Authorization"] == "Bearer k3y-of-mine"
    settings = http(receiver.url.replace("http://", "http://user:pass-word@"))
    told += [deliver(tmp_path, settings), endpoint.address(settings)]
    assert receiver.headers[1]["Authorization"].startswith("Basic ")
    for secret in ("k3y-of-mine", "pass-word", "s3cret"):
        assert secret not in f"{told} {caplog.text}"


# Settings


def test_the_standard_settings_are_read_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    url = {"OPENLINEAGE_URL": "http://url", "OPENLINEAGE_API_KEY": "k", "OPENLINEAGE_ENDPOINT": "in"}
    assert endpoint.settings(tmp_path, {}) is None
    assert endpoint.settings(tmp_path, url) == {
        "type": "http",
        "url": "http://url",
        "endpoint": "in",
        "auth": {"type": "api_key", "apiKey": "k"},
    }
    variables = {
        "OPENLINEAGE__TRANSPORT__TYPE": "async_http",
        "OPENLINEAGE__TRANSPORT__URL": "http://variables",
        "OPENLINEAGE__TRANSPORT__AUTH": '{"type": "api_key", "apiKey": "k"}',
        "OPENLINEAGE__TRANSPORT__TIMEOUT": "3",
    }
    assert endpoint.settings(tmp_path, url | variables) == {
        "type": "http",
        "url": "http://variables",
        "auth": {"type": "api_key", "apiKey": "k"},
        "timeout": 3,
    }
    files.write_text(
        tmp_path / "home/.openlineage/openlineage.yml", "transport: {type: http, url: 'http://home'}"
    )
    assert endpoint.settings(tmp_path, url | variables) == {"type": "http", "url": "http://home"}
    files.write_text(tmp_path / "openlineage.yml", "transport: {type: http, url: 'http://project'}")
    assert endpoint.settings(tmp_path, url) == {"type": "http", "url": "http://project"}
    files.write_text(tmp_path / "named.yml", "transport: {type: file, log_file_path: events}")
    named = {"OPENLINEAGE_CONFIG": "named.yml"}
    assert endpoint.settings(tmp_path, url | named) == {"type": "file", "log_file_path": "events"}
    assert endpoint.settings(tmp_path, url | named | {"OPENLINEAGE_DISABLED": "True"}) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("transport: {type: os.path.join}", "lineage.transport_unknown"),
        ("transport: {type: kafka, topic: t}", "lineage.transport_unknown"),
        ("transport: {type: http, url: 'http://a', auth: {type: os.system}}", "lineage.transport_unknown"),
        ("transport: [", "lineage.settings_unreadable"),
        ("transport: 7", "lineage.settings_unreadable"),
        ("- a", "lineage.settings_unreadable"),
    ],
)
def test_settings_that_name_code_or_say_nothing_are_refused(tmp_path: Path, text: str, code: str) -> None:
    files.write_text(tmp_path / "openlineage.yml", text)
    with pytest.raises(ConfigurationError) as error:
        endpoint.settings(tmp_path, {})
    assert error.value.code == code


def test_a_transport_with_wrong_settings_is_told_without_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        endpoint.connect({"type": "http", "url": "s3cret"})
    assert error.value.code == "lineage.transport_unusable"
    assert "s3cret" not in str(error.value)


# Kills


@pytest.mark.slow
def test_a_receiver_that_is_killed_again_and_again_gets_every_event(tmp_path: Path) -> None:
    """Killed at a random event of each run's delivery: 50 times in a nightly run."""
    kept, port = tmp_path / "kept", lineage_receiver.free_port()
    chance = random.Random(7)  # noqa: S311
    settings = http(f"http://127.0.0.1:{port}")
    kills = 50 if NIGHTLY else 6
    for minute in range(kills):
        record(tmp_path, steps=10, minute=minute)
        with lineage_receiver.process(port, kept, chance.randint(1, 22)):
            assert deliver(tmp_path, settings).waiting > 0
    with lineage_receiver.process(port, kept):
        assert deliver(tmp_path, settings, 60).waiting == 0
    assert_all_arrived(tmp_path, kept, kills)


SENDER = """
import sys
from pathlib import Path
from clearance.lineage.delivery import Delivery

sender = Delivery(Path(sys.argv[1]), {"type": "http", "url": sys.argv[2]})
sender.wake()
print("sending", flush=True)
sender.finish(60)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_sends_loses_and_doubles_nothing(tmp_path: Path) -> None:
    kept, port = tmp_path / "kept", lineage_receiver.free_port()
    chance = random.Random(8)  # noqa: S311
    url = f"http://127.0.0.1:{port}"
    kills = 20 if NIGHTLY else 3
    with lineage_receiver.process(port, kept):
        for minute in range(kills):
            record(tmp_path, steps=10, minute=minute)
            command = [sys.executable, "-c", SENDER, str(tmp_path), url]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout
                process.stdout.readline()
                time.sleep(chance.uniform(0, 0.06))
                process.send_signal(signal.SIGKILL)
        assert deliver(tmp_path, http(url), 60).waiting == 0
    assert_all_arrived(tmp_path, kept, kills)


def assert_all_arrived(root: Path, kept: Path, runs: int) -> None:
    """Each event is there; one that is there twice has the same key and the same content both times."""
    arrived = lineage_receiver.received(kept)
    sent = [lineage_receiver.key(event) for run in spool.runs(root) for event in run.read()]
    assert len(set(sent)) == len(sent) == runs * 22
    content = {key: lineage_receiver.key(json.loads(body)) for key, body in arrived}
    assert len({key for key, _ in arrived}) == len(set(arrived)) == len(sent)
    assert sorted(content.values()) == sorted(sent)


# The file


def test_what_a_kill_left_of_a_line_is_cut_off_before_the_next_event(tmp_path: Path) -> None:
    run = record(tmp_path, steps=0)
    whole = run.read()
    with run.path.open("ab") as file:
        file.write(b'{"eventType": "COMP')
    assert run.read() == whole
    run.append(whole[0])
    assert run.read() == [*whole, whole[0]]


def test_a_damaged_line_stops_neither_the_next_run_nor_the_delivery(
    tmp_path: Path, receiver: Receiver
) -> None:
    run = record(tmp_path, steps=1)
    start, *_ = lines = run.path.read_bytes().splitlines(keepends=True)
    run.path.write_bytes(start + b"not json\n[1]\n{}\n" + lines[1])
    writer.close_left_open(tmp_path, START + dt.timedelta(days=1))
    assert run.has_ended
    ends = [json.loads(line)["eventType"] for line in run.lines()[5:]]
    assert ends == ["ABORT", "ABORT"]  # the step, then the run
    assert deliver(tmp_path, http(receiver.url)).waiting == 0
    assert run.path.with_suffix(spool.REFUSED).read_bytes() == b"not json\n[1]\n"


def test_only_the_end_of_its_own_run_ends_a_file(tmp_path: Path) -> None:
    run = record(tmp_path, steps=1)
    assert run.has_ended
    lines = run.path.read_bytes().splitlines(keepends=True)
    for content in (b"", b"".join(lines[:-1]), b"".join(lines[:-1]) + lines[-1][:-9], b"x\n", b"[]\n"):
        run.path.write_bytes(content)
        assert not run.has_ended
    long = {**json.loads(lines[1]), "filler": "x" * 200_000}
    run.path.write_bytes(lines[0] + json.dumps(long).encode() + b"\n" + lines[-1])
    assert run.has_ended


def test_a_full_disk_leaves_whole_events_and_an_error(tmp_path: Path) -> None:
    with disks.small(tmp_path / "small", 64) as folder:
        run = record(folder, steps=0)
        whole = run.read()
        filler = {**whole[0], "filler": "x" * 9000}
        with pytest.raises(OSError, match="No space"):
            for _ in range(20):
                run.append(filler)
                whole.append(filler)
        assert run.read() == whole
        assert run.path.read_bytes().endswith(b"}\n")


def test_a_read_only_disk_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / ".clearance").mkdir()
    with disks.read_only(tmp_path / ".clearance"), pytest.raises(OSError, match="Read-only"):
        record(tmp_path)


def test_only_old_runs_that_nobody_waits_for_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "KEPT_RUNS", 2)
    runs = [record(tmp_path, steps=0, minute=minute, outbound=minute < 2) for minute in range(5)]
    runs[0].accept(2)
    spool.prune(tmp_path)
    assert [run.run_id for run in spool.runs(tmp_path)] == [runs[place].run_id for place in (1, 3, 4)]
    assert not runs[0].path.with_suffix(spool.ACCEPTED).exists()
