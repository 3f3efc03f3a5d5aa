"""Fairness evidence: its time against MetricFrame's, its growth, and rows that memory cannot hold."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import params
from clearance.metrics.disparity import METRICS
from tasks import assess

Array = npt.NDArray[np.float64]
ATTRIBUTES = {"race": 5, "sex": 2, "age": 3}
RESAMPLES = 1000


def table(rows: int, seed: int = 0) -> tuple[pd.DataFrame, npt.NDArray[np.int8], Array]:
    """Three protected attributes, a label, and scores that are calibrated."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {name: rng.integers(0, groups, rows).astype(str) for name, groups in ATTRIBUTES.items()}, dtype=object
    )
    scores = rng.random(rows)
    return frame, (rng.random(rows) < scores).astype(np.int8), scores


def _seconds(frame: pd.DataFrame, label: npt.NDArray[np.int8], scores: Array) -> float:
    """CPU seconds of the whole fairness document."""
    start = time.process_time()
    assess.assess(
        protected=frame,
        label=label,
        scores=scores,
        threshold=0.5,
        model_sha256="0" * 64,
        declared_groups={},
        options=params.Evaluate(resamples=RESAMPLES, intersections=2),
        seed=1,
    )
    return time.process_time() - start


def speed(_: Path, repeats: int) -> None:
    """One million rows: the whole fairness document against a single MetricFrame, without any draw.

    MetricFrame is measured at ten and at a hundred thousand rows, and extrapolated by ten at that growth.
    """
    frame, label, scores = table(1_000_000)
    ours = min(_seconds(frame, label, scores) for _ in range(repeats))
    _frame(frame.head(1_000), label[:1_000], scores[:1_000])  # the first call imports
    fewer, more = (
        _metric_frame_seconds(frame.head(rows), label[:rows], scores[:rows]) for rows in (10_000, 100_000)
    )
    theirs = more * more / fewer
    print(f"  {len(METRICS)} metrics, 3 attributes and their pairs, {RESAMPLES} draws: {ours:.2f} s CPU")
    print(f"  MetricFrame, 12 metrics, no draw: {fewer:.1f} s CPU at 10,000 rows, {more:.1f} at 100,000")
    print(f"fairness evidence, 1 million rows   {ours:.2f} s   (bar 1.00)")
    print(f"one MetricFrame without draws (extrapolated) / ours   {theirs / ours:,.0f}   (bar 1)")


def _metric_frame_seconds(frame: pd.DataFrame, label: npt.NDArray[np.int8], scores: Array) -> float:
    """CPU seconds of one MetricFrame over each attribute and pair."""
    start = time.process_time()
    _frame(frame, label, scores)
    return time.process_time() - start


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
            metric_frame = fairlearn.MetricFrame(
                metrics=twelve, y_true=label, y_pred=decision, sensitive_features=frame[over]
            )
            metric_frame.difference()
            metric_frame.ratio()


FILES = 10
COUNT = """
import sys, resource, time
from pathlib import Path
from benchmarks import out_of_core
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
        draws = (
            "SELECT chr(65 + (random() * 5)::INT) AS race, chr(102 + (random() * 2)::INT) AS sex, "  # noqa: S608
            "chr(111 + (random() * 3)::INT) AS age, (random() < 0.5)::INT AS label, random() AS score "
            f"FROM range({rows // FILES})"
        )
        duckdb.execute(f"COPY ({draws}) TO '{scratch}/{at}.parquet'")
    samples: dict[str, list[list[float]]] = {COUNT: [], BARE: []}
    for _ in range(repeats):
        for code, sample in samples.items():
            output = subprocess.check_output([sys.executable, "-c", code, str(scratch)], text=True)
            sample.append(
                [float(number) for number in output.split()[-2:]]
            )  # before them DuckDB's progress bar
    seconds = {code: min(row[0] for row in sample) for code, sample in samples.items()}
    print(f"  {rows:,} rows counted in {seconds[COUNT]:.1f} s, bare GROUP BY {seconds[BARE]:.1f} s")
    print(f"Parquet / bare GROUP BY   {seconds[COUNT] / seconds[BARE]:.2f}   (bar 2.00)")
    print(f"resident memory           {max(row[1] for row in samples[COUNT]):.2f} GiB   (bar 2)")


def growth(_: Path, repeats: int) -> None:
    """From ten thousand to ten million rows: seconds a million rows must not grow."""
    seconds = {}
    for rows in (10_000, 100_000, 1_000_000, 10_000_000):
        data = table(rows)
        seconds[rows] = min(_seconds(*data) for _ in range(1 if rows > 1_000_000 else repeats))
        print(f"  {rows:>10,} rows  {seconds[rows]:6.2f} s")
    step = seconds[10_000_000] / seconds[1_000_000]
    print(f"ten times the rows, times the seconds   {step:.1f}   (bar 10)")
