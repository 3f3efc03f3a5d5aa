"""The monitoring store, in SQLite and PostgreSQL: counts move with their position, whatever is killed."""

import dataclasses
import datetime as dt
import itertools
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from clearance.documents.look_document import Look, Window
from clearance.documents.measurement import Outcome
from clearance.errors import ClearanceError
from clearance.monitoring.counting import bins, database, store, sums
from clearance.monitoring.counting.store import VersionHour, VersionKey
from clearance.monitoring.counting.window_counts import Contributions, WindowCounts
from tests.support import ledger_samples

MODEL, CONTENT = "loan-approval", "c" * 64
KEY = VersionKey(model=MODEL, version=1, content=CONTENT)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
GROUPS = [(("race", "Black, or 🙂"), ("sex", None)), (("race", None), ("sex", "male"))]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        yield database.open(tmp_path, {})
        return
    if not ledger_samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with ledger_samples.postgres() as address:
        yield database.open(tmp_path, {database.ADDRESS: address})


def hour(number: int) -> VersionHour:
    return VersionHour(version=1, content=CONTENT, hour=START + number * dt.timedelta(hours=1))


def counts(rows: int, seed: int = 0) -> WindowCounts:
    draw = np.random.default_rng(seed)
    sizes = np.zeros(bins.SIZES, dtype=np.int64)
    sizes[draw.integers(bins.SIZES)] = rows
    return WindowCounts(
        rows=rows,
        features={
            "amount": draw.multinomial(rows, np.ones(12) / 12),
            "a, b 🙂": draw.multinomial(rows, [1.0]),
        },
        score=draw.multinomial(rows, np.ones(22) / 22),
        decisions={(GROUPS[rows % 2], rows % 20, 1): rows} if rows else {},
        labelled={(GROUPS[0], 3, 1, 0): 1, (GROUPS[0], 3, 1, 1): -1} if seed % 2 else {},
        sizes={"amount": sizes},
        contributions={"amount": Contributions(rows=rows, total=rows / 4, squares=rows / 8)},
        repeated=rows // 3,
        violations=rows // 5,
        skew_tried=rows,
    )


def as_text(window: WindowCounts) -> str:
    """The counts as the store would write them, with groups in a fixed order."""
    ordered = {
        name: dict(sorted(getattr(window, name).items(), key=repr)) for name in ("decisions", "labelled")
    }
    return sums.to_text(dataclasses.replace(window, **ordered))


def total(engine: sa.Engine) -> int:
    days = store.days(engine, KEY, START, START + dt.timedelta(days=400), dt.datetime.date)
    return sum(day.counts.rows for day in days.values())


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_counts_add_up_in_any_order_and_grouping(parts: list[tuple[int, int]], order: random.Random) -> None:
    hours = [counts(*part) for part in parts]
    whole = as_text(sums.add(hours))
    shuffled = order.sample(hours, len(hours))
    cut = order.randint(0, len(hours))
    grouped = [sums.add(group) for group in (shuffled[:cut], shuffled[cut:]) if group]
    assert as_text(sums.add(grouped)) == whole
    assert as_text(sums.of_texts([sums.to_text(part) for part in shuffled], bins.SIZES)) == whole


def test_an_hour_is_read_back_as_it_was_written(engine: sa.Engine) -> None:
    store.add_counts(engine, MODEL, {hour(0): counts(7, 1)}, log="log", after=0, until=9)
    store.add_counts(engine, MODEL, {hour(0): counts(5), hour(30): counts(3)}, log="log", after=9, until=12)
    days = store.days(engine, KEY, START, START + dt.timedelta(days=9), dt.datetime.date)
    assert [(day.isoformat(), len(it.hours)) for day, it in days.items()] == [
        ("2026-12-01", 1),
        ("2026-12-02", 1),
    ]
    assert as_text(days[START.date()].counts) == as_text(sums.add([counts(7, 1), counts(5)]))
    assert store.position(engine, "log", MODEL) == 12
    assert store.position(engine, "another log", MODEL) == store.position(engine, "log", "another") == 0
    assert store.versions(engine, MODEL) == {(1, CONTENT): (hour(0).hour, hour(30).hour)}


def test_the_same_decisions_are_not_counted_twice(engine: sa.Engine) -> None:
    store.add_counts(engine, MODEL, {hour(0): counts(7)}, log="log", after=0, until=9)
    for after in (0, 5, 12):
        with pytest.raises(ClearanceError) as caught:
            store.add_counts(engine, MODEL, {hour(0): counts(7)}, log="log", after=after, until=20)
        assert caught.value.code == "monitoring.counted_meanwhile"
    assert total(engine) == 7


def die_at(engine: sa.Engine, step: int) -> None:
    """Kill this process before or after a statement, or before a commit: at that step from now on."""
    steps = itertools.count(1)

    def count(*_arguments: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(engine, name, count)


def test_killed_anywhere_nothing_is_counted_twice_or_lost(engine: sa.Engine) -> None:
    """Each child is killed at another step of the work; the next goes on where the position says."""
    batches, kills = 12, 0
    for step in itertools.count(1):
        if (position := store.position(engine, "log", MODEL)) == batches:
            break
        child = os.fork()
        if child == 0:
            die_at(engine, step % 11 + 1)
            for place in range(position, batches):
                store.add_counts(
                    engine, MODEL, {hour(place): counts(place + 1)}, log="log", after=place, until=place + 1
                )
            os._exit(0)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
    assert total(engine) == sum(range(1, batches + 1))
    assert kills > batches


def look(start: str = "2026-12-01T00:00Z", **changes: object) -> Look:
    document = Look(
        model=MODEL,
        version=1,
        content=CONTENT,
        policy="test",
        policy_version="1",
        policy_sha256="d" * 64,
        window=Window(period="day", start=start, end="2026-12-02T00:00Z"),
        rows=3,
        level=0.001,
        outcome=Outcome.NOT_EVALUATED,
        findings=(),
        notes=("a note, with 🙂",),
    )
    return dataclasses.replace(document, **changes)  # type: ignore[arg-type]


def test_a_look_is_stored_once_and_read_back(engine: sa.Engine) -> None:
    assert store.save_look(engine, look(), START) == 1
    assert store.save_look(engine, look(rows=4), START) is None
    assert store.save_look(engine, look(basis="labels"), START) == 2
    assert store.save_look(engine, look(policy_sha256="e" * 64), START) == 3
    assert store.looks(engine, MODEL)[0].look == look()
    assert store.looked(engine, KEY, "d" * 64) == {("day", "2026-12-01T00:00Z"): {"decisions", "labels"}}
    store.mark_reacted(engine, 2)
    assert [stored.number for stored in store.unreacted(engine, MODEL)] == [1, 3]


@pytest.mark.parametrize(
    "body", ["", "[]", '{"features": 3}', '{"decisions": [5, 1, 1, 1]}', '{"decisions": [1, 2, 3]}']
)
def test_counts_that_somebody_changed_are_a_fault(engine: sa.Engine, body: str) -> None:
    store.add_counts(engine, MODEL, {hour(0): counts(7)}, log="log", after=0, until=9)
    with database.transaction(engine) as connection:
        connection.execute(store.COUNTS.update().values(body=body))
    with pytest.raises(ClearanceError) as caught:
        total(engine)
    assert caught.value.code == "monitoring.counts_unreadable"


@pytest.mark.parametrize("address", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d"])
def test_an_address_that_cannot_be_used_is_one_fault_without_its_secrets(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(ClearanceError) as caught:
        database.open(tmp_path, {database.ADDRESS: address})
    assert caught.value.code == "monitoring.invalid_address" and "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_a_fault_that_may_pass(tmp_path: Path) -> None:
    with pytest.raises(ClearanceError) as caught:
        database.open(tmp_path, {database.ADDRESS: "postgresql://user:secret@127.0.0.1:9/monitoring"})
    assert caught.value.code == "monitoring.store_unavailable" and "secret" not in str(caught.value)


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    database.open(tmp_path, {})
    assert (tmp_path / ".clearance/monitoring.db").stat().st_mode & 0o777 == 0o600
