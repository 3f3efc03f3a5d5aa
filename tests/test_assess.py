"""Groups are measured as by Fairlearn where it has a value, and undefined where it hides that it has none."""

from pathlib import Path
from typing import Any

import fairlearn.metrics as oracle
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clearance import files, params
from clearance.data.tables import prepared
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.errors import DataError
from clearance.metrics import counts, fairness, intervals
from clearance.metrics.counts import Cells
from clearance.metrics.disparity import METRICS
from tasks import assess, prepare
from tests.support import evidence, scored

Array = npt.NDArray[Any]
MEASURES = [
    *("demographic_parity_difference", "demographic_parity_ratio"),
    *("equalized_odds_difference", "missing_share"),
]
CELL = st.integers(0, 30)
TABLES = st.dictionaries(
    st.text("ABCDE ", min_size=1, max_size=3),
    st.builds(Cells, true_positive=CELL, false_positive=CELL, false_negative=CELL, true_negative=CELL).filter(
        lambda cells: cells.count > 0
    ),
    min_size=2,
    max_size=5,
)


def rows_of(groups: counts.Groups) -> tuple[pd.Series, Array, Array]:
    """The rows a table of cells counts: group, label, decision."""
    rows = [
        (None if group == MISSING else group, label, decision)
        for group, cells in groups.items()
        for label, decision, times in (
            (1, True, cells.true_positive),
            (0, True, cells.false_positive),
            (1, False, cells.false_negative),
            (0, False, cells.true_negative),
        )
        for _ in range(times)
    ]
    group, label, decision = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.Series(group, dtype=object), np.array(label, dtype=np.int8), np.array(decision, dtype=bool)


def of(selected: dict[str, tuple[int, int]]) -> dict[str, Cells]:
    """Groups with `selected` of so many rows, half of either kind labelled favourable."""
    return {
        group: Cells(
            true_positive=k - k // 2,
            false_positive=k // 2,
            false_negative=(n - k) - (n - k) // 2,
            true_negative=(n - k) // 2,
        )
        for group, (k, n) in selected.items()
    }


# Against Fairlearn


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_counting_gives_back_the_cells(groups: dict[str, Cells]) -> None:
    assert counts.count(*rows_of(groups), required=()) == dict(sorted(groups.items()))


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_the_group_table_is_metric_frames_over_the_rows(groups: dict[str, Cells]) -> None:
    group, label, decision = rows_of(groups)
    frame = oracle.MetricFrame(
        metrics={
            "count": oracle.count,
            "selection_rate": oracle.selection_rate,
            "true_positive_rate": oracle.true_positive_rate,
            "false_positive_rate": oracle.false_positive_rate,
        },
        y_true=label,
        y_pred=decision.astype(int),
        sensitive_features=group,
    ).by_group
    table = assess.group_table(groups, 0.95)
    for name, cells in groups.items():
        row, expected = table[name], frame.loc[name]
        assert row["count"] == expected["count"]
        assert row["selection_rate"] == pytest.approx(expected["selection_rate"], abs=1e-12)
        for rate, total in (
            ("true_positive_rate", cells.favourable),
            ("false_positive_rate", cells.unfavourable),
        ):
            assert row[rate] == (pytest.approx(expected[rate], abs=1e-12) if total else None)
            assert (row["intervals"][rate] is None) == (total == 0)
            if total:
                exact = stats.binomtest(round(row[rate] * total), total).proportion_ci(0.95, method="exact")
                assert row["exact_intervals"][rate] == pytest.approx([exact.low, exact.high], abs=1e-9)
            else:
                assert row["exact_intervals"][rate] is None
        crossed = assess.group_table(groups, 0.95, crossed=True)[name]
        for rate in ("selection_rate", "true_positive_rate", "false_positive_rate"):
            assert crossed[rate] == (row[rate] and pytest.approx(row[rate], abs=1e-12))


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_point_values_are_fairlearns_where_they_are_defined(groups: dict[str, Cells]) -> None:
    group, label, decision = rows_of(groups)
    measurements = fairness.measure(groups, 0.95)
    arguments = {"y_true": label, "y_pred": decision.astype(int), "sensitive_features": group}
    gap = measurements["demographic_parity_difference"].value
    assert gap == pytest.approx(oracle.demographic_parity_difference(**arguments), abs=1e-12)
    if decision.any():
        ratio = measurements["demographic_parity_ratio"].value
        assert ratio == pytest.approx(oracle.demographic_parity_ratio(**arguments), abs=1e-12)
    if all(cells.favourable and cells.unfavourable for cells in groups.values()):
        odds = measurements["equalized_odds_difference"].value
        assert odds == pytest.approx(oracle.equalized_odds_difference(**arguments), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.sampled_from([0.8, 0.95, 0.99]))
def test_every_measurement_lies_inside_its_bounds(groups: dict[str, Cells], confidence: float) -> None:
    for name, measurement in fairness.measure(groups, confidence).items():
        if measurement.value is not None and name != "missing_share":
            assert 0 <= measurement.low <= measurement.value + 1e-12  # type: ignore[operator]
            assert measurement.value - 1e-12 <= measurement.high <= 1  # type: ignore[operator]
            assert measurement.confidence == confidence


# What stays the same


@settings(max_examples=40, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_partitions_of_the_rows_add_up_in_any_order(groups: dict[str, Cells], shuffler: Any) -> None:
    group, label, decision = rows_of(groups)
    order = list(range(len(label)))
    shuffler.shuffle(order)
    cut = len(order) // 3
    parts = [counts.count(group.iloc[p], label[p], decision[p], groups) for p in (order[:cut], order[cut:])]
    totals = counts.count(group, label, decision, groups)
    for name, cells in totals.items():
        first, second = (part[name] for part in parts)
        assert cells.selected == first.selected + second.selected
        assert cells.favourable == first.favourable + second.favourable
        assert cells.count == first.count + second.count


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_the_names_of_groups_change_no_measurement(groups: dict[str, Cells]) -> None:
    new_groups = {f"z{len(groups) - at}": cells for at, cells in enumerate(groups.values())}
    first, second = fairness.measure(groups, 0.95), fairness.measure(new_groups, 0.95)
    for name in MEASURES:
        assert first[name].value == second[name].value
        assert first[name].low == pytest.approx(second[name].low, abs=1e-12)
        assert first[name].high == pytest.approx(second[name].high, abs=1e-12)


# The holes


def test_all_zero_predictions_leave_the_ratio_undefined_not_passed() -> None:
    groups = of({"a": (0, 50), "b": (0, 80)})
    measurements = fairness.measure(groups, 0.95)
    assert measurements["demographic_parity_ratio"].value is None
    assert "highest rate is 0" in str(measurements["demographic_parity_ratio"].undefined)
    assert measurements["demographic_parity_difference"].value == 0


def test_a_group_without_a_favourable_label_has_no_true_positive_rate() -> None:
    groups = {"a": Cells(true_positive=8, false_positive=3, false_negative=2, true_negative=9)}
    groups["b"] = Cells(false_positive=4, true_negative=6)
    assert oracle.true_positive_rate([0, 0], [0, 1]) == 0
    row = assess.group_table(groups, 0.95)["b"]
    assert row["true_positive_rate"] is None
    assert row["false_positive_rate"] == 0.4
    odds = fairness.measure(groups, 0.95)["equalized_odds_difference"]
    assert odds.undefined == "true positive rate: no rows to count in b"
    assert odds.support["b, favourable label"] == 0


def test_a_single_group_cannot_be_compared() -> None:
    measurements = fairness.measure(of({"a": (5, 50)}), 0.95)
    for name in MEASURES[:3]:
        assert "needs two groups" in str(measurements[name].undefined)


def test_a_group_that_is_known_and_has_no_test_rows_is_never_skipped() -> None:
    group, label, decision = rows_of(of({"a": (5, 50), "b": (9, 50)}))
    groups = counts.count(group, label, decision, ["a", "b", "vanished"])
    measurements = fairness.measure(groups, 0.95)
    for name in MEASURES[:3]:
        assert "no rows to count in vanished" in str(measurements[name].undefined)
    row = assess.group_table(groups, 0.95)["vanished"]
    assert (row["count"], row["selection_rate"]) == (0, None)


def test_unnamed_rows_are_counted_shown_and_not_compared() -> None:
    named_groups = of({"a": (20, 50), "b": (30, 50)})
    groups = counts.count(*rows_of(named_groups | of({MISSING: (0, 25)})), required=())
    with_missing, without = fairness.measure(groups, 0.95), fairness.measure(named_groups, 0.95)
    assert groups[MISSING].count == 25
    assert assess.group_table(groups, 0.95)[MISSING]["selection_rate"] == 0
    for name in MEASURES[:3]:
        assert with_missing[name] == without[name]
    assert with_missing["missing_share"].value == 0.2
    assert without["missing_share"].value == 0


def test_all_rows_unnamed_compare_nothing() -> None:
    groups = counts.count(*rows_of(of({MISSING: (10, 40)})), required=())
    measurements = fairness.measure(groups, 0.95)
    assert measurements["demographic_parity_difference"].value is None
    assert measurements["missing_share"].value == 1


def test_a_group_cannot_hide_behind_the_name_that_stands_for_none() -> None:
    group = pd.Series(["a", MISSING], name="race", dtype=object)
    label, decision = np.array([0, 1], dtype=np.int8), np.array([True, False])
    with pytest.raises(DataError, match="a group of `race` is called"):
        counts.count(group, label, decision, required=())
    with pytest.raises(DataError, match="missing"):
        counts.count(pd.Series(["a", "b"]), label, decision, required=[MISSING])


def measured(scores: Array) -> FairnessDocument:
    rows = len(scores)
    return assess.assess(
        protected=pd.DataFrame({"race": ["a", "b"] * (rows // 2)}, dtype=object),
        label=np.tile(np.array([0, 0, 1, 1], dtype=np.int8), rows // 4),
        scores=scores,
        threshold=0.5,
        model_sha256=evidence.DIGEST,
        declared_groups={"race": ["a", "b"]},
        options=params.Evaluate(),
        seed=1,
    )


def test_a_score_that_is_no_probability_leaves_everything_undefined() -> None:
    scores = np.linspace(0, 1, 40)
    assert measured(scores).measurements["demographic_parity_difference"]["race"].value is not None
    scores[3] = np.nan
    for by_attribute in measured(scores).measurements.values():
        assert by_attribute["race"].undefined == "1 of 40 scores are not probabilities"


def test_an_intersection_that_is_bad_while_both_margins_are_fine_is_seen() -> None:
    """Women of A and men of B are never favoured; by race alone and by sex alone all is equal."""
    race, sex = np.tile(["A", "A", "B", "B"], 200), np.tile(["f", "m", "f", "m"], 200)
    favoured = (race == "A") == (sex == "m")
    document = assess.assess(
        protected=pd.DataFrame({"race": race, "sex": sex}, dtype=object),
        label=np.tile(np.array([0, 1, 1, 0, 1, 0, 0, 1], dtype=np.int8), 100),
        scores=np.where(favoured, 0.9, 0.1),
        threshold=0.5,
        model_sha256=evidence.DIGEST,
        declared_groups={"race & sex": ["A & m"]},
        options=params.Evaluate(reference={"race": "B", "sex": "m"}),
        seed=1,
    )
    gap = document.measurements["demographic_parity_difference"]
    assert {name: measurement.value for name, measurement in gap.items()} == {
        "race": 0,
        "sex": 0,
        "race & sex": 1,
    }
    assert (gap["race & sex"].low or 0) > 0.9
    assert document.groups["race & sex"]["A & f"].selection_rate == 0
    worst = document.against_best["race & sex"][0]
    assert (worst.group, worst.impact_ratio) == ("A & f", 0)
    assert (worst.fisher_p_adjusted or 0) < 1e-50
    assert document.never_observed == {"race & sex": ()}
    assert document.family.attributes == ("race", "sex", "race & sex")
    reference = document.measurements["disparate_impact_reference_group"]
    assert reference["race"].value == 1
    assert "B & m has no success" in str(reference["race & sex"].undefined)


def test_intersections_stop_at_the_order_asked_for() -> None:
    for order, expected in ((1, 3), (2, 6), (3, 7)):
        document = assess.assess(
            protected=pd.DataFrame({name: ["x", "y"] * 20 for name in "abc"}, dtype=object),
            label=np.tile(np.array([0, 0, 1, 1], dtype=np.int8), 10),
            scores=np.linspace(0, 1, 40),
            threshold=0.5,
            model_sha256=evidence.DIGEST,
            declared_groups={},
            options=params.Evaluate(intersections=order),
            seed=1,
        )
        assert len(document.groups) == expected
        assert all(len(by_name) == expected for by_name in document.measurements.values())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_flipping_the_labels_and_the_declaration_together_changes_no_measurement(seed: int) -> None:
    """At fixed decisions: outcome 1 declared favourable, or all outcomes flipped and 0 declared so."""
    random = np.random.default_rng(seed)
    outcome = np.concatenate([[0, 1], random.integers(0, 2, 58)])
    race, scores = random.choice(["A", "B"], 60), random.integers(0, 9, 60) / 8
    base = params.load(scored.ROOT / "params.yaml").data.model_copy(update={"target": "y"})
    documents = []
    for flip, favourable in ((False, 1), (True, 0)):
        column = pa.chunked_array([1 - outcome if flip else outcome])
        label = prepare.label_of(column, base.model_copy(update={"favourable": favourable}))
        documents.append(
            assess.assess(
                protected=pd.DataFrame({"race": race}, dtype=object),
                label=label.to_numpy(zero_copy_only=False),
                scores=scores,
                threshold=0.5,
                model_sha256=evidence.DIGEST,
                declared_groups={},
                options=params.Evaluate(),
                seed=1,
            )
        )
    assert documents[0] == documents[1]


def test_no_test_rows_measure_nothing() -> None:
    for by_attribute in measured(np.zeros(0)).measurements.values():
        assert by_attribute["race"].value is None


def test_only_the_low_end_of_equalized_odds_is_corrected_for_both_rates() -> None:
    """One rate attains the larger difference, so `high` is that rate's own; `low` speaks of either."""
    groups = of({"a": (60, 200), "b": (120, 200)})
    odds = fairness.measure(groups, 0.95)["equalized_odds_difference"]
    alone = intervals.max_difference(
        {name: cells.true_positive for name, cells in groups.items()},
        {name: cells.favourable for name, cells in groups.items()},
        0.95,
    )
    assert odds.value == alone.value
    assert odds.low < alone.low  # type: ignore[operator]
    assert odds.high == alone.high
    assert odds.method == (
        "Newcombe hybrid score over both rates; high at 95% for each, low Bonferroni over 2 pairs of groups"
    )


# Which groups must show


def test_groups_are_known_from_the_declaration_and_from_every_row() -> None:
    data = params.load(scored.ROOT / "params.yaml").data.model_copy(
        update={"columns": {"race": params.Column(values=["Black", "White", 7, 8.0])}}
    )
    protected = pd.DataFrame({"race": ["Asian", None], "sex": ["female", None]}, dtype=object)
    crossed = assess.expected_groups(data, protected, intersections=2)
    assert crossed["race & sex"] == {"Asian & female"}
    assert assess.expected_groups(data, protected) == {
        "race": {"Black", "White", "7", "8", "Asian"},
        "sex": {"female"},
    }


# The stage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = scored.build(tmp_path / "project", scored.table(400))
    monkeypatch.chdir(root)
    return root


def test_the_stage_reports_every_group_of_every_attribute(project: Path) -> None:
    assess.main()
    document = files.read_json(project / "reports/fairness.json")
    test = prepared.read(project, "test")
    assert sorted(document["measurements"]) == sorted(METRICS)
    for attribute, expected in (("race", {"Black", "Hispanic", "White"}), ("sex", {"female", "male"})):
        groups = document["groups"][attribute]
        assert set(groups) - {MISSING} == expected
        assert sum(row["count"] for row in groups.values()) == len(test.label) == document["rows"]
        for row in groups.values():
            assert sum(row["cells"].values()) == row["count"]
    nulls = int(test.protected["race"].isna().sum())
    assert document["measurements"]["missing_share"]["race"]["value"] == nulls / len(test.label)


def test_a_group_only_in_training_is_undefined_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = scored.table(400)
    frame.loc[frame.index[frame["split"] == "train"][:20], "race"] = "Asian"
    monkeypatch.chdir(scored.build(tmp_path / "project", frame))
    assess.main()
    document = files.read_json(Path("reports/fairness.json"))
    gap = document["measurements"]["demographic_parity_difference"]
    assert gap["race"]["undefined"] == "no rows to count in Asian"
    assert gap["sex"]["value"] is not None


def test_the_stage_writes_the_same_bytes_twice(project: Path) -> None:
    assess.main()
    first = (project / "reports/fairness.json").read_bytes()
    assess.main()
    assert (project / "reports/fairness.json").read_bytes() == first


def test_a_blocked_training_blocks_the_assessment(project: Path) -> None:
    scored.block(project)
    assess.main()
    document = files.read_json(project / "reports/fairness.json")
    assert (document["status"], document["because"]) == ("blocked", "validate_raw: 3 rows are wrong")
