"""From decisions on record to counts: each figure against a plain loop over the rows."""

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance.data import input_checks
from clearance.documents.training_document import ModelInput
from clearance.inference_log.records import FAVOURABLE
from clearance.monitoring.counting import bins, decision_counts, sums
from clearance.monitoring.counting.decision_counts import Decided
from clearance.params.data import Column
from tests.support import watched

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def decided(rows: list[dict[str, Any]], **changes: Any) -> list[Decided]:
    """Decisions over three hours, of two groups by turns."""
    made = watched.decisions(watched.version(), rows, START, 3 * HOUR / max(1, len(rows)), **changes)
    return [
        Decided(
            hour=one.time.replace(minute=0, second=0, microsecond=0),
            inference=one,
            groups=(("race", ("Black", "White")[place % 2]),),
        )
        for place, one in enumerate(made)
    ]


def test_every_cell_is_that_of_a_plain_loop() -> None:
    version = watched.version()
    assert version.baseline is not None and version.baseline.score is not None
    rows = watched.inputs(300, 5)
    rows[7]["amount"], rows[8]["purpose"], rows[9]["purpose"] = None, None, "yacht, 🛥"
    made = decided(rows)
    counts = decision_counts.count(version, made)
    assert sum(part.rows for part in counts.values()) == 300 and len(counts) == 3
    for hour, part in counts.items():
        own = [one for one in made if one.hour == hour]
        for name, reference in version.baseline.features.items():
            values = pd.Series([one.inference.input[name] for one in own])
            typed = values.astype("float64") if reference.bins.kind == "number" else values
            assert part.features[name].tolist() == (
                bins.count(reference.bins, bins.places(reference.bins, typed)).tolist()
            )
        expected: Counter[Any] = Counter()
        edges = version.baseline.score.bins.edges
        for one in own:
            score = one.inference.score or 0.0
            cell = sum(edge < score for edge in edges)
            expected[one.groups, cell, int(one.inference.decision == FAVOURABLE)] += 1
        assert part.decisions == expected
        assert part.score.sum() == part.rows == part.skew_tried and part.skewed == 0


def test_counting_in_parts_is_counting_together() -> None:
    version, made = watched.version(), decided([*watched.inputs(60, 6), *watched.inputs(40, 6)])
    whole = decision_counts.count(version, made)
    seen: decision_counts.Seen = {}
    parts = [decision_counts.count(version, made[start : start + 7], seen) for start in range(0, 100, 7)]
    for hour, expected in whole.items():
        total = sums.add([part[hour] for part in parts if hour in part])
        assert sums.to_text(total) == sums.to_text(replace(expected, decisions=total.decisions))
        assert total.decisions == expected.decisions


def test_repeated_inputs_are_counted_within_their_hour() -> None:
    rows = watched.inputs(30, 7)
    counts = decision_counts.count(watched.version(), decided([*rows[:10], *rows[:10], *rows[:10]]))
    assert [part.repeated for part in counts.values()] == [0, 0, 0]
    twice = decision_counts.count(watched.version(), decided([row for row in rows for _ in range(2)]))
    assert sum(part.repeated for part in twice.values()) == 30


def test_a_score_that_the_pipeline_does_not_give_is_skewed() -> None:
    made = decided(watched.inputs(20, 8))
    one = made[3].inference
    made[3] = replace(made[3], inference=replace(one, score=(one.score or 0) + 1e-9))
    other = made[4].inference
    decision = "unfavourable" if other.decision == FAVOURABLE else FAVOURABLE
    made[4] = replace(made[4], inference=replace(other, decision=decision))
    made[5] = replace(made[5], inference=replace(made[5].inference, score=None))
    assert sum(part.skewed for part in decision_counts.count(watched.version(), made).values()) == 3


def test_rows_that_break_a_blocking_rule_are_counted_once() -> None:
    inputs = [ModelInput(name="amount", type="double"), ModelInput(name="purpose", type="string")]
    rules = {"amount": Column(min=0.0, max=110.0), "purpose": Column(values=["house"])}
    version = replace(watched.version(), checks=input_checks.of(inputs, rules), inputs=tuple(inputs))
    rows = watched.inputs(50, 9)
    broken = sum(not 0 <= row["amount"] <= 110 or row["purpose"] != "house" for row in rows)
    assert (
        sum(part.violations for part in decision_counts.count(version, decided(rows)).values()) == broken > 5
    )


def test_without_a_baseline_rows_and_groups_are_counted() -> None:
    version = replace(watched.version(), baseline=None)
    counts = decision_counts.count(version, decided(watched.inputs(30)))
    assert sum(part.rows for part in counts.values()) == 30
    assert all(not part.features and not len(part.score) for part in counts.values())


@pytest.mark.parametrize("value", [True, 3, "text", 1e300])
def test_values_of_other_types_are_in_some_cell(value: Any) -> None:
    made = decided(watched.inputs(3, 1))
    odd = replace(made[0].inference, input={"amount": value, "purpose": value, "ratio": None})
    counts = decision_counts.count(watched.version(), [replace(made[0], inference=odd)])
    (part,) = counts.values()
    assert all(cells.sum() == 1 for cells in part.features.values())
    assert part.features["amount"][-2] == (value == "text")  # text is no number: `other`


def test_no_value_of_a_person_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = watched.inputs(20, 2, amount=123.456789, purpose="canary-purpose")
    counts = decision_counts.count(watched.version(), decided(canaries, subject="canary-person"))
    text = "".join(map(sums.to_text, counts.values()))
    assert "canary" not in text and "123.456" not in text
    assert np.isfinite([part.rows for part in counts.values()]).all()
