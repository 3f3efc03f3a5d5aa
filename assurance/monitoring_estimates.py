"""How well performance is estimated before labels are in, and how surely groups that change are found.

Truths are simulated: the probability of a label is known for every row, so the true ROC AUC under a shift is
that of many rows. Nothing is timed. NannyML's estimates stand beside ours where `CLEARANCE_NANNYML_PYTHON`
names a Python that has it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from assurance import docs_tables
from clearance.documents.baseline_document import BaselineDocument, FeatureReference, GroupReference
from clearance.monitoring.counting import bins
from clearance.monitoring.counting.window_counts import WindowCounts
from clearance.monitoring.figures import estimated_performance, fairness
from clearance.monitoring.figures.estimates import Figure
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import LiveRule

Rows = npt.NDArray[np.float64]
Record = dict[str, Any]

CONFIDENCE = 0.95
BAR = 0.02
"""The largest mean distance of an estimated ROC AUC from the true one."""
ROUNDS = 24
TRAINED, LIVE, MANY = 3_000, 5_000, 30_000
CALIBRATING = (1_400, 5_000, 20_000)
THRESHOLD = 0.5
COMPARED = 2
"""Rounds that NannyML estimates too."""
LEVEL = 0.05 / 3 / 366 / 30
"""What one of 30 hypotheses of a daily look may err, by Holm's first step, of 5 % a year."""
ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/estimates.json"
GUIDE = ROOT / "docs/monitoring-figures.md"

RULES = (("selection_rate", 0.0), ("selection_rate", 0.05), ("parity", 0.05), ("parity", 0.1))

SHIFTS: Mapping[str, Callable[[Rows], Rows]] = {
    "none": lambda x: x,
    "one mean by 0.7 sd": lambda x: x + np.eye(1, x.shape[1], 0) * 0.7,
    "all spreads by 0.7": lambda x: 0.7 * x,
    "one group only": lambda x: np.column_stack([x[:, 0], np.abs(x[:, 1]), x[:, 2:]]),
    "two means, spread by 1.3": lambda x: 1.3 * x + np.array([0.5, -0.5, *[0.0] * (x.shape[1] - 2)]),
}
MODELS: Mapping[str, Callable[[int], Any]] = {
    "logistic regression, the right terms": lambda _: make_pipeline(
        FunctionTransformer(_terms), LogisticRegression()
    ),
    "boosted trees": lambda seed: HistGradientBoostingClassifier(max_iter=60, random_state=seed),
    "logistic regression, terms missing": lambda _: LogisticRegression(),
}
WRONG = "logistic regression, terms missing"
"""A score that leaves out what the label depends on is calibrated for the rows of the evidence alone."""


def run(scratch: Path, seeds: Sequence[int] = (), write: bool = False) -> int:
    """Simulate with the seed given, or a fresh one; print the tables; return how many bars are missed."""
    seed = seeds[0] if seeds else secrets.randbits(32)
    print(f"  seed {seed}; `--seed {seed}` repeats it", flush=True)
    record = measure(seed, scratch)
    print(render(record))
    if write:
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        GUIDE.write_text(docs_tables.placed(GUIDE.read_text(), "estimates", render(record)))
    missed = below(record)
    print("\n".join(missed) or "every bar is met")
    return len(missed)


def measure(seed: int, scratch: Path, rounds: int = ROUNDS) -> Record:
    """The record: errors of estimates by model and shift, what broke calibration does, power for groups."""
    random = np.random.default_rng(seed)
    return {
        "seed": seed,
        "rounds": rounds,
        "estimates": _estimates(random, rounds, scratch),
        "calibration_checks": _calibration_checks(random, rounds),
        "power": _power(random, 5 * rounds),
    }


def probability(x: Rows) -> Rows:
    """How likely a favourable label is."""
    return np.asarray(1 / (1 + np.exp(-_terms(x) @ np.array([1.2, -0.9, 0.6, 0.7]))))


def _terms(x: Rows) -> Rows:
    return np.column_stack([x[:, 0], x[:, 1], x[:, 0] * x[:, 1], np.sin(2 * x[:, 2])])


def _draw(random: np.random.Generator, rows: int) -> Rows:
    return random.normal(size=(rows, 6))


def _labels(random: np.random.Generator, x: Rows) -> npt.NDArray[np.int64]:
    return (random.random(len(x)) < probability(x)).astype(np.int64)


# Windows and baselines


def _baseline(scores: Rows, labels: npt.NDArray[np.int64]) -> BaselineDocument:
    """Half of the rows calibrate as tune rows, half as test rows."""
    score_bins = bins.of_numbers(scores, bins.SCORE_BINS)
    half = len(scores) // 2
    return BaselineDocument(
        model_sha256="0" * 64,
        threshold=THRESHOLD,
        rows=half,
        features={},
        score=FeatureReference(bins=score_bins, counts=(0,) * score_bins.size),
        cells=_cells(score_bins, scores[:half], labels[:half]),
        calibration=_cells(score_bins, scores[half:], labels[half:]),
    )


def _cells(
    score_bins: Any, scores: Rows, labels: npt.NDArray[np.int64]
) -> tuple[tuple[int, int, int, int], ...]:
    at = bins.places(score_bins, pd.Series(scores))
    keys, counts = np.unique(np.column_stack([at, labels, scores >= THRESHOLD]), axis=0, return_counts=True)
    return tuple((*key, int(count)) for key, count in zip(keys.tolist(), counts, strict=True))


def _window(
    baseline: BaselineDocument, scores: Rows, labels: npt.NDArray[np.int64] | None = None
) -> WindowCounts:
    assert baseline.score is not None  # noqa: S101 - it is made with one
    known = np.zeros(len(scores), np.int64) if labels is None else labels
    cells = _cells(baseline.score.bins, scores, known)
    decisions: dict[Any, int] = defaultdict(int)
    for cell, _, decision, count in cells:
        decisions[(), cell, decision] += count
    labelled = {((), cell, decision, label): count for cell, label, decision, count in cells}
    return WindowCounts(
        rows=len(scores),
        features={},
        score=np.zeros(baseline.score.bins.size, dtype=np.int64),
        decisions=decisions,
        labelled={} if labels is None else labelled,
    )


# Estimates under a covariate shift


def _estimates(random: np.random.Generator, rounds: int, scratch: Path) -> list[Record]:
    results: dict[tuple[str, int, str], list[Record]] = defaultdict(list)
    lives: dict[tuple[str, str], tuple[Rows, float]] = {}
    given: list[Record] = []
    compared: list[Record] = []
    places: list[tuple[str, int, str]] = []
    for place in range(rounds):
        trained = _draw(random, TRAINED)
        labels = _labels(random, trained)
        for name, make in MODELS.items():
            model = make(place).fit(trained, labels)
            for shift, change in SHIFTS.items():
                live, many = change(_draw(random, LIVE)), change(_draw(random, MANY))
                truth = _area(probability(many), _scores(model, many))
                lives[name, shift] = _scores(model, live), truth
            for rows in CALIBRATING:
                held_out = _draw(random, rows)
                known = _scores(model, held_out), _labels(random, held_out)
                baseline = _baseline(*known)
                for shift in SHIFTS:
                    live, truth = lives[name, shift]
                    window = _window(baseline, live)
                    figure = estimated_performance.measure("performance.estimated_roc_auc", window, baseline)
                    results[name, rows, shift].append(_result(figure, truth))
                    if place < COMPARED and "error" in results[name, rows, shift][-1]:
                        given.append({"scores": known[0], "labels": known[1], "live": live})
                        compared.append(results[name, rows, shift][-1] | {"truth": truth})
                        places.append((name, rows, shift))
    theirs = defaultdict(list)
    for key, ours, value in zip(places, compared, _nannyml(scratch, given) or (), strict=False):
        theirs[key].append((abs(value - ours["truth"]), abs(value - ours["truth"] - ours["error"])))
    return [
        {
            "model": key[0],
            "calibrating": key[1],
            "shift": key[2],
            **_summary(rounds_of),
            "nannyml_error": _rounded(np.mean, [error for error, _ in theirs[key]]),
            "nannyml_apart": _rounded(np.max, [apart for _, apart in theirs[key]]),
        }
        for key, rounds_of in results.items()
    ]


def _scores(model: Any, x: Rows) -> Rows:
    scores: Rows = model.predict_proba(x)[:, 1]
    return scores


def _area(chance: Rows, scores: Rows) -> float:
    """The ROC AUC that these rows are expected to have."""
    return float(
        roc_auc_score(
            np.repeat([1, 0], len(scores)),
            np.tile(scores, 2),
            sample_weight=np.concatenate([chance, 1 - chance]),
        )
    )


def _result(figure: Figure, truth: float) -> Record:
    if figure.value is None:
        return {}
    low, high = figure.interval(CONFIDENCE)
    return {"error": figure.value - truth, "covers": low <= truth <= high, "width": high - low}


def _summary(results: Sequence[Record]) -> Record:
    known = [result for result in results if result]
    errors = [abs(result["error"]) for result in known]
    return {
        "undefined": len(results) - len(known),
        "mean_error": _rounded(np.mean, errors),
        "largest_error": _rounded(np.max, errors),
        "coverage": _rounded(np.mean, [result["covers"] for result in known]),
        "width": _rounded(np.mean, [result["width"] for result in known]),
    }


def _rounded(of: Callable[[Sequence[float]], Any], numbers: Sequence[float]) -> float | None:
    return round(float(of(numbers)), 4) if numbers else None


_NANNYML = """
import json, sys
import numpy as np
from sklearn.isotonic import IsotonicRegression
from nannyml.performance_estimation.confidence_based.metrics import estimate_roc_auc
values = []
for part in np.load(sys.argv[1], allow_pickle=True):
    fitted = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(part["scores"], part["labels"])
    values.append(float(estimate_roc_auc(fitted.predict(part["live"]), part["live"])))
print(json.dumps(values))
"""


def _nannyml(scratch: Path, given: Sequence[Mapping[str, Any]]) -> list[float] | None:
    """NannyML's estimates from the rows themselves, calibrated as it does; None where it is not installed."""
    python = os.environ.get("CLEARANCE_NANNYML_PYTHON")
    if not python:
        return None
    np.save(scratch / "given.npy", np.array(given, dtype=object), allow_pickle=True)
    command = [python, "-c", _NANNYML, str(scratch / "given.npy")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    values: list[float] = json.loads(ran.stdout.splitlines()[-1])
    return values


# Calibration that broke


def _concepts() -> dict[str, Callable[[np.random.Generator, Rows], npt.NDArray[np.int64]]]:
    def flipped(random: np.random.Generator, x: Rows) -> npt.NDArray[np.int64]:
        labels = _labels(random, x)
        return np.where(random.random(len(x)) < 0.1, 1 - labels, labels)

    def turned(random: np.random.Generator, x: Rows) -> npt.NDArray[np.int64]:
        return _labels(random, x * np.array([0.3, 1, 1, 1, 1, 1]))

    def rarer(random: np.random.Generator, x: Rows) -> npt.NDArray[np.int64]:
        return _labels(random, x) * (random.random(len(x)) < 0.8)

    return {
        "none": _labels,
        "10 % of labels flipped": flipped,
        "the main feature matters a third": turned,
        "a fifth of favourable labels lost": rarer,
    }


def _calibration_checks(random: np.random.Generator, rounds: int) -> list[Record]:
    """How often labels end the estimate, by what happened to them and how many are in."""
    results = []
    for rows in (300, 1_000, 3_000):
        endings: dict[str, int] = dict.fromkeys(_concepts(), 0)
        for _ in range(rounds):
            trained, held_out = _draw(random, TRAINED), _draw(random, CALIBRATING[0])
            model = LogisticRegression().fit(trained, _labels(random, trained))
            baseline = _baseline(_scores(model, held_out), _labels(random, held_out))
            live = _draw(random, rows)
            scores = _scores(model, live)
            for concept, labels in _concepts().items():
                window = _window(baseline, scores, labels(random, live))
                figure = estimated_performance.measure("performance.estimated_roc_auc", window, baseline)
                endings[concept] += figure.value is None
        results += [
            {"labels": rows, "change": concept, "share_ended": round(count / rounds, 3)}
            for concept, count in endings.items()
        ]
    return results


# Groups


def _power(random: np.random.Generator, rounds: int) -> list[Record]:
    """How often one group whose selection rate fell by 10 points is found in one daily look."""
    results = []
    for rows in (300, 1_000, 3_000, 10_000):
        for metric, limit in (
            ("selection_rate", 0.0),
            ("selection_rate", 0.05),
            ("parity", 0.05),
            ("parity", 0.1),
        ):
            fails = plain = quiet = quiet_plain = 0
            for _ in range(rounds):
                for drop in (0.0, 0.1):
                    p_value, beyond = _group(random, rows, drop, metric, limit)
                    if drop:
                        fails, plain = fails + (p_value <= LEVEL), plain + beyond
                    else:
                        quiet, quiet_plain = quiet + (p_value <= LEVEL), quiet_plain + beyond
            results.append(
                {
                    "rows": rows,
                    "metric": metric,
                    "limit": limit,
                    "power": round(fails / rounds, 3),
                    "plain_power": round(plain / rounds, 3),
                    "false_alarms": round(quiet / rounds, 3),
                    "plain_false_alarms": round(quiet_plain / rounds, 3),
                }
            )
    return results


def _group(
    random: np.random.Generator, rows: int, drop: float, metric: str, limit: float
) -> tuple[float, bool]:
    """The p-value, and whether the plain number is beyond the limit, of two groups of half the rows."""
    reference = {
        name: GroupReference(rows=700, selected=int(random.binomial(700, 0.5)), positive=0, true_positive=0)
        for name in ("female", "male")
    }
    baseline = BaselineDocument(
        model_sha256="0" * 64, threshold=THRESHOLD, rows=1_400, features={}, groups={"sex": reference}
    )
    decisions = {}
    for name, rate in (("female", 0.5 - drop), ("male", 0.5)):
        hits = int(random.binomial(rows // 2, rate))
        decisions[(("sex", name),), 0, 1] = hits
        decisions[(("sex", name),), 0, 0] = rows // 2 - hits
    window = WindowCounts(rows=rows, features={}, score=np.zeros(3, dtype=np.int64), decisions=decisions)
    if metric == "selection_rate":
        figure = fairness.selection_rates("sex", window, baseline, 30)["female"]
        assert figure.value is not None  # noqa: S101 - there are rows
        return figure.p_below(-limit), figure.value < -limit
    figure = fairness.measure(_rule(limit), "sex", window, baseline, 1.0)
    assert figure.value is not None  # noqa: S101 - there are rows
    return figure.p_above(limit), figure.value > limit


def _rule(limit: float) -> LiveRule:
    return LiveRule(
        id="parity",
        kind="engineering",
        source="a study",
        valid_from=dt.date(2026, 1, 1),
        metric="fairness.demographic_parity_difference",
        attribute="sex",
        limit=Limit(at_most=limit),
    )


# What is printed


def below(record: Record) -> list[str]:
    """The bars that are missed: mean errors above `BAR`, intervals that hold too seldom, false endings."""
    missed = [
        f"{row['model']}, {row['calibrating']:,} rows, {row['shift']}: mean error {row['mean_error']}"
        for row in record["estimates"]
        if row["model"] != WRONG and row["mean_error"] is not None and row["mean_error"] > BAR
    ]
    return missed + [
        f"{row['labels']:,} labels, nothing changed: ended in {row['share_ended']:.1%}"
        for row in record["calibration_checks"]
        if row["change"] == "none" and row["share_ended"] > 0.1
    ]


_SHARES = ("power", "plain_power", "false_alarms", "plain_false_alarms")


def render(record: Record) -> str:
    """The tables, in Markdown."""
    lines = [
        f"{record['rounds']} rounds, seed {record['seed']}; windows of {LIVE:,} decisions.\n",
        "| Model | Calibrating rows | Shift of features | Mean error | Largest | 95 % interval holds | Width "
        "| NannyML's mean error (2 rounds) | Apart at most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["estimates"]:
        coverage = None if row["coverage"] is None else f"{row['coverage']:.0%}"
        cells = [row["mean_error"], row["largest_error"], coverage, row["width"]]
        theirs = [row["nannyml_error"], row["nannyml_apart"]]
        lines.append(
            f"| {row['model']} | {row['calibrating']:,} | {row['shift']} | "
            + " | ".join("-" if cell is None else str(cell) for cell in (*cells, *theirs))
            + " |"
        )
    lines += [
        "\n| Labels in | What happened to labels | Estimate ended |",
        "|---|---|---|",
        *(
            f"| {row['labels']:,} | {row['change']} | {row['share_ended']:.0%} |"
            for row in record["calibration_checks"]
        ),
        f"\nOne of two groups selected 10 points less, in one daily look at a p-value of {LEVEL:.1e}:\n",
        "| Decisions | Figure | Limit | Found | Plain number | False, of quiet windows | Plain number |",
        "|---|---|---|---|---|---|---|",
    ]
    names = {"selection_rate": "`drift.selection_rate`", "parity": "`fairness.demographic_parity_difference`"}
    lines += [
        f"| {row['rows']:,} | {names[row['metric']]} | {row['limit']} "
        + "".join(
            f"| {row[share]:.0%} " for share in ("power", "plain_power", "false_alarms", "plain_false_alarms")
        )
        + "|"
        for row in record["power"]
    ]
    return "\n".join(lines) + "\n"
