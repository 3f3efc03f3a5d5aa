"""Rows that weigh or come in clusters: weighted values, and no certainty out of copies."""

from collections.abc import Callable
from typing import Any

import fairlearn.metrics as oracle
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn

from clearance import params
from clearance.documents import measurement
from clearance.documents.fairness_document import FairnessDocument
from clearance.metrics import (
    contingency,
    count_rows,
    disparity,
    fairness,
    intervals,
    performance,
    rates,
    resampling,
    sampled,
    sampling_design,
    significance,
)
from clearance.metrics.sampling_design import Design
from clearance.policy import findings, schema
from tasks import assess
from tests.support import evidence

Array = npt.NDArray[Any]
ASKED = params.Evaluate(resamples=2000, reference={"race": "A"})
SAMPLING = intervals.Sampling(confidence=0.95, resamples=2000, seed=1)
DRAWN = {name for name in disparity.METRICS if "theil" in name or "entropy" in name}
NO_WEIGHTED_INTERVAL = DRAWN | {"calibration_error_highest"}
THRESHOLD = 0.5


def people(rows: int = 600, clusters: int = 60, seed: int = 0, groups: str = "AB") -> pd.DataFrame:
    """Rows of branches that decide in their own way; branches see both groups. Scores have ties."""
    random = np.random.default_rng(seed)
    branch = random.integers(0, clusters, rows)
    kind = random.normal(0, 0.8, clusters)
    race = random.choice(list(groups), rows)
    merit = random.normal(size=rows) + kind[branch] - 0.4 * (race == "B")
    return pd.DataFrame(
        {
            "race": race.astype(object),
            "sex": random.choice(["f", "m"], rows).astype(object),
            "label": (random.random(rows) < 1 / (1 + np.exp(-merit))).astype(np.int8),
            "score": (1 / (1 + np.exp(-merit - random.normal(0, 0.7, rows)))).round(2),
            "branch": branch,
            "weight": random.choice([0.5, 1.0, 4.0], rows),
        }
    )


def drawn(frame: pd.DataFrame, *, weight: bool = False, cluster: str | None = None) -> Design:
    at = None if cluster is None else np.unique(frame[cluster], return_inverse=True)[1]
    return Design(
        weight="weight" if weight else None,
        cluster=cluster,
        weights=frame["weight"].to_numpy() if weight else None,
        at=at,
    )


def document(frame: pd.DataFrame, how: Design, order: int = 2) -> dict[str, Any]:
    return assess.assess(
        protected=frame[["race", "sex"]],
        label=frame["label"].to_numpy(),
        scores=frame["score"].to_numpy(),
        threshold=THRESHOLD,
        model_sha256=evidence.DIGEST,
        declared_groups={},
        options=ASKED.model_copy(update={"intersections": order}),
        seed=1,
        design=how,
    ).to_json()


def measured(
    frame: pd.DataFrame, how: Design, order: int = 2
) -> dict[str, dict[str, measurement.Measurement]]:
    measurements = document(frame, how, order)["measurements"]
    return {
        metric: {name: measurement.Measurement.from_json(entry) for name, entry in by.items()}
        for metric, by in measurements.items()
    }


def widths(frame: pd.DataFrame, how: Design) -> dict[tuple[str, str], float]:
    return {
        (metric, name): estimate.high - estimate.low
        for metric, by in measured(frame, how).items()
        for name, estimate in by.items()
        if estimate.low is not None and estimate.high is not None
    }


# Weights


@pytest.mark.parametrize("cluster", [None, "branch"])
@pytest.mark.parametrize("seed", range(4))
def test_point_values_are_fairlearns_with_sample_weight(seed: int, cluster: str | None) -> None:
    frame = people(400, 40, seed, "ABC")
    estimates = measured(frame, drawn(frame, weight=True, cluster=cluster), order=1)
    decision = (frame["score"] >= THRESHOLD).astype(int)
    weight = frame["weight"]
    arguments: dict[str, Any] = {"y_true": frame["label"], "y_pred": decision}
    for name in ("race", "sex"):
        options = arguments | {"sensitive_features": frame[name], "sample_weight": weight}
        for metric in (
            "demographic_parity_difference",
            "demographic_parity_ratio",
            "equalized_odds_difference",
            "equalized_odds_ratio",
            "equal_opportunity_difference",
        ):
            expected = getattr(oracle, metric)(**options)
            assert estimates[metric][name].value == pytest.approx(expected, abs=1e-12), metric
        by: dict[str, tuple[Callable[..., float], str]] = {
            "false_positive_rate_difference": (oracle.false_positive_rate, "difference"),
            "false_negative_rate_difference": (oracle.false_negative_rate, "difference"),
            "true_negative_rate_difference": (oracle.true_negative_rate, "difference"),
            "predictive_parity_difference": (sklearn.precision_score, "difference"),
            "accuracy_difference": (sklearn.accuracy_score, "difference"),
            "accuracy_lowest": (sklearn.accuracy_score, "group_min"),
            "true_positive_rate_lowest": (oracle.true_positive_rate, "group_min"),
        }
        frames = {
            metric: oracle.MetricFrame(
                metrics=function,
                **arguments,
                sensitive_features=frame[name],
                sample_params={"sample_weight": weight},
            )
            for metric, (function, _) in by.items()
        }
        for metric, (_, way) in by.items():
            expected = getattr(frames[metric], way)()
            assert estimates[metric][name].value == pytest.approx(expected, abs=1e-12), metric
        areas = [
            sklearn.roc_auc_score(part["label"], part["score"], sample_weight=part["weight"])
            for _, part in frame.groupby(name)
        ]
        assert estimates["roc_auc_difference"][name].value == pytest.approx(
            max(areas) - min(areas), abs=1e-12
        )


def test_a_weight_of_k_has_the_value_of_k_rows() -> None:
    frame = people(300, 30, 1)
    frame["weight"] = np.random.default_rng(1).integers(1, 4, 300).astype(float)
    copies = frame.loc[frame.index.repeat(frame["weight"].astype(int))].reset_index(drop=True)
    weighted, repeated = (
        measured(frame, drawn(frame, weight=True)),
        measured(copies, sampling_design.INDEPENDENT),
    )
    for metric in set(disparity.METRICS) - NO_WEIGHTED_INTERVAL:
        for name, estimate in weighted[metric].items():
            assert estimate.value == pytest.approx(repeated[metric][name].value, abs=1e-12), (metric, name)
    assert weighted["demographic_parity_difference"]["race"].support == {
        race: int((frame["race"] == race).sum()) for race in "AB"
    }


def test_what_has_no_weighted_interval_is_undefined_and_says_why() -> None:
    frame = people()
    for how in (drawn(frame, weight=True), drawn(frame, weight=True, cluster="branch")):
        estimates = measured(frame, how)
        for metric in disparity.METRICS:
            estimate = estimates[metric]["race"]
            assert (estimate.value is None) == (metric in NO_WEIGHTED_INTERVAL), metric
            if estimate.value is None:
                assert str(estimate.undefined).startswith("no interval is known for it where rows"), metric
            elif metric != "missing_share":
                assert estimate.low is not None
                assert "rows weigh by `weight`" in estimate.method


def test_the_share_of_rows_without_a_group_is_weighted() -> None:
    frame = people(200)
    frame.loc[frame.index[:30], "race"] = None
    for cluster in (None, "branch"):
        share = measured(frame, drawn(frame, weight=True, cluster=cluster))["missing_share"]["race"]
        assert share.value == pytest.approx(frame["weight"][:30].sum() / frame["weight"].sum(), abs=1e-12)
        assert share.support == {"test rows": 200}


def test_uneven_weights_widen_and_equal_ones_change_nothing() -> None:
    frame = people()
    plain, uneven = widths(frame, sampling_design.INDEPENDENT), widths(frame, drawn(frame, weight=True))
    even = widths(frame.assign(weight=3.0), drawn(frame.assign(weight=3.0), weight=True))
    for pair in uneven:
        assert even[pair] == pytest.approx(plain[pair], rel=1e-9), pair
    key = ("demographic_parity_difference", "race")
    assert uneven[key] > 1.1 * plain[key]


def test_the_document_says_rows_weight_and_effective_rows_of_each_group() -> None:
    frame = people()
    report = document(frame, drawn(frame, weight=True))
    assert report["sampling"]["statement"] == "rows weigh by `weight` and are taken as independent"
    assert report["sampling"]["weight_sum"] == pytest.approx(frame["weight"].sum())
    for race, part in frame.groupby("race"):
        row = report["groups"]["race"][race]
        assert (row["count"], sum(row["cells"].values())) == (len(part), len(part))
        assert row["weight"] == pytest.approx(part["weight"].sum())
        assert 0.3 * len(part) < row["effective_rows"] < 0.75 * len(part)
        selected = np.average(part["score"] >= THRESHOLD, weights=part["weight"])
        assert row["selection_rate"] == pytest.approx(selected, abs=1e-12)
        assert row["label_rate"] == pytest.approx(np.average(part["label"], weights=part["weight"]))
    assert (
        document(frame, sampling_design.INDEPENDENT)["sampling"]["statement"]
        == "rows are taken as independent"
    )


def test_a_policy_counts_rows_for_support_whatever_they_weigh() -> None:
    frame = people(80, 80)
    frame["weight"] = 1000.0
    rule = schema.Rule.model_validate(
        {
            "id": "gap",
            "metric": "fairness.demographic_parity_difference",
            "attribute": "race",
            "limit": {"at_most": 1},
            "kind": "engineering",
            "source": "test",
            "valid_from": "2020-01-01",
            "severity": "block",
            "minimum_support": 60,
            "decides_by": "interval",
        }
    )
    finding = findings.evaluate(
        rule, "race", {"fairness": FairnessDocument.from_json(document(frame, drawn(frame, weight=True)))}
    )
    assert finding.outcome == measurement.Outcome.INSUFFICIENT_EVIDENCE
    assert "at least 60 rows" in finding.reason


# Clusters


@pytest.mark.parametrize("weight", [False, True])
def test_effective_rows_are_those_of_the_cluster_variance_by_hand(weight: bool) -> None:
    """The oracle: residuals summed by branch and squared, and the clusters that two groups share."""
    frame = people(800, 50, 3)
    how = drawn(frame, weight=weight, cluster="branch")
    decision = (frame["score"] >= THRESHOLD).to_numpy()
    table = contingency.encode(frame[["race"]])
    groups = count_rows.count(table, frame["label"].to_numpy(), decision, how).groups(["race"], (), 0.95)
    frame = frame.assign(chosen=decision, w=frame["weight"] if weight else 1.0)
    residuals, alone = {}, {}
    for race, group in frame.groupby("race"):
        part = group[group["label"] == 1]
        share = np.average(part["chosen"], weights=part["w"])
        rest = part["w"] * (part["chosen"] - share) / part["w"].sum()
        residuals[race] = rest.groupby(part["branch"]).sum().reindex(range(50), fill_value=0.0)
        rows, clusters = len(part), part["branch"].nunique()
        kish = part["w"].sum() ** 2 / (part["w"] ** 2).sum()
        own = part["w"] ** 2 * (part["chosen"] - share) ** 2
        weighed = share * (1 - share) / (own.sum() / part["w"].sum() ** 2)
        effective = min(kish, weighed, share * (1 - share) / (residuals[race] ** 2).sum())
        few = (1 - 1 / clusters) / (1 - 1 / rows)

        def left(level: float, rows: int = rows, clusters: int = clusters) -> float:
            return float((stats.t.ppf(level, rows - 1) / stats.t.ppf(level, clusters - 1)) ** 2)

        alone[race] = (share, effective * few * left(0.975), effective * few * left(1 - 0.05 / 4))
    lean = np.dot(residuals["A"], residuals["B"])
    lean /= np.sqrt((residuals["A"] ** 2).sum() * (residuals["B"] ** 2).sum())
    for race, (share, effective, beside) in alone.items():
        group = groups[race]
        at = rates.rate(group, "true_positive_rate", "alone")
        assert at.value == pytest.approx(share, abs=1e-12)
        assert at.total == pytest.approx(effective, rel=1e-9)
        comparison = rates.rate(group, "true_positive_rate", "compared")
        assert comparison.total == pytest.approx(beside / (1 + max(0.0, -lean)), rel=1e-9)


def test_a_cluster_a_row_is_as_independent_rows() -> None:
    frame = people(500).assign(own=np.arange(500))
    for weight in (False, True):
        one = measured(frame, drawn(frame, weight=weight, cluster="own"))
        other = measured(frame, drawn(frame, weight=weight))
        for metric, by in other.items():
            tolerance = 0.2 if metric in DRAWN else 1e-9  # others are drawn, 2,000 times
            for name, estimate in by.items():
                if metric == "calibration_error_highest" or estimate.low is None:
                    continue
                counterpart = one[metric][name]
                assert counterpart.value == pytest.approx(estimate.value, abs=1e-12)
                for end in ("low", "high"):
                    off = abs(getattr(estimate, end) - estimate.value)
                    near = abs(getattr(counterpart, end) - estimate.value)
                    assert near == pytest.approx(off, rel=tolerance, abs=1e-9), (metric, name)


@pytest.mark.parametrize("copies", [2, 7])
def test_copies_of_every_row_prove_nothing_new(copies: int) -> None:
    frame = people(1500).assign(own=np.arange(1500))
    many = frame.loc[frame.index.repeat(copies)].reset_index(drop=True)
    before, naive = widths(frame, sampling_design.INDEPENDENT), widths(many, sampling_design.INDEPENDENT)
    after = widths(many, drawn(many, cluster="own"))
    assert after.keys() == {key for key in before if key[0] != "calibration_error_highest"}
    for key, width in after.items():
        assert width == pytest.approx(before[key], rel=0.25 if key[0] in DRAWN else 0.03), key
        assert naive[key] < 0.9 * before[key], key


def test_where_all_rows_agree_each_cluster_counts_for_one() -> None:
    frame = people(400, 40).assign(score=0.9)
    gap = measured(frame, drawn(frame, cluster="branch"))["demographic_parity_difference"]["race"]
    bare = measured(frame, sampling_design.INDEPENDENT)["demographic_parity_difference"]["race"]
    assert (gap.value, bare.value) == (0, 0)
    assert gap.high > 2 * bare.high  # type: ignore[operator]


def test_groups_that_compete_within_a_branch_lean_on_each_other() -> None:
    """A branch favours one group or the other: their rates are apart by more than either varies."""
    random = np.random.default_rng(4)
    branch = np.repeat(np.arange(40), 20)
    race = np.where(np.arange(800) % 2, "A", "B").astype(object)
    decisions = random.random(800) < np.where((race == "A") == (branch % 2 == 0), 0.7, 0.1)
    frame = people(800).assign(race=race, score=np.where(decisions, 0.9, 0.1), branch=branch)
    frame["apart"] = 2 * branch + (race == "A")
    shared, baseline = (widths(frame, drawn(frame, cluster=name)) for name in ("branch", "apart"))
    key = ("demographic_parity_difference", "race")
    assert shared[key] > 1.2 * baseline[key]


def test_both_odds_of_a_lenient_branch_rise_together() -> None:
    """A branch that is lenient is so with either label: the mean of both rates varies more than two would."""
    random = np.random.default_rng(6)
    branch = np.repeat(np.arange(80), 20)
    lenient = random.random(80) < 0.5
    decisions = random.random(1600) < np.where(lenient[branch], 0.8, 0.2)
    frame = people(1600).assign(race=np.where(branch % 2, "A", "B").astype(object), branch=branch)
    frame["score"] = np.where(decisions, 0.9, 0.1)
    frame["label"] = random.integers(0, 2, 1600).astype(np.int8)
    frame["apart"] = 2 * branch + frame["label"]
    shared, baseline = (widths(frame, drawn(frame, cluster=name)) for name in ("branch", "apart"))
    key = ("average_odds_difference", "race")
    assert shared[key] > 1.2 * baseline[key]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_and_names_of_clusters_and_groups_change_nothing(seed: int) -> None:
    frame = people(1500, 60, seed % 5, "ABC")
    random = np.random.default_rng(seed)
    names = random.permutation(1000)[:60]
    variant = frame.sample(frac=1, random_state=seed % 2**31).reset_index(drop=True)
    variant["branch"] = [f"b{names[at]}" for at in variant["branch"]]
    variant["race"] = variant["race"].map({"A": "z", "B": "y", "C": "x"})
    options = ASKED.model_copy(update={"reference": {}})
    before, after = (disparities(each, drawn(each, cluster="branch"), options) for each in (frame, variant))
    assert all(before[metric].low is not None for metric in DRAWN)
    for metric, each in before.items():
        for end in ("value", "low", "high"):
            expected = getattr(each, end)
            assert getattr(after[metric], end) == (expected and pytest.approx(expected, abs=1e-9)), metric
        assert (after[metric].undefined is None) == (each.undefined is None)


def disparities(
    frame: pd.DataFrame, how: Design, options: params.Evaluate
) -> dict[str, measurement.Measurement]:
    encoding = contingency.encode(frame[["race"]])
    label, scores = frame["label"].to_numpy(), frame["score"].to_numpy()
    counts = count_rows.count(encoding, label, scores >= THRESHOLD, how)
    ranked = disparity.score(encoding, label, scores, how)
    groups = counts.groups(["race"], (), options.confidence)
    return disparity.measure(counts, ranked, groups=groups, over=["race"], options=options, seed=1)


def test_few_clusters_leave_a_group_undefined_and_say_how_many_there_are() -> None:
    frame = people(600, 60)
    frame.loc[frame["race"] == "B", "branch"] = frame["branch"] % 9
    report = document(frame, drawn(frame, cluster="branch"))
    for metric, by in report["measurements"].items():
        estimate = by["race"]
        if metric in ("missing_share", "calibration_error_highest", "disparate_impact_reference_group"):
            continue
        assert estimate["value"] is None, metric
        assert "only 9 clusters in B" in estimate["undefined"], metric
        assert "an interval needs 10" in estimate["undefined"]
    row = report["groups"]["race"]["B"]
    assert (row["clusters"], row["intervals"]["selection_rate"]) == (9, None)
    worst = report["against_best"]["race"][0]
    assert (worst["low"], worst["high"], worst["standard_deviations"]) == (None, None, None)
    assert "only 9 clusters in B" in worst["undefined"]
    assert report["sampling"]["statement"] == "resampled by `branch`, 59 clusters"
    assert measured(frame, drawn(frame, cluster="branch"))["accuracy_difference"]["sex"].low is not None


def test_a_group_without_rows_is_a_hole_and_not_a_group_of_few_clusters() -> None:
    frame = people()
    how = drawn(frame, cluster="branch")
    table = contingency.encode(frame[["race"]])
    decision = (frame["score"] >= THRESHOLD).to_numpy()
    groups = count_rows.count(table, frame["label"].to_numpy(), decision, how).groups(["race"], ["Ent"], 0.95)
    estimate = fairness.measure(groups, 0.95)["demographic_parity_difference"]
    assert estimate.undefined == "no rows to count in Ent"


def test_fishers_test_is_undefined_and_standard_deviations_are_design_adjusted() -> None:
    frame = people(800, 40, 2)
    how = drawn(frame, cluster="branch")
    decision = (frame["score"] >= THRESHOLD).to_numpy()
    counts = count_rows.count(contingency.encode(frame[["race"]]), frame["label"].to_numpy(), decision, how)
    groups = counts.groups(["race"], (), 0.95)
    (row,) = significance.against_best(groups, 0.95)
    assert (row["fisher_p"], row["fisher_p_adjusted"]) == (None, None)
    assert row["undefined"] == "Fisher's test needs independent rows that count for one each"
    rate = {name: rates.rate(group, "selection_rate") for name, group in groups.items()}
    spread = sum(1 / group.total for group in rate.values())
    pooled = sum(group.successes for group in rate.values()) / sum(group.total for group in rate.values())
    expected = row["difference"] / np.sqrt(pooled * (1 - pooled) * spread)
    assert row["standard_deviations"] == pytest.approx(expected, rel=1e-12)


def test_draws_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = people(300, 40)
    table = contingency.encode(frame[["race"]])
    decision = (frame["score"] >= THRESHOLD).to_numpy()
    counts = count_rows.count(table, frame["label"].to_numpy(), decision, drawn(frame, cluster="branch"))
    spread, kinds = counts.of(["race"]), {"all": (0, 1, 2, 3)}
    draws = resampling.of_clusters(spread, kinds, SAMPLING)
    monkeypatch.setattr(resampling, "_AT_ONCE", 1000)
    assert np.array_equal(resampling.of_clusters(spread, kinds, SAMPLING).tables, draws.tables)
    assert draws.of == "40 clusters"
    sizes = frame.groupby("branch").size()
    rows = draws.tables.sum(axis=(1, 2))
    assert rows.std() == pytest.approx(np.sqrt(40) * sizes.std(ddof=0), rel=0.1)


def test_draws_know_no_order_of_groups_even_of_groups_with_the_same_cells() -> None:
    frame = people(300, 40)
    frame["race"] = np.where(np.arange(300) % 2, "A", "B").astype(object)
    frame["label"] = frame["score"] = np.int8(1)
    counts = count_rows.count(
        contingency.encode(frame[["race"]]),
        frame["label"].to_numpy(),
        np.ones(300, bool),
        drawn(frame, cluster="branch"),
    )
    tables = [
        resampling.of_clusters(counts.of(["race"]).only(order), {"all": (0, 1, 2, 3)}, SAMPLING).tables
        for order in (["A", "B"], ["B", "A"])
    ]
    assert np.array_equal(*tables)


# Performance


def performances(frame: pd.DataFrame, how: Design | None) -> dict[str, measurement.Measurement]:
    label, scores = frame["label"].to_numpy(), frame["score"].to_numpy()
    if how is None:
        return performance.measure(label, scores, THRESHOLD, 10, SAMPLING)
    return sampled.measure(label, scores, THRESHOLD, how, 0.95)


NOT_SAMPLED = ("average_precision", "calibration_error")


def test_performance_is_scikit_learns_with_sample_weight() -> None:
    frame = people(500, 50)
    label, scores, weight = (frame[name].to_numpy() for name in ("label", "score", "weight"))
    decision = scores >= THRESHOLD
    expected = {
        "roc_auc": sklearn.roc_auc_score(label, scores, sample_weight=weight),
        "brier": sklearn.brier_score_loss(label, scores, sample_weight=weight),
        "log_loss": sklearn.log_loss(label, scores, sample_weight=weight),
        "accuracy": sklearn.accuracy_score(label, decision, sample_weight=weight),
        "balanced_accuracy": sklearn.balanced_accuracy_score(label, decision, sample_weight=weight),
        "f1": sklearn.f1_score(label, decision, sample_weight=weight),
        "selection_rate_excess": float(np.average(decision - label.astype(float), weights=weight)),
    }
    for cluster in (None, "branch"):
        estimates = performances(frame, drawn(frame, weight=True, cluster=cluster))
        assert list(estimates) == list(performances(frame, None))
        for name, value in expected.items():
            assert estimates[name].value == pytest.approx(value, abs=1e-12), name
            assert estimates[name].low < value < estimates[name].high  # type: ignore[operator]
            assert sum(estimates[name].support.values()) == 500
        for name in NOT_SAMPLED:
            assert "no interval is known" in str(estimates[name].undefined)


def test_performance_of_singletons_is_that_of_independent_rows_and_copies_prove_nothing() -> None:
    frame = people(500).assign(own=np.arange(500))
    many = frame.loc[frame.index.repeat(5)].reset_index(drop=True)
    plain = performances(frame, None)
    one, copies = (performances(each, drawn(each, cluster="own")) for each in (frame, many))
    for name, each in plain.items():
        if name in NOT_SAMPLED:
            continue
        for end in ("value", "low", "high"):
            near = 0.005 if name == "selection_rate_excess" else 1e-9  # Student's t here, a score there
            assert getattr(one[name], end) == pytest.approx(getattr(each, end), abs=near), name
        width = each.high - each.low  # type: ignore[operator]
        assert copies[name].high - copies[name].low == pytest.approx(width, rel=0.02), name  # type: ignore[operator]


def test_performance_on_few_clusters_or_one_label_is_undefined() -> None:
    frame = people(500, 9)
    estimates = performances(frame, drawn(frame, cluster="branch"))
    assert {estimate.value for estimate in estimates.values()} == {None}
    assert "only 9 clusters" in str(estimates["roc_auc"].undefined)
    assert "only 9 clusters" in str(estimates["brier"].undefined)
    single = frame.assign(label=np.int8(1), own=np.arange(500))
    estimates = performances(single, drawn(single, cluster="own"))
    assert estimates["roc_auc"].undefined == estimates["f1"].undefined == "every test row has the label 1"
    assert estimates["accuracy"].value is not None
    frame.loc[3, "score"] = np.nan
    estimates = performances(frame, drawn(frame, weight=True))
    assert {estimate.undefined for estimate in estimates.values()} == {
        "1 of 500 scores are not probabilities"
    }
