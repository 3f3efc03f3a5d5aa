"""What the docs say of repeated attempts is what was simulated, and a spent level keeps its promise."""

from __future__ import annotations

import json

from assurance import attempts as study
from assurance import docs_tables

RECORD = json.loads(study.RECORD.read_text())


def test_the_docs_show_the_record() -> None:
    text = study.GUIDE.read_text()
    assert study.render(RECORD) in text
    assert docs_tables.placed(text, "attempts", study.render(RECORD)) == text


def test_the_record_keeps_the_level_on_fresh_and_on_the_same_rows() -> None:
    assert study.above_the_level(RECORD) == []
    assert RECORD["series"] >= 3 * study.SERIES
    assert RECORD["fresh"] in RECORD["seeds"]
    for by_rule in RECORD["passed"]["beyond the limit"].values():
        assert by_rule["today"]["ever"][-1] > 10 * by_rule["spent"]["ever"][-1]


def test_a_series_of_attempts_ever_passes_far_less_often_where_the_level_is_spent() -> None:
    record = study.measure([1], 60, attempts=20)
    beyond, fair = record["passed"]["beyond the limit"], record["passed"]["fair"]
    assert beyond["fresh rows"]["today"]["ever"][-1] >= 12
    assert max(by_rule["spent"]["ever"][-1] for by_rule in beyond.values()) <= 3
    assert fair["fresh rows"]["spent"]["alone"][0] >= 50
