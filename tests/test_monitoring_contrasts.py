"""Sums of rates: exact tails as the oracle, far out, and p-values that a true limit seldom makes small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clearance.monitoring.figures import contrasts
from clearance.monitoring.figures.contrasts import Term

COUNTS = st.integers(30, 120).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


def exact(terms: list[Term], rates: list[float], at: float) -> float:
    """The probability of at least `at` by adding up every pair of counts."""
    one, other = terms
    first, second = np.arange(one.rows + 1), np.arange(other.rows + 1)
    sums = one.weight * first[:, None] / one.rows + other.weight * second / other.rows
    chance = stats.binom.pmf(first, one.rows, rates[0])[:, None] * stats.binom.pmf(
        second, other.rows, rates[1]
    )
    return float(chance[sums >= at - 1e-12].sum())


@given(COUNTS, st.floats(0.01, 0.99))
def test_one_rate_is_the_binomial_test(counts: tuple[int, int], limit: float) -> None:
    hits, rows = counts
    higher = stats.binomtest(hits, rows, limit, alternative="greater").pvalue
    lower = stats.binomtest(hits, rows, limit, alternative="less").pvalue
    assert contrasts.p_above([Term(hits, rows)], limit) == pytest.approx(higher, rel=1e-9)
    assert contrasts.p_below([Term(hits, rows)], limit) == pytest.approx(lower, rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([-1.0, -0.8, -0.5]), st.floats(-0.2, 0.3))
def test_the_tail_of_two_rates_is_that_of_all_pairs_of_counts(
    one: tuple[int, int], other: tuple[int, int], weight: float, limit: float
) -> None:
    terms = [Term(*one), Term(*other, weight)]
    value = contrasts.value(terms)
    rates = contrasts.constrained_rates(terms, limit)
    assert sum(term.weight * rate for term, rate in zip(terms, rates, strict=True)) == pytest.approx(
        limit, abs=1e-6
    )
    if value <= limit:
        return
    true, p_value = exact(terms, rates, value), contrasts.p_above(terms, limit)
    assert 0.8 * true <= p_value <= 4 * true + 1e-9


@given(COUNTS, COUNTS, st.floats(-0.5, 0.5))
def test_turning_the_signs_turns_the_sides(
    one: tuple[int, int], other: tuple[int, int], limit: float
) -> None:
    terms, turned = [Term(*one), Term(*other, -1.0)], [Term(*other), Term(*one, -1.0)]
    assert contrasts.p_above(terms, limit) == pytest.approx(contrasts.p_below(turned, -limit), rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "rates", "weight"),
    [((30, 200), (0.1, 0.05), -1.0), ((30, 300), (0.02, 0.02), -1.0), ((30, 60), (0.4, 0.5), -0.8)],
)
def test_a_true_limit_makes_a_p_value_small_no_more_often_than_it_says(
    rows: tuple[int, int], rates: tuple[float, float], weight: float
) -> None:
    """Over every pair of counts, weighed by its probability: no simulation."""
    chances = [stats.binom.pmf(np.arange(n + 1), n, rate) for n, rate in zip(rows, rates, strict=True)]
    limit = rates[0] + weight * rates[1]
    pairs = [
        (float(chances[0][k] * chances[1][m]), [Term(k, rows[0]), Term(m, rows[1], weight)])
        for k, m in np.argwhere(np.outer(*chances) > 1e-10).tolist()
    ]
    p_values = [
        (chance, contrasts.p_above(terms, limit)) for chance, terms in pairs if contrasts.value(terms) > limit
    ]
    for level in (0.05, 1e-2, 1e-3, 1e-5):
        assert sum(chance for chance, p_value in p_values if p_value <= level) <= level


@pytest.mark.parametrize("limit", [-0.1, 0.0])
def test_a_limit_below_what_a_rate_can_be_is_broken_for_certain(limit: float) -> None:
    assert contrasts.p_above([Term(3, 10)], limit) == 0
    assert contrasts.p_above([Term(3, 10)], 1.0) == 1
