"""What a window is compared with: the reference's days of the same kind, and how much such windows differ.

Days of a kind share weekday, or weekday and month. The variance between windows is that of blocks of
consecutive days as long as the window (a moving-block estimate), so that autocorrelation is in it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from clearance import wording
from clearance.documents.baseline_document import FeatureReference
from clearance.documents.look_document import Window
from clearance.monitoring.statistics.reference import BetweenDays, ReferenceCounts
from clearance.policy.monitoring_terms import MonitoringTerms

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.int64]
Days = tuple[tuple[dt.date, ...], Table]
"""Days in order, and their cells."""

FEWEST_DAYS = 8
"""The days with rows that the reference must have before it says how much days differ."""

FEWEST_OF_A_KIND = 4
"""The days of each kind in a window that the reference must have before it is compared with them alone."""

ENOUGH_OF_A_KIND = 8
"""The days of one kind that say by themselves how much such days differ; with fewer, all days together do."""

FEWEST_BLOCKS = 6
"""How many blocks as long as the window the reference must hold; shorter blocks are taken otherwise."""

_LAGS = 14

_KINDS: Mapping[str, Callable[[dt.date], int]] = {
    "weekday_and_month": lambda day: 100 * day.month + day.weekday(),
    "weekday": lambda day: day.weekday(),
    "none": lambda _: 0,
}
"""The kind of a day as a number, by season, the finest season first."""

_DAYS_OF = {
    "weekday_and_month": "days of the same weekday and month",
    "weekday": "days of the same weekday",
    "none": "all days",
}


def reference_for(
    feature: FeatureReference, days: tuple[str, ...] | None, window: Window, terms: MonitoringTerms
) -> ReferenceCounts:
    """The reference of a feature for one window: its days of the window's kinds, and how much days differ.

    `days` are the dates of `feature.by_day`. Where a season has too few days of a kind, the next coarser one
    is taken; with fewer than `FEWEST_DAYS` days rows count as independent. `assumption` says so.
    """
    if not days or feature.by_day is None:
        return _reference(feature, np.asarray(feature.counts, dtype=np.int64))
    return _by_day(feature, _days(days, feature.by_day), window, terms)


def _by_day(
    feature: FeatureReference,
    by_day: tuple[tuple[dt.date, ...], Table],
    window: Window,
    terms: MonitoringTerms,
) -> ReferenceCounts:
    """The reference of a feature from its days that have rows, in order."""
    dates, table = by_day
    if len(dates) < FEWEST_DAYS:
        few = f"rows are independent: the reference has {wording.counted(len(dates), 'day')}"
        return _reference(feature, np.asarray(feature.counts, dtype=np.int64), assumption=few)
    length, _ = kinds_of(window, terms)
    season = _season(terms.season, dates, window_dates(window, terms.timezone))
    same = np.isin(_kinds(dates, season), list(_wanted(window, terms.timezone, season)))
    alone = length == 1 and same.sum() >= ENOUGH_OF_A_KIND
    return _reference(
        feature,
        table[same].sum(axis=0),
        between_days=between_days(
            table[same] if alone else table,
            _kinds(dates, season if length == 1 else _weekly(season))[same if alone else slice(None)],
            length=length,
            compared_with=int(same.sum()),
        ),
        assumption=_assumption(season, terms.season, len(dates)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class References:
    """The references of features for many windows: `reference_for`, computed once for windows of a kind."""

    features: Mapping[str, FeatureReference]
    days: tuple[str, ...] | None
    terms: MonitoringTerms
    _known: dict[Any, ReferenceCounts] = field(default_factory=dict, init=False)
    _tables: dict[str, Days] = field(default_factory=dict, init=False)

    def of(self, name: str, window: Window) -> ReferenceCounts:
        """The reference of a feature for a window. Raises KeyError on a feature that is not there."""
        key = (name, *kinds_of(window, self.terms))
        if key not in self._known:
            self._known[key] = self._reference(name, window)
        return self._known[key]

    def _reference(self, name: str, window: Window) -> ReferenceCounts:
        feature = self.features[name]
        if not self.days or feature.by_day is None:
            return reference_for(feature, self.days, window, self.terms)
        if name not in self._tables:
            self._tables[name] = _days(self.days, feature.by_day)
        return _by_day(feature, self._tables[name], window, self.terms)


def kinds_of(window: Window, terms: MonitoringTerms) -> tuple[int, frozenset[int]]:
    """The number of days of a window and their kinds: windows alike in both have the same reference."""
    return len(window_dates(window, terms.timezone)), _wanted(window, terms.timezone, terms.season)


@lru_cache(maxsize=4096)
def _wanted(window: Window, timezone: str, season: str) -> frozenset[int]:
    return frozenset(_kind(day, season) for day in window_dates(window, timezone))


@lru_cache(maxsize=16)
def _kinds(dates: tuple[dt.date, ...], season: str) -> npt.NDArray[np.int64]:
    """The kind of each day, as a number."""
    return np.array([_kind(day, season) for day in dates], dtype=np.int64)


def _kind(day: dt.date, season: str) -> int:
    return _KINDS[season](day)


@lru_cache(maxsize=4096)
def window_dates(window: Window, timezone: str) -> tuple[dt.date, ...]:
    """The calendar days of a window, at least one. Raises ValueError on what is not a time."""
    zone = ZoneInfo(timezone)
    start, end = (dt.datetime.fromisoformat(when).astimezone(zone) for when in (window.start, window.end))
    last = max(start, end - dt.timedelta(seconds=1)).date()
    return tuple(start.date() + dt.timedelta(days=step) for step in range((last - start.date()).days + 1))


def between_days(
    table: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], *, length: int, compared_with: int
) -> BetweenDays:
    """How much the shares of windows of `length` days differ from those of `compared_with` reference days.

    `table` has the cells of each day in order, every day with rows, `kinds` its kind. The shares of each
    block of `length` days, less those expected of days of these kinds, give the covariance, corrected for
    the means that were taken from the same days. Blocks overlap; degrees of freedom count those that do not,
    and for single days fewer where they are autocorrelated.
    """
    table = table.astype(float)
    days, block = len(table), min(length, max(1, len(table) // FEWEST_BLOCKS))
    rows = table.sum(axis=1)
    expected = np.empty_like(table)
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        expected[of_kind] = table[of_kind].sum(axis=0) / rows[of_kind].sum()
    rest = table - expected * rows[:, None]
    sums, totals = _blocks(rest, block), _blocks(rows[:, None], block)
    shares = sums / totals
    lost = max(len(np.unique(kinds)), block) / days
    with_reference = 1 + block / max(compared_with, block)
    return BetweenDays(
        covariance=shares.T @ shares / len(shares) / (1 - lost) * with_reference,
        sampling=float((1 / totals).mean()) * with_reference,
        degrees=max(1.0, _degrees(rest / np.sqrt(table.sum(axis=0) + 1), block) - lost * days / block),
    )


def _blocks(values: Floats, length: int) -> Floats:
    """The sums of each `length` consecutive rows."""
    sums = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), values]), axis=0)
    blocks: Floats = sums[length:] - sums[:-length]
    return blocks


def _degrees(rest: Floats, block: int) -> float:
    """How many independent values a variance over blocks of these deviations rests on."""
    if block > 1:
        return len(rest) / block
    power = float((rest**2).sum())
    if power <= 0:
        return float(len(rest))
    lags = range(1, min(_LAGS, len(rest) // 4) + 1)
    return len(rest) / (1 + 2 * sum((float((rest[lag:] * rest[:-lag]).sum()) / power) ** 2 for lag in lags))


def _weekly(season: str) -> str:
    """For windows of many days: the mean of a month's days would take away what such windows vary."""
    return "none" if season == "none" else "weekday"


def _days(days: tuple[str, ...], by_day: Sequence[Sequence[int]]) -> tuple[tuple[dt.date, ...], Table]:
    """The days that have rows, in order, and their cells."""
    table = np.asarray(by_day, dtype=np.int64)
    dates = _dates(days)
    used = table.sum(axis=1) > 0
    if used.all() and list(dates) == sorted(dates):
        return dates, table
    order = sorted(np.flatnonzero(used).tolist(), key=lambda place: dates[place])
    return tuple(dates[place] for place in order), table[order]


@lru_cache(maxsize=16)
def _dates(days: tuple[str, ...]) -> tuple[dt.date, ...]:
    return tuple(dt.date.fromisoformat(day) for day in days)


@lru_cache(maxsize=4096)
def _season(wished: str, dates: tuple[dt.date, ...], wanted: tuple[dt.date, ...]) -> str:
    """The season wished, or the finest coarser one that has enough days of each kind of the window."""
    finest = list(_KINDS).index(wished)
    for season in list(_KINDS)[finest:]:
        counts = Counter(_KINDS[season](day) for day in dates)
        if all(counts[_KINDS[season](day)] >= FEWEST_OF_A_KIND for day in wanted):
            return season
    return "none"


def _reference(
    feature: FeatureReference, counts: npt.NDArray[np.int64], **changes: BetweenDays | str | None
) -> ReferenceCounts:
    return ReferenceCounts(
        bins=feature.bins,
        counts=counts,
        means=feature.means,
        deviation=feature.deviation,
        **changes,  # type: ignore[arg-type]
    )


def _assumption(season: str, wished: str, days: int) -> str | None:
    text = f"compared with {_DAYS_OF[season]}, of {wording.counted(days, 'day')} in the reference"
    if season == wished:
        return text
    return f"{text}: too few are {_DAYS_OF[wished].removeprefix('days ')}"
