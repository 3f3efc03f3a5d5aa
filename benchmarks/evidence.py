"""Fairness evidence: its time against MetricFrame's, its growth with rows, what its intervals really cover.

`coverage` simulates truths and counts how often the interval holds the true value: nothing here is timed.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import params
from clearance.evidence import Measurement
from clearance.measures import entropy, fairness, intervals
from clearance.measures.counts import Cells
from tasks import assess

Array = npt.NDArray[np.float64]
ATTRIBUTES = {"race": 5, "sex": 2, "age": 3}
RESAMPLES = 1000
STRATA = ((20, 30), (30, 100), (100, 500), (500, 5001))
TRUTHS = 2000


def table(rows: int, seed: int = 0) -> tuple[pd.DataFrame, npt.NDArray[np.int8], Array]:
    """Three protected attributes, a label, and scores that are calibrated."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {name: rng.integers(0, groups, rows).astype(str) for name, groups in ATTRIBUTES.items()}, dtype=object
    )
    scores = rng.random(rows)
    return frame, (rng.random(rows) < scores).astype(np.int8), scores


def _seconds(frame: pd.DataFrame, label: npt.NDArray[np.int8], scores: Array) -> float:
    start = time.perf_counter()
    assess.assess(
        protected=frame,
        label=label,
        scores=scores,
        threshold=0.5,
        known={},
        asked=params.Evaluate(resamples=RESAMPLES, intersections=2),
        seed=1,
    )
    return time.perf_counter() - start


def speed(_: Path, repeats: int) -> None:
    """One million rows: the whole fairness document against MetricFrame's point values and resamples."""
    frame, label, scores = table(1_000_000)
    ours = min(_seconds(frame, label, scores) for _ in range(repeats))
    sample = frame.head(100_000)
    start = time.perf_counter()
    _frame(sample, label[:100_000], scores[:100_000])
    resample = 10 * (time.perf_counter() - start)
    theirs = (1 + RESAMPLES) * resample
    print(f"  {len(assess.METRICS)} metrics, 3 attributes and their pairs, {RESAMPLES} draws: {ours:.2f} s")
    print(f"  MetricFrame, 12 metrics, one resample (10 x that of 100,000 rows): {resample:.1f} s")
    print(f"fairness evidence, 1 million rows   {ours:.2f} s   (bar 1.00)")
    print(f"MetricFrame (extrapolated) / ours   {theirs / ours:,.0f}   (bar 1,000)")


def _frame(frame: pd.DataFrame, label: npt.NDArray[np.int8], scores: Array) -> None:
    """Twelve metrics by every attribute and pair of attributes, with MetricFrame."""
    import fairlearn.metrics as fairlearn
    from sklearn import metrics

    decision = (scores >= 0.5).astype(int)
    twelve = {
        "count": fairlearn.count,
        "selection_rate": fairlearn.selection_rate,
        "true_positive_rate": fairlearn.true_positive_rate,
        "false_positive_rate": fairlearn.false_positive_rate,
        "false_negative_rate": fairlearn.false_negative_rate,
        "true_negative_rate": fairlearn.true_negative_rate,
        "precision": metrics.precision_score,
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "f1": metrics.f1_score,
        "zero_one_loss": metrics.zero_one_loss,
        "mean_prediction": fairlearn.mean_prediction,
    }
    names = list(frame.columns)
    pairs = [[a, b] for at, a in enumerate(names) for b in names[at + 1 :]]
    for over in [*([name] for name in names), *pairs]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fairlearn.MetricFrame(
                metrics=twelve, y_true=label, y_pred=decision, sensitive_features=frame[over]
            )
            found.difference()
            found.ratio()


FILES = 10
COUNT = """
import sys, resource, time
from pathlib import Path
from clearance.measures import out_of_core
start = time.perf_counter()
out_of_core.from_parquet(
    sorted(Path(sys.argv[1]).glob("*.parquet")),
    out_of_core.Columns(protected=("race", "sex", "age"), label="label", score="score", threshold=0.5),
)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
BARE = """
import sys, resource, time, duckdb
start = time.perf_counter()
with duckdb.connect(config={"memory_limit": "1GB", "threads": 2}) as database:
    database.execute(
        "SELECT race, sex, age, label, score >= 0.5 AS decision, count(*) FROM read_parquet(?) GROUP BY ALL",
        [sys.argv[1] + "/*.parquet"],
    ).fetchall()
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def parquet(scratch: Path, repeats: int, rows: int = 100_000_000) -> None:
    """A hundred million rows in Parquet, counted by DuckDB: against a bare GROUP BY over the same columns."""
    import duckdb

    for at in range(FILES):
        drawn = (
            "SELECT chr(65 + (random() * 5)::INT) AS race, chr(102 + (random() * 2)::INT) AS sex, "  # noqa: S608
            "chr(111 + (random() * 3)::INT) AS age, (random() < 0.5)::INT AS label, random() AS score "
            f"FROM range({rows // FILES})"
        )
        duckdb.execute(f"COPY ({drawn}) TO '{scratch}/{at}.parquet'")
    found: dict[str, list[list[float]]] = {COUNT: [], BARE: []}
    for _ in range(repeats):
        for code, each in found.items():
            said = subprocess.check_output([sys.executable, "-c", code, str(scratch)], text=True)
            each.append([float(number) for number in said.split()[-2:]])  # before them DuckDB's progress bar
    seconds = {code: min(row[0] for row in each) for code, each in found.items()}
    print(f"  {rows:,} rows counted in {seconds[COUNT]:.1f} s, bare GROUP BY {seconds[BARE]:.1f} s")
    print(f"Parquet / bare GROUP BY   {seconds[COUNT] / seconds[BARE]:.2f}   (bar 2.00)")
    print(f"resident memory           {max(row[1] for row in found[COUNT]):.2f} GiB   (bar 2)")


def growth(_: Path, repeats: int) -> None:
    """From ten thousand to ten million rows: seconds a million rows must not grow."""
    found = {}
    for rows in (10_000, 100_000, 1_000_000, 10_000_000):
        data = table(rows)
        found[rows] = min(_seconds(*data) for _ in range(1 if rows > 1_000_000 else repeats))
        print(f"  {rows:>10,} rows  {found[rows]:6.2f} s")
    step = found[10_000_000] / found[1_000_000]
    print(f"ten times the rows, times the seconds   {step:.1f}   (bar 10)")


def coverage(_: Path, repeats: int) -> None:
    """How often intervals hold the truth and a fair model is called unfair, by the smallest group."""
    for seed in range(repeats):
        tally: dict[tuple[str, tuple[int, int]], list[tuple[bool, float]]] = defaultdict(list)
        alarms: dict[tuple[str, tuple[int, int]], list[tuple[bool, bool]]] = defaultdict(list)
        undecided: dict[tuple[str, tuple[int, int]], int] = defaultdict(int)
        rng = np.random.default_rng(seed)
        for _ in range(TRUTHS):
            _simulate(rng, tally, alarms, undecided)
        print(f"  seed {seed}: {TRUTHS} truths at 95 %")
        for (metric, stratum), each in sorted(tally.items()):
            held, width = (float(np.mean(column)) for column in zip(*each, strict=True))
            none = undecided[metric, stratum]
            name = f"{metric}, smallest group {stratum[0]} to {stratum[1] - 1}"
            print(f"  {name:75} {held:6.1%} held, width {width:.3f}, {len(each)} bounded, {none} not")
        for (metric, stratum), wrong in sorted(alarms.items()):
            point, ours = (float(np.mean(column)) for column in zip(*wrong, strict=True))
            name = f"{metric}, smallest group {stratum[0]} to {stratum[1] - 1}"
            print(f"  {name:75} equal groups failed: by the point {point:6.1%}, by the interval {ours:6.1%}")
        worst = min(
            (np.mean([held for held, _ in each]), key) for key, each in tally.items() if len(each) >= 100
        )
        print(
            f"lowest coverage in any stratum of 100 or more   {worst[0]:.1%} ({worst[1][0]})   (bar 93.5 %)"
        )


def _simulate(
    rng: np.random.Generator,
    tally: dict[tuple[str, tuple[int, int]], list[tuple[bool, float]]],
    alarms: dict[tuple[str, tuple[int, int]], list[tuple[bool, bool]]],
    undecided: dict[tuple[str, tuple[int, int]], int],
) -> None:
    """One truth and one sample; a third of the truths treat all groups alike, some hold empty cells."""
    groups = int(rng.integers(2, 7))
    low, high = STRATA[rng.integers(len(STRATA))]
    sizes = np.exp(rng.uniform(np.log(low), np.log(5000), groups)).astype(int)
    sizes[0] = rng.integers(low, high)
    base, true, false = (rng.uniform(*ends, groups) for ends in ((0.2, 0.8), (0.4, 0.95), (0.05, 0.5)))
    alike = rng.random() < 1 / 3
    if alike:
        base, true, false = (np.repeat(each[:1], groups) for each in (base, true, false))
    elif rng.random() < 0.1:
        false[0] = 0.0
    chances = np.stack([base * true, (1 - base) * false, base * (1 - true), (1 - base) * (1 - false)], axis=1)
    drawn = [rng.multinomial(size, chance) for size, chance in zip(sizes, chances, strict=True)]
    named = {
        f"g{at}": Cells(
            true_positive=int(each[0]),
            false_positive=int(each[1]),
            false_negative=int(each[2]),
            true_negative=int(each[3]),
        )
        for at, each in enumerate(drawn)
    }
    sampling = intervals.Sampling(confidence=0.95, resamples=RESAMPLES, seed=1)
    found = fairness.measure(named, 0.95) | entropy.measure(named, sampling)
    stratum = next(each for each in STRATA if each[0] <= sizes.min() < each[1])
    for metric, truth in _truths(chances, sizes).items():
        taken = found[metric]
        if taken.low is None or taken.high is None or not np.isfinite(truth):
            undecided[metric, stratum] += 1
            continue
        held = taken.low - 1e-9 <= truth <= taken.high + 1e-9
        tally[metric, stratum].append((bool(held), taken.high - taken.low))
    if alike:
        for metric, broken in _LIMITS.items():
            taken = found[metric]
            if taken.value is not None and taken.low is not None and taken.high is not None:
                alarms[metric, stratum].append((broken(taken)[0], broken(taken)[1]))


_LIMITS: dict[str, Callable[[Measurement], tuple[bool, bool]]] = {
    "demographic_parity_difference": lambda it: ((it.value or 0) > 0.1, (it.low or 0) > 0.1),
    "demographic_parity_ratio": lambda it: ((it.value or 0) < 0.8, (it.high or 0) < 0.8),
}


def _truths(chances: Array, sizes: npt.NDArray[np.int_]) -> dict[str, float]:
    """The true value of each metric, from the chances (groups, 4) of the four cells."""
    tp, fp, fn, tn = chances.T
    selected, true, false = tp + fp, tp / (tp + fn), fp / (fp + tn)
    gaps = {
        "demographic_parity_difference": selected,
        "equal_opportunity_difference": true,
        "false_positive_rate_difference": false,
        "predictive_parity_difference": tp / selected,
        "accuracy_difference": tp + tn,
        "average_odds_difference": (true + false) / 2,
    }
    found = {metric: float(np.ptp(rate)) for metric, rate in gaps.items()}
    ratios = [each.min() / each.max() if each.max() else np.nan for each in (selected, true, false)]
    expected = chances * sizes[:, None]
    return found | {
        "equalized_odds_difference": float(max(np.ptp(true), np.ptp(false))),
        "demographic_parity_ratio": float(ratios[0]),
        "equalized_odds_ratio": float(min(ratios[1:])),
        "accuracy_lowest": float((tp + tn).min()),
        "true_positive_rate_lowest": float(true.min()),
        "theil_index": float(entropy.theil(expected)),
        "generalized_entropy_index": float(entropy.generalized_entropy(expected)),
        "between_group_theil_index": float(entropy.between_group_theil(expected)),
    }
