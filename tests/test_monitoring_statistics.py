"""Effects agree with scipy and with their formulas, and their p-values hold where nothing changed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import spatial, stats

from clearance.documents.baseline_document import FeatureBins
from clearance.metrics import intervals
from clearance.monitoring.statistics import change, distribution, divergence, rates
from clearance.monitoring.statistics.reference import BetweenDays, ReferenceCounts

Counts = npt.NDArray[np.int64]
BINS = 6


def numbers(counts: npt.ArrayLike, **more: Any) -> ReferenceCounts:
    """A reference of a number, with bins at 1, 2, 3 and so on."""
    cells = np.asarray(counts, dtype=np.int64)
    bins = FeatureBins(kind="number", edges=tuple(at + 1.5 for at in range(len(cells) - 3)))
    means = tuple(float(at + 1) for at in range(len(cells) - 2))
    return ReferenceCounts(bins=bins, counts=cells, means=means, deviation=1.0, **more)


def categories(counts: npt.ArrayLike) -> ReferenceCounts:
    cells = np.asarray(counts, dtype=np.int64)
    names = tuple(f"c{at}" for at in range(len(cells) - 2))
    return ReferenceCounts(bins=FeatureBins(kind="category", categories=names), counts=cells)


tables = arrays.arrays(np.int64, BINS + 2, elements=st.integers(0, 200)).filter(
    lambda cells: cells[:-2].sum() > 0
)
full_tables = arrays.arrays(np.int64, BINS + 2, elements=st.integers(1, 200))
settings_few = settings(max_examples=60)


@settings_few
@given(full_tables, full_tables)
def test_plain_psi_is_the_formula(live: Counts, before: Counts) -> None:
    p, q = live / live.sum(), before / before.sum()
    effect = distribution.effect("drift.psi", live, numbers(before))
    assert effect.plain == pytest.approx(float(((p - q) * np.log(p / q)).sum()), abs=1e-12)  # type: ignore[attr-defined]
    noise = (BINS + 1) * (1 / live.sum() + 1 / before.sum())
    assert effect.value == pytest.approx(max(0.0, effect.plain - noise), abs=1e-12)  # type: ignore[attr-defined]


@settings_few
@given(tables, tables)
def test_jensen_shannon_is_scipys(live: Counts, before: Counts) -> None:
    effect = distribution.effect("drift.jensen_shannon", live, numbers(before))
    oracle = spatial.distance.jensenshannon(live, before, base=2) ** 2
    assert effect.plain == pytest.approx(0.0 if math.isnan(oracle) else oracle, abs=1e-9)  # type: ignore[attr-defined]


def values(cells: Counts) -> npt.NDArray[np.float64]:
    return np.repeat(np.arange(BINS) + 1.0, cells[:BINS])


@settings_few
@given(tables, tables)
def test_ks_wasserstein_and_shift_are_scipys_on_the_same_bins(live: Counts, before: Counts) -> None:
    against, now, then = numbers(before), values(live), values(before)
    ks, wasserstein, shift = (
        distribution.effect(f"drift.{name}", live, against) for name in ("ks", "wasserstein", "shift")
    )
    assert ks.plain == pytest.approx(stats.ks_2samp(now, then, method="asymp").statistic, abs=1e-12)  # type: ignore[attr-defined]
    assert wasserstein.plain == pytest.approx(stats.wasserstein_distance(now, then), abs=1e-9)  # type: ignore[attr-defined]
    u = stats.mannwhitneyu(now, then, method="asymptotic").statistic
    assert shift.value == pytest.approx(u / len(now) / len(then) - 0.5, abs=1e-12)


@settings_few
@given(tables, tables)
def test_of_categories_ks_is_the_total_variation(live: Counts, before: Counts) -> None:
    now, then = live[:-1] / live[:-1].sum(), before[:-1] / before[:-1].sum()
    effect = distribution.effect("drift.ks", live, categories(before))
    assert effect.plain == pytest.approx(np.abs(now - then).sum() / 2, abs=1e-12)  # type: ignore[attr-defined]


@settings_few
@given(tables, tables, st.sampled_from(sorted(distribution.METRICS)), st.floats(0, 0.5))
def test_every_effect_is_sound(live: Counts, before: Counts, metric: str, limit: float) -> None:
    against = numbers(before) if distribution.applies(metric, "number") else categories(before)
    effect = distribution.effect(metric, live, against)
    assert effect.undefined is None
    assert effect.value is not None
    assert math.isfinite(effect.value)
    low, high = effect.interval(0.95)
    assert not math.isnan(low) and not math.isnan(high)
    assert low <= high
    for p_value in (effect.p_above(limit), effect.p_below(limit)):
        assert 0 <= p_value <= 1
    wide_low, wide_high = effect.interval(0.99)
    assert wide_low <= low
    assert high <= wide_high
    chance = effect.false_alarm(limit)
    assert chance is None or 0 <= chance <= 1


@settings_few
@given(full_tables, full_tables, st.sampled_from(["drift.psi", "drift.shift", "drift.ks"]))
def test_the_p_value_falls_as_the_limit_does(live: Counts, before: Counts, metric: str) -> None:
    effect = distribution.effect(metric, live, numbers(before))
    p_values = [effect.p_above(limit) for limit in (0.0, 0.02, 0.1, 0.3)]
    assert p_values == sorted(p_values)


@settings_few
@given(full_tables, full_tables, st.permutations(range(BINS)))
def test_psi_does_not_depend_on_the_order_of_cells(live: Counts, before: Counts, order: list[int]) -> None:
    places = [*order, BINS, BINS + 1]
    one = distribution.effect("drift.psi", live, numbers(before))
    other = distribution.effect("drift.psi", live[places], numbers(before[places]))
    assert one.value == pytest.approx(other.value)


@settings_few
@given(full_tables, full_tables, st.sampled_from(["drift.shift", "drift.ks", "data.missing_excess"]))
def test_twice_the_rows_with_the_same_shares_are_better_evidence(
    live: Counts, before: Counts, metric: str
) -> None:
    one = distribution.effect(metric, live, numbers(before)).interval(0.95)
    two = distribution.effect(metric, 2 * live, numbers(2 * before)).interval(0.95)
    assert two[1] - two[0] <= one[1] - one[0] + 1e-9


@settings_few
@given(st.one_of(tables, full_tables), full_tables)
def test_pooling_keeps_rows_and_never_raises_the_index(live: Counts, before: Counts) -> None:
    now, then = divergence.pooled(live, before)
    assert (now.sum(), then.sum()) == (live.sum(), before.sum())
    expected = (now + then) * min(now.sum(), then.sum()) / (now + then).sum()
    assert len(now) == 1 or expected.min() >= divergence.FEWEST - 1e-9
    if live.all() and before.all():
        assert divergence.psi(now, then) <= divergence.psi(live, before) + 1e-9


@given(st.integers(0, 40), st.integers(0, 60))
def test_no_change_of_a_rate_is_fishers_test(hits: int, hits_before: int) -> None:
    effect = rates.difference((hits, 40), (hits_before, 60))
    table = [[hits, 40 - hits], [hits_before, 60 - hits_before]]
    if effect.p_above(0.0) < 0.1:
        assert effect.p_above(0.0) >= stats.fisher_exact(table, alternative="greater").pvalue - 1e-12
    if effect.p_below(0.0) < 0.1:
        assert effect.p_below(0.0) >= stats.fisher_exact(table, alternative="less").pvalue - 1e-12


@given(st.integers(0, 50), st.floats(0.01, 0.99))
def test_a_rate_against_its_limit_is_the_exact_binomial_test(hits: int, limit: float) -> None:
    effect = rates.against_limit(hits, 50)
    above = stats.binomtest(hits, 50, limit, alternative="greater").pvalue
    below = stats.binomtest(hits, 50, limit, alternative="less").pvalue
    assert effect.p_above(limit) == pytest.approx(above if hits / 50 > limit else 1.0, abs=1e-9)
    assert effect.p_below(limit) == pytest.approx(below if hits / 50 < limit else 1.0, abs=1e-9)


@given(st.integers(0, 40), st.integers(0, 60), st.floats(-0.5, 0.5))
def test_the_likelihood_at_a_limit_is_the_largest_on_a_grid(
    hits: int, hits_before: int, limit: float
) -> None:
    rates_live = np.linspace(max(0.0, limit), min(1.0, 1.0 + limit), 4001)
    log_likelihood = stats.binom.logpmf(hits, 40, rates_live) + stats.binom.logpmf(
        hits_before, 60, np.clip(rates_live - limit, 0, 1)
    )
    largest = stats.binom.logpmf(hits, 40, hits / 40) + stats.binom.logpmf(hits_before, 60, hits_before / 60)
    oracle = 2 * (largest - log_likelihood.max())
    ratio = rates.likelihood_ratio((hits, 40), (hits_before, 60), limit)
    assert ratio == pytest.approx(oracle, abs=2e-3 * max(1.0, oracle))


@pytest.mark.parametrize(("rows", "of"), [(50, 1392), (500, 1392), (300, 300)])
@pytest.mark.parametrize("shares", [(0.1,) * 10, (0.9, 0.07, 0.02, 0.007, 0.003)])
def test_the_tail_of_a_sum_of_scores_is_that_of_random_splits(
    rows: int, of: int, shares: tuple[float, ...]
) -> None:
    cells = np.rint(np.array(shares) * (rows + of)).astype(np.int64)
    scores = np.cumsum(cells) - cells / 2
    sums = np.random.default_rng(4).multivariate_hypergeometric(cells, rows, size=100_000) @ scores
    for share in (0.99, 0.999, 0.9999):
        at = float(np.quantile(sums, share))
        assert change.tail_of_sum(cells, rows, scores, at) == pytest.approx((sums >= at).mean(), rel=0.7)


@pytest.mark.parametrize(("marked", "hits"), [(8, 5), (60, 40), (100, 15), (900, 330)])
def test_the_tail_of_a_sum_holds_far_out(marked: int, hits: int) -> None:
    """Of two cells it is the hypergeometric one."""
    exact = stats.hypergeom.sf(hits - 1, 1892, marked, 500)
    cells = np.array([1892 - marked, marked])
    assert change.tail_of_sum(cells, 500, np.array([0.0, 1.0]), hits) == pytest.approx(exact, rel=0.8)
    assert math.isnan(change.tail_of_sum(cells, 500, np.array([0.0, 1.0]), 501.0))


SHARES = (0.3, 0.3, 0.2, 0.1, 0.08, 0.02)
NULL_SIZES = ((50, 1392), (300, 300), (5000, 1392))


@pytest.mark.parametrize(("rows", "of"), NULL_SIZES)
def test_p_values_are_uniform_or_larger_where_nothing_changed(rows: int, of: int) -> None:
    """Of 3,000 pairs of tables, by each metric; four standard errors allowed."""
    random, trials = np.random.default_rng([3, rows, of]), 1000
    shares = [0.99 * share for share in SHARES] + [0.0, 0.01]
    live, before = random.multinomial(rows, shares, trials), random.multinomial(of, shares, trials)
    for metric in ("drift.psi", "drift.ks", "drift.shift", "drift.wasserstein", "data.missing_excess"):
        p_values = [
            distribution.effect(metric, now, numbers(then)).p_above(0.0)
            for now, then in zip(live, before, strict=True)
        ]
        for level in (0.05, 0.01, 0.001):
            most = level + 4 * math.sqrt(level * (1 - level) / trials)
            assert np.mean(np.array(p_values) <= level) <= most, (metric, level)


@pytest.mark.parametrize("shift", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("rows", [100, 1000])
def test_intervals_cover(shift: float, rows: int) -> None:
    """Of 400 tables with a known truth at least 92 % of the 95 % intervals hold it."""
    random, trials = np.random.default_rng([5, rows]), 400
    edges = stats.norm.ppf(np.arange(1, BINS) / BINS)
    q, p = (np.diff(stats.norm.cdf(edges - by), prepend=0.0, append=1.0) for by in (0.0, shift))
    q, p = (np.append(cells, [0.0, 0.0]) for cells in (q, p))
    at = (q[:-2] > 0) & (p[:-2] > 0)
    truths = {
        "drift.psi": float(((p - q)[:-2][at] * np.log((p[:-2] / q[:-2])[at])).sum()),
        "drift.shift": float(p[:-2] @ (np.cumsum(q[:-2]) - q[:-2] / 2)) - 0.5,
        "drift.ks": float(np.abs(np.cumsum(p - q)).max()),
        "drift.jensen_shannon": spatial.distance.jensenshannon(p, q, base=2) ** 2,
        "drift.wasserstein": float(np.abs(np.cumsum(p - q))[: BINS - 1].sum()),
    }
    live, before = random.multinomial(rows, p, trials), random.multinomial(1500, q, trials)
    for metric, truth in truths.items():
        intervals = np.array(
            [
                distribution.effect(metric, now, numbers(then)).interval(0.95)
                for now, then in zip(live, before, strict=True)
            ]
        )
        covered = (intervals[:, 0] - 1e-9 <= truth) & (truth <= intervals[:, 1] + 1e-9)
        assert covered.mean() >= 0.92, (metric, covered.mean())


def test_exact_tails_hold_far_out() -> None:
    split = change.Split(
        hits=np.array(10), live=np.array(500), hits_before=np.array(0), reference=np.array(1392)
    )
    more, _ = change.tails(split)
    chance = math.prod((500 - at) / (1892 - at) for at in range(10))
    assert float(more) == pytest.approx(chance, rel=1e-9)


def test_days_that_differ_make_p_values_larger_and_intervals_wider() -> None:
    before = np.array([300, 300, 200, 100, 80, 20, 0, 0])
    live = np.array([60, 80, 90, 60, 40, 15, 0, 0])
    gradient = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 0.0, 0.0]) * 0.01
    days = BetweenDays(
        covariance=np.outer(gradient, gradient) + np.diag(np.full(8, 1e-4)), sampling=1e-3, degrees=50.0
    )
    for metric in ("drift.psi", "drift.shift", "drift.ks", "drift.wasserstein"):
        still = distribution.effect(metric, live, numbers(before))
        restless = distribution.effect(metric, live, numbers(before, between_days=days))
        assert restless.p_above(0.0) > still.p_above(0.0), metric
        one, other = still.interval(0.95), restless.interval(0.95)
        assert other[1] - other[0] > one[1] - one[0], metric


@pytest.mark.parametrize("metric", sorted(distribution.METRICS))
def test_without_rows_nothing_is_known(metric: str) -> None:
    cells = np.array([5, 5, 5, 5, 5, 5, 0, 0])
    for live, before in ((np.zeros(8, dtype=int), cells), (cells, np.zeros(8, dtype=int))):
        effect = distribution.effect(metric, live, numbers(before))
        assert effect.undefined
        assert effect.value is None
        assert (effect.p_above(0.0), effect.p_below(0.0)) == (1.0, 1.0)


def test_a_column_that_is_all_missing_has_no_shift() -> None:
    missing = np.array([0, 0, 0, 0, 0, 0, 0, 40])
    full = np.array([10, 10, 10, 10, 10, 10, 0, 0])
    for metric in ("drift.ks", "drift.shift", "drift.wasserstein"):
        assert distribution.effect(metric, missing, numbers(full)).undefined
        assert distribution.effect(metric, full, numbers(missing)).undefined
    assert distribution.effect("data.missing_excess", missing, numbers(full)).value == 1.0


def test_categories_have_no_order() -> None:
    against = categories([10, 10, 10, 0, 0])
    for metric in ("drift.shift", "drift.wasserstein"):
        assert distribution.effect(metric, np.array([5, 5, 5, 0, 0]), against).undefined
        assert not distribution.applies(metric, "category")


def test_numbers_have_no_list_of_known_values() -> None:
    assert not distribution.applies("data.unseen_share", "number")
    assert distribution.applies("data.unseen_share", "category")
    eight = np.array([10, 10, 10, 10, 10, 10, 5, 0])
    assert distribution.effect("data.unseen_share", eight, numbers(eight)).undefined


def test_categories_seen_once_make_new_ones_no_surprise() -> None:
    rare = categories([100, *[1] * 40, 0, 0])
    listed = categories([100, *[4] * 10, 0, 0])
    unseen_in_rare = np.array([50, *[0] * 40, 12, 0])
    unseen_in_listed = np.array([50, *[0] * 10, 12, 0])
    assert distribution.effect("data.unseen_share", unseen_in_rare, rare).p_above(0.001) == 1.0
    assert distribution.effect("data.unseen_share", unseen_in_listed, listed).p_above(0.001) < 1e-6


def test_cells_of_another_feature_are_refused() -> None:
    with pytest.raises(ValueError, match="4 cells, and the reference has 8"):
        distribution.effect("drift.psi", np.array([1, 2, 3, 4]), numbers([5] * 8))


def test_the_rows_that_would_decide_do() -> None:
    """An effect that stays as it is fails with the rows that were named, and not with half of them."""
    before = np.array([2000, 2000, 2000, 2000, 2000, 2000, 0, 0])
    live = np.array([70, 75, 80, 85, 90, 100, 0, 0])
    for metric, limit in (("drift.shift", 0.02), ("drift.ks", 0.02)):
        effect = distribution.effect(metric, live, numbers(before))
        level = 1e-4
        assert effect.p_above(limit) > level
        needed = effect.rows_needed(limit, level)
        assert needed is not None
        for times, decided in ((1.1, True), (0.5, False)):
            more = np.rint(live * needed * times / live.sum()).astype(np.int64)
            assert (distribution.effect(metric, more, numbers(before)).p_above(limit) <= level) == decided


def test_the_false_alarms_of_plain_psi_are_those_that_happen() -> None:
    random, trials = np.random.default_rng(11), 4000
    shares = [0.1] * 10 + [0.0, 0.0]
    before = random.multinomial(1392, shares, trials)
    for rows in (200, 300):
        live = random.multinomial(rows, shares, trials)
        happened = float((divergence.psi(live, before) > 0.1).mean())
        effect = distribution.effect("drift.psi", live[0], numbers(before[0]))
        assert effect.false_alarm(0.1) == pytest.approx(happened, abs=0.02)
    assert replace(numbers(before[0])).rows == 1392


@given(st.integers(20, 2_000), st.integers(1, 20), st.floats(0.002, 0.2))
def test_so_many_rows_decide_a_rate_and_fewer_do_not(rows: int, of_hundred: int, limit: float) -> None:
    hits = rows * of_hundred // 200
    effect = rates.RateEffect(hits=hits, rows=rows)
    needed = effect.rows_needed(limit, 0.025)
    if needed is None or needed <= rows + 1:
        return

    def decides(at: int) -> bool:
        low, high = intervals.wilson(hits / rows * at, at, 0.95)
        return high <= limit if hits / rows < limit else low > limit

    assert decides(needed + needed // rows + 2) and not decides(needed - needed // rows - 2)
