"""Two tables compared as a CronJob does it: the exit status, what drifted, what is only written otherwise."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance import evidently_quiet
from clearance import files
from clearance.documents.measurement import Outcome
from clearance.documents.table_look_document import TableLook
from clearance.errors import ClearanceError, ExitCode
from clearance.monitoring import faults as monitoring_faults
from clearance.monitoring.batch import evidently_page, tables
from clearance.monitoring.counting import bins
from tasks import faults, monitor

ROOT = Path(__file__).parents[1]
Run = Callable[..., tuple[int, TableLook]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder, on two frames or paths; its exit status and its JSON."""
    monkeypatch.chdir(tmp_path)

    def command(reference: Any, current: Any, *words: str, threshold: str | None = "0.1") -> Any:
        paths = [
            written(table, f"{name}.parquet") if isinstance(table, pd.DataFrame) else str(table)
            for name, table in {"reference": reference, "current": current}.items()
        ]
        options = ["--reference", paths[0], "--current", paths[1], "--json", *words]
        options += ["--threshold", threshold] if threshold else []
        monkeypatch.setattr(sys, "argv", ["tasks.monitor", *options])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            monitor.main()
        return ended.value.code, TableLook.from_json(json.loads(capsys.readouterr().out))

    return command


def written(table: pd.DataFrame, name: str) -> str:
    if name.endswith(".parquet"):
        table.to_parquet(name, index=False)
    else:
        table.to_csv(name, index=False)
    return name


def people(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": random.lognormal(shift, 0.5, rows).round(3),
            "children": random.integers(0, 4, rows),
            "city": random.choice(["north, east", "süd", "😀 west", "=1+1"], rows),
            "owner": random.random(rows) < 0.3,
        }
    )


def outcomes(look: TableLook) -> dict[str | None, Outcome]:
    return {finding.subject: finding.outcome for finding in look.findings}


REFERENCE, QUIET, SHIFTED = people(3_000, 1), people(3_000, 2), people(3_000, 3, shift=0.5)


def test_a_quiet_table_passes_and_a_shifted_column_is_refused(run: Run) -> None:
    status, look = run(REFERENCE, QUIET)
    assert status == ExitCode.PASS
    assert set(outcomes(look).values()) == {Outcome.PASS}
    status, look = run(REFERENCE, SHIFTED)
    assert status == ExitCode.REFUSED
    assert [name for name, outcome in outcomes(look).items() if outcome is Outcome.FAIL] == ["income"]


def test_few_rows_are_insufficient_evidence_and_say_how_many_it_takes(run: Run) -> None:
    status, look = run(REFERENCE, QUIET.head(40))
    assert status == ExitCode.INSUFFICIENT_EVIDENCE
    (finding,) = [finding for finding in look.findings if finding.subject == "income"]
    assert finding.rows_needed is not None
    assert finding.rows_needed > 40
    status, look = run(REFERENCE, SHIFTED.head(1))
    assert status == ExitCode.INSUFFICIENT_EVIDENCE


@pytest.mark.parametrize("name", ["current.csv", "current.csv.gz", "current.parquet"])
def test_no_rows_are_not_evaluated(run: Run, name: str) -> None:
    status, look = run(REFERENCE, written(QUIET.head(0), name))
    assert status == ExitCode.NOT_EVALUATED
    assert look.current.rows == 0


def test_a_reference_without_rows_is_an_error(run: Run) -> None:
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE.head(0), QUIET)
    assert error.value.code == faults.NO_REFERENCE_ROWS.code


def direct_psi(reference: Sequence[int], current: Sequence[int]) -> float:
    before, now = (np.array(counts) / sum(counts) for counts in (reference, current))
    filled = (before > 0) & (now > 0)
    return float(((now - before)[filled] * np.log(now[filled] / before[filled])).sum())


def test_the_plain_value_is_the_textbook_formula_over_the_same_bins(run: Run) -> None:
    """The bins of the demo's documents, counted here by pandas, not by us."""
    _, look = run(REFERENCE, SHIFTED, "--point")
    edges = [-np.inf, *np.quantile(REFERENCE.income, np.arange(1, 10) / 10, method="inverted_cdf"), np.inf]
    counts = [pd.cut(table.income, edges).value_counts(sort=False) for table in (REFERENCE, SHIFTED)]
    cities = [table.city.value_counts().sort_index() for table in (REFERENCE, SHIFTED)]
    values = {finding.subject: finding.value for finding in look.findings}
    assert values["income"] == pytest.approx(direct_psi(*counts), abs=1e-9)
    assert values["city"] == pytest.approx(direct_psi(*cities), abs=1e-9)


def test_point_prints_how_often_it_is_wrong(run: Run) -> None:
    """The false-alarm rate it states is the rate that is seen on quiet tables of that size."""
    _, look = run(REFERENCE, QUIET.head(100), "--point", "--columns", "income")
    (_, finding) = look.findings
    random, alarms = np.random.default_rng(0), 0
    edges = np.quantile(REFERENCE.income, np.arange(1, 10) / 10, method="inverted_cdf")
    before = np.bincount(np.searchsorted(edges, REFERENCE.income), minlength=10)
    for _ in range(2_000):
        now = np.bincount(np.searchsorted(edges, random.lognormal(0, 0.5, 100)), minlength=10)
        alarms += direct_psi(before, now) > 0.1
    assert finding.false_alarm == pytest.approx(alarms / 2_000, abs=0.05)
    assert finding.level is None


def test_columns_that_are_missing_or_new(run: Run) -> None:
    status, look = run(REFERENCE, QUIET.drop(columns="city").assign(fresh=1))
    assert status == ExitCode.REFUSED
    assert look.findings[0].outcome is Outcome.FAIL
    assert "`city`" in look.findings[0].reason
    assert "fresh" in " ".join(look.notes)


def test_a_constant_column_is_judged(run: Run) -> None:
    constant = pd.DataFrame({"x": np.full(500, 5)})
    assert run(constant, constant)[0] == ExitCode.PASS
    assert run(constant, constant + 1)[0] == ExitCode.REFUSED
    assert run(constant, constant - 1)[0] == ExitCode.REFUSED


def test_a_column_without_values_is_never_a_pass(run: Run) -> None:
    some, none = pd.DataFrame({"x": np.arange(500) % 7}), pd.DataFrame({"x": np.full(500, np.nan)})
    assert run(some, none)[0] == ExitCode.REFUSED
    assert run(none, some)[0] == ExitCode.REFUSED
    status, look = run(none, none)
    assert status == ExitCode.NOT_EVALUATED
    assert "x" in look.not_judged


def test_identifiers_and_dates_are_not_judged_unless_asked_for(run: Run) -> None:
    def table(start: int) -> pd.DataFrame:
        numbers = np.arange(start, start + 1_000)
        return pd.DataFrame(
            {
                "id": numbers,
                "name": [f"p{number}" for number in numbers],
                "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(numbers, unit="h"),
                "x": numbers % 11,
                "y": numbers % 7,
                "z": numbers % 3,
            }
        )

    status, look = run(table(0), table(50_000))
    assert status == ExitCode.PASS
    assert set(look.not_judged) == {"id", "name", "day"}
    for column in ("id", "day"):
        assert run(table(0), table(50_000), "--columns", column)[0] == ExitCode.REFUSED
    assert "many categories" in " ".join(run(table(0), table(50_000), "--columns", "name")[1].notes)


def test_amounts_that_all_differ_are_no_identifiers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row numbers of a sampled table are identifiers, too."""
    monkeypatch.setattr(tables, "SAMPLE_ROWS", 500)
    random = np.random.default_rng(8)

    def table(start: int) -> pd.DataFrame:
        amounts = random.choice(10_000_000, 20_000, replace=False)
        return pd.DataFrame({"id": np.arange(start, start + 20_000), "amount": amounts})

    status, look = run(table(0), table(50_000))
    assert status == ExitCode.PASS
    assert set(look.not_judged) == {"id"}


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([1.0, 2.0, None, 3.0], ["1", "2", None, "3"]),
        (["1", "2", None, "3"], [1.0, 2.0, None, 3.0]),
        (["01", "02", None, "03"], [1, 2, None, 3]),
        ([True, False, None, True], ["True", "false", None, "TRUE"]),
        (["true", "false", None, "true"], [True, False, None, True]),
        ([True, False, None, True], [1, 0, None, 1]),
        ([1, 0, None, 1], [True, False, None, True]),
        (["1", "x", "", "1"], [1, None, None, 1]),
    ],
)
def test_the_same_values_written_in_another_way_are_no_drift(
    run: Run, reference: list[Any], current: list[Any]
) -> None:
    before, now = (pd.DataFrame({"code": values * 400}) for values in (reference, current))
    status, look = run(before, now, "--point")
    (finding,) = [finding for finding in look.findings if finding.subject == "code"]
    expected = 0.0 if reference[1] != "x" else None
    if expected is not None:
        assert finding.value == pytest.approx(0.0, abs=1e-12)
        assert status == ExitCode.PASS
    else:
        assert finding.outcome is Outcome.FAIL


def test_texts_among_numbers_count_as_no_numbers(run: Run) -> None:
    numbers = pd.DataFrame({"x": np.arange(1_000) % 50})
    texts = numbers.astype(str)
    assert run(numbers, texts)[0] == ExitCode.PASS
    texts.loc[::10, "x"] = "unknown"
    assert run(numbers, texts)[0] == ExitCode.REFUSED


def test_numbers_that_cannot_be_read_are_said_to_be_none(run: Run) -> None:
    """`1.5k` is not 1.5: the note must not say that it was read."""
    numbers = pd.DataFrame({"x": np.arange(1_000) % 50 + 0.5, "y": np.arange(1_000) % 7})
    thousands = numbers.assign(x=[f"{value}k" for value in numbers["x"]])
    status, look = run(numbers, thousands.astype(str))
    assert status == ExitCode.REFUSED
    of_x, of_y = sorted(look.notes)
    assert "1,000 of the 1,000 values of x" in of_x and "read as numbers" not in of_x
    assert of_y == "y is text in the current table, read as numbers"


AMOUNTS = people(2_000, 5)[["income", "children"]].assign(debt=people(2_000, 6).income * 1_000)
MORE = people(1_500, 9, shift=0.5)[["income", "children"]].assign(debt=people(1_500, 7).income * 1_000)


def european(table: pd.DataFrame, name: str, delimiter: str = ";") -> str:
    table.to_csv(name, index=False, sep=delimiter, decimal=",")
    return name


def with_unit(table: pd.DataFrame, name: str) -> str:
    table.assign(income=[f"{value:.3f} %" for value in table.income]).to_csv(name, index=False)
    return name


def grouped(table: pd.DataFrame, name: str) -> str:
    """Points between thousands, decimal commas, a word for a missing value, in tabs."""
    debts = [f"{value:,.3f}".translate(str.maketrans(",.", ".,")) for value in table.debt]
    table.assign(debt=["n/a", *debts[1:]]).to_csv(name, index=False, sep="\t", decimal=",")
    return name


@pytest.mark.parametrize("before", [written, european, with_unit, grouped])
@pytest.mark.parametrize("now", [written, european, grouped])
def test_numbers_mean_the_same_however_a_file_writes_them(run: Run, before: Any, now: Any) -> None:
    """Separators, decimal marks and units are found for each file alone."""
    _, plain = run(AMOUNTS, MORE, "--point")
    status, look = run(before(AMOUNTS, "r.csv"), now(MORE, "c.csv"), "--point")
    assert status == ExitCode.REFUSED
    expected = {finding.subject: finding.value for finding in plain.findings}
    missing = 0.01 if grouped in (before, now) else 1e-9
    for finding in look.findings:
        assert finding.value == pytest.approx(expected[finding.subject], abs=missing), finding.subject
    assert not look.not_judged
    notes = " ".join(look.notes)
    assert ("decimal commas" in notes) == bool({before, now} & {european, grouped})
    assert ("`.` between thousands" in notes) == (grouped in (before, now))
    assert ("the unit `%`" in notes) == (before is with_unit)
    assert ("separated by `;`" in notes, "separated by a tab" in notes) == (
        european in (before, now),
        grouped in (before, now),
    )


def test_a_given_delimiter_holds_for_both_tables_and_the_hint_is_a_way_out(run: Run) -> None:
    paths = written(AMOUNTS, "r.csv"), european(MORE, "c.csv")
    with pytest.raises(ClearanceError) as error:
        run(*paths, "--delimiter", ",")
    assert error.value.code == "data.single_column"
    assert "leave `--delimiter` out" in error.value.hint
    assert run(*paths)[0] == ExitCode.REFUSED


def test_the_files_of_one_table_have_one_separator(run: Run, tmp_path: Path) -> None:
    (tmp_path / "months").mkdir()
    written(MORE, "months/a.csv")
    european(MORE, "months/b.csv")
    with pytest.raises(ClearanceError) as error:
        run(AMOUNTS, "months")
    assert error.value.code == "data.single_column"
    assert "months/" in error.value.fault and "the same mark" in error.value.hint


def test_numbers_that_may_be_two_numbers_are_no_pass(run: Run) -> None:
    """`1,234` is 1.234 or 1234. The other table may tell; nobody guesses."""
    values = np.arange(1_000, 3_000)
    doubtful = pd.DataFrame({"x": [f"{value:,}" for value in values], "y": values % 5, "z": values % 3})
    status, look = run(doubtful, doubtful)
    assert status == ExitCode.NOT_EVALUATED
    assert "`1,000` may be 1 or 1000" in look.not_judged["x"]
    assert look.findings[0].outcome is Outcome.NOT_EVALUATED
    status, look = run(doubtful, doubtful, "--columns", "x")
    assert "compared as text" in look.notes[0]
    certain = doubtful.assign(x=[f"{value / 1000:.2f}".replace(".", ",") for value in values])
    status, look = run(certain, doubtful)
    assert (status, look.not_judged) == (ExitCode.PASS, {})


def test_numbers_against_texts_that_name_their_rows_are_no_pass(run: Run) -> None:
    numbers = pd.DataFrame({"x": np.arange(1_000) + 0.5, "y": np.arange(1_000) % 5})
    words = numbers.assign(x=[f"{value}k" for value in numbers.x])
    status, look = run(words, numbers)
    assert status == ExitCode.NOT_EVALUATED
    assert set(look.not_judged) == {"x"}


def test_a_pass_of_fewer_than_half_of_the_columns_is_none_unless_they_were_chosen(run: Run) -> None:
    names = [f"p{number}" for number in range(1_000)]
    table = pd.DataFrame({"a": names, "b": names, "x": np.arange(1_000) % 7})
    status, look = run(table, table)
    assert (status, look.findings[0].outcome) == (ExitCode.NOT_EVALUATED, Outcome.NOT_EVALUATED)
    assert run(table, table, "--columns", "x")[0] == ExitCode.PASS
    assert run(table.drop(columns="b"), table)[0] == ExitCode.PASS


@pytest.mark.parametrize("name", ["current.csv", "current.parquet"])
def test_nothing_is_said_about_how_no_rows_are_read(run: Run, name: str) -> None:
    assert run(REFERENCE, written(QUIET.head(0), name))[1].notes == ()
    assert run(REFERENCE, written(QUIET.assign(income=np.nan, owner=None), name))[1].notes == ()


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%y", "%d %b %Y", "%d.%m.%Y %H:%M"])
def test_dates_are_not_judged_however_a_file_writes_them(run: Run, form: str) -> None:
    def table(first: str) -> pd.DataFrame:
        days = pd.Timestamp(first) + pd.to_timedelta(np.arange(1_000) // 20, unit="D")
        return pd.DataFrame({"day": days.strftime(form), "x": np.arange(1_000) % 7})

    status, look = run(written(table("2026-01-01"), "r.csv"), written(table("2026-05-01"), "c.csv"))
    assert (status, set(look.not_judged)) == (ExitCode.PASS, {"day"})


def test_numbers_that_begin_after_many_empty_rows_are_read(run: Run) -> None:
    table = pd.DataFrame({"x": [np.nan] * 3_000 + list(people(3_000, 11).income), "y": np.arange(6_000) % 3})
    look = run(table, european(table, "c.csv"), "--point")[1]
    assert {finding.value for finding in look.findings} == {0.0}


def test_a_column_whose_name_differs_in_case_is_named(run: Run) -> None:
    _, look = run(QUIET, QUIET.rename(columns={"city": "City ", "owner": "keeper"}))
    assert "`City ` is there" in look.findings[0].reason and "`keeper`" not in look.findings[0].reason


def test_new_values_are_asked_of_categories_alone(run: Run, tmp_path: Path) -> None:
    rule = {"id": "new", "metric": "data.unseen_share", "limit": {"at_most": 0.01}}
    new, policy = QUIET.assign(city="new"), policy_with(tmp_path, rule)
    status, look = run(QUIET, new, "--policy", policy, threshold=None)
    judged = {finding.subject for finding in look.findings} - {None}
    assert status == ExitCode.REFUSED and judged == {"city", "owner"}


@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.floats(width=32) | st.sampled_from([0.0, 1.0]),
            st.none() | st.sampled_from(["a", "b,c", 'd"e', "😀", "1.50"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_cells_are_those_of_the_baseline(rows: list[tuple[float | None, str | None]]) -> None:
    """What is counted in one scan by comparison is what the monitor counts row by row."""
    frame = pd.DataFrame(rows, columns=["x", "c"]).astype({"x": "float64", "c": object})
    with duckdb.connect() as connection:
        connection.register("source", frame)
        table = tables.Table(
            connection=connection, path="-", rows=len(frame), types={"x": "DOUBLE", "c": "VARCHAR"}
        )
        compared = tables.columns(table, table, ["x", "c"])
        kinds = {name: column.kind for name, column in compared.items()}
        samples = tables.samples(table, {name: compared[name].reference for name in kinds}, kinds)
        cells = {name: tables.cells(column.kind, samples[name]) for name, column in compared.items()}
        counts = tables.count(table, {name: column.current for name, column in compared.items()}, cells)
    for name in ("x", "c"):
        assert cells[name] == bins.of_column(frame[name])
        expected = bins.count(cells[name], bins.places(cells[name], frame[name]))
        assert counts[name].tolist() == expected.tolist()


def test_a_long_reference_is_sampled_the_same_way_every_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Periodic rows are sampled evenly, and counts are of all rows."""
    monkeypatch.setattr(tables, "SAMPLE_ROWS", 500)
    random = np.random.default_rng(4)
    reference = pd.DataFrame({"x": random.normal(np.arange(20_000) % 7, 0.1)})
    current = pd.DataFrame({"x": random.normal(np.arange(20_000) % 7, 0.1)})
    looks = [run(reference, current) for _ in range(2)]
    assert looks[0] == looks[1]
    status, look = looks[0]
    assert status == ExitCode.PASS
    assert look.sampled_rows == 500
    assert look.findings[1].reference_rows == 20_000


def test_three_hundred_columns_share_one_error_budget(run: Run) -> None:
    random = np.random.default_rng(5)
    wide = [
        pd.DataFrame(random.normal(size=(2_000, 300)), columns=[f"x{i}" for i in range(300)]) for _ in "ab"
    ]
    wide[1]["x7"] += 1
    status, look = run(*wide)
    assert status == ExitCode.REFUSED
    assert [name for name, outcome in outcomes(look).items() if outcome is Outcome.FAIL] == ["x7"]
    (finding,) = look.findings[8:9]
    assert finding.level == pytest.approx(0.05 / 300)


def test_a_daily_look_spends_its_share_of_the_year(run: Run) -> None:
    assert run(REFERENCE, QUIET)[1].level == pytest.approx(0.05)
    assert run(REFERENCE, QUIET, "--period", "day")[1].level == pytest.approx(0.05 / 366)
    look = run(REFERENCE, QUIET, "--period", "week", "--error-budget", "0.01")[1]
    assert look.level == pytest.approx(0.01 / 53)


def test_folders_are_tables(run: Run, tmp_path: Path) -> None:
    for name, part in {"a": QUIET[:1_000], "b": QUIET[1_000:]}.items():
        (tmp_path / "month").mkdir(exist_ok=True)
        part.to_csv(tmp_path / f"month/{name}.csv.gz", index=False)
    status, look = run(REFERENCE, "month")
    assert (status, look.current.rows) == (ExitCode.PASS, 3_000)


def test_dates_mean_the_same_in_every_format(run: Run) -> None:
    days = pd.DataFrame({"day": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(500) % 90, unit="D")})
    for name in ("days.csv", "days.parquet"):
        status, look = run(days, written(days, name), "--point", "--columns", "day")
        assert (status, look.findings[1].value) == (ExitCode.PASS, pytest.approx(0))
    zoned = days.assign(day=days.day.dt.tz_localize("UTC"))
    for table in (days.astype("datetime64[ns]"), days.astype("datetime64[s]"), zoned):
        look = run(days, table, "--point", "--columns", "day")[1]
        assert look.findings[1].value == pytest.approx(0)
    assert run(days, days.assign(day=days.day.dt.date), "--columns", "day")[0] == ExitCode.PASS
    assert run(days, days + pd.Timedelta("60D"), "--columns", "day")[0] == ExitCode.REFUSED


def test_every_width_of_a_number_is_the_same_number(run: Run) -> None:
    whole = pd.DataFrame({"x": np.arange(500) % 7})
    decimals = whole.map(lambda value: Decimal(int(value)).quantize(Decimal("0.01")))
    for table in (whole.astype("int8"), whole.astype("float32"), whole.astype("Int64"), decimals):
        for pair in ((whole, table), (table, whole)):
            assert run(*pair, "--point")[1].findings[1].value == pytest.approx(0)
    assert run(whole, whole.astype(str).astype("category"))[0] == ExitCode.PASS


def test_lists_are_not_judged_and_not_passed_when_asked_for(run: Run) -> None:
    table = pd.DataFrame({"x": np.arange(500) % 5, "tags": [["a"]] * 500})
    status, look = run(table, table)
    assert status == ExitCode.PASS
    assert set(look.not_judged) == {"tags"}
    status, look = run(table, table, "--columns", "x", "tags")
    assert status == ExitCode.NOT_EVALUATED
    assert outcomes(look)["tags"] is Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\xff\xfe\x01", "data.not_text"),
        (b"a,b\n1,2,3\n", "data.csv_field_count"),
        (b"", "data.no_header"),
        (b"\x1f\x8bx", "data.packed_file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error_without_settings_of_a_project(
    run: Run, tmp_path: Path, content: bytes, code: str
) -> None:
    (tmp_path / "current.csv").write_bytes(content)
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, "current.csv")
    assert error.value.code == code
    assert "current.csv" in error.value.fault
    assert "source." not in error.value.hint
    assert "params.yaml" not in error.value.hint


def test_a_name_with_a_wildcard_is_refused(run: Run) -> None:
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, written(QUIET, "part[1].csv"))
    assert error.value.code == "data.wildcard_in_file_name"


def policy_with(tmp_path: Path, *rules: dict[str, Any]) -> str:
    """The demo's policy with these rules on live decisions."""
    content = yaml.safe_load((ROOT / "policies/demo.yaml").read_text(encoding="utf-8"))
    dated = {"kind": "engineering", "source": "this test", "valid_from": "2026-01-01"}
    content["monitoring"] = {
        "false_alarms": 0.03,
        "looks": ["day", "month"],
        "rules": [dated | rule for rule in rules],
    }
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return "policy.yaml"


PSI = {"id": "stable", "metric": "drift.psi", "limit": {"at_most": 0.1}}


def test_a_policy_gives_rules_and_budget(run: Run, tmp_path: Path) -> None:
    shift = {"id": "shift", "metric": "drift.shift", "of": ["income"], "limit": {"at_most": 0.05}}
    parity = {
        "id": "parity",
        "metric": "fairness.demographic_parity_difference",
        "attribute": "race",
        "limit": {"at_most": 0.1},
    }
    policy = policy_with(tmp_path, PSI, shift, parity)
    status, look = run(REFERENCE, SHIFTED, "--policy", policy, "--period", "day", threshold=None)
    assert status == ExitCode.REFUSED
    assert look.level == pytest.approx(0.03 / 2 / 366)
    assert look.policy_sha256 == files.sha256(tmp_path / "policy.yaml")
    judged = {(finding.rule, finding.subject): finding.outcome for finding in look.findings}
    assert judged["shift", "income"] is Outcome.FAIL
    assert ("shift", "city") not in judged
    assert "parity" not in {rule for rule, _ in judged}
    assert "parity" in look.notes[0]
    assert run(REFERENCE, SHIFTED, "--policy", policy, threshold="0.2")[1].findings[-1].at_most == 0.2


def test_a_change_of_correlation_alone_is_seen_by_all_columns_together(run: Run, tmp_path: Path) -> None:
    together = {"id": "together", "metric": "drift.all_features", "limit": {"at_most": 0.52}}
    policy = policy_with(tmp_path, PSI, together)
    random = np.random.default_rng(3)
    apart, along = (random.normal(size=(1500, 2)).round(3) for _ in range(2))
    along[:, 1] = (0.8 * along[:, 0] + 0.6 * along[:, 1]).round(3)
    table, changed = (pd.DataFrame(rows, columns=["income", "debt"]) for rows in (apart, along))
    again = pd.DataFrame(random.normal(size=(1500, 2)).round(3), columns=table.columns)
    status, look = run(table, changed, "--policy", policy, threshold=None)
    assert status == ExitCode.REFUSED
    failing = [finding.rule for finding in look.findings if finding.outcome is Outcome.FAIL]
    assert failing == ["together"]
    quiet = run(table, again, "--policy", policy, threshold=None)[1]
    assert Outcome.FAIL not in {finding.outcome for finding in quiet.findings}


@pytest.mark.parametrize("factor", [1000, 0.1])
def test_a_changed_unit_is_named(run: Run, tmp_path: Path, factor: float) -> None:
    policy = policy_with(tmp_path, {"id": "unit", "metric": "data.unit_factor", "limit": {"at_most": 0.5}})
    assert run(REFERENCE, SHIFTED, "--policy", policy, threshold=None)[0] == ExitCode.PASS
    now = QUIET.assign(income=QUIET.income * factor)
    status, look = run(REFERENCE, now, "--policy", policy, threshold=None)
    assert status == ExitCode.REFUSED
    assert [finding.subject for finding in look.findings if finding.outcome is Outcome.FAIL] == ["income"]
    assert look.findings[1].value == pytest.approx(abs(np.log10(factor)), abs=0.1)


def test_a_column_that_a_rule_names_and_nobody_has_is_never_a_pass(run: Run, tmp_path: Path) -> None:
    policy = policy_with(tmp_path, PSI | {"of": ["income", "incme"]})
    status, look = run(REFERENCE, QUIET, "--policy", policy, threshold=None)
    assert status == ExitCode.NOT_EVALUATED
    assert outcomes(look)["incme"] is Outcome.NOT_EVALUATED


def test_a_policy_without_a_rule_for_tables_is_an_error(run: Run, tmp_path: Path) -> None:
    policy = policy_with(tmp_path, PSI | {"valid_until": "2026-01-02"})
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, QUIET, "--policy", policy, threshold=None)
    assert error.value.code == faults.NO_TABLE_RULE.code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--threshold", "0"], faults.OPTION_VALUE.code),
        (["--threshold", "0.1", "--report", "."], faults.OPTION_VALUE.code),
        (["--threshold", "0.1", "--report", "absent/look.json"], faults.OPTION_VALUE.code),
        (["--threshold", "nan"], faults.OPTION_VALUE.code),
        (["--threshold", "0,1"], faults.OPTION_VALUE.code),
        (["--threshold", "0.1", "--error-budget", "5%"], faults.OPTION_VALUE.code),
        (["--threshold", "0.1", "--period", "year"], faults.WRONG_OPTIONS.code),
        (["--treshold", "0.1"], faults.WRONG_OPTIONS.code),
        (["--threshold", "0.1", "--error-budget", "1"], faults.OPTION_VALUE.code),
        ([], faults.NOTHING_TO_JUDGE.code),
        (["--threshold", "0.1", "--columns", "incme"], faults.UNKNOWN_COLUMN.code),
        (["--policy", "absent.yaml"], faults.NO_SUCH_FILE.code),
        (["--threshold", "0.1", "--current", "absent.csv"], faults.NO_SUCH_FILE.code),
    ],
)
def test_a_wrong_option_is_one_clear_error(run: Run, words: list[str], code: str) -> None:
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, QUIET, *words, threshold=None)
    assert error.value.code == code
    assert error.value.exit_code == ExitCode.ERROR


def test_the_text_says_what_failed_first_and_what_was_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = SHIFTED.rename(columns={"city": "city\x1b[31m\nerror"})
    paths = [written(REFERENCE.rename(columns={"city": "city\x1b[31m\nerror"}), "r.parquet")]
    paths += [written(hostile, "c.parquet")]
    words = ["--reference", paths[0], "--current", paths[1], "--threshold", "0.1", "--report", "look.json"]
    monkeypatch.setattr(sys, "argv", ["tasks.monitor", *words])
    with pytest.raises(SystemExit):
        monitor.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("drift: c.parquet (3,000 rows)")
    assert "income" in lines[1]
    assert "owner" in lines[2]
    assert "\x1b" not in "".join(lines)
    look = TableLook.from_json(json.loads((tmp_path / "look.json").read_text(encoding="utf-8")))
    assert look.outcome is Outcome.FAIL


def test_a_headline_without_drift_says_in_how_many_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tables_ = [table.assign(id=[f"p{n}" for n in range(len(table))]) for table in (REFERENCE, QUIET)]
    words = ["--reference", written(tables_[0], "r.csv"), "--current", written(tables_[1], "c.csv")]
    monkeypatch.setattr(sys, "argv", ["tasks.monitor", *words, "--threshold", "0.1"])
    with pytest.raises(SystemExit):
        monitor.main()
    headline = capsys.readouterr().out.splitlines()[0]
    assert headline.startswith("no drift in 4 columns, 1 not judged: c.csv (3,000 rows)")


def test_the_guide_shows_commands_that_parse_and_lists_every_option() -> None:
    guide = (ROOT / "docs/monitoring-batch.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    containers = [step for block in blocks for step in steps(yaml.safe_load(block))]
    assert len(containers) == 2
    for container in containers:
        assert monitor.parse([str(word) for word in container["args"]]).threshold == 0.1
    (table,) = re.findall(r"^## Options\n(.*?)^## ", guide, re.MULTILINE | re.DOTALL)
    options = {
        f"--{name.replace('_', '-')}" for name in vars(monitor.parse(["--reference=r", "--current=c"]))
    }
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == options
    assert set(re.findall(r"--[a-z][a-z-]+", monitor.ARGUMENTS)) == options


def steps(content: Any) -> list[dict[str, Any]]:
    """The containers, anywhere in a manifest, that run the command."""
    if isinstance(content, list):
        return [step for inner in content for step in steps(inner)]
    if not isinstance(content, dict):
        return []
    own = [content] if "tasks.monitor" in content.get("command", ()) else []
    return own + [step for inner in content.values() for step in steps(inner)]


def test_a_wide_table_has_few_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed columns have a line each; what is open or quiet is counted."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(6)
    names = [f"x{index}" for index in range(100)]
    reference = pd.DataFrame(random.normal(size=(3_000, 100)), columns=names)
    current = pd.DataFrame(random.normal(size=(60, 100)), columns=names)
    current[names[:15]] += 3
    words = ["--reference", written(reference, "r.parquet"), "--current", written(current, "c.parquet")]
    monkeypatch.setattr(sys, "argv", ["tasks.monitor", *words, "--threshold", "0.1"])
    with pytest.raises(SystemExit):
        monitor.main()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("  fail: ") for line in lines) == 15
    assert len(lines) < 25
    assert [line for line in lines if re.search(r"insufficient evidence: also .* and \d+ more", line)]


EVIDENTLY_PSI = {
    "income": 0.8226870901543999,
    "children": 0.0016980436891577866,
    "city": 0.0010240516058450265,
    "owner": 0.00013659215486868872,
}
"""What Evidently 0.7.23 computes for `cut(REFERENCE)` and `cut(SHIFTED)`: `print_evidently` below."""


def cut(table: pd.DataFrame) -> pd.DataFrame:
    """Columns with few values, of which Evidently makes the same cells as we do."""
    return table.assign(income=table.income.clip(0.2, 4).round(0))


def test_the_plain_value_is_evidentlys_over_the_same_cells(run: Run) -> None:
    _, look = run(cut(REFERENCE), cut(SHIFTED), "--point")
    values = {finding.subject: finding.value for finding in look.findings if finding.subject}
    for name, expected in EVIDENTLY_PSI.items():
        assert values[name] == pytest.approx(expected, abs=1e-9)


@pytest.mark.skipif("CLEARANCE_NIGHTLY" not in os.environ, reason="seven seconds: `make nightly`")
def test_the_recorded_values_are_evidentlys() -> None:
    pytest.importorskip("evidently", reason='`make setup EXTRAS="evidently"`')
    code = "from tests import test_monitor_task as test; test.print_evidently()"
    variables = os.environ | {"DO_NOT_TRACK": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, stdout=-1, check=True)
    values, flags = json.loads(done.stdout)
    assert values == pytest.approx(EVIDENTLY_PSI, abs=1e-12)
    for drifted, count in flags:
        assert len(drifted) == count


def print_evidently() -> None:
    """Print the values for `EVIDENTLY_PSI`, and what the study and the preset flag in some windows."""
    report = evidently_page.drift(cut(SHIFTED), cut(REFERENCE), ["city", "owner"], method="psi")
    flags = []
    for rows in (60, 600):
        windows = SHIFTED.head(rows), REFERENCE.tail(2 * rows), ["city", "owner"]
        flags.append((evidently_quiet.flagged(*windows), evidently_quiet.flagged_by_preset(*windows)))
    print(json.dumps([evidently_page.values(report), flags]))  # noqa: T201


def test_evidentlys_page_is_made_beside_the_verdict(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("evidently", reason='`make setup EXTRAS="evidently"`')
    status, _ = run(REFERENCE, SHIFTED, "--evidently", "page.html")
    assert status == ExitCode.REFUSED
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("income", "children", "city", "owner"))
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=.?https?:", page)  # it loads nothing


def test_without_evidently_the_option_is_an_error_before_anything_is_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, SHIFTED, "--evidently", "page.html")
    assert error.value.code == monitoring_faults.NO_EVIDENTLY.code


def test_a_page_that_cannot_be_made_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidently_page, "check_installed", lambda: None)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ClearanceError) as error:
        run(REFERENCE, SHIFTED, "--evidently", "page.html")
    assert error.value.code == monitoring_faults.EVIDENTLY_FAILED.code
    assert error.value.exit_code == ExitCode.TRANSIENT


ALONE = """
import socket, sys
from clearance.monitoring.batch import evidently_page
from tasks import monitor
sys.addaudithook(evidently_page._refuse_network)
sys.argv = ["tasks.monitor", *sys.argv[1:]]
try:
    monitor.main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = {"prefect", "mlflow", "dvc", "sklearn", "sqlalchemy", "great_expectations", "evidently"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
server = socket.create_server(("127.0.0.1", 0))
try:
    socket.create_connection(server.getsockname())
except PermissionError:
    sys.exit(0)
sys.exit("a connection was made")
"""


def test_it_needs_no_network_and_no_framework(tmp_path: Path) -> None:
    """In an empty folder, with connections refused, and none of the frameworks imported."""
    paths = [str(tmp_path / name) for name in ("r.parquet", "c.parquet")]
    REFERENCE.to_parquet(paths[0])
    QUIET.to_parquet(paths[1])
    words = ["--reference", paths[0], "--current", paths[1], "--threshold", "0.1"]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", ALONE, *words], cwd=tmp_path, env=variables, check=True)
