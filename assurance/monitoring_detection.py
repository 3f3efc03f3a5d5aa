"""How soon a planted fault is seen, at 5 % false alarms a year: `python -m assurance.monitoring_detection`.

The default rules judge days, weeks and months, each at its share of the budget and among all hypotheses of a
look, beside "PSI > 0.1" on the same days. Fails where a promised share of faults is not seen in time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from assurance import quiet_years
from assurance.monitoring_false_alarms import TERMS, smallest_p_value, tests_of, windows
from assurance.quiet_years import Counts, Feature, Floats, Model, Random, World
from clearance.documents.baseline_document import FeatureReference
from clearance.metrics import significance
from clearance.monitoring import season
from clearance.monitoring.figures import all_features, calibration_noise
from clearance.monitoring.statistics import divergence, rates
from clearance.policy import alarm_budget

HORIZON = 60
"""Days for which a fault may stay unseen before it counts as missed."""

OTHER_HYPOTHESES = 20
"""Hypotheses of a default look beside those of features: score, decision, groups, units, labels."""

NUMBER = Feature(name="number", kind="number")
CODE = Feature(name="code", kind="category", shares=(0.4, 0.25, 0.15, 0.1, 0.06, 0.04))

Plant = Callable[[Model, Floats, int, Random], Counts]
"""Draws the cells of faulty days."""


def moved(by: float) -> Plant:
    """The whole feature moves by so many standard deviations."""
    return lambda model, shifts, rows, random: model.draw(shifts + by, rows, random)


def moved_group(by: float, share: float) -> Plant:
    """Only rows of one group move."""

    def plant(model: Model, shifts: Floats, rows: int, random: Random) -> Counts:
        group = int(rows * share)
        return model.draw(shifts, rows - group, random) + model.draw(shifts + by, group, random)

    return plant


def replaced(cell: int, share: float) -> Plant:
    """A share of the values goes to one cell: -1 missing, -2 a new category, -3 the highest bin."""

    def plant(model: Model, shifts: Floats, rows: int, random: Random) -> Counts:
        gone = random.binomial(rows, share, len(shifts))
        cells = np.vstack(
            [model.draw(shift[None], rows - k, random) for shift, k in zip(shifts, gone, strict=True)]
        )
        cells[:, cell] += gone
        return cells

    return plant


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault of one feature from one day on. `most_days` and `power` are promised, where they are."""

    name: str
    plant: Plant
    rows: int
    feature: Feature = NUMBER
    world: World = quiet_years.STILL
    reference_rows: int | None = 1392
    most_days: int | None = None
    power: float = 0.95
    starts_monday: bool = False


def _faults() -> list[Fault]:
    half, third = moved(0.5), moved(0.3)
    listed = [
        Fault(name="0.5 sd, first window of 500", plant=half, rows=500, most_days=1),
        Fault(name="0.3 sd, first window of 5,000", plant=third, rows=5000, most_days=1),
        Fault(name="0.3 sd, ten days of 500", plant=third, rows=500, most_days=10),
    ]
    for rows in (500, 5000):
        days = {"rows": rows}
        listed += [
            Fault(name="one group of 25 % by 0.5 sd", plant=moved_group(0.5, 0.25), **days),
            Fault(name="new category of 2 %", plant=replaced(-2, 0.02), feature=CODE, **days),
            Fault(name="unit × 1000", plant=replaced(-3, 1.0), **days),
            Fault(name="missing values of 1 %", plant=replaced(-1, 0.01), **days),
        ]
    restless = {"world": quiet_years.RESTLESS, "reference_rows": None}
    for rows in (500, 5000):
        listed += [
            Fault(name="0.5 sd", plant=half, rows=rows, **restless),  # type: ignore[arg-type]
            Fault(name="0.3 sd", plant=third, rows=rows, **restless),  # type: ignore[arg-type]
            Fault(name="new category of 2 %", plant=replaced(-2, 0.02), feature=CODE, rows=rows, **restless),  # type: ignore[arg-type]
            Fault(name="missing values of 1 %", plant=replaced(-1, 0.01), rows=rows, **restless),  # type: ignore[arg-type]
        ]
    return listed


FAULTS = tuple(_faults())


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The days until a fault was seen, by us and by plain PSI; HORIZON + 1 where it was not."""

    ours: npt.NDArray[np.int64]
    plain: npt.NDArray[np.int64]


@lru_cache(maxsize=8)
def level(period: str) -> float:
    """What a p-value of a look must not exceed: its share of the budget, among all hypotheses of a look.

    Half of it is left to the rules that wait for labels, as the monitor does.
    """
    return alarm_budget.level(TERMS, period) / 2 / (tests_of(TERMS) + OTHER_HYPOTHESES)  # type: ignore[arg-type]


def detect(fault: Fault, trials: int, random: Random) -> Detection:
    """Plant the fault in so many years, each on a day of its own."""
    pairs = [_trial(fault, random) for _ in range(trials)]
    ours, plain = np.array(pairs, dtype=np.int64).T
    return Detection(ours=ours, plain=plain)


def _trial(fault: Fault, random: Random) -> tuple[int, int]:
    before, after = quiet_years.calendar(quiet_years.REFERENCE_YEAR), quiet_years.calendar(2026)
    shifts = quiet_years.shifts_of(fault.world, [*before, *after], random)[:, 0]
    days = fault.reference_rows is None
    past = shifts[:365] if days else np.zeros(1)
    model = Model(fault.feature, past, fault.reference_rows or fault.rows, random)
    reference = model.reference(with_days=days)
    start = int(random.integers(35, 300))
    quiet = model.draw(shifts[365 + start - 35 : 365 + start], fault.rows, random)
    faulty = fault.plant(model, shifts[365 + start : 365 + start + HORIZON], fault.rows, random)
    dates = after[start - 35 : start + HORIZON]
    ours = _first_failure(np.vstack([quiet, faulty]), dates, reference, before if days else None)
    over = np.flatnonzero(divergence.psi(faulty, np.asarray(reference.counts)) > 0.1)
    return ours, int(over[0]) + 1 if len(over) else HORIZON + 1


def _first_failure(
    cells: Counts, dates: Sequence[dt.date], feature: FeatureReference, before: Sequence[dt.date] | None
) -> int:
    """How many faulty days there were when a look first failed; quiet days come first."""
    references = season.References(
        features={"x": feature},
        days=None if before is None else tuple(day.isoformat() for day in before),
        terms=TERMS,
    )
    for window, places in windows(dates):
        passed = int(places[-1]) - 35 + 1
        if passed < 1:
            continue
        p_value = smallest_p_value(cells[places].sum(axis=0), references.of("x", window), TERMS)
        if p_value <= level(window.period):
            return passed
    return HORIZON + 1


@dataclass(frozen=True, kw_only=True)
class Selection:
    """One group whose selection rate fell by ten points: so many rows of it a window, and in the evidence."""

    rows: int
    evidence: int

    def power(self, trials: int, random: Random, period: str = "day") -> float:
        """How often a rule of at most five points fails in the first window."""
        before = random.binomial(self.evidence, 0.6, trials)
        live = random.binomial(self.rows, 0.5, trials)
        p_values = [
            rates.difference((int(now), self.rows), (int(then), self.evidence)).p_below(-0.02)
            for now, then in zip(live, before, strict=True)
        ]
        return float((np.array(p_values) <= level(period)).mean())


SELECTIONS = tuple(
    Selection(rows=rows, evidence=evidence) for rows in (300, 2100, 9000) for evidence in (300, 3000, 30000)
)


def joint_power(rows: int, correlation: float, trials: int, random: Random) -> float:
    """How often `drift.all_features` (at most 0.52) fails at a day's level where only a correlation changed.

    One of 28 normal features gets a correlation with another; the reference has 1,392 rows.
    """

    def draw(count: int, shared: float) -> pd.DataFrame:
        table = random.standard_normal((count, 28))
        table[:, 1] = shared * table[:, 0] + np.sqrt(1 - shared**2) * table[:, 1]
        return pd.DataFrame(table).add_prefix("x")

    p_values = [
        all_features.measure(draw(rows, correlation), draw(1392, 0.0)).p_above(0.52) for _ in range(trials)
    ]
    return float((np.array(p_values) <= level("day")).mean())


def flipped_power(rows: int, trials: int, random: Random, period: str) -> float:
    """How often the calibration error (at most 0.02) fails where 10 % of all labels are flipped.

    Scores are calibrated and uniform, in ten cells; every label is in.
    """
    scores = (np.arange(10) + 0.5) / 10
    observed = 0.9 * scores + 0.1 * (1 - scores)
    p_values = []
    for _ in range(trials):
        cells = random.multinomial(rows, np.full(10, 0.1))
        error = calibration_noise.CalibrationError(cells, random.binomial(cells, observed), scores)
        p_values.append(error.p_above(0.02) if error.value > 0.02 else 1.0)
    return float((np.array(p_values) <= level(period)).mean())


def in_words(days: npt.NDArray[np.int64]) -> str:
    """The median delay, and the share seen on the first day and within the horizon."""
    median = float(np.median(days))
    delay = f"{median:.0f}" if median <= HORIZON else f"> {HORIZON}"
    return f"{(days <= 1).mean():.0%} | {(days <= 10).mean():.0%} | {(days <= HORIZON).mean():.0%} | {delay}"


HEAD = (
    "| fault | world | rows a day | first day | ten days | sixty days | median days "
    '| "PSI > 0.1": first day | ten days | sixty days | median days |\n' + "|---" * 11 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=81)
    options = parser.parse_args()
    random, failures = np.random.default_rng(options.seed), 0
    print(HEAD)
    for fault in FAULTS:
        detection = detect(fault, options.trials, random)
        promise = ""
        if fault.most_days is not None:
            seen = int((detection.ours <= fault.most_days).sum())
            low, high = significance.clopper_pearson(seen, options.trials, 0.95)
            promise = f" {seen / options.trials:.1%} ({low:.1%} to {high:.1%}) within {fault.most_days}"
            failures += seen / options.trials < fault.power
        print(
            f"| {fault.name} | {fault.world.name} | {fault.rows:,} | {in_words(detection.ours)} "
            f"| {in_words(detection.plain)} |{promise}",
            flush=True,
        )
    print("\nSelection rate of one group from 60 % to 50 %, limit two points:")
    for selection in SELECTIONS:
        powers = {
            period: selection.power(options.trials, random, period) for period in ("day", "week", "month")
        }
        words = ", ".join(f"{power:.0%} as a {period}" for period, power in powers.items())
        print(f"{selection.rows:,} rows, evidence of {selection.evidence:,}: {words}")
    few = max(10, options.trials // 10)
    print("\nA correlation of 0.5 between two of 28 features, nothing else, first day:")
    for rows in (500, 1000, 5000):
        print(
            f"{rows:,} rows: {joint_power(rows, 0.5, few, random):.0%} of {few}; no index of a feature moves"
        )
    print("\nLabels, 10 % of them flipped, calibration error of at most 0.02:")
    for rows in (500, 3500, 15_000):
        powers = {
            period: flipped_power(rows, options.trials, random, period) for period in ("day", "week", "month")
        }
        print(f"{rows:,} labels: " + ", ".join(f"{power:.0%} as a {name}" for name, power in powers.items()))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
