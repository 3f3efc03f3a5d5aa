"""Simulated years of live decisions of a model: days with a weekly season and autocorrelated effects.

Features are what a credit table has: numbers in ten bins, some with missing values, skewed counts, yes or no,
categories with rare values. Only counts are drawn, never rows, so a year takes a tenth of a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from clearance.documents.baseline_document import FeatureBins, FeatureReference

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Random = np.random.Generator

REFERENCE_YEAR, LIVE_YEAR = 2025, 2026
BINS = 10

MOST_VALUES = 40_000
"""Of larger references so many values give the bins; the counts are then drawn."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature: how values are drawn. `shares` are those of its categories, or of the values of a count."""

    name: str
    kind: Literal["number", "category"]
    shares: tuple[float, ...] = ()
    missing: float = 0.0


FEATURES: tuple[Feature, ...] = (
    *(Feature(name=f"number_{at}", kind="number") for at in range(14)),
    *(Feature(name=f"sparse_{at}", kind="number", missing=0.002 * 4**at) for at in range(4)),
    *(Feature(name=f"count_{at}", kind="number", shares=(0.9, 0.07, 0.02, 0.007, 0.003)) for at in range(3)),
    *(Feature(name=f"flag_{at}", kind="number", shares=(1 - p, p)) for at, p in enumerate((0.5, 0.1, 0.01))),
    Feature(name="code_3", kind="category", shares=(0.6, 0.3, 0.1)),
    Feature(name="code_8", kind="category", shares=(0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.015, 0.005)),
    Feature(name="code_20", kind="category", shares=tuple(0.5 * 0.6**k for k in range(20))),
    Feature(name="code_many", kind="category", shares=(0.3, *(0.7 / 30,) * 30)),
)
"""Twenty-eight of them."""


@dataclass(frozen=True, kw_only=True)
class World:
    """How days differ: weekly season and effects of single days, in standard deviations.

    `memory` is their autocorrelation from one day to the next; half of their variance is shared by all
    features.
    """

    name: str
    season: float = 0.0
    days: float = 0.0
    memory: float = 0.0


STILL = World(name="independent rows")
RESTLESS = World(name="season, days (0.6)", season=0.2, days=0.1, memory=0.6)
LONG_MEMORY = World(name="season, days (0.7)", season=0.2, days=0.2, memory=0.7)


@dataclass(frozen=True, kw_only=True, eq=False)
class Year:
    """A reference and the year after it: for each feature its reference, and its cells by live day."""

    references: dict[str, FeatureReference]
    reference_days: tuple[str, ...] | None
    live: dict[str, Counts]
    days: tuple[dt.date, ...]


def calendar(year: int, days: int = 365) -> tuple[dt.date, ...]:
    """The last `days` days of a year."""
    end = dt.date(year + 1, 1, 1)
    return tuple(end - dt.timedelta(days=left) for left in range(days, 0, -1))


def simulate(
    world: World, rows: int, random: Random, reference_rows: int | None = None, reference_days: int = 365
) -> Year:
    """A reference year of `rows` a day, or of `reference_rows` without days, and a year of `rows` a day."""
    before, after = calendar(REFERENCE_YEAR, reference_days), calendar(LIVE_YEAR)
    shifts = shifts_of(world, [*before, *after], random)
    references, live = {}, {}
    for at, feature in enumerate(FEATURES):
        past = shifts[: len(before), at] if reference_rows is None else np.zeros(1)
        model = Model(feature, past, rows if reference_rows is None else reference_rows, random)
        references[feature.name] = model.reference(with_days=reference_rows is None)
        live[feature.name] = model.draw(shifts[len(before) :, at], rows, random)
    days = None if reference_rows is not None else tuple(day.isoformat() for day in before)
    return Year(references=references, reference_days=days, live=live, days=after)


def shifts_of(world: World, days: Sequence[dt.date], random: Random) -> Floats:
    """The shift of each feature on each day."""
    weekday = random.standard_normal((7, len(FEATURES))) * world.season
    weekday -= weekday.mean(axis=0)
    own, shared = (_autocorrelated(world, len(days), size, random) for size in (len(FEATURES), 1))
    shifts: Floats = weekday[[day.weekday() for day in days]] + (own + shared) / np.sqrt(2)
    return shifts


def _autocorrelated(world: World, days: int, size: int, random: Random) -> Floats:
    steps = random.standard_normal((days, size)) * world.days
    path = np.empty_like(steps)
    path[0] = steps[0]
    for day in range(1, days):
        path[day] = world.memory * path[day - 1] + np.sqrt(1 - world.memory**2) * steps[day]
    return path


class Model:
    """Cells of one feature, made from reference rows, and the probability of each on a day."""

    def __init__(self, feature: Feature, shifts: Floats, rows: int, random: Random) -> None:
        self.feature = feature
        self.edges, self.categories = np.array([]), feature.shares
        if feature.kind == "number" and not feature.shares:
            few = max(1, min(rows, MOST_VALUES // len(shifts)))
            values = random.standard_normal((len(shifts), few)) + shifts[:, None]
            values = np.where(random.random(values.shape) < self._missing(shifts)[:, None], np.nan, values)
            known = np.sort(values[~np.isnan(values)])
            self.edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf"))
            whole = few == rows
            self.by_day = (
                np.stack([self._cells(day) for day in values]) if whole else self.draw(shifts, rows, random)
            )
            self._moments(known)
            return
        if feature.kind == "number":
            self.edges = special.ndtri(np.cumsum(feature.shares[:-1]))
        self.by_day = self.draw(shifts, rows, random)
        if feature.kind == "number":
            seen = self.by_day.sum(axis=0)[:-2] > 0
            self.means: list[float | None] = [
                float(at) if present else None for at, present in enumerate(seen)
            ]
            self.deviation = 1.0
        else:
            self._list_categories()

    def _moments(self, known: Floats) -> None:
        place = np.searchsorted(self.edges, known)
        self.means = [float(known[place == at].mean()) for at in range(len(self.edges) + 1)]
        self.deviation = float(known.std())

    def _list_categories(self) -> None:
        """Categories that no reference row has are not listed: live rows with them are `other`."""
        self.listed = self.by_day.sum(axis=0)[:-2] > 0
        self.by_day = self._fold(self.by_day)

    def _fold(self, cells: Counts) -> Counts:
        rare = cells[:, :-2][:, ~self.listed].sum(axis=1)
        return np.column_stack([cells[:, :-2][:, self.listed], rare, cells[:, -1]])

    def _cells(self, values: Floats) -> Counts:
        missing = np.isnan(values)
        bins = np.bincount(np.searchsorted(self.edges, values[~missing]), minlength=len(self.edges) + 1)
        return np.append(bins, [0, missing.sum()])

    def probabilities(self, shifts: Floats) -> Floats:
        """The probability of each cell on each day."""
        if self.feature.kind == "number":
            below = special.ndtr(self.edges - shifts[:, None])
            inside = np.diff(below, axis=1, prepend=0.0, append=1.0)
        else:
            weight = np.asarray(self.categories) * np.exp(
                np.outer(shifts, np.linspace(-1, 1, len(self.categories)))
            )
            inside = weight / weight.sum(axis=1, keepdims=True)
        missing = self._missing(shifts)
        cells = np.column_stack([inside * (1 - missing)[:, None], np.zeros(len(shifts)), missing])
        whole: Floats = cells / cells.sum(axis=1, keepdims=True)
        return whole

    def _missing(self, shifts: Floats) -> Floats:
        """The share of missing values on each day."""
        share: Floats = special.expit(special.logit(max(self.feature.missing, 1e-300)) + 2 * shifts)
        return share

    def draw(self, shifts: Floats, rows: int, random: Random) -> Counts:
        """The cells of each day."""
        cells = random.multinomial(rows, self.probabilities(shifts))
        return self._fold(cells) if hasattr(self, "listed") else cells

    def reference(self, *, with_days: bool) -> FeatureReference:
        """The reference as a baseline has it."""
        counts = self.by_day.sum(axis=0)
        number = self.feature.kind == "number"
        more: dict[str, Any] = {"means": tuple(self.means), "deviation": self.deviation} if number else {}
        return FeatureReference(
            bins=FeatureBins(
                kind=self.feature.kind,
                edges=tuple(self.edges.tolist()),
                categories=() if number else tuple(f"c{at}" for at in range(len(counts) - 2)),
            ),
            counts=tuple(counts.tolist()),
            by_day=tuple(tuple(day) for day in self.by_day.tolist()) if with_days else None,
            **more,
        )
