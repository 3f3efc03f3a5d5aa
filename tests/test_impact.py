"""The impact table: the ratios an auditor computes by hand, and nobody dropped from it."""

import csv
import datetime as dt
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import files, params, paths
from clearance.documents.evidence_document import BlockedDocument, UnusableDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.reporting import impact_table
from tasks import assess, document
from tests.support import evidence, reported

TODAY = dt.date(2026, 11, 22)
RULE: dict[str, Any] = {
    "excludable_below": 0.02,
    "kind": "legal",
    "source": "a local law",
    "certainty": "secondary",
    "valid_from": "2023-07-05",
    "valid_until": None,
    "excluded": [{"attribute": "race", "category": "Ent", "justification": "only five people applied"}],
}
CELL = st.integers(0, 200)
GROUPS = st.dictionaries(
    st.text("ABCDE", min_size=1, max_size=2) | st.just(MISSING),
    st.tuples(CELL, CELL, CELL, CELL),
    min_size=1,
    max_size=6,
)


def found(
    groups: dict[str, tuple[int, int]], attribute: str = "race", above: dict[str, int] | None = None
) -> FairnessDocument:
    """A fairness document that counts so many selected of so many applicants in each group.

    Half of each group scores above the median unless `above` says how many do.
    """
    by_group = {name: evidence.group(k, 0, n - k, 0) for name, (k, n) in groups.items()}
    half = {name: -(-n // 2) for name, (_, n) in groups.items()}
    return evidence.fairness(
        {}, groups={attribute: by_group}, above_median={attribute: half if above is None else above}
    )


def rows(
    groups: dict[str, tuple[int, int]], rule: dict[str, Any] | None = None, day: dt.date = TODAY
) -> dict[str, impact_table.Row]:
    return {row.category: row for row in impact_table.table(found(groups), rule, day)}


def test_a_row_has_counts_rate_ratio_and_share() -> None:
    table = rows({"Elf": (60, 100), "Orc": (90, 300)})
    orc = table["Orc"]
    assert (orc.attribute, orc.applicants, orc.selected) == ("race", 300, 90)
    assert (orc.selection_rate, orc.impact_ratio, orc.share) == (0.3, 0.5, 0.75)
    assert (orc.excluded, orc.note) == (None, None)
    assert table["Elf"].impact_ratio == 1.0


def test_the_ratios_are_those_of_pandas_over_the_rows_and_of_the_assessment() -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"race": random.choice(["A", "B", "C"], 900), "score": random.random(900)})
    assessed = assess.assess(
        protected=frame[["race"]],
        label=random.integers(0, 2, 900),
        scores=frame["score"].to_numpy(),
        threshold=0.6,
        model_sha256=evidence.DIGEST,
        declared_groups={},
        options=params.Evaluate(resamples=100),
        seed=1,
    )
    rates = (frame["score"] >= 0.6).groupby(frame["race"]).mean()
    table = impact_table.table(assessed, None, TODAY)
    assert [row.impact_ratio for row in table] == pytest.approx(list(rates / rates.max()))
    scoring = (frame["score"] > frame["score"].median()).groupby(frame["race"]).mean()
    assert [row.scoring_rate for row in table] == pytest.approx(list(scoring))
    assert [row.scoring_impact_ratio for row in table] == pytest.approx(list(scoring / scoring.max()))
    lowest = min(row.scoring_impact_ratio or 0 for row in table)
    assert lowest == pytest.approx(assessed.measurements["scoring_rate_ratio"]["race"].value)
    ratio = assessed.measurements["demographic_parity_ratio"]["race"].value
    assert min(row.impact_ratio for row in table if row.impact_ratio is not None) == pytest.approx(ratio)


@pytest.mark.parametrize("rows_", [400, 401], ids=["even", "odd"])
def test_scores_are_above_the_median_of_everybody_the_unknown_among_them(rows_: int) -> None:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"race": random.choice(["A", "B", None], rows_), "sex": random.choice(["f", "m"], rows_)}
    )
    score = random.integers(0, 9, rows_) / 10
    assessed = assess.assess(
        protected=frame,
        label=random.integers(0, 2, rows_),
        scores=score,
        threshold=0.6,
        model_sha256=evidence.DIGEST,
        declared_groups={},
        options=params.Evaluate(resamples=100),
        seed=1,
    )
    table = {(row.attribute, row.category): row for row in impact_table.table(assessed, None, TODAY)}
    above = pd.Series(score > np.median(score))
    by_race = above.groupby(frame["race"].fillna(MISSING)).sum()
    assert {c: row.above_median for (a, c), row in table.items() if a == "race"} == by_race.to_dict()
    intersection = frame["race"] + " & " + frame["sex"]
    by_both = above.groupby(intersection.fillna(MISSING)).mean()
    rates = {c: row.scoring_rate for (a, c), row in table.items() if a == "race & sex"}
    assert rates == pytest.approx(by_both.to_dict())
    assert table["race", MISSING].scoring_impact_ratio is None


def test_a_scoring_rate_has_its_own_best_category_and_its_own_reasons() -> None:
    groups = {"Elf": (50, 100), "Orc": (20, 100), "Ent": (1, 2)}
    table = {
        row.category: row
        for row in impact_table.table(found(groups, above={"Elf": 20, "Orc": 80}), None, TODAY)
    }
    assert (table["Elf"].scoring_rate, table["Elf"].scoring_impact_ratio) == (0.2, 0.25)
    assert (table["Elf"].impact_ratio, table["Orc"].scoring_impact_ratio) == (1.0, 1.0)
    assert (table["Ent"].above_median, table["Ent"].scoring_impact_ratio) == (0, 0.0)
    none = {row.category: row for row in impact_table.table(found(groups, above={}), None, TODAY)}
    assert {row.scoring_impact_ratio for row in none.values()} == {None}
    assert none["Elf"].note == "no scoring ratio: nobody in any category scores above the median"
    uncounted = replace(found(groups), above_median=None)
    categories = {row.category: row for row in impact_table.table(uncounted, None, TODAY)}
    assert (
        categories["Elf"].above_median,
        categories["Elf"].scoring_rate,
        categories["Elf"].impact_ratio,
    ) == (None, None, 1.0)
    assert "the evidence does not say who scores above the median" in (categories["Elf"].note or "")


def test_a_category_left_out_is_in_neither_ratio_and_keeps_both_rates() -> None:
    table = impact_table.table(found(SMALL, above={"Elf": 200, "Orc": 100, "Ent": 5}), RULE, TODAY)
    by_name = {row.category: row for row in table}
    ent = by_name["Ent"]
    assert (ent.scoring_rate, ent.scoring_impact_ratio, ent.impact_ratio) == (1.0, None, None)
    assert (by_name["Elf"].scoring_impact_ratio, by_name["Orc"].scoring_impact_ratio) == (1.0, 0.5)


def test_the_unknown_are_counted_and_never_compared() -> None:
    table = rows({"Elf": (50, 100), "Orc": (40, 100), MISSING: (40, 50)})
    assert list(table) == ["Elf", "Orc", MISSING]
    unknown = table[MISSING]
    assert (unknown.applicants, unknown.selected, unknown.impact_ratio) == (50, 40, None)
    assert unknown.note == "category unknown: counted, never compared"
    assert (table["Elf"].impact_ratio, table["Elf"].share) == (1.0, 0.4)


SMALL = {"Elf": (250, 500), "Orc": (200, 500), "Ent": (5, 5)}


def test_a_small_category_is_left_out_with_its_justification_and_stays_with_count_and_rate() -> None:
    ent = rows(SMALL, RULE)["Ent"]
    assert (ent.applicants, ent.selected, ent.selection_rate, ent.impact_ratio) == (5, 5, 1.0, None)
    assert (ent.excluded, ent.note) == ("only five people applied", "left out of the ratios")
    assert rows(SMALL, RULE)["Orc"].impact_ratio == 0.8, "the best rate is that of who is compared"


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        (None, TODAY),
        (RULE | {"excluded": []}, TODAY),
        (RULE | {"excluded": [RULE["excluded"][0] | {"attribute": "sex"}]}, TODAY),
        (RULE | {"excludable_below": 0.001}, TODAY),
        (RULE, dt.date(2023, 7, 4)),
        (RULE | {"valid_until": "2026-11-21"}, TODAY),
    ],
    ids=["no rule", "no justification", "of another attribute", "not small", "before the law", "after it"],
)
def test_nothing_else_leaves_a_small_category_out(rule: dict[str, Any] | None, day: dt.date) -> None:
    table = rows(SMALL, rule, day)
    assert table["Ent"].excluded is None
    assert table["Ent"].impact_ratio == 1.0
    assert table["Orc"].impact_ratio == 0.4


def test_a_small_category_that_could_be_left_out_is_marked_and_a_vain_justification_said() -> None:
    assert rows(SMALL, RULE | {"excluded": []})["Ent"].note == "small: may be left out with a justification"
    assert rows(SMALL, RULE)["Elf"].note is None
    large = RULE | {"excluded": [RULE["excluded"][0] | {"category": "Orc"}]}
    assert "not left out" in (rows(SMALL, large)["Orc"].note or "")
    row = rows({"Elf": (1, 2), "Orc": (1, 2)}, RULE)["Ent"]
    assert (row.applicants, row.impact_ratio) == (0, None)
    assert "no applicants" in (row.note or "")


def test_an_intersection_is_excluded_whatever_the_order_it_is_written_in() -> None:
    rule = RULE | {"excluded": [RULE["excluded"][0] | {"attribute": "sex & race"}]}
    table = impact_table.table(found(SMALL, "race & sex"), rule, TODAY)
    assert {row.category for row in table if row.excluded} == {"Ent"}


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"Elf": (3, 9), "Orc": (0, 0)}, "no other category"),
        ({"Elf": (0, 9), "Orc": (0, 4)}, "nobody in any category is selected"),
        ({"Elf": (3, 9), MISSING: (1, 2)}, "no other category"),
    ],
)
def test_where_nothing_can_be_compared_there_is_no_ratio_and_a_reason(
    groups: dict[str, tuple[int, int]], why: str
) -> None:
    table = rows(groups)
    assert {row.impact_ratio for row in table.values()} == {None}
    assert why in (table["Elf"].note or "")


@given(GROUPS, st.sampled_from([0.02, 0.3, 0.9]))
def test_nobody_is_dropped_and_no_ratio_leaves_its_range(
    groups: dict[str, tuple[int, int, int, int]], below: float
) -> None:
    cells = {name: evidence.group(*counts) for name, counts in groups.items()}
    every = [{"attribute": "race", "category": name, "justification": "a reason"} for name in groups]
    for rule in (None, RULE | {"excludable_below": below, "excluded": every}):
        table = impact_table.table(evidence.fairness({}, groups={"race": cells}), rule, TODAY)
        assert {row.category for row in table} == set(groups)
        assert sum(row.applicants for row in table) == sum(sum(pair) for pair in groups.values())
        for row in table:
            assert row.impact_ratio is None or 0 <= row.impact_ratio <= 1
            assert row.impact_ratio is not None or row.note
            assert row.excluded is None or (row.share is not None and row.share < below)


def test_what_was_not_measured_has_no_rows() -> None:
    assert impact_table.table(BlockedDocument(because="validate_raw: a fault"), RULE, TODAY) == []
    stale = UnusableDocument(status="stale", because="another")
    assert impact_table.table(stale, None, TODAY) == []


def test_the_csv_holds_every_row_and_runs_nothing() -> None:
    table = list(rows({"=1+1": (1, 3), "Orc, the": (2, 3)}).values())
    read = list(csv.DictReader(io.StringIO(impact_table.to_csv(table))))
    assert [row["category"] for row in read] == ["'=1+1", "Orc, the"]
    assert float(read[0]["impact_ratio"]) == 0.5
    assert read[0]["excluded"] == ""


# In the report


def test_the_stage_writes_the_table_and_the_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = reported.documents()
    documents["fairness"]["above_median"]["race"]["Orc"] = 1
    documents["fairness"]["groups"]["race"]["Orc"] = {
        **documents["fairness"]["groups"]["race"]["Orc"],
        "count": 1,
        "cells": {"true_positive": 1, "false_positive": 0, "false_negative": 0, "true_negative": 0},
    }
    rule = RULE | {"excludable_below": 0.03, "certainty": "memory"}
    rule["excluded"] = [{"attribute": "race", "category": "Orc", "justification": "one <b>person</b>"}]
    root = reported.write(tmp_path, documents, rules=reported.policy(impact_table=rule))
    monkeypatch.chdir(root)
    document.main()
    read = list(csv.DictReader(io.StringIO((root / paths.IMPACT_TABLE).read_text())))
    assert [(row["category"], row["applicants"], row["selected"]) for row in read] == [
        ("Elf", "40", "20"),
        ("Ent", "0", "0"),
        ("Orc", "1", "1"),
    ]
    assert [row["excluded"] for row in read] == ["", "", "one <b>person</b>"]
    assert [(row["above_median"], row["scoring_rate"]) for row in read] == [
        ("22", "0.55"),
        ("0", ""),
        ("1", "1.0"),
    ]
    html = (root / paths.REPORT_PAGE).read_text()
    text = " ".join(reported.Parsed(html).texts("section"))
    assert "Impact ratios" in text
    assert "less than 3.0% of the rows may be left out" in text
    assert "a local law (not confirmed)" in text
    assert "One <b>person</b>. Left out of the ratios." in text
    assert files.read_json(root / "reports/verdict.json")["policy"]["impact_table"] == rule


def test_a_policy_without_the_rule_says_that_nobody_is_left_out(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    assert "This policy leaves no category out." in html
