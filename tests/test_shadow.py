"""The challenger scores in shadow: who may set it, what it records, and that its death touches nobody."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clearance import registry
from clearance.errors import DataError, ExitCode, UnavailableError
from clearance.inference_log import Inference, InferenceLog, ModelReference, PolicyReference, ShadowScore
from clearance.inference_log.database import RECORDS
from clearance.metrics import intervals, paired
from clearance.promotion import faults as promotion_faults
from clearance.promotion.challenger import Challenger
from clearance.serving import faults, live, served_model, shadow, shadow_summary
from clearance.serving.access import Role
from clearance.serving.champion import Champion
from clearance.serving.live import Live
from clearance.serving.live_counts import LiveCounts
from clearance.serving.metrics import Metrics
from clearance.serving.shadow import ScorerProcess, Shadow
from clearance.serving.shadow_summary import LOST, PAIRS
from tests.support import governed, inferences, serving
from tests.support.codes import raises
from tests.support.governed import CANDIDATES, NAME, Place

NAMED = Challenger(version=2, content="c" * 64)
CHAMPION = ModelReference(name=NAME, version=1, digest="a" * 64)
POLICY = PolicyReference(id="p", version="1", digest="b" * 64)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("second")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[InferenceLog]:
    with inferences.opened(f"sqlite:///{tmp_path}/inference.db", tmp_path) as log:
        yield log


def set_challenger(place: Place, *words: str, by: str = "otto") -> governed.Done:
    return place.command("shadow", *words, "--as", by, "--reason", "to see")


def alias() -> int | None:
    return registry.challenger(registry.connect(), NAME)


# Who the challenger is


def test_an_operator_sets_it_in_ledger_and_registry_and_nothing_that_is_verified_changes(
    place: Place,
) -> None:
    assert set_challenger(place, "2").code == ExitCode.PASS
    entry = place.entries()[-1]
    assert (entry.kind, entry.actor, entry.body["version"]) == ("challenger", "otto", 2)
    assert entry.body["content"] == place.proposed(2).content
    assert alias() == 2 and place.alias() == place.told() == 1
    assert not place.broken() and not place.voids()
    found = shadow.find(place.root)
    assert found == Challenger(version=2, content=place.proposed(2).content)
    count = len(place.entries())
    assert set_challenger(place, "2").code == ExitCode.PASS
    assert len(place.entries()) == count
    assert set_challenger(place, "--off").code == ExitCode.PASS
    assert (place.entries()[-1].kind, alias(), shadow.find(place.root)) == ("challenger", None, None)
    assert len(place.entries()) == count + 1
    assert set_challenger(place, "--off").code == ExitCode.PASS
    assert len(place.entries()) == count + 1


@pytest.mark.parametrize("who", ["dan", "vera", "ada"])
def test_who_may_not_promote_may_not_set_it(place: Place, who: str) -> None:
    for words in (["2"], ["--off"]):
        result = set_challenger(place, *words, by=who)
        assert (result.code, result.error) == (ExitCode.ERROR, "promotion.right_missing")
        assert (place.entries()[-1].kind, place.entries()[-1].actor) == ("refusal", who)
    assert alias() is shadow.find(place.root) is None


@pytest.mark.parametrize(
    ("version", "error"),
    [("1", "promotion.challenges_itself"), ("7", "registry.no_such_version")],
)
def test_only_another_candidate_can_be_it(place: Place, version: str, error: str) -> None:
    result = set_challenger(place, version)
    assert (result.code, result.error) == (ExitCode.ERROR, error)
    assert place.entries()[-1].kind == "refusal" and alias() is None


def test_a_vendors_table_cannot_score_other_rows(place: Place) -> None:
    place.release(vendor="none", model=7)
    assert set_challenger(place, "3").error == "promotion.challenger_not_scored_here"
    assert alias() is None


def test_a_candidate_that_was_altered_is_refused(place: Place) -> None:
    (place.model_folder(2) / "model.skops").write_bytes(b"another")
    assert set_challenger(place, "2").error == "registry.version_altered"
    assert alias() is None


def test_an_alias_that_the_ledger_does_not_know_counts_for_nothing(place: Place) -> None:
    registry.connect().client.set_registered_model_alias(CANDIDATES, "challenger", "2")
    with raises("promotion.challenger_planted"):
        shadow.find(place.root)
    assert set_challenger(place, "2").code == ExitCode.PASS
    registry.clear_challenger(registry.connect(), NAME)
    with raises("promotion.challenger_planted"):
        shadow.find(place.root)
    assert set_challenger(place, "2").code == ExitCode.PASS  # the same command sets both again
    assert shadow.find(place.root)


def test_a_challenger_that_became_champion_scores_no_more(place: Place) -> None:
    set_challenger(place, "2")
    place.agree(2)
    assert place.told() == 2
    assert shadow.find(place.root) is None


# The process


def test_the_real_process_scores_as_the_server_would_and_its_death_is_survived(
    place: Place, tmp_path: Path
) -> None:
    set_challenger(place, "2")
    champion = Champion(place.root)
    model = champion.start()
    other = served_model.load_version(place.root, 2, place.proposed(2).content)
    rows = [serving.ROW | {"amount": amount} for amount in (1.0, 1 / 3, 1e-300, None)]
    made: list[Shadow] = []

    def following(log: InferenceLog, metrics: Metrics) -> Live:
        counts = LiveCounts(tmp_path / "live.db")
        made.append(Shadow(place.root, log, counts, metrics.registry))
        made[0].refresh()
        return Live(counts=counts, shadow=made[0])

    with serving.running(tmp_path, champion, following=following) as server:
        shadowing, metrics = made[0], server.services.metrics.registry
        first = server.predict(*rows, **{"Idempotency-Key": "k"}).json()
        assert shadowing.status().waiting == 4
        again = server.predict(*rows, **{"Idempotency-Key": "k"}).json()
        assert shadowing.status().waiting == 4 and again["decisions"] == first["decisions"]
        try:
            assert shadowing.step()
            expected = other.scores([tuple(row[c.name] for c in other.inputs) for row in rows])
            scores = {score.about: score for score in shadow_scores(server.log)}
            for decision, wanted in zip(first["decisions"], expected, strict=True):
                score = scores[decision["id"]]
                assert (score.score, score.threshold) == (wanted, other.threshold)
                assert score.model == ModelReference(name=NAME, version=2, digest=other.content)
                assert score.decision == ("favourable" if other.decide(wanted) else "unfavourable")
            with server.client(Role.READ) as client:
                document = client.get("/v1/shadow").json()
                assert (document["challenger"], document["scores"], document["fault"]) == (2, True, None)
                assert document["comparison"]["rows"] == 4 and document["comparison"]["lost"] == {}
                for hours in ("0", "x", "99999", "-1", "1e3"):
                    refused = client.get("/v1/shadow", params={"hours": hours})
                    assert refused.status_code == 422
                    assert refused.json()["error"]["code"] == "serving.invalid_parameter"
            with server.client(Role.PREDICT) as client:
                assert client.get("/v1/shadow").status_code == 403
            kill_and_go_on(shadowing, decided(server.log, model=model), metrics)
        finally:
            shadowing._end()


def kill_and_go_on(
    shadowing: Shadow, inference: Inference, metrics: prometheus_client.CollectorRegistry
) -> None:
    scorer = shadowing._scorer
    assert isinstance(scorer, ScorerProcess)
    assert os.getpriority(os.PRIO_PROCESS, scorer.pid) == 19
    os.kill(scorer.pid, signal.SIGKILL)
    scorer._process.wait()
    shadowing._pause = 0.0
    shadowing.offer([inference])
    assert shadowing.step()  # by another process: nothing that waited was lost
    again = shadowing._scorer
    assert isinstance(again, ScorerProcess) and again.pid != scorer.pid
    assert shadowing.status().fault is None and shadowing.status().waiting == 0
    assert metrics.get_sample_value("clearance_shadow_fault") == 0
    assert metrics.get_sample_value("clearance_shadow_version") == 2
    labels = ({"version": "2", "same": same} for same in ("yes", "no"))
    scored = [metrics.get_sample_value("clearance_shadow_scores_total", of) or 0 for of in labels]
    assert sum(scored) == 5


HELLO = "import socket,sys,json,os,time; s=socket.socket(fileno=int(sys.argv[1])); f=s.makefile('rwb'); "
READY = HELLO + "f.write(b'{\"threshold\": 0.5}\\n'); f.flush(); l=f.readline(); "
PROGRAMS = {
    "ends before it is ready": HELLO,
    "hangs before it is ready": HELLO + "time.sleep(60)",
    "ends": READY,
    "crashes": READY + "os.kill(os.getpid(), 11)",
    "hangs": READY + "time.sleep(60)",
    "hangs within a line": READY + "f.write(b'{'); f.flush(); time.sleep(60)",
    "says no JSON": READY + "f.write(b'what?\\n'); f.flush(); time.sleep(60)",
    "says too little": READY + "f.write(b'{\"answers\": []}\\n'); f.flush(); time.sleep(60)",
    "says something else": READY + "f.write(b'[1]\\n'); f.flush(); time.sleep(60)",
}


def program(text: str, **seconds: float) -> ScorerProcess:
    limits = {"seconds_to_load": 20.0, "seconds_to_score": 20.0} | seconds
    return ScorerProcess(
        lambda fd: [sys.executable, "-S", "-c", text, str(fd)], NAMED, folder=Path(), **limits
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_process_that_dies_hangs_or_babbles_is_a_fault_and_is_gone(name: str) -> None:
    slow = {"seconds_to_load": 0.3} if "before" in name else {"seconds_to_score": 0.3}
    if name in ("ends", "crashes", "says no JSON", "says too little", "says something else"):
        slow = {}
    with raises("serving.challenger_lost"):
        scorer = program(PROGRAMS[name], **slow)
        try:
            scorer.score([{"x": 1.0}])
        finally:
            scorer.close()
            assert not scorer.lives()


def test_more_than_the_socket_holds_is_no_reason_to_wait_forever() -> None:
    scorer = program(
        HELLO + "f.write(b'{\"threshold\": 0.5}\\n'); f.flush(); time.sleep(60)", seconds_to_score=0.3
    )
    with raises("serving.challenger_lost"):
        scorer.score([{"x": "y" * 4_000_000}])
    scorer.close()


def test_a_candidate_that_cannot_be_loaded_is_named_by_its_code() -> None:
    with raises("serving.challenger_unusable"):
        program(HELLO + 'f.write(b\'{"fault": "x.y"}\\n\'); f.flush()')


def test_the_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNER", "PASSPHRASE", "INFERENCE_KEY", "INFERENCE_LOG"):
        monkeypatch.setenv(f"CLEARANCE_{name}", "secret")
    known = "{'fault': str('secret' in os.environ.values())}"
    show = f"f.write(json.dumps({known}).encode() + b'\\n'); f.flush()"
    with raises("serving.challenger_unusable") as error:
        program(HELLO + show)
    assert error.value.values["code"] == "False"


# What is recorded


class Stub:
    """A challenger in this process."""

    threshold = 0.5

    def __init__(self, answer: Any = None, named: Challenger = NAMED) -> None:
        self.named, self.answer, self.alive, self.asked = named, answer, True, 0

    def score(self, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return [list(self.answer or [0.75, True]) for _ in rows]

    def lives(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.alive = False


def a_shadow(log: InferenceLog, path: Path, scorer: Any, **options: Any) -> Shadow:
    """It has a challenger, and this is it."""
    start = scorer if callable(scorer) else lambda _, named: scorer if named else None
    given = {"look": lambda _: 1, "find": lambda _: NAMED, "start": start} | options
    following = Shadow(
        path, log, LiveCounts(path / "live.db"), prometheus_client.CollectorRegistry(), **given
    )
    following.refresh()
    return following


def decided(
    log: InferenceLog, *, subject: str | None = None, word: str = "favourable", model: Any = None
) -> Inference:
    """A decision on record."""
    inference = Inference(
        caller="c",
        model=ModelReference(name=NAME, version=1, digest=model.content) if model else CHAMPION,
        policy=POLICY,
        input=serving.ROW,
        score=0.5,
        threshold=0.5,
        decision=word,
        subject=subject,
    )
    log.append(inference)
    return inference


def shadow_scores(log: InferenceLog) -> list[ShadowScore]:
    """Every shadow score on record; what was erased is left out."""
    with contextlib.closing(sqlite3.connect(str(log.store.url.database))) as connection:
        ids = connection.execute(f"SELECT id FROM {RECORDS}").fetchall()  # noqa: S608
    found = []
    for (id_,) in ids:
        with contextlib.suppress(DataError):
            record = log.read(id_, reader="r", reason="test").record
            found += [record] if isinstance(record, ShadowScore) else []
    return found


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ([float("nan"), True], "serving.challenger_score"),
        ([1.5, True], "serving.challenger_score"),
        ([-0.1, False], "serving.challenger_score"),
        ([0.5, 1], "serving.challenger_score"),
        ([0.5], "serving.challenger_score"),
        (["a.code"], "a.code"),
        (faults.CHALLENGER_LOST(version=2), "serving.challenger_lost"),
    ],
)
def test_what_is_no_answer_is_recorded_as_a_fault_and_counted(
    log: InferenceLog, tmp_path: Path, answer: Any, fault: str
) -> None:
    following = a_shadow(log, tmp_path, Stub(answer))
    following.offer([decided(log)])
    following.step()
    (score,) = shadow_scores(log)
    assert (score.fault, score.score, score.decision) == (fault, None, None)
    following._write_lost()
    assert following._counts.since(LOST, 1) == {(2, "fault"): 1} and not following._counts.since(PAIRS, 1)


def test_the_queue_is_bounded_and_says_how_many_it_did_not_take(log: InferenceLog, tmp_path: Path) -> None:
    following = a_shadow(log, tmp_path, Stub(), capacity=3)
    one = decided(log)
    following.offer([one] * 2)
    following.offer([one] * 3)
    following.offer([one])
    assert following.status().waiting == 3
    assert following._lost.labels("queue_full")._value.get() == 3
    following._write_lost()
    assert following._counts.since(LOST, 1) == {(2, "queue_full"): 3}


def test_nobody_waits_for_a_challenger_that_hangs(log: InferenceLog, tmp_path: Path) -> None:
    free, asked = threading.Event(), threading.Event()

    class Hanging(Stub):
        def score(self, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
            asked.set()
            assert free.wait(60)
            return super().score(rows)

    following = a_shadow(log, tmp_path, Hanging())
    one, stop = decided(log), threading.Event()
    following.offer([one])
    thread = threading.Thread(target=following.work, args=(stop,))
    thread.start()
    try:
        assert asked.wait(60)
        for _ in range(shadow.WAITING + 10):
            following.offer([one])  # would never return if it waited for the challenger
        assert following.status().waiting == shadow.WAITING
        decided(log)  # neither does the log wait
    finally:
        stop.set()
        free.set()
        thread.join()
    assert following._counts.since(LOST, 1) == {(2, "queue_full"): 10, (2, "server_stopped"): shadow.WAITING}
    assert len(shadow_scores(log)) == 1


def test_after_a_death_it_is_tried_again_after_pauses_that_double(log: InferenceLog, tmp_path: Path) -> None:
    now, starts = [0.0], []

    def start(root: Path, named: Challenger) -> Stub:
        starts.append(now[0])
        raise faults.CHALLENGER_LOST(version=2)

    following = a_shadow(log, tmp_path, start, monotonic=lambda: now[0])
    following.offer([decided(log)])
    for second in range(400):
        now[0] = second / 2
        assert not following.step()
    assert starts == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert following.status().waiting == 1 and following.status().fault == "serving.challenger_lost"


def test_another_challenger_takes_over_and_none_takes_nothing(log: InferenceLog, tmp_path: Path) -> None:
    other = Challenger(version=3, content="d" * 64)
    named: list[Challenger | None] = [NAMED]
    scorers = []

    def start(root: Path, wanted: Challenger) -> Stub:
        scorers.append(Stub(named=wanted))
        return scorers[-1]

    turn = iter(range(100))
    following = a_shadow(log, tmp_path, start, look=lambda _: next(turn), find=lambda _: named[0])
    following.offer([decided(log)])
    assert following.step()
    named[0] = other
    following.refresh()
    following.offer([decided(log, word="unfavourable")])
    assert following.step() and not scorers[0].alive
    assert sorted((score.model.version, score.decision) for score in shadow_scores(log)) == [
        (2, "favourable"),
        (3, "favourable"),
    ]
    assert following._counts.since(PAIRS, 1) == {
        (1, "a" * 64, 2, "c" * 64, 1, 1): 1,
        (1, "a" * 64, 3, "d" * 64, 0, 1): 1,
    }
    following.offer([decided(log)])
    named[0] = None
    following.refresh()
    following.offer([decided(log)])
    assert not following.step() and not scorers[1].alive
    following._write_lost()
    assert following._counts.since(LOST, 1) == {
        (0, "no_challenger"): 1
    }  # it waited; the last was not offered
    assert len(scorers) == 2


@pytest.mark.parametrize("error", ["planted", "away"])
def test_one_that_does_not_verify_is_not_asked_and_one_that_cannot_be_checked_stays(
    log: InferenceLog, tmp_path: Path, error: str
) -> None:
    wrong: list[Exception] = []

    def look(root: Path) -> int:
        if wrong:
            raise wrong[0]
        return 1

    following = a_shadow(log, tmp_path, Stub(), look=look)
    wrong.append(
        promotion_faults.CHALLENGER_PLANTED(name="n", alias="a", told="b")
        if error == "planted"
        else UnavailableError("away", "wait")
    )
    following.refresh()
    following.offer([decided(log)])
    planted = error == "planted"
    assert (following.status().named is None, following.status().waiting) == (planted, 0 if planted else 1)
    assert following.status().fault == ("promotion.challenger_planted" if planted else None)
    assert following._lost.labels("no_challenger")._value.get() == (1 if planted else 0)
    wrong.clear()
    following.refresh()
    assert following.status().named == NAMED and following.status().fault is None


def test_an_erased_subject_spoils_only_its_own_score(log: InferenceLog, tmp_path: Path) -> None:
    following = a_shadow(log, tmp_path, Stub())
    batch = [decided(log, subject="a"), decided(log, subject="b"), decided(log)]
    log.erase_subject("a", actor="o", reason="asked")
    following.offer(batch)
    assert following.step()
    abouts = [score.about for score in shadow_scores(log)]
    assert sorted(abouts) == sorted(inference.id for inference in batch[1:])
    following._write_lost()
    assert following._counts.since(LOST, 1) == {(2, "not_recorded"): 1}
    assert sum(following._counts.since(PAIRS, 1).values()) == 2


# Counts and the comparison


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_comparison_is_the_paired_test_of_the_rows(rows: list[tuple[bool, bool, bool]]) -> None:
    label, one, other = (np.array(column) for column in zip(*rows, strict=True))
    counted = Counter((1, "a", 2, "b", int(a), int(b)) for _, a, b in rows)
    counted[1, "older", 2, "b", 1, 0] += 50  # of another version: no part of this
    summary = shadow_summary.summarise(
        counted, {(2, "fault"): 3, (7, "fault"): 5}, champion=(1, "a"), challenger=(2, "b"), hours=1
    )
    table = paired.count(("all",), np.zeros(len(rows), dtype=np.int64), label, one, other)
    sampling = intervals.Sampling(confidence=0.95, resamples=100, seed=0)
    assert summary.change == paired.measure(table, sampling)["selection_rate"]
    won, lost = int((~one & other).sum()), int((one & ~other).sum())
    p_value = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert (summary.rows, summary.decided_differently) == (len(rows), won + lost)
    assert summary.mcnemar_p == p_value and summary.lost == {"fault": 3}
    assert (summary.champion_favourable, summary.challenger_favourable) == (one.sum(), other.sum())


def test_a_window_holds_its_hours_and_no_other(tmp_path: Path) -> None:
    now = [dt.datetime(2026, 3, 1, 12, 30, tzinfo=dt.UTC)]
    counts = LiveCounts(tmp_path / "live.db", now=lambda: now[0])
    for hours in range(5):
        counts.add("k", {("x", 1, None, ("y",)): 10**hours})
        now[0] += dt.timedelta(hours=1)
    now[0] -= dt.timedelta(hours=1)
    assert counts.since("k", 1) == {("x", 1, None, ("y",)): 10_000}
    assert counts.since("k", 3) == {("x", 1, None, ("y",)): 11_100}
    assert counts.since("k", 99) == {("x", 1, None, ("y",)): 11_111}
    assert counts.since("other", 99) == {}
    now[0] += dt.timedelta(days=366)
    counts.add("k", {("z",): 1})
    rows = sqlite3.connect(tmp_path / "live.db").execute("SELECT count(*) FROM counts").fetchall()
    assert rows == [(2,)]  # the hour that a policy may just ask for, and the present one


def test_counts_wait_while_the_file_cannot_be_written_and_none_is_lost(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("a file, so no folder")
    counts = LiveCounts(blocked / "live.db")
    counts.add("k", {("x",): 2})
    with raises("serving.counts_unavailable"):
        counts.since("k", 1)
    blocked.unlink()
    counts.add("k", {("x",): 3})
    assert counts.since("k", 1) == LiveCounts(blocked / "live.db").since("k", 1) == {("x",): 5}
    assert (blocked / "live.db").stat().st_mode & 0o077 == 0


def test_many_threads_and_servers_count_into_one_file(tmp_path: Path) -> None:
    servers = [LiveCounts(tmp_path / "live.db") for _ in range(2)]

    def add(counts: LiveCounts) -> None:
        for _ in range(20):
            counts.add("k", {("x",): 1})

    threads = [threading.Thread(target=add, args=(servers[index % 2],)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for counts in servers:
        counts.add("k", {})
    assert servers[0].since("k", 1) == {("x",): 80}


def test_the_command_prints_the_comparison(place: Place) -> None:
    assert "no challenger" in place.command("shadow").said
    set_challenger(place, "2")
    one, two = (place.proposed(version).content for version in (1, 2))
    LiveCounts(place.root / ".clearance/live.db").add(
        PAIRS, {(1, one, 2, two, 0, 1): 9, (1, one, 2, two, 1, 1): 1}
    )
    result = place.command("shadow", "--json")
    assert result.code == ExitCode.PASS and '"decided_differently": 9' in result.said
    text = place.command("shadow", "--hours", "5").said
    assert "decided differently: 9" in text and "0.00391" in text
    for words in (["2", "--off", "--reason", "r"], ["2"], ["--off"]):
        with pytest.raises(click.UsageError):
            place.command("shadow", *words)


def test_a_server_that_stops_does_not_wait_for_a_challenger_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "SECONDS_TO_STOP", 0.2)
    free, ended = threading.Event(), threading.Event()

    def hang(_: threading.Event) -> None:
        free.wait(60)

    def work(stop: threading.Event) -> None:
        assert stop.wait(60)
        ended.set()

    with live._threads([hang, work]):
        pass  # would wait for a minute
    assert not free.is_set()
    free.set()
    assert ended.wait(60)
