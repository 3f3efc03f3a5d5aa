"""Decisions about a Parquet file: the same as over HTTP, on record, checked first, resumed after a stop."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearance import inference_log
from clearance.errors import DataError
from clearance.inference_log import Inference, InferenceLog
from clearance.promotion.restrictions import Cause, Restriction
from clearance.serving import batch, faults
from clearance.serving.served_model import ServedModel
from tests.support import serving
from tests.support.codes import raises
from tests.support.serving import OTHER, ROW

pytestmark = pytest.mark.slow


@pytest.fixture
def log(tmp_path: Path) -> Iterator[InferenceLog]:
    with inference_log.open(f"sqlite:///{tmp_path}/log.db", tmp_path / "key") as log:
        yield log


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def rows(number: int) -> list[dict[str, Any]]:
    kinds = (ROW, OTHER)
    return [
        {"id": f"E{index}", **kinds[index % 2], "amount": float(index) if index % 3 else None}
        for index in range(number)
    ]


def decide(log: InferenceLog, table: Path, output: Path, **options: Any) -> pd.DataFrame:
    options = {"entity": "id", "caller": "the batch"} | options
    batch.decide(serving.champion_model(), log, table, output, **options)
    return pd.read_parquet(output)


def test_every_row_is_decided_in_order_and_on_record(log: InferenceLog, tmp_path: Path) -> None:
    source = rows(batch.ROWS + 7)
    reported: list[int] = []
    table = write(tmp_path / "rows.parquet", source)
    answers = decide(log, table, tmp_path / "out.parquet", report=reported.append)
    model = serving.champion_model()
    typed = [tuple(row[column.name] for column in model.inputs) for row in source]
    assert answers["score"].tolist() == model.scores(typed)
    assert answers["entity"].tolist() == [row["id"] for row in source]
    assert reported == [batch.ROWS, 7]
    stored = log.read(answers["id"][3], reader="r", reason="a test").record
    assert isinstance(stored, Inference)
    assert (stored.subject, stored.caller, stored.score) == ("E3", "the batch", answers["score"][3])


def test_a_second_run_gets_the_decisions_on_record(log: InferenceLog, tmp_path: Path) -> None:
    table = write(tmp_path / "rows.parquet", rows(12))
    first = decide(log, table, tmp_path / "first.parquet")
    second = decide(log, table, tmp_path / "second.parquet")
    pd.testing.assert_frame_equal(first, second)
    write(table, [*rows(12)[:11], rows(13)[12]])
    third = decide(log, table, tmp_path / "third.parquet")
    assert set(third["id"]).isdisjoint(first["id"])


def test_an_interrupted_run_goes_on_where_it_ended(log: InferenceLog, tmp_path: Path) -> None:
    table = write(tmp_path / "rows.parquet", rows(batch.ROWS + 5))
    output = tmp_path / "out.parquet"

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide(log, table, output, report=stop)
    assert not output.exists()
    first = log.find_by_key("the batch", f"{batch.source_key(table, serving.champion_model())}#0")
    assert first is not None
    answers = decide(log, table, output)
    assert answers["id"][0] == first.record.id
    assert len(answers) == batch.ROWS + 5


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"amount": True}, "serving.invalid_input", "row 1/amount"),
        ({"amount": "many"}, "serving.invalid_input", "row 1/amount"),
        ({"amount": float("nan")}, "serving.invalid_input", "row 1/amount"),
        ({"purpose": 3}, "serving.invalid_input", "row 1/purpose"),
        ({"id": ""}, "serving.invalid_body", "row 1: the entity"),
    ],
)
def test_one_bad_row_is_named_before_anything_is_decided(
    log: InferenceLog, tmp_path: Path, change: dict[str, Any], code: str, where: str
) -> None:
    name, value = next(iter(change.items()))
    good = rows(2)
    column = pa.array([good[0][name] if type(good[0][name]) is type(value) else None, value])
    table = pa.Table.from_pylist(good)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), tmp_path / "rows.parquet")
    with pytest.raises(DataError) as refused:
        decide(log, tmp_path / "rows.parquet", tmp_path / "out.parquet")
    assert (refused.value.code, refused.value.values["where"]) == (code, where)
    assert not (tmp_path / "out.parquet").exists()
    key = batch.source_key(tmp_path / "rows.parquet", serving.champion_model())
    assert log.find_by_key("the batch", f"{key}#0") is None


def test_what_is_no_table_with_these_columns_is_refused(log: InferenceLog, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("amount,purpose\n")
    write(tmp_path / "short.parquet", [{"id": "E", "amount": 1.0}])
    for name, code in (
        ("none", "serving.table_not_readable"),
        ("text", "serving.table_not_readable"),
        ("short", "serving.column_missing"),
    ):
        with pytest.raises(DataError) as refused:
            decide(log, tmp_path / f"{name}.parquet", tmp_path / "out.parquet")
        assert refused.value.code == code


def test_a_version_that_is_stopped_meanwhile_decides_no_more_rows_and_goes_on_later(
    log: InferenceLog, tmp_path: Path
) -> None:
    table = write(tmp_path / "rows.parquet", rows(2 * batch.ROWS))
    model = serving.champion_model()
    answers = iter([model])

    def stopped() -> ServedModel:
        for allowed in answers:
            return allowed
        raise faults.STOPPED(rule="drift")

    with raises(faults.STOPPED.code, rule="drift"):
        decide(log, table, tmp_path / "out.parquet", present=stopped)
    assert not (tmp_path / "out.parquet").exists()
    hold = Cause(entry=9, mode="hold", rule="drift", reason="why")
    held = replace(
        model, restriction=Restriction(version=model.version, content=model.content, causes=(hold,))
    )
    done = decide(log, table, tmp_path / "out.parquet", present=lambda: held)
    assert done["review_required"].tolist() == [False] * batch.ROWS + [True] * batch.ROWS
    other = replace(model, version=2)
    again = decide(log, table, tmp_path / "again.parquet", present=lambda: other)
    pd.testing.assert_frame_equal(done, again)
