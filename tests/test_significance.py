"""The tests an auditor expects agree with scipy, and stay silent where they mean nothing."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from clearance.documents.group_names import MISSING
from clearance.metrics import intervals, significance
from clearance.metrics.counts import Cells


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int, int]:
    first, second = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    return draw(st.integers(0, first)), first, draw(st.integers(0, second)), second


@given(pairs())
def test_z_squared_is_pearsons_chi_square(pair: tuple[int, int, int, int]) -> None:
    k_1, n_1, k_2, n_2 = pair
    z = significance.z_score(*pair)
    if k_1 + k_2 in (0, n_1 + n_2):
        assert z is None
        return
    chi = stats.chi2_contingency([[k_1, n_1 - k_1], [k_2, n_2 - k_2]], correction=False)
    assert z is not None
    assert z * z == pytest.approx(chi.statistic, abs=1e-9)
    assert (z > 0) == (k_1 * n_2 > k_2 * n_1)


@given(st.integers(1, 400), st.data())
def test_clopper_pearson_is_scipys_and_encloses_the_rate(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    low, high = significance.clopper_pearson(successes, total, 0.95)
    oracle = stats.binomtest(successes, total).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert low <= successes / total <= high


def test_a_count_that_cannot_be_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="3 successes in 2 rows"):
        significance.clopper_pearson(3, 2, 0.95)


def of(selected: int, total: int) -> Cells:
    return Cells(true_positive=selected, true_negative=total - selected)


def test_each_group_is_held_against_the_best_worst_first() -> None:
    groups = {"a": of(50, 100), "b": of(48, 60), "c": of(10, 40), MISSING: of(9, 9), "none": Cells()}
    rows = significance.against_best(groups, 0.95)
    assert [(row["group"], row["against"]) for row in rows] == [("c", "b"), ("a", "b")]
    worst = rows[0]
    assert worst["impact_ratio"] == pytest.approx(0.25 / 0.8)
    assert (worst["low"], worst["high"]) == intervals.ratio(10, 40, 48, 60, 0.95)
    assert worst["fisher_p"] == stats.fisher_exact([[10, 30], [48, 12]]).pvalue
    assert worst["fisher_p_adjusted"] == pytest.approx(2 * worst["fisher_p"])
    assert rows[1]["fisher_p_adjusted"] == rows[1]["fisher_p"]
    assert worst["standard_deviations"] < -5


def test_one_group_or_no_favour_compares_nothing() -> None:
    assert significance.against_best({"a": of(5, 10), "b": Cells()}, 0.95) == []
    (row,) = significance.against_best({"a": of(0, 10), "b": of(0, 20)}, 0.95)
    assert (row["impact_ratio"], row["low"], row["high"], row["standard_deviations"]) == (
        None,
        None,
        None,
        None,
    )
    assert row["fisher_p"] == 1


@given(pairs())
def test_fisher_is_symmetric_in_the_groups(pair: tuple[int, int, int, int]) -> None:
    p_value = significance.fisher(*pair)
    assume(p_value is not None)
    assert p_value == pytest.approx(significance.fisher(*pair[2:], *pair[:2]))
    assert significance.fisher(0, 0, 1, 2) is None
