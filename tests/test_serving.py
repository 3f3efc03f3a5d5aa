"""The decision server: decisions on record before they leave, roles, repeats, replays, reviews, errors."""

import contextlib
import datetime as dt
import json
import math
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pandas as pd
import pytest

from clearance.data import input_checks
from clearance.inference_log import Inference
from clearance.models import scoring
from clearance.params.data import Column
from clearance.reasons import decision
from clearance.serving import answers, bodies, connections
from clearance.serving.access import AccessSettings, KeyHolder, Role
from tests.support import serving
from tests.support.serving import OTHER, ROW, Running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    with serving.running(folder, serving.fixed(serving.champion_model)) as running:
        yield running


def code(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def read(served: Running, id_: str, **parameters: str) -> httpx.Response:
    with served.client(Role.READ) as client:
        return client.get(f"/v1/decisions/{id_}", params={"reason": "a test"} | parameters)


def test_a_decision_is_the_models_own(served: Running) -> None:
    model = serving.champion_model()
    answer = served.predict({"features": ROW, "entity": "E-1"}, OTHER).json()
    frame = pd.DataFrame([ROW, OTHER], dtype=object)
    expected = scoring.score(model.pipeline, frame)
    for decided, score in zip(answer["decisions"], expected, strict=True):
        assert abs(decided["score"] - score) <= 1e-12
        assert decided["threshold"] == model.threshold
        assert decided["decision"] == ("favourable" if score >= model.threshold else "unfavourable")
        assert decided["version"] == 1
    assert answer["decisions"][0]["entity"] == "E-1"


def test_a_decision_is_on_record_as_it_was_answered(served: Running) -> None:
    (answer,) = served.predict({"features": ROW, "entity": "E-2"}, **{"X-Request-Id": "r-17"}).json()[
        "decisions"
    ]
    document = read(served, answer["id"]).json()
    assert document["features"] == ROW
    assert document["entity"] == "E-2"
    assert document["caller"] == "predict-caller"
    assert document["request_id"] == "r-17"
    assert document["score"] == answer["score"]
    model = serving.champion_model()
    assert document["model"] == {"name": model.name, "version": 1, "evidence": model.content}
    assert document["policy"]["sha256"] == model.stamp.sha256
    stored = served.log.read(answer["id"], reader="the test", reason="the bits").record
    assert isinstance(stored, Inference)
    assert stored.score is not None and stored.score.hex() == float(answer["score"]).hex()


def test_a_repeat_under_a_key_gets_the_first_decisions_and_another_body_a_conflict(served: Running) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = served.predict(ROW, OTHER, **headers).json()["decisions"]
    assert served.predict(ROW, OTHER, **headers).json()["decisions"] == first
    other = served.predict(OTHER, ROW, **headers)
    assert (other.status_code, code(other)) == (409, "inference_log.key_conflict")
    assert served.predict(ROW, OTHER).json()["decisions"] != first
    bad = served.predict(ROW, **{"Idempotency-Key": "a b"})
    assert (bad.status_code, code(bad)) == (422, "serving.invalid_parameter")


def test_a_repeat_gets_the_first_decisions_even_where_no_new_one_can_be_made(tmp_path: Path) -> None:
    champion = serving.fixed(serving.champion_model)
    with serving.running(tmp_path, champion) as served:
        first = served.predict(ROW, OTHER, **{"Idempotency-Key": "k"}).json()["decisions"]
        champion._model = replace(
            serving.champion_model(), allowed_until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        )
        again = served.predict(ROW, OTHER, **{"Idempotency-Key": "k"})
        assert (again.status_code, again.json()["decisions"]) == (200, first)
        for response in (
            served.predict(ROW, **{"Idempotency-Key": "k"}),
            served.predict(ROW, OTHER, **{"Idempotency-Key": "other"}),
            served.predict(ROW),
        ):
            assert (response.status_code, code(response)) == (503, "serving.lapsed")


def test_a_replay_computes_every_bit_again(served: Running) -> None:
    (answer,) = served.predict(OTHER).json()["decisions"]
    with served.client(Role.READ) as client:
        replay = client.post(f"/v1/decisions/{answer['id']}/replay", params={"reason": "an audit"}).json()
    assert replay["same"] is True
    assert replay["computed"] == replay["recorded"]
    assert replay["computed"]["score"] == answer["score"]


def test_a_replay_says_so_when_the_bits_are_others(served: Running) -> None:
    model = serving.champion_model()
    forged = Inference(
        caller="c",
        model=answers.model_reference(model),
        policy=answers.policy_reference(model),
        input=dict(ROW),
        score=0.25,
        threshold=model.threshold,
        decision="unfavourable",
    )
    served.log.append(forged)
    with served.client(Role.READ) as client:
        replay = client.post(f"/v1/decisions/{forged.id}/replay", params={"reason": "an audit"}).json()
    assert replay["same"] is False


def test_a_person_contests_and_a_person_decides(served: Running) -> None:
    (answer,) = served.predict(OTHER).json()["decisions"]
    path = f"/v1/decisions/{answer['id']}/review"
    with served.client(Role.READ) as client:
        contest = client.post(path, params={"reason": "asked"}, json={"step": "contest", "text": "no"})
        outcome = {
            "step": "outcome",
            "text": "income was wrong",
            "outcome": "changed",
            "decision": "favourable",
        }
        ended = client.post(path, params={"reason": "review"}, json=outcome)
        assert (contest.status_code, ended.status_code) == (201, 201)
        for body in (
            {"step": "contest", "text": ""},
            {"step": "contest", "text": "x", "outcome": "changed"},
            {"step": "outcome", "text": "x"},
            {"step": "outcome", "text": "x", "outcome": "changed", "decision": "maybe"},
            {"step": "other", "text": "x"},
            ["contest"],
        ):
            assert client.post(path, params={"reason": "r"}, json=body).status_code == 422


def test_whoever_reads_says_why_and_is_on_record(served: Running) -> None:
    (answer,) = served.predict(ROW).json()["decisions"]
    assert code(read(served, answer["id"], reason=" ")) == "serving.invalid_parameter"
    assert read(served, answer["id"], reason="the applicant asked").status_code == 200
    with served.client(Role.READ) as client:
        without = client.get(f"/v1/decisions/{answer['id']}")
    assert (without.status_code, code(without)) == (422, "serving.invalid_parameter")
    for unknown in ("nope", "01965bb0-1c3e-7d47-9f0e-2a6b8f3c4d5e"):
        assert read(served, unknown).status_code == 404


ROLES = {
    ("POST", "/v1/predict"): Role.PREDICT,
    ("GET", "/v1/model"): Role.PREDICT,
    ("POST", "/v2/models/loan-approval/infer"): Role.PREDICT,
    ("GET", "/v2/models/loan-approval"): Role.PREDICT,
    ("GET", "/v1/decisions/01965bb0-1c3e-7d47-9f0e-2a6b8f3c4d5e"): Role.READ,
    ("POST", "/v1/decisions/01965bb0-1c3e-7d47-9f0e-2a6b8f3c4d5e/replay"): Role.READ,
    ("POST", "/v1/decisions/01965bb0-1c3e-7d47-9f0e-2a6b8f3c4d5e/review"): Role.READ,
    ("GET", "/metrics"): Role.ADMINISTER,
}


@pytest.mark.parametrize(("method", "path"), ROLES)
def test_each_resource_asks_for_its_role(served: Running, method: str, path: str) -> None:
    for role in (None, *Role):
        with served.client(role) as client:
            response = client.request(method, path, params={"reason": "r"}, json={})
        if role is None:
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        elif role is not ROLES[method, path]:
            assert response.status_code == 403
        else:
            assert response.status_code not in (401, 403)


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer clk_x", "Bearer " + "x" * 20_000])
def test_an_unknown_caller_learns_nothing(served: Running, header: str) -> None:
    response = httpx.post(
        f"{served.address}/v1/predict", content=b"not even JSON", headers={"authorization": header}
    )
    assert response.status_code == 401
    assert code(response) in ("serving.no_credentials", "serving.unknown_key")


def test_an_answer_is_not_kept_by_anybody_and_names_no_server(served: Running) -> None:
    response = served.predict(ROW)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/json; charset=latin-1"}, b"{}", 415),
        ({}, b"\xff", 400),
        ({}, b'{"rows": NaN}', 400),
        ({}, b'{"rows": [1e400]}', 400),
        ({}, b'{"rows": [], "rows": []}', 400),
        ({}, b"[" * 100_000, 400),
        ({}, b"{}", 422),
        ({}, b"x" * (bodies.LARGEST + 1), 413),
    ],
)
def test_what_is_no_request_gets_its_own_status(
    served: Running, headers: dict[str, str], body: bytes, status: int
) -> None:
    with served.client() as client:
        sent = {"content-type": "application/json"} | headers
        response = client.post("/v1/predict", content=body, headers=sent)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message", "hint", "request_id"}


def test_a_chunked_body_is_limited_as_well(served: Running) -> None:
    parts = (b"x" * 65536 for _ in range(bodies.LARGEST // 65536 + 2))
    with served.client() as client:
        response = client.post("/v1/predict", content=parts, headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_a_slow_body_and_slow_headers_end(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies.read_json, "__defaults__", (bodies.LARGEST, 0.3))
    monkeypatch.setattr(connections.TimedProtocol, "seconds", 0.3)
    host, port = served.address.removeprefix("http://").split(":")
    request = (
        f"POST /v1/predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {serving.KEYS[Role.PREDICT]}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    with socket.create_connection((host, int(port)), timeout=20) as slow_body:
        slow_body.sendall(request.encode())
        assert b"408" in slow_body.recv(1000)
    with socket.create_connection((host, int(port)), timeout=20) as slow_headers:
        slow_headers.sendall(request[:40].encode())
        with contextlib.suppress(ConnectionResetError):
            assert slow_headers.recv(1000) == b""
    assert served.predict(ROW).status_code == 200


def test_what_the_training_data_never_held_is_refused_or_flagged_as_the_policy_says(tmp_path: Path) -> None:
    base = serving.champion_model()
    rules = {"amount": Column(type="number", min=0, max=500), "purpose": Column(values=["house", "car"])}
    checked = replace(base, checks=input_checks.of(base.inputs, rules))
    rows = [ROW | {"amount": 501.0}, ROW | {"amount": -1.0}, ROW | {"purpose": "boat"}]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with serving.running(tmp_path / "a", serving.fixed(lambda: checked)) as refusing:
        assert refusing.predict(ROW, ROW | {"purpose": None}).status_code == 200
        for row in rows:
            response = refusing.predict(ROW, row)
            assert (response.status_code, code(response)) == (422, "serving.unusual_input")
            assert response.json()["error"]["message"].startswith("/rows/1/features/")
    flagging_model = serving.changed(checked, unusual_inputs="flag")
    with serving.running(tmp_path / "b", serving.fixed(lambda: flagging_model)) as flagging:
        decisions = flagging.predict(ROW, *rows).json()["decisions"]
        assert [len(decision["flags"]) for decision in decisions] == [0, 1, 1, 1]
        assert read(flagging, decisions[1]["id"]).json()["flags"] == decisions[1]["flags"]


def test_a_caller_has_a_limit_of_rows_a_minute(tmp_path: Path) -> None:
    holder = KeyHolder(
        name="small", key_sha256=serving.CALLERS[0].key_sha256, roles=(Role.PREDICT,), rows_a_minute=3
    )
    settings = AccessSettings(callers=(holder,))
    with serving.running(tmp_path, serving.fixed(serving.champion_model), settings) as served:
        assert served.predict(ROW, ROW).status_code == 200
        refused = served.predict(ROW, ROW)
        assert (refused.status_code, code(refused)) == (429, "serving.too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert served.predict(ROW).status_code == 200


def test_the_open_protocol_gives_the_same_decisions(served: Running) -> None:
    (expected,) = served.predict(ROW).json()["decisions"]
    tensors = [
        {"name": "ratio", "shape": [1], "datatype": "FP64", "data": [ROW["ratio"]]},
        {"name": "amount", "shape": [1, 1], "datatype": "FP64", "data": [[ROW["amount"]]]},
        {"name": "purpose", "shape": [1], "datatype": "BYTES", "data": [ROW["purpose"]]},
    ]
    with served.client() as client:
        metadata = client.get("/v2/models/loan-approval").json()
        assert {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]} == {
            "amount": "FP64",
            "purpose": "BYTES",
            "ratio": "FP64",
        }
        answer = client.post("/v2/models/loan-approval/versions/1/infer", json={"id": "q", "inputs": tensors})
        assert answer.status_code == 200
        outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
        assert outputs["score"] == [expected["score"]]
        assert outputs["decision"] == [expected["decision"]]
        assert answer.json()["id"] == "q"
        assert read(served, outputs["decision_id"][0]).json()["score"] == expected["score"]
        body = json.dumps({"inputs": tensors}).encode()
        unstated = client.post("/v2/models/loan-approval/infer", content=body)  # as Triton's client does
        assert unstated.status_code == 200
        assert client.post("/v1/predict", content=body).status_code == 415
        for path in ("/v2/models/other", "/v2/models/loan-approval/versions/2"):
            missing = client.get(path)
            assert missing.status_code == 404
            assert isinstance(missing.json()["error"], str)
    with served.client(None) as anybody:
        assert anybody.get("/v2").json()["name"] == "clearance"
        assert anybody.get("/v2/health/live").json() == {"live": True}
        assert anybody.get("/v2/health/ready").json() == {"ready": True}
        assert anybody.get("/v2/models/loan-approval/ready").json()["ready"] is True


def test_many_rows_are_one_request_and_too_many_none(served: Running) -> None:
    rows = [ROW | {"amount": float(number)} for number in range(200)]
    answer = served.predict(*rows).json()["decisions"]
    assert len({decision["id"] for decision in answer}) == 200
    assert served.predict(*[ROW] * 1001).status_code == 422


def test_metrics_count_what_happened(served: Running) -> None:
    served.predict(ROW)
    with served.client(Role.ADMINISTER) as client:
        text = client.get("/metrics").text
    assert 'clearance_decisions_total{decision="favourable",version="1"}' in text
    assert "clearance_version 1.0" in text
    assert "clearance_lapsed 0.0" in text


def test_what_is_not_there_is_not_found(served: Running) -> None:
    with served.client() as client:
        assert code(client.get("/nothing")) == "serving.not_found"
        wrong = client.get("/v1/predict")
        assert (wrong.status_code, code(wrong)) == (405, "serving.method_not_allowed")
        assert wrong.headers["allow"] == "POST"


def test_nothing_is_answered_that_is_not_on_record(tmp_path: Path) -> None:
    """The log's database loses its tables: no answer leaves; it comes back: answers leave again."""
    with serving.running(tmp_path, serving.fixed(serving.champion_model)) as served:
        assert served.predict(ROW).status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "inference.db", timeout=30)) as database, database:
            (table,) = (
                name
                for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if name.endswith("records")
            )
            database.execute(f"ALTER TABLE {table} RENAME TO away")
        gone = served.predict(ROW)
        assert gone.status_code >= 500
        assert "decisions" not in gone.json()
        assert not {"sqlite", table, str(tmp_path)} & set(gone.text.split())
        with contextlib.closing(sqlite3.connect(tmp_path / "inference.db", timeout=30)) as database, database:
            database.execute(f"ALTER TABLE away RENAME TO {table}")
        end = time.monotonic() + 30
        while served.predict(ROW).status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.fixture(scope="module")
def reasoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("reasoned")
    with serving.running(folder, serving.fixed(serving.reasoned_model)) as running:
        yield running


DENIED = {"amount": 120.0, "purpose": "car", "ratio": 0.05}


def test_a_denial_has_its_reasons_and_a_favourable_decision_none(reasoned: Running) -> None:
    model = serving.reasoned_model()
    assert model.reasoner is not None
    good, bad = reasoned.predict(ROW | {"ratio": 0.95}, DENIED).json()["decisions"]
    assert (good["decision"], good["reasons"]) == ("favourable", [])
    assert "reasons_method" not in good
    expected = decision.explain_decision(model.reasoner, tuple(DENIED[c.name] for c in model.inputs))
    assert bad["decision"] == "unfavourable"
    assert bad["reasons_method"] == "near_cutoff"
    assert [reason["feature"] for reason in bad["reasons"]] == [r.feature for r in expected.principal]
    assert [reason["text"] for reason in bad["reasons"]] == [r.text for r in expected.principal]
    assert bad["reasons"][0]["feature"] == "ratio"
    shortfalls = [reason["shortfall"] for reason in bad["reasons"]]
    assert shortfalls == sorted(shortfalls, reverse=True) and min(shortfalls) > 0


def test_contributions_are_shown_on_request_and_add_up(reasoned: Running) -> None:
    model = serving.reasoned_model()
    rows = [{"features": row} for row in (ROW, OTHER, DENIED)]
    with reasoned.client() as client:
        asked = client.post("/v1/predict", json={"rows": rows, "contributions": True}).json()["decisions"]
    for answer in asked:
        margin = math.log(answer["score"] / (1 - answer["score"]))
        assert abs(answer["contributions_base"] + sum(answer["contributions"].values()) - margin) <= 1e-9
        assert set(answer["contributions"]) == {column.name for column in model.inputs}
    assert "contributions" not in reasoned.predict(ROW).json()["decisions"][0]


def test_a_denial_is_on_record_with_its_reasons_and_replayed_with_them(reasoned: Running) -> None:
    headers = {"Idempotency-Key": "denial-1"}
    (answer,) = reasoned.predict(DENIED, **headers).json()["decisions"]
    assert reasoned.predict(DENIED, **headers).json()["decisions"] == [answer]
    document = read(reasoned, answer["id"]).json()
    assert document["reasons"] == answer["reasons"]
    assert document["details"]["reasons_method"] == "near_cutoff"
    with reasoned.client(Role.READ) as client:
        replay = client.post(f"/v1/decisions/{answer['id']}/replay", params={"reason": "an audit"}).json()
    assert replay["same"] is True
    assert replay["computed"]["reasons"] == answer["reasons"]


def test_where_no_reasons_can_be_given_the_answer_says_why(served: Running) -> None:
    (answer,) = served.predict(DENIED).json()["decisions"]
    assert answer["reasons"] == []
    assert answer["reasons_not_given"]


def test_contributions_that_do_not_add_up_are_a_fault_and_never_an_answer(tmp_path: Path) -> None:
    model = serving.reasoned_model()
    assert model.reasoner is not None
    wrong = replace(model.reasoner.explainer, base=model.reasoner.explainer.base + 1e-6)
    planted = replace(model, reasoner=replace(model.reasoner, explainer=wrong))
    with serving.running(tmp_path, serving.fixed(lambda: planted)) as served:
        response = served.predict(DENIED)
        assert (response.status_code, code(response)) == (500, "reasons.not_additive")
        assert served.predict(ROW | {"ratio": 0.95}).status_code == 200
        assert served.log.verify().records == 1
