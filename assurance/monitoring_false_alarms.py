"""How often a model that is well alarms in a year: `python -m assurance.monitoring_false_alarms`.

Daily, weekly and monthly looks at simulated quiet years, judged by the product with its default rules, beside
the customary "PSI > 0.1". Fails where the upper end of what was seen cannot be the promised 5 %.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from assurance import quiet_years
from assurance.quiet_years import Counts, World, Year
from clearance.documents.look_document import Window
from clearance.metrics import significance
from clearance.monitoring import judgement, season
from clearance.monitoring.figures.effects import Hypothesis
from clearance.monitoring.statistics import distribution, divergence
from clearance.monitoring.statistics.reference import ReferenceCounts, spread
from clearance.policy import alarm_budget
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms

PROMISED = 0.05

RARE = 1e-4
"""Above the largest level of any test: that of one of a hundred in a month's look."""


def rule(name: str, metric: str, **limit: float) -> LiveRule:
    """A rule with an error budget."""
    return LiveRule.model_validate(
        {
            "id": name,
            "kind": "engineering",
            "source": "assurance",
            "valid_from": "2026-01-01",
            "metric": metric,
            "limit": limit,
        }
    )


RULES = (
    rule("population_stability", "drift.psi", at_most=0.1),
    rule("shift", "drift.shift", at_least=-0.01, at_most=0.01),
    rule("missing_values", "data.missing_excess", at_most=0.001),
    rule("unseen_categories", "data.unseen_share", at_most=0.001),
)
"""The drift and data rules of the default policies."""

TERMS = MonitoringTerms(rules=RULES)


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A world, with so many rows a day, and a reference of so many rows (None: a year of such days)."""

    world: World
    rows: int
    reference_rows: int | None = None
    reference_days: int = 365

    @property
    def reference(self) -> str:
        """The reference in words."""
        if self.reference_rows is not None:
            return f"{self.reference_rows:,} rows"
        return f"{self.reference_days} days"


SIZES = (50, 100, 500, 1000, 5000)
STRATA = (
    *(Stratum(world=quiet_years.STILL, rows=rows, reference_rows=1392) for rows in SIZES),
    *(Stratum(world=quiet_years.RESTLESS, rows=rows) for rows in SIZES),
    Stratum(world=quiet_years.LONG_MEMORY, rows=500),
    Stratum(world=quiet_years.RESTLESS, rows=500, reference_days=90),
)


@dataclass(kw_only=True)
class Tally:
    """What was counted over the years of one stratum."""

    years: int = 0
    alarmed: int = 0
    alarms: dict[str, int] = field(default_factory=dict)
    plain_years: int = 0
    plain_looks: int = 0
    looks: int = 0


def windows(days: Sequence[dt.date]) -> Iterator[tuple[Window, npt.NDArray[np.int64]]]:
    """The looks of a year: each day, each whole week, each whole month, with the places of its days."""
    places = {day: at for at, day in enumerate(days)}
    for day in days:
        yield _window("day", day, day + dt.timedelta(days=1)), np.array([places[day]])
        last = day + dt.timedelta(days=1)
        for period, starts, whole in (
            ("week", day - dt.timedelta(days=6), day.weekday() == 6),
            ("month", day.replace(day=1), last.day == 1),
        ):
            if whole and starts in places:
                yield _window(period, starts, last), np.arange(places[starts], places[day] + 1)


def _window(period: Any, start: dt.date, end: dt.date) -> Window:
    return Window(period=period, start=f"{start}T00:00Z", end=f"{end}T00:00Z")


def alarms_of(year: Year, terms: MonitoringTerms) -> dict[str, int]:
    """How many looks of the year had a failed rule, by kind of look.

    By Holm's method a look has one where its smallest p-value is at most the level over the number of
    hypotheses. Only features of which some p-value may be so small are measured: `suspicious`.
    """
    looks = list(windows(year.days))
    references = season.References(features=year.references, days=year.reference_days, terms=terms)
    alike: dict[Any, list[int]] = {}
    for place, (window, _) in enumerate(looks):
        alike.setdefault(season.kinds_of(window, terms), []).append(place)
    failed: set[int] = set()
    for name, days in year.live.items():
        live = np.stack([days[places].sum(axis=0) for _, places in looks])
        for places in alike.values():
            reference = references.of(name, looks[places[0]][0])
            for hit in np.flatnonzero(suspicious(live[places], reference)).tolist():
                level = alarm_budget.level(terms, looks[places[hit]][0].period) / tests_of(terms)
                if smallest_p_value(live[places[hit]], reference, terms) <= level:
                    failed.add(places[hit])
    periods = [looks[place][0].period for place in failed]
    return {period: periods.count(period) for period in alarm_budget.LOOKS_A_YEAR}


def tests_of(terms: MonitoringTerms) -> int:
    """The hypotheses of a look: every rule for every feature that it applies to."""
    return sum(
        distribution.applies(rule.metric, feature.kind)
        for rule in terms.rules
        for feature in quiet_years.FEATURES
    )


def smallest_p_value(cells: Counts, reference: ReferenceCounts, terms: MonitoringTerms) -> float:
    """The smallest p-value of the rules for one feature."""
    return min(
        judgement.p_value(
            Hypothesis(rule=rule, subject=None, effect=distribution.effect(rule.metric, cells, reference))
        )
        for rule in terms.rules
        if distribution.applies(rule.metric, reference.bins.kind)
    )


def suspicious(live: Counts, reference: ReferenceCounts) -> npt.NDArray[np.bool_]:
    """Which rows of cells may break one of `RULES` with a p-value below `RARE`."""
    rows, before, of = live.sum(axis=1), reference.counts, reference.rows
    noise = 1 / rows + 1 / of
    floor = np.maximum(live, 0.5) / rows[:, None], np.maximum(before, 0.5) / of
    index = ((floor[0] - floor[1]) * np.log(floor[0] / floor[1])).sum(axis=1)
    hits: npt.NDArray[np.bool_] = index > _large_index(float(noise.max()))
    for cell, limit in ((-1, 0.001), (-2, 0.001)):
        for at in np.flatnonzero(live[:, cell] / rows - before[cell] / of > limit):
            marked = live[at, cell] + before[cell]
            hits[at] |= stats.hypergeom.sf(live[at, cell] - 1, rows[at] + of, marked, rows[at]) < RARE
    if reference.bins.kind == "number":
        place = (np.cumsum(before[:-2]) - before[:-2] / 2) / before[:-2].sum()
        known, known_before = live[:, :-2].sum(axis=1), before[:-2].sum()
        share = (live[:, :-2] + before[:-2]) / (known + known_before)[:, None]
        middle = (share * place).sum(axis=1)
        variance = (share * place**2).sum(axis=1) - middle**2
        wide = spread(reference, place, float(np.median(variance)), int(np.median(known)), int(known_before))
        error = np.sqrt(variance * (1 / known + 1 / known_before) * wide.inflation)
        hits |= np.abs(live[:, :-2] @ place / known - 0.5) > 0.01 + 3 * error
    return hits


@lru_cache(maxsize=64)
def _large_index(noise: float) -> float:
    """The index that a true one of 0.1 exceeds with a probability of `RARE` at the least."""
    return noise * float(stats.ncx2.isf(RARE, 1, 0.1 / noise))


def plain_alarms(year: Year) -> npt.NDArray[np.bool_]:
    """Which days have a feature with a customary index above 0.1."""
    over = [
        divergence.psi(cells, np.asarray(reference.counts)) > 0.1
        for cells, reference in ((year.live[name], year.references[name]) for name in year.live)
    ]
    return np.any(over, axis=0)


def measure(stratum: Stratum, years: int, seed: int, terms: MonitoringTerms = TERMS) -> Tally:
    """Simulate and judge so many years."""
    random = np.random.default_rng([seed, stratum.rows, stratum.reference_rows or 0, stratum.reference_days])
    tally = Tally(alarms=dict.fromkeys(alarm_budget.LOOKS_A_YEAR, 0))
    for _ in range(years):
        year = quiet_years.simulate(
            stratum.world, stratum.rows, random, stratum.reference_rows, stratum.reference_days
        )
        alarms, plain = alarms_of(year, terms), plain_alarms(year)
        tally.years += 1
        tally.alarmed += any(alarms.values())
        for period, count in alarms.items():
            tally.alarms[period] += count
        tally.plain_years += bool(plain.any())
        tally.plain_looks += int(plain.sum())
        tally.looks += len(plain)
    return tally


def line(stratum: Stratum, tally: Tally) -> str:
    """One row of the table."""
    low, high = significance.clopper_pearson(tally.alarmed, tally.years, 0.95)
    alarms = ", ".join(f"{count} {period}" for period, count in tally.alarms.items())
    return (
        f"| {stratum.world.name} | {stratum.rows:,} | {stratum.reference} | {tally.years} "
        f"| {tally.alarmed / tally.years:.1%} ({low:.1%} to {high:.1%}) | {alarms} "
        f"| {tally.plain_years / tally.years:.0%} | {tally.plain_looks / tally.looks:.1%} |"
    )


HEAD = (
    "| world | rows a day | reference | years | with an alarm (95 %) | alarms "
    '| "PSI > 0.1": years | of its days |\n' + "|---" * 8 + "|"
)


def broken(tally: Tally) -> bool:
    """Whether so many years with an alarm cannot be chance at the promised rate."""
    p_value = stats.binom.sf(tally.alarmed - 1, tally.years, PROMISED)
    return bool(tally.alarmed and p_value < 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=200)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--only", type=int, action="append", help="number of a stratum, from 0")
    options = parser.parse_args()
    print(HEAD)
    failures = 0
    for at in options.only or range(len(STRATA)):
        start = time.process_time()
        tally = measure(STRATA[at], options.years, options.seed)
        print(line(STRATA[at], tally), f"{time.process_time() - start:.0f} s", flush=True)
        failures += broken(tally)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
