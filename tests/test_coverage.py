"""What the docs say of the intervals is what was measured, and what was measured meets the bar."""

import json
from collections import Counter

import numpy as np
import pytest

from assurance import docs_tables, verdict_power
from assurance import interval_coverage as coverage
from clearance.metrics.disparity import METRICS

RECORD = json.loads(coverage.RECORD.read_text())


def test_the_docs_show_the_record() -> None:
    text = coverage.GUIDE.read_text()
    assert coverage.render(RECORD) in text
    assert docs_tables.placed(text, "coverage", coverage.render(RECORD)) == text
    with pytest.raises(ValueError, match="no marks"):
        docs_tables.placed(text, "another", "")


def test_both_ends_and_the_passing_end_meet_their_bars_in_every_stratum() -> None:
    assert coverage.below(RECORD) == []
    assert RECORD["truths"] >= coverage.TRUTHS
    assert len(set(RECORD["seeds"])) >= 3
    assert RECORD["fresh"] in RECORD["seeds"]


def test_small_groups_and_empty_cells_are_among_the_truths_and_no_small_group_is_dropped() -> None:
    rows = RECORD["rows"]
    assert rows["groups under 30 rows"] == rows["of them in the group table"] > 0
    assert rows["truths with an empty cell"] > 0


def test_every_metric_is_studied_or_it_is_said_why_not() -> None:
    assert set(METRICS) <= RECORD["coverage"].keys() | coverage.NOT_STUDIED.keys()


def test_a_rule_by_intervals_calls_fewer_fair_models_unfair_than_the_point_value() -> None:
    for by_stratum in RECORD["decisions"].values():
        for tally in by_stratum.values():
            assert tally.get("fair failed by interval", 0) / tally["fair"] <= 0.05
            assert tally.get("beyond passed by interval", 0) / tally["beyond"] <= 0.05


def test_an_interval_that_misses_the_truth_is_counted_as_a_miss() -> None:
    narrow = Counter[str]()
    for truth in np.linspace(0, 1, 11):
        coverage._add_pair(narrow, float(truth), [0.4, 0.6])
    assert (narrow["intervals"], narrow["held"]) == (11, 3)
    assert (narrow["low held"], narrow["high held"]) == (7, 7)
    record = {"coverage": {"accuracy_difference": {"20-29": dict(narrow)}}}
    assert [line.split(" of ")[0] for line in coverage.below(record)] == ["both ends", "passing end"]


def test_the_docs_show_what_a_pass_without_a_correction_lets_through() -> None:
    record = json.loads(verdict_power.RECORD.read_text())
    text = verdict_power.GUIDE.read_text()
    assert docs_tables.placed(text, "power", verdict_power.render(record)) == text
    assert verdict_power.broken(record) == []
    assert len(set(record["seeds"])) >= 3 and record["trials"] >= 3 * verdict_power.TRIALS
    six = next(
        at for at in record["scenes"] if (at["metric"], at["groups"], at["rows"]) == ("difference", 6, 1000)
    )
    assert six["equal passed before"] < 0.45 and six["equal passed after"] > 0.85
