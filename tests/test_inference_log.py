"""The inference log: what it answers is durable, what it recorded comes back bit for bit, and once."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import multiprocessing
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearance import canonical_json, inference_log
from clearance.errors import DataError
from clearance.inference_log import database, records
from tests.support import inferences
from tests.support.codes import raises
from tests.support.inferences import inference, opened

finite = st.floats(allow_nan=False, allow_infinity=False)
value = st.one_of(st.none(), st.booleans(), st.integers(-(2**80), 2**80), finite, st.text(max_size=20))
name = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12)


def bits(data: Any) -> Any:
    """The value with its type, and a float with its bits."""
    if isinstance(data, float):
        return "float", struct.pack(">d", data)
    if isinstance(data, dict):
        return {key: bits(item) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [bits(item) for item in data]
    return type(data).__name__, data


@given(st.dictionaries(name, value, max_size=8), finite, st.lists(value, max_size=3))
def test_every_value_comes_back_with_its_type_and_its_bits(
    row: dict[str, Any], score: float, reasons: list[Any]
) -> None:
    try:
        encoded = records.encode(inference(input=row, score=score, reasons=tuple(reasons)))
    except DataError as error:
        assert error.code == "inference_log.not_json"
        assert any("\ud800" <= character <= "\udfff" for character in str(row) + str(reasons))
        return
    decoded: Any = records.decode(encoded.header, encoded.content)
    assert bits(dict(decoded.input)) == bits(row)
    assert bits(decoded.score) == bits(score)
    assert bits(decoded.reasons) == bits(reasons)
    assert canonical_json.dumps_v1(canonical_json.loads(encoded.content)) == encoded.content


def test_minus_zero_one_and_a_missing_value_stay_apart() -> None:
    row = {"a": -0.0, "b": 0.0, "c": 1, "d": 1.0, "e": True, "f": None}
    decoded: Any = records.decode(*_bytes(inference(input=row)))
    assert bits(dict(decoded.input)) == bits(row)
    assert "g" not in decoded.input


def _bytes(record: inference_log.Record) -> tuple[bytes, bytes]:
    encoded = records.encode(record)
    return encoded.header, encoded.content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"input": {"a": math.nan}}, "inference_log.not_json"),
        ({"score": math.inf}, "inference_log.not_json"),
        ({"input": {1: 2}}, "inference_log.invalid_field"),
        ({"input": {"a": object()}}, "inference_log.invalid_field"),
        ({"input": {"a": "\ud800"}}, "inference_log.not_json"),
        ({"reasons": ({1, 2},)}, "inference_log.not_json"),
        ({"caller": ""}, "inference_log.invalid_field"),
        ({"caller": "a\nb"}, "inference_log.invalid_field"),
        ({"id": "1"}, "inference_log.invalid_field"),
        ({"time": dt.datetime(2026, 1, 1)}, "inference_log.invalid_field"),
        ({"idempotency_key": ""}, "inference_log.invalid_field"),
        ({"input": {"a": "x" * records.LONGEST}}, "inference_log.too_large"),
    ],
)
def test_what_cannot_be_recorded_is_refused(changes: dict[str, Any], code: str) -> None:
    with raises(code):
        records.encode(inference(**changes))


def test_ids_sort_by_time_and_are_uuids_of_version_7() -> None:
    ids = [records.new_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)
    assert all(records.is_id(id_) and id_[14] == "7" and id_[19] in "89ab" for id_ in ids)


def test_every_kind_comes_back(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as log:
        (first,) = log.append(inference())
        about = {"about": first.id, "caller": "ann"}
        others = (
            inference_log.Review(**about, step="contest", text="my income is wrong"),
            inference_log.Review(**about, step="outcome", text="checked", outcome="changed", decision=1),
            inference_log.Replay(**about, same=True, score=0.1 + 0.2, decision=0),
            inference_log.ShadowScore(**about, model=inferences.MODEL, score=0.25, decision=0),
            inference_log.Refusal(caller="mallory", code="serving.no_access", reason="expired token"),
        )
        receipts = log.append(*others)
        for record, receipt in zip(others, receipts, strict=True):
            assert log.read(receipt.id, reader="ada", reason="audit").record == record
        report = log.verify()
        assert report.ok, report.findings
        assert report.by_kind == {
            **{"inference": 1, "review": 2, "replay": 1, "shadow": 1, "refusal": 1, "read": 5}
        }


def test_a_read_is_recorded_before_it_is_answered(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as log:
        (first,) = log.append(inference())
        for who, why in (("", "audit"), ("ada", " ")):
            with raises("inference_log.no_reason"):
                log.read(first.id, reader=who, reason=why)
        with raises("inference_log.unknown_decision"):
            log.read(records.new_id(), reader="ada", reason="audit")
        stored = log.read(first.id, reader="ada", reason="complaint 7")
        assert stored.record == log.read(first.id, reader="ada", reason="again").record
        assert log.verify().by_kind == {"inference": 1, "read": 2}


def test_records_are_chained_over_processes(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as one, opened(address, tmp_path) as two:
        turns = (one, two, one, one, one, one, two, one, one, two, two, two)  # alone for a while, then not
        receipts = [log.append(inference(subject=f"s{turn % 3}"))[0] for turn, log in enumerate(turns)]
        assert [receipt.sequence for receipt in receipts] == list(range(1, 13))
        assert one.id == two.id
        assert one.verify().ok


def test_a_commit_is_durable_when_it_returns(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as log:
        log.append(inference())
        connection = log.store._connection
        assert connection is not None
        if address.startswith("sqlite"):
            settings_ = [connection.rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]
            assert settings_ == ["wal", 2]
        else:
            assert connection.rows("SHOW synchronous_commit") == [("on",)]


def test_postgresql_reads_no_whole_table_for_an_append(tmp_path: Path, address: str) -> None:
    if address.startswith("sqlite"):
        return
    with opened(address, tmp_path) as log:
        log.append(inference())
        with log.store.opened() as opened_:
            plan = str(opened_.connection.rows(f"EXPLAIN {database._LAST}"))
            found = str(opened_.connection.rows(f"EXPLAIN {database._HEAD}"))
    assert "Index Scan" in plan
    assert "Join" not in plan + found


def test_concurrent_callers_share_commits_and_get_their_own_receipts(address: str, tmp_path: Path) -> None:
    new = inferences.decisions(60)
    with opened(address, tmp_path) as log:

        async def clients() -> list[Any]:
            return await asyncio.gather(*(log.aio.append(record) for record in new))

        receipts = [receipt for (receipt,) in asyncio.run(clients())]
        assert [receipt.id for receipt in receipts] == [record.id for record in new]
        assert sorted(receipt.sequence for receipt in receipts) == list(range(1, 61))
        assert len({receipt.at for receipt in receipts}) < 60  # a time is that of a transaction
        assert log.verify().records == 60


def test_threads_are_served_as_well(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as log:
        threads = [threading.Thread(target=log.append, args=(record,)) for record in inferences.decisions(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert log.verify().records == 8


def test_a_repeat_gets_the_first_decision(address: str, tmp_path: Path) -> None:
    first = inference(idempotency_key="k", body_digest="d1")
    with opened(address, tmp_path) as log:
        (receipt,) = log.append(first)
        (again,) = log.append(inference(idempotency_key="k", body_digest="d1", score=0.9))
        assert (again.id, again.sequence, again.first) == (first.id, receipt.sequence, first)
        with raises("inference_log.key_conflict", id=first.id):
            log.append(inference(idempotency_key="k", body_digest="d2"))
        assert log.append(inference(idempotency_key="k", caller="batch"))[0].first is None
        found = log.find_by_key("web", "k")
        assert found is not None
        assert found.record == first
        assert log.find_by_key("web", "other") is None
        assert log.verify().by_kind == {"inference": 2, "read": 2}


def _repeat(address: str, folder: Path, gate: Any, answers: Any) -> None:
    with opened(address, folder) as log:

        async def together() -> list[str]:
            new = [inference(idempotency_key="same", body_digest="d") for _ in range(5)]
            return [r.id for (r,) in await asyncio.gather(*(log.aio.append(record) for record in new))]

        gate.wait(30)
        answers.put(asyncio.run(together()))


def test_of_simultaneous_repeats_one_is_recorded(address: str, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    gate, answers = fork.Barrier(4), fork.SimpleQueue()
    with opened(address, tmp_path):
        pass
    workers = [fork.Process(target=_repeat, args=(address, tmp_path, gate, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    ids = {id_ for _ in workers for id_ in answers.get()}
    for worker in workers:
        worker.join()
    assert len(ids) == 1
    with opened(address, tmp_path) as log:
        report = log.verify()
        assert (report.ok, report.by_kind) == (True, {"inference": 1, "read": 19})


def test_a_refused_request_harms_no_other(address: str, tmp_path: Path) -> None:
    first = inference(idempotency_key="k", body_digest="d1")
    bad = (
        inference(idempotency_key="k", body_digest="d2"),
        first,
        inference_log.Replay(about=records.new_id(), caller="ann", same=True),
    )
    with opened(address, tmp_path) as log:
        log.append(first)

        async def together() -> list[Any]:
            new = [inference(), *bad, inference()]
            return await asyncio.gather(*(log.aio.append(one) for one in new), return_exceptions=True)

        answers = asyncio.run(together())
        codes = [getattr(answer, "code", "") for answer in answers]
        assert codes[:2] == ["", "inference_log.key_conflict"]
        assert codes[3:] == ["inference_log.unknown_decision", ""]
        report = log.verify()
        assert (report.ok, report.by_kind["inference"]) == (True, 3)


def test_an_id_is_recorded_once(address: str, tmp_path: Path) -> None:
    new = inference()
    with opened(address, tmp_path) as log:
        log.append(new)
        with raises("inference_log.duplicate_id", id=new.id):
            log.append(new)
        with raises("inference_log.invalid_field"):
            twice = inference()
            log.append(twice, twice)
        log.append(inference())
        assert log.verify().records == 2


def test_a_closed_or_forked_log_answers_nobody(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/log.db", tmp_path) as log:
        pass
    with raises("inference_log.closed"):
        log.append(inference())


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_a_batch_is_one_piece(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("log")
    with opened(f"sqlite:///{folder}/log.db", folder) as log:
        for size in sizes:
            receipts = log.append(*(inference() for _ in range(size)))
            assert len({receipt.at for receipt in receipts}) == 1
        assert log.verify().records == sum(sizes)
