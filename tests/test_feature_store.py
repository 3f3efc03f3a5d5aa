"""The embedded feature store: as known at a time, versioned, typed; never silently old or from the future."""

from __future__ import annotations

import datetime as dt
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from clearance import feature_store
from clearance.errors import ClearanceError
from clearance.feature_store import FeatureSettings, Store, lookup
from tests.support import observations
from tests.support.codes import raises
from tests.support.observations import DATABASE, FILE, LIVE, NOON, SOURCE, TYPES, row

HOUR, TINY = dt.timedelta(hours=1), dt.timedelta(microseconds=1)


@contextmanager
def opened(root: Path, *sources: dict[str, Any], **options: Any) -> Iterator[Store]:
    given = FeatureSettings.model_validate({"sources": list(sources) or [SOURCE]} | options)
    with feature_store.open(root, given) as store:
        yield store


WRITERS = {"parquet": (observations.write, SOURCE), "sqlite": (observations.write_sqlite, LIVE)}
both = pytest.mark.parametrize("kind", WRITERS)


def put(root: Path, kind: str, rows: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Write the rows; the source that has them."""
    write, source = WRITERS[kind]
    write(root, rows)
    return source | changes


# As known at a time


@both
def test_the_newest_observation_that_was_stored_by_then_and_nothing_later(tmp_path: Path, kind: str) -> None:
    rows = [
        row(hours=30, amount=1.0),
        row(hours=20, amount=2.0),
        row(hours=20, created=10, amount=3.0),  # corrected later
        row(hours=5, created=1, amount=4.0),  # true for hours before anybody stored it
        row(hours=-1, amount=99.0),  # the future
        row(hours=4, created=-1, amount=98.0),  # known only in the future
        row("p-2", hours=1, amount=97.0),
    ]
    with opened(tmp_path, put(tmp_path, kind, rows)) as store:

        def amount(hours: float) -> Any:
            return store.features("p-1", NOON - hours * HOUR).values["amount"]

        assert [amount(hours) for hours in (30, 25, 20, 15, 10, 5, 3, 1, 0)] == [1, 1, 2, 2, 3, 3, 3, 4, 4]
        with raises("feature_store.unknown_entity"):
            store.features("p-1", NOON - 30 * HOUR - TINY)
        assert store.features("p-1", NOON - 20 * HOUR - TINY).values["amount"] == 1
        assert amount(-1) == 99


OFFSETS = st.integers(-6, 6)
OBSERVED = st.tuples(st.sampled_from(["a", "b", "A"]), OFFSETS, OFFSETS, st.integers(0, 10**6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(OBSERVED, max_size=12, unique_by=lambda item: item[:3]),
    st.lists(st.tuples(st.sampled_from(["a", "b", "A"]), OFFSETS), min_size=1, max_size=5),
    st.sampled_from(["parquet", "sqlite"]),
)
def test_every_lookup_is_what_a_search_of_all_rows_finds(
    tmp_path: Path,
    observed: list[tuple[str, int, int, int]],
    asked: list[tuple[str, int]],
    kind: str,
) -> None:
    rows = [row(who, -event, -stored, amount=float(value)) for who, event, stored, value in observed]
    with opened(tmp_path, put(tmp_path, kind, rows)) as store:
        for who, at in asked:
            known = [(e, s, v) for w, e, s, v in observed if w == who and e <= at and s <= at]
            try:
                found = store.features(who, NOON + at * HOUR)
                assert found.values["amount"] == max(known)[2]
                assert found.seen[0].event_time == NOON + max(known)[0] * HOUR
            except ClearanceError as error:
                assert (error.code, known) == ("feature_store.unknown_entity", [])


def test_a_time_in_nanoseconds_never_moves_before_the_decision(tmp_path: Path) -> None:
    types = TYPES | {"event": pa.timestamp("ns", tz="UTC"), "created": pa.timestamp("ns", tz="UTC")}
    at = observations.micros(NOON) * 1000
    late = row() | {"event": at + 1, "created": at + 1}
    observations.write(tmp_path, [late], types)
    with opened(tmp_path) as store:
        with raises("feature_store.unknown_entity"):
            store.features("p-1", NOON)
        assert store.features("p-1", NOON + TINY).values["amount"] == 1.0


def test_a_time_of_another_zone_is_that_moment(tmp_path: Path) -> None:
    types = TYPES | {"event": pa.timestamp("ms", tz="America/St_Johns")}
    observations.write(tmp_path, [row()], types)
    with opened(tmp_path) as store:
        assert store.features("p-1", NOON).seen[0].event_time == NOON
        with raises("feature_store.unknown_entity"):
            store.features("p-1", NOON - TINY)


@both
def test_what_the_newest_row_lacks_is_missing_and_not_an_older_value(tmp_path: Path, kind: str) -> None:
    rows = [row(hours=2), row(hours=1, amount=None, purpose=None)]
    with opened(tmp_path, put(tmp_path, kind, rows)) as store:
        found = store.features("p-1", NOON).values
    assert (found["amount"], found["purpose"], found["ratio"]) == (None, None, 0.5)


@both
def test_two_newest_rows_that_differ_are_refused_and_two_alike_are_one(tmp_path: Path, kind: str) -> None:
    rows = [row(), row(), row("p-2"), row("p-2", ratio=0.25), row("p-3", ratio=1.0), row("p-3", hours=1)]
    with opened(tmp_path, put(tmp_path, kind, rows)) as store:
        assert store.features("p-1", NOON).values["ratio"] == 0.5
        assert store.features("p-3", NOON).values["ratio"] == 1.0
        for look in (store.features, store.protected):
            with raises("feature_store.ambiguous"):
                look("p-2", NOON)


def test_sources_are_joined_each_at_its_own_time(tmp_path: Path) -> None:
    first = put(tmp_path, "parquet", [row(hours=40, amount=3.0)], features=["amount"], protected=[])
    second = put(tmp_path, "sqlite", [row(hours=1, purpose="boat"), row("p-2")], name="live")
    second |= {"features": {"purpose": "purpose", "share": "ratio"}, "max_age_hours": 2}
    with opened(tmp_path, first, second) as store:
        found = store.features("p-1", NOON)
        assert dict(found.values) == {"amount": 3.0, "purpose": "boat", "share": 0.5}
        assert [(seen.source, seen.event_time) for seen in found.seen] == [
            ("application", NOON - 40 * HOUR),
            ("live", NOON - HOUR),
        ]
        assert found.seen[0].version and found.seen[1].version is None
        only = store.features("p-2", NOON)
        assert dict(only.values) == {"amount": None, "purpose": "house", "share": 0.5}
        with raises("feature_store.unknown_entity"):
            store.features("nobody", NOON)


# Age


@both
@pytest.mark.parametrize("stale", ["missing", "refuse"])
def test_what_is_too_old_is_missing_or_refused_and_never_served(
    tmp_path: Path, kind: str, stale: str
) -> None:
    source = put(tmp_path, kind, [row(hours=48)])
    with opened(tmp_path, source, stale=stale) as store:
        fresh = store.features("p-1", NOON)
        assert (fresh.values["amount"], fresh.stale) == (1.0, ())
        assert store.protected("p-1", NOON) == {"race": "blue"}
        late = NOON + TINY
        assert store.protected("p-1", late) == {"race": None}
        if stale == "refuse":
            with raises("feature_store.stale", hours=48):
                store.features("p-1", late)
            return
        found = store.features("p-1", late)
        assert set(found.values.values()) == {None}
        assert set(found.stale) == {"amount", "purpose", "ratio"}


# Entities and groups


@both
@pytest.mark.parametrize("entity", ["P-1", "p-1 ", "", "p-10", "' OR 1=1 --", "\x00", "p-1\x00"])
def test_only_the_very_same_id_is_the_entity(tmp_path: Path, kind: str, entity: str) -> None:
    with opened(tmp_path, put(tmp_path, kind, [row()])) as store:
        with raises("feature_store.unknown_entity"):
            store.features(entity, NOON)
        assert store.protected(entity, NOON) == {"race": None}


def test_ids_that_are_numbers_are_their_digits_alone(tmp_path: Path) -> None:
    observations.write(tmp_path, [row() | {"applicant": 7}], TYPES | {"applicant": pa.int64()})
    with closing(sqlite3.connect(tmp_path / "live.db")) as connection, connection:
        connection.execute(f"CREATE TABLE rows (applicant INTEGER, {', '.join(list(TYPES)[1:])})")
        at = observations.micros(NOON)
        connection.execute("INSERT INTO rows VALUES (7, ?, ?, 1.0, 'x', 0.5, 'blue')", (at, at))
    for source in (SOURCE, LIVE | {"database": "live.db"}):
        with opened(tmp_path, source) as store:
            assert store.features("7", NOON).values["amount"] == 1.0
            for other in ("007", "7.0", " 7", "+7"):
                with raises("feature_store.unknown_entity"):
                    store.features(other, NOON)


def test_a_collation_that_takes_two_ids_for_one_is_not_followed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "live.db")) as connection, connection:
        connection.execute(f"CREATE TABLE rows (applicant TEXT COLLATE NOCASE, {', '.join(list(TYPES)[1:])})")
        at = observations.micros(NOON)
        for number, (who, amount) in enumerate((("p-1", 1.0), ("P-1", 3.0), ("P-1", 2.0))):
            values = (who, at - 9 + number, at - 9 + number, amount)
            connection.execute("INSERT INTO rows VALUES (?, ?, ?, ?, 'x', 0.5, 'blue')", values)
    with opened(tmp_path, LIVE | {"database": "live.db"}) as store:
        assert [store.features(who, NOON).values["amount"] for who in ("p-1", "P-1")] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("type_", "value", "group"),
    [
        (pa.string(), "blue", "blue"),
        (pa.int64(), 7, "7"),
        (pa.float64(), 7.0, "7"),
        (pa.float64(), float("nan"), None),
        (pa.bool_(), True, "1"),
        (pa.dictionary(pa.int8(), pa.string()), "blue", "blue"),
        (pa.string(), None, None),
    ],
)
def test_a_group_has_the_name_that_the_evidence_gives_it(
    tmp_path: Path, type_: pa.DataType, value: Any, group: str | None
) -> None:
    observations.write(tmp_path, [row(race=value)], TYPES | {"race": type_})
    with opened(tmp_path) as store:
        assert store.protected("p-1", NOON) == {"race": group} and store.attributes == ("race",)


# Versions


def test_the_file_must_be_the_version_that_dvc_recorded(tmp_path: Path) -> None:
    path = observations.write(tmp_path, [row()])
    text = Path(f"{path}.dvc").read_text()
    with opened(tmp_path) as store:
        assert store.features("p-1", NOON).seen[0].version in text
    original = path.read_bytes()
    path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    with raises("feature_store.not_the_version"), opened(tmp_path):
        pass
    path.unlink()
    with raises("feature_store.file_missing"), opened(tmp_path):
        pass
    path.write_bytes(original)
    Path(f"{path}.dvc").unlink()
    with raises("feature_store.not_versioned"), opened(tmp_path):
        pass
    md5 = text.split("md5: ")[1].split("\n")[0]
    (tmp_path / "dvc.lock").write_text(
        f"schema: '2.0'\nstages:\n  build:\n    cmd: x\n    outs:\n    - path: {FILE}\n      md5: {md5}\n"
    )
    with opened(tmp_path) as store:  # an output of the pipeline is versioned, too
        assert store.features("p-1", NOON).values["amount"] == 1.0


@pytest.mark.slow
def test_the_recorded_version_is_what_dvc_add_records(tmp_path: Path) -> None:
    path = observations.write(tmp_path, [row()])
    ours = Path(f"{path}.dvc").read_text()
    Path(f"{path}.dvc").unlink()
    dvc = [sys.executable, "-m", "dvc"]
    for words in (["init", "--no-scm", "-q"], ["add", "-q", FILE]):
        subprocess.run([*dvc, *words], cwd=tmp_path, check=True)
    assert Path(f"{path}.dvc").read_text() == ours
    with opened(tmp_path) as store:
        assert store.features("p-1", NOON).values["amount"] == 1.0


def test_a_newer_version_is_taken_while_serving_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    path = observations.write(tmp_path, [row()])
    with opened(tmp_path) as store:
        store.refresh()
        observations.write(tmp_path, [row(amount=2.0)])
        store.refresh()
        assert store.features("p-1", NOON).values["amount"] == 2.0
        observations.write(tmp_path, [row(amount="x")], TYPES | {"amount": pa.string()})
        with raises("feature_store.wrong_kind", name="amount"):
            store.refresh()
        path.write_bytes(b"no table")
        Path(f"{path}.dvc").write_text(Path(f"{path}.dvc").read_text().replace("md5: ", "md5: 0", 1))
        with pytest.raises(ClearanceError):
            store.refresh()
        assert store.features("p-1", NOON).values["amount"] == 2.0


# Wrong types, wrong columns


@pytest.mark.parametrize(
    ("column", "type_", "values"),
    [
        ("amount", pa.bool_(), [True]),
        ("amount", pa.timestamp("us"), [NOON.replace(tzinfo=None)]),
        ("amount", pa.list_(pa.float64()), [[1.0]]),
        ("amount", pa.float64(), [float("inf")]),
        ("amount", pa.uint64(), [2**63]),
        ("race", pa.list_(pa.string()), [["blue"]]),
        ("event", pa.timestamp("us"), [NOON.replace(tzinfo=None)]),
        ("event", pa.string(), ["2026-03-01T12:00:00Z"]),
        ("event", pa.int64(), [1]),
        ("event", pa.timestamp("us", tz="UTC"), [None]),
        ("created", pa.timestamp("us", tz="UTC"), [None]),
        ("applicant", pa.string(), [None]),
        ("applicant", pa.float64(), [1.0]),
    ],
)
def test_a_column_that_no_source_may_have_is_refused_before_it_is_served(
    tmp_path: Path, column: str, type_: pa.DataType, values: list[Any]
) -> None:
    observations.write(tmp_path, [row() | {column: values[0]}], TYPES | {column: type_})
    with raises("feature_store.wrong_column", column=column), opened(tmp_path):
        pass


@both
@pytest.mark.parametrize("key", ["entity", "event_time", "created_time"])
def test_a_column_that_is_not_there_is_named(tmp_path: Path, kind: str, key: str) -> None:
    source = put(tmp_path, kind, [row()])
    for changes in ({key: "nope"}, {"features": {"x": "nope"}}, {"protected": {"x": "nope"}}):
        with raises("feature_store.no_column", column="nope"), opened(tmp_path, source | changes):
            pass


@pytest.mark.parametrize("content", [b"", b"no table at all", b"PAR1" * 9])
def test_a_file_that_is_no_table_is_one_fault(tmp_path: Path, content: bytes) -> None:
    path = observations.write(tmp_path, [row()])
    path.write_bytes(content)
    observations.record(path)
    with raises("feature_store.unreadable"), opened(tmp_path):
        pass
    (tmp_path / DATABASE).write_bytes(content or b"\x00" * 4096)
    with raises("feature_store.unreadable"), opened(tmp_path, LIVE):
        pass


@pytest.mark.parametrize("event", ["2026-03-01 12:00:00", 1.5, None, b"\x00", "0"])
@pytest.mark.parametrize("column", ["event", "created"])
def test_a_time_that_is_none_is_a_fault_and_not_skipped(tmp_path: Path, event: Any, column: str) -> None:
    observations.write_sqlite(tmp_path, [row(hours=1), row() | {column: event}])
    with opened(tmp_path, LIVE) as store, raises("feature_store.wrong_column"):
        store.features("p-1", NOON)


def test_a_time_beyond_all_calendars_is_a_fault(tmp_path: Path) -> None:
    observations.write_sqlite(tmp_path, [row() | {"event": -(2**62)}])
    with opened(tmp_path, LIVE) as store, raises("feature_store.wrong_column"):
        store.features("p-1", NOON)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, "double", 1.0),
        (0.1, "double", 0.1),
        (None, "double", None),
        ("x", "string", "x"),
        (None, "string", None),
        (2**53, "double", float(2**53)),
    ],
)
def test_a_value_of_the_right_type_is_the_models(value: Any, kind: Any, expected: Any) -> None:
    result = lookup.typed(value, kind, "f")
    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *(
            (value, "double")
            for value in ("1", True, 2**53 + 1, float("inf"), 1.1e30, float("nan"), b"1", [1.0])
        ),
        *((value, "string") for value in (1, 1.0, True, b"x", "x" * 1001, "\x00", "\ud800")),
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: Any) -> None:
    with raises("feature_store.wrong_value", name="f"):
        lookup.typed(value, kind, "f")


def test_it_must_have_what_the_model_takes(tmp_path: Path) -> None:
    observations.write(tmp_path, [row()])
    with opened(tmp_path) as store:
        store.check({"amount": "double", "purpose": "string"})
        with raises("feature_store.lacking", count=2, name="age"):
            store.check({"amount": "double", "age": "double", "job": "string"})
        with raises("feature_store.wrong_kind", name="purpose"):
            store.check({"purpose": "double"})
        with raises("feature_store.lacking", name="race"):
            store.check({"race": "string"})  # a protected attribute is no feature


# The SQLite file changes


def test_a_file_that_was_replaced_or_removed_is_not_served_from_memory(tmp_path: Path) -> None:
    path = observations.write_sqlite(tmp_path, [row()])
    with opened(tmp_path, LIVE) as store:
        assert store.features("p-1", NOON).values["amount"] == 1.0
        other = observations.write_sqlite(tmp_path, [row(amount=2.0)], path="new.db")
        other.replace(path)
        assert store.features("p-1", NOON).values["amount"] == 2.0
        path.unlink()
        with raises("feature_store.unavailable"):
            store.features("p-1", NOON)
        observations.write_sqlite(tmp_path, [row(amount=3.0)])
        assert store.features("p-1", NOON).values["amount"] == 3.0
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("ALTER TABLE rows RENAME COLUMN ratio TO share")
        with raises("feature_store.unavailable"):
            store.features("p-1", NOON)


def test_a_row_that_is_added_is_seen_at_once_and_nothing_is_ever_written(tmp_path: Path) -> None:
    path = observations.write_sqlite(tmp_path, [row(hours=1)])
    with opened(tmp_path, LIVE) as store:
        with closing(sqlite3.connect(path)) as connection, connection:
            at = observations.micros(NOON)
            connection.execute("INSERT INTO rows VALUES ('p-1', ?, ?, 5.0, 'x', 0.5, 'blue')", (at, at))
        before = path.read_bytes()
        assert store.features("p-1", NOON).values["amount"] == 5.0
        assert path.read_bytes() == before


def test_many_threads_may_ask(tmp_path: Path) -> None:
    people = [f"p-{number}" for number in range(20)]
    observations.write(tmp_path, [row(who, amount=float(who[2:])) for who in people])
    wrong: list[Any] = []
    with opened(tmp_path) as store:

        def ask() -> None:
            for who in people * 5:
                value = store.features(who, NOON).values["amount"]
                wrong.extend([] if value == float(who[2:]) else [(who, value)])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


# Settings


FEAST: dict[str, Any] = {
    "address": "http://127.0.0.1:6566",
    "entity": "e",
    "max_age_hours": 1,
    "features": {"amount": "v:amount"},
}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"sources": []},
        {"sources": [SOURCE], "feast": FEAST},
        {"sources": [SOURCE], "stale": "serve"},
        {"sources": [SOURCE, SOURCE]},
        {"sources": [SOURCE, SOURCE | {"name": "other"}]},
        {"sources": [SOURCE | {"max_age_hours": 0}]},
        {"sources": [{name: value for name, value in SOURCE.items() if name != "max_age_hours"}]},
        {"sources": [SOURCE | {"protected": {"race": "amount"}}]},
        {"sources": [SOURCE | {"protected": {"group": "applicant"}}]},
        {"sources": [SOURCE | {"features": {"race": "ratio"}}]},
        {"sources": [SOURCE | {"database": DATABASE}]},
        {"sources": [LIVE | {"table": None}]},
        {"sources": [SOURCE | {"features": [], "protected": []}]},
        {"sources": [SOURCE | {"more": 1}]},
        {"feast": FEAST | {"address": "http://features.example:6566"}},
        {"feast": FEAST | {"address": "https://user:secret@features.example"}},
        {"feast": FEAST | {"address": "ftp://127.0.0.1"}},
        {"feast": FEAST | {"address": "https://features.example/?token=x"}},
        {"feast": FEAST | {"features": {"amount": "amount"}}},
        {"feast": FEAST | {"features": {"amount": "a:b:c"}}},
        {"feast": FEAST | {"features": {}}},
        {"feast": FEAST | {"protected": {"race": "v:amount"}}},
        {"feast": FEAST | {"protected": {"amount": "v:race"}}},
        {"feast": FEAST | {"timeout_seconds": 0}},
    ],
)
def test_settings_that_could_leak_or_mislead_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeatureSettings.model_validate(document)
