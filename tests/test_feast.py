"""The HTTP server of Feast as a feature store: what the real one answered, and what can go wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clearance import feature_store
from clearance.feature_store import FeatureSettings, Store
from tests.support.codes import raises

RECORDED = json.loads((Path(__file__).parent / "golden/feast_exchanges.json").read_text())["exchanges"]
SEEN = dt.datetime(2026, 11, 29, 9, tzinfo=dt.UTC)
"""When the rows of p-1 were observed; those of p-2 a day, those of p-3 399 days before."""
NOW = SEEN + dt.timedelta(days=1)
FEATURES = {
    "amount": "application:amount",
    "purpose": "application:purpose",
    "ratio": "application:ratio",
    "count": "application:count",
}
Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


def replayed(body: dict[str, Any]) -> tuple[int, bytes]:
    """What the real server answered to the very same request."""
    for exchange in RECORDED:
        if exchange["request"] == body:
            return exchange["status"], json.dumps(exchange["answer"]).encode()
    raise AssertionError(body)


@contextmanager
def served(answer: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on loopback, and the requests that it got."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/get-online-features"
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            requests.append(body)
            status, content = answer(body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", "/get-online-features")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def store(address: str, **changes: Any) -> Iterator[Store]:
    """The store; `stale` is the settings', all else Feast's."""
    stale = changes.pop("stale", "missing")
    feast = {
        "address": address,
        "entity": "entity",
        "max_age_hours": 48,
        "timeout_seconds": 20,
        "features": FEATURES,
        "protected": {"race": "person:race"},
    }
    settings = FeatureSettings.model_validate({"stale": stale, "feast": feast | changes})
    with feature_store.open(Path(), settings) as opened:
        yield opened


@contextmanager
def real_answers(**changes: Any) -> Iterator[Store]:
    with served(replayed) as (address, _), store(address, **changes) as opened:
        yield opened


# What the real server answers


def test_values_are_taken_by_their_names_whatever_order_they_come_in() -> None:
    names = RECORDED[0]["answer"]["metadata"]["feature_names"]
    asked = [reference.replace(":", "__") for reference in FEATURES.values()]
    assert names[1:] != asked and sorted(names[1:]) == sorted(asked)  # the real one does reorder
    with real_answers() as opened:
        found = opened.features("p-1", NOW)
        assert dict(found.values) == {"amount": 101.5, "purpose": "house", "ratio": 0.625, "count": 3}
        assert (found.stale, found.seen[0].event_time) == ((), SEEN)
        assert opened.protected("p-1", NOW) == {"race": "blue"}


def test_what_is_null_is_missing_and_never_zero() -> None:
    with real_answers() as opened:
        found = opened.features("p-2", NOW)
        assert (found.values["amount"], found.values["count"], found.values["ratio"]) == (None, None, 0.1)


def test_nobody_is_unknown_and_not_a_person_of_zeros() -> None:
    with real_answers() as opened:
        with raises("feature_store.unknown_entity"):
            opened.features("nobody", NOW)
        assert opened.protected("nobody", NOW) == {"race": None}


def test_the_server_serves_what_its_own_limit_forbids_and_we_do_not() -> None:
    """The views of the recorded server have a ttl of 30 days; it gave 399 days old values as PRESENT."""
    with real_answers(max_age_hours=24 * 400) as opened:
        assert opened.features("p-3", NOW).values["amount"] == 7.0
    with real_answers(max_age_hours=24 * 30) as opened:
        found = opened.features("p-3", NOW)
        assert set(found.values.values()) == {None} and set(found.stale) == set(FEATURES)
        assert opened.protected("p-1", NOW) == {"race": "blue"}
    with (
        real_answers(max_age_hours=24 * 30, stale="refuse") as opened,
        raises("feature_store.stale", hours=720),
    ):
        opened.features("p-3", NOW)
    with real_answers(protected_max_age_hours=1) as opened:
        assert opened.protected("p-1", NOW) == {"race": None}
        assert opened.protected("p-1", SEEN + dt.timedelta(hours=1)) == {"race": "blue"}


def test_a_value_from_the_future_is_a_fault() -> None:
    before = SEEN - dt.timedelta(seconds=1)
    with real_answers() as opened:
        assert opened.features("p-1", SEEN).values["amount"] == 101.5
        with raises("feature_store.from_the_future"):
            opened.features("p-1", before)
        with raises("feature_store.from_the_future", name="race"):
            opened.protected("p-1", before)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": {"amount": "application:nope"}},
        {"features": {"amount": "nope:amount"}},
        {"entity": "person"},
    ],
)
def test_a_name_that_the_server_does_not_know_is_a_fault(changes: dict[str, Any]) -> None:
    with real_answers(**changes) as opened, raises("feature_store.unavailable"):
        opened.features("p-1", NOW)


def test_a_truth_value_is_no_number() -> None:
    from clearance.feature_store import lookup

    with real_answers(features={"married": "application:married"}) as opened:
        value = opened.features("p-1", NOW).values["married"]
        with raises("feature_store.wrong_value", name="married"):
            lookup.typed(value, "double", "married")


def test_features_and_protected_attributes_are_asked_for_apart() -> None:
    with served(replayed) as (address, requests), store(address) as opened:
        opened.features("p-1", NOW)
        opened.protected("p-1", NOW)
        opened.check({"amount": "double"})
        with raises("feature_store.lacking", name="race"):
            opened.check({"race": "string"})
        assert opened.attributes == ("race",)
    assert [request["features"] for request in requests] == [list(FEATURES.values()), ["person:race"]]


# What can go wrong


def changed(change: Callable[[dict[str, Any]], Any]) -> Answer:
    """The recorded answer, with a change."""

    def answer(body: dict[str, Any]) -> tuple[int, bytes]:
        document = json.loads(replayed(body)[1])
        result = change(document)
        return 200, json.dumps(document if result is None else result).encode()

    return answer


def put(path: list[Any], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def drop(document: dict[str, Any]) -> None:
    document["results"].pop()


def double(document: dict[str, Any]) -> None:
    document["metadata"]["feature_names"][2] = document["metadata"]["feature_names"][1]


UNUSABLE = {
    "no object": changed(lambda _: []),
    "no results": changed(lambda document: document.pop("results") and None),
    "fewer results than names": changed(drop),
    "a name twice": changed(double),
    "another name": changed(put(["metadata", "feature_names", 1], "application__other")),
    "another entity": changed(put(["results", 0, "values", 0], "p-2")),
    "two entities": changed(put(["results", 1, "values"], ["x", "y"])),
    "an unknown status": changed(put(["results", 1, "statuses", 0], "PERHAPS")),
    "no time": changed(put(["results", 1, "event_timestamps", 0], "yesterday")),
    "a time without a zone": changed(put(["results", 1, "event_timestamps", 0], "2026-11-29T09:00:00")),
    "a list": changed(put(["results", 1, "values", 0], [1.0])),
    "NaN": changed(put(["results", 2, "values", 0], float("nan"))),
    "beyond a double": lambda _: (200, replayed(_)[1].replace(b"101.5", b"1e999")),
    "no JSON": lambda _: (200, b"<html>"),
    "no UTF-8": lambda _: (200, b"\xff\xfe"),
    "nothing": lambda _: (200, b""),
    "too deep": lambda _: (200, b"[" * 100_000),
    "too large": lambda _: (200, b" " * (5 << 20) + b"{}"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_is_not_what_was_asked_for_decides_nothing(name: str) -> None:
    answering = served(UNUSABLE[name])
    with answering as (address, _), store(address) as opened, raises("feature_store.unusable_answer"):
        opened.features("p-1", NOW)


@pytest.mark.parametrize("status", [204, 301, 307, 401, 404, 422, 500, 503])
def test_any_other_status_is_a_fault_and_no_redirect_is_followed(status: int) -> None:
    with served(lambda _: (status, b"")) as (address, requests), store(address) as opened:
        with raises("feature_store.unavailable"):
            opened.features("p-1", NOW)
        assert len(requests) == 1


@contextmanager
def raw(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with a connection whatever it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                behave(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def silent(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def dripping(head: bytes) -> Callable[[socket.socket], None]:
    """One byte at a time, each of them well within the time: for ten seconds, if it is not cut."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(head)
        for _ in range(500):
            connection.sendall(b" ")
            time.sleep(0.02)
        connection.sendall(b"\r\n\r\n{}" if b"x:" in head else b"{}")

    return behave


def cut(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}")


SLOW = {
    "silent": silent,
    "dripping headers": dripping(b"HTTP/1.1 200 OK\r\nx:"),
    "dripping body": dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 502\r\n\r\n"),
    "cut": cut,
    "no HTTP": lambda connection: connection.sendall(b"SSH-2.0\r\n"),
    "closing": socket.socket.close,
}


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_is_slow_or_breaks_off_is_a_fault_in_time(name: str) -> None:
    slow = raw(SLOW[name])
    with slow as address, store(address, timeout_seconds=0.3) as opened, raises("feature_store.unavailable"):
        opened.features("p-1", NOW)


def test_a_server_that_is_gone_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with store(f"http://127.0.0.1:{port}") as opened, raises("feature_store.unavailable"):
        opened.features("p-1", NOW)


# The real server, where it is installed


REPOSITORY = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String
entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.STRING)
source = FileSource(
    path="rows.parquet", timestamp_field="event_timestamp", created_timestamp_column="created"
)
schema = [Field(name="amount", dtype=Float64), Field(name="purpose", dtype=String)]
schema += [Field(name="ratio", dtype=Float64), Field(name="count", dtype=Int64)]
application = FeatureView(
    name="application", entities=[entity], ttl=timedelta(days=30), schema=schema, source=source
)
person = FeatureView(
    name="person", entities=[entity], ttl=timedelta(days=30), schema=[Field(name="race", dtype=String)],
    source=source,
)
"""
SETTINGS = """project: loans
registry: registry.db
provider: local
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""


@pytest.mark.slow
def test_the_real_server_is_understood(tmp_path: Path) -> None:
    if not (python := os.environ.get("CLEARANCE_FEAST_PYTHON")):
        pytest.skip("CLEARANCE_FEAST_PYTHON names no Python that has Feast, which needs pandas 2")
    import pyarrow as pa
    import pyarrow.parquet as pq

    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    times = [now - dt.timedelta(hours=hours) for hours in (1, 2, 24 * 100)]
    columns = {
        "entity": ["p-1", "p-2", "p-3"],
        "amount": [101.5, None, 7.0],
        "purpose": ["house", "boat", "car"],
        "ratio": [0.625, 0.1, None],
        "count": [3, None, 5],
        "race": ["blue", "green", None],
    }
    stamps = pa.array(times, pa.timestamp("us", tz="UTC"))
    table = pa.table({**columns, "event_timestamp": stamps, "created": stamps})
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "feature_store.yaml").write_text(SETTINGS)
    (tmp_path / "repository.py").write_text(REPOSITORY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    feast = [str(Path(python).with_name("feast"))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FEAST_USAGE": "False", "TZ": "UTC"}
    options: dict[str, Any] = {"cwd": tmp_path, "env": environment}
    until = (now + dt.timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S")
    for words in (["apply"], ["materialize", "2020-01-01T00:00:00", until]):
        subprocess.run([*feast, *words], check=True, capture_output=True, **options)
    command = [*feast, "serve", "-h", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True, **options)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()  # noqa: S310 - loopback
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.1)
        with store(address) as opened:
            found = opened.features("p-1", now)
            assert dict(found.values) == {"amount": 101.5, "purpose": "house", "ratio": 0.625, "count": 3}
            assert found.seen[0].event_time == times[0]
            assert opened.features("p-2", now).values["amount"] is None
            assert set(opened.features("p-3", now).stale) == set(FEATURES)
            assert opened.protected("p-2", now) == {"race": "green"}
            with raises("feature_store.unknown_entity"):
                opened.features("nobody", now)
            with raises("feature_store.from_the_future"):
                opened.features("p-1", now - dt.timedelta(hours=2))
        wrong = store(address, features={"x": "application:nope"})
        with wrong as opened, raises("feature_store.unavailable"):
            opened.features("p-1", now)
    finally:
        os.killpg(server.pid, 15)
        server.wait()
