"""A window is compared with days of its kind, and what days differ by is in its p-values."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from clearance.documents.baseline_document import FeatureBins, FeatureReference
from clearance.documents.look_document import Window
from clearance.monitoring import season
from clearance.monitoring.statistics import distribution
from clearance.policy.monitoring_terms import MonitoringTerms

EDGES = tuple(stats.norm.ppf(np.arange(1, 10) / 10))
BINS = FeatureBins(kind="number", edges=EDGES)
YEAR = [dt.date(2025, 1, 1) + dt.timedelta(days=at) for at in range(365)]


def terms(wished: str = "weekday", timezone: str = "UTC") -> MonitoringTerms:
    rule = {
        "id": "a_rule",
        "kind": "engineering",
        "source": "tests",
        "valid_from": "2026-01-01",
        "metric": "drift.psi",
        "limit": {"at_most": 0.1},
    }
    return MonitoringTerms.model_validate({"rules": [rule], "season": wished, "timezone": timezone})


def cells(shifts: npt.ArrayLike, rows: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    below = stats.norm.cdf(np.array(EDGES) - np.atleast_1d(shifts)[:, None])
    inside = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return random.multinomial(rows, np.hstack([inside, np.zeros((len(inside), 2))]))


def feature(by_day: npt.NDArray[np.int64]) -> FeatureReference:
    return FeatureReference(
        bins=BINS,
        counts=tuple(by_day.sum(axis=0).tolist()),
        means=(0.0,) * 10,
        deviation=1.0,
        by_day=tuple(tuple(day) for day in by_day.tolist()),
    )


def days(dates: list[dt.date]) -> tuple[str, ...]:
    return tuple(date.isoformat() for date in dates)


def window(period: str, start: str, end: str) -> Window:
    return Window(period=period, start=start, end=end)  # type: ignore[arg-type]


MONDAY = window("day", "2026-03-02T00:00Z", "2026-03-03T00:00Z")
WEEK = window("week", "2026-03-02T00:00Z", "2026-03-09T00:00Z")
MARCH = window("month", "2026-03-01T00:00Z", "2026-04-01T00:00Z")


@pytest.mark.parametrize(
    ("wished", "look", "rows"),
    [
        ("none", MONDAY, 365),
        ("weekday", MONDAY, 52),
        ("weekday_and_month", MONDAY, 5),
        ("weekday", WEEK, 365),
        ("weekday_and_month", WEEK, 31),
        ("weekday_and_month", MARCH, 31),
    ],
)
def test_the_reference_has_the_days_of_the_windows_kinds(wished: str, look: Window, rows: int) -> None:
    ones = np.zeros((365, 12), dtype=int)
    ones[:, 3] = 1
    reference = season.reference_for(feature(ones), days(YEAR), look, terms(wished))
    assert reference.rows == rows
    assert reference.between_days is not None


def test_a_day_is_one_of_the_policys_time_zone() -> None:
    summer = window("day", "2026-06-30T22:00Z", "2026-07-01T22:00Z")
    assert season.window_dates(summer, "Europe/Berlin") == (dt.date(2026, 7, 1),)
    spring = window("day", "2026-03-28T23:00Z", "2026-03-29T22:00Z")
    assert season.window_dates(spring, "Europe/Berlin") == (dt.date(2026, 3, 29),)


def test_too_few_days_of_a_kind_fall_back_and_say_so() -> None:
    random = np.random.default_rng(1)
    quarter = YEAR[:90]
    table = feature(cells(np.zeros(90), 40, random))
    july = window("day", "2026-07-06T00:00Z", "2026-07-07T00:00Z")
    reference = season.reference_for(table, days(quarter), july, terms("weekday_and_month"))
    assert reference.rows == 40 * sum(day.weekday() == 0 for day in quarter)
    assert reference.assumption is not None
    assert "same weekday," in reference.assumption
    assert "too few" in reference.assumption


@pytest.mark.parametrize("known", [0, 3])
def test_with_no_or_few_days_rows_count_as_independent(known: int) -> None:
    table = feature(cells(np.zeros(max(1, known)), 40, np.random.default_rng(1)))
    reference = season.reference_for(table, days(YEAR[:known]), MONDAY, terms())
    assert reference.between_days is None
    assert reference.assumption is not None
    assert "independent" in reference.assumption
    assert reference.rows == sum(table.counts)


def test_days_without_rows_and_days_out_of_order_change_nothing() -> None:
    by_day = cells(np.zeros(365), 30, np.random.default_rng(2))
    turned = season.reference_for(feature(by_day[::-1]), days(YEAR[::-1]), WEEK, terms())
    straight = season.reference_for(feature(by_day), days(YEAR), WEEK, terms())
    empty_day = np.vstack([by_day, np.zeros((1, 12), dtype=int)])
    later = season.reference_for(feature(empty_day), days([*YEAR, dt.date(2026, 1, 1)]), WEEK, terms())
    for other in (turned, later):
        assert other.between_days is not None and straight.between_days is not None
        np.testing.assert_allclose(other.between_days.covariance, straight.between_days.covariance)
        np.testing.assert_array_equal(other.counts, straight.counts)


def autocorrelated(
    memory: float, size: float, length: int, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    path = np.empty(length)
    path[0] = random.standard_normal()
    for day in range(1, length):
        path[day] = memory * path[day - 1] + math.sqrt(1 - memory**2) * random.standard_normal()
    return size * path


@pytest.mark.parametrize(("look", "length"), [(MONDAY, 1), (WEEK, 7)])
def test_the_variance_between_windows_is_that_of_the_days(look: Window, length: int) -> None:
    """Of an autoregressive day effect in one direction, on average of 40 references, within a tenth."""
    random, memory, size = np.random.default_rng(7), 0.6, 0.2
    lags = np.arange(1, length)
    expected = size**2 / length * (1 + 2 * ((1 - lags / length) * memory**lags).sum())
    place = np.append(np.arange(10), [0, 0]).astype(float)
    steps = cells([-0.01, 0.01], 10**8, random) / 10**8
    slope = float((steps[1] - steps[0]) @ place) / 0.02
    variances = []
    for _ in range(40):
        by_day = cells(autocorrelated(memory, size, 365, random), 2000, random)
        reference = season.reference_for(feature(by_day), days(YEAR), look, terms())
        assert reference.between_days is not None
        between, _ = reference.between_days.variance(place, 8.25)
        variances.append(between / slope**2)
    assert np.mean(variances) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("rows", [50, 1000])
@pytest.mark.parametrize(("look", "length"), [(MONDAY, 1), (WEEK, 7)])
def test_p_values_hold_where_only_days_differ(rows: int, look: Window, length: int) -> None:
    """Weekly season, and days that remember; four standard errors allowed, over 150 references."""
    random, trials = np.random.default_rng([rows, length]), 150
    p_values: dict[str, list[float]] = {"drift.psi": [], "drift.shift": [], "drift.ks": []}
    weekly = 0.2 * np.array([1, 0.5, 0, -0.5, -1, 0.5, -0.5])
    for _ in range(trials):
        dates = [*YEAR, *season.window_dates(look, "UTC")]
        shifts = weekly[[day.weekday() for day in dates]] + autocorrelated(0.6, 0.1, len(dates), random)
        by_day = cells(shifts, rows, random)
        reference = season.reference_for(feature(by_day[:365]), days(YEAR), look, terms())
        live = by_day[365 : 365 + length].sum(axis=0)
        for metric, listed in p_values.items():
            effect = distribution.effect(metric, live, reference)
            two_sided = 2 * min(effect.p_above(0.0), effect.p_below(0.0))
            listed.append(two_sided if metric == "drift.shift" else effect.p_above(0.0))
    for metric, listed in p_values.items():
        for level in (0.05, 0.01):
            most = level + 4 * math.sqrt(level * (1 - level) / trials)
            assert np.mean(np.array(listed) <= level) <= most, (metric, level)


def test_missing_values_that_move_with_the_rest_do_not_shift_what_is_left() -> None:
    """More rows are missing on the days on which values are high: the mean of the known ones says so."""
    random, trials = np.random.default_rng(12), 150
    p_values = []
    for _ in range(trials):
        shifts = autocorrelated(0.5, 0.2, 366, random)
        whole = cells(shifts, 1000, random)
        share = 1 / (1 + np.exp(1.7 - 2 * shifts))
        missing = random.binomial(whole, share[:, None])
        by_day = whole - missing
        by_day[:, -1] = missing.sum(axis=1)
        reference = season.reference_for(feature(by_day[:365]), days(YEAR), MONDAY, terms("none"))
        effect = distribution.effect("drift.shift", by_day[365], reference)
        p_values.append(2 * min(effect.p_above(0.0), effect.p_below(0.0)))
    for level in (0.05, 0.01):
        most = level + 4 * math.sqrt(level * (1 - level) / trials)
        assert np.mean(np.array(p_values) <= level) <= most, level


def test_a_weekday_that_varies_more_is_judged_by_its_own_days() -> None:
    random = np.random.default_rng(13)
    size = np.array([0.3 if day.weekday() == 0 else 0.02 for day in YEAR])
    by_day = cells(size * random.standard_normal(365), 1000, random)
    tuesday = window("day", "2026-03-03T00:00Z", "2026-03-04T00:00Z")
    place = np.append(np.arange(10), [0, 0]).astype(float)
    restless, still = (
        season.reference_for(feature(by_day), days(YEAR), look, terms()).between_days
        for look in (MONDAY, tuesday)
    )
    assert restless is not None and still is not None
    assert restless.variance(place, 8.25)[0] > 20 * still.variance(place, 8.25)[0]


def test_references_are_computed_once_for_windows_of_a_kind() -> None:
    by_day = cells(np.zeros(365), 30, np.random.default_rng(2))
    references = season.References(features={"age": feature(by_day)}, days=days(YEAR), terms=terms())
    next_monday = window("day", "2026-03-09T00:00Z", "2026-03-10T00:00Z")
    assert references.of("age", MONDAY) is references.of("age", next_monday)
    assert references.of("age", WEEK) is not references.of("age", MONDAY)
