"""What watching costs: an hour's counts added to the store, and a year judged again. Run in a judged project.

    python -m benchmarks.monitoring

Draws hourly counts of a quiet year from reports/baseline.json, 208 decisions an hour (5,000 a day), stores
them in an SQLite file of their own, and judges every day, week and month again under the project's policy.
"""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from clearance import files, params, paths
from clearance.documents.baseline_document import BaselineDocument
from clearance.monitoring import looking
from clearance.monitoring.counting import bins, database, store, windows
from clearance.monitoring.counting.store import VersionHour, VersionKey
from clearance.monitoring.counting.window_counts import Contributions, Groups, WindowCounts
from clearance.monitoring.looking import Watched
from clearance.monitoring.watched_version import JudgingPolicy
from clearance.policy import policy_file

ROWS = 208
HOURS = 24 * 365
MEASURED = 200
"""Hours whose adding is timed; the others are added together."""
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MODEL, CONTENT = "benchmark", "0" * 64


def main() -> None:
    """Print both figures."""
    settings = params.load(paths.PARAMS)
    baseline = BaselineDocument.read(Path())
    if not isinstance(baseline, BaselineDocument):
        raise SystemExit("reports/baseline.json was blocked")
    file = Path(settings.policy.file)
    judging = JudgingPolicy(policy=policy_file.load(file), sha256=files.sha256(file))
    with tempfile.TemporaryDirectory() as folder:
        engine = database.open(Path(folder))
        counts = hours(baseline)
        seconds = fill(engine, counts[:MEASURED])
        fill_rest(engine, counts)
        print(f"an hour's counts added: median {1e3 * statistics.median(seconds):.1f} ms, ", end="")
        print(f"99 % within {1e3 * float(np.quantile(seconds, 0.99)):.1f} ms ({len(seconds):,} hours)")
        began, used = time.perf_counter(), time.process_time()
        looks = judge(engine, baseline, judging)
        elapsed, used = time.perf_counter() - began, time.process_time() - used
        print(f"a year judged again: {elapsed:.2f} s ({used:.2f} s CPU), {looks} looks, ", end="")
        print(f"{len(baseline.features)} features")


def hours(baseline: BaselineDocument, count: int = HOURS, rows: int = ROWS) -> list[WindowCounts]:
    """Hourly counts of decisions that are drawn as the reference is."""
    draw = np.random.default_rng(1)
    shares = {name: np.array(it.counts) / sum(it.counts) for name, it in baseline.features.items()}
    tables = {name: draw.multinomial(rows, share, count) for name, share in shares.items()}
    score = np.zeros(1) if baseline.score is None else np.array(baseline.score.counts)
    scores = draw.multinomial(rows, score / score.sum(), count)
    return [
        WindowCounts(
            rows=rows,
            features={name: table[hour] for name, table in tables.items()},
            score=scores[hour],
            decisions=_decisions(scores[hour], draw),
            sizes={name: _sizes(int(draw.integers(30, 40)), rows) for name in tables},
            contributions={name: Contributions(rows=rows, total=1.5, squares=0.1) for name in tables},
            skew_tried=rows,
        )
        for hour in range(count)
    ]


def _decisions(score: np.ndarray, draw: np.random.Generator) -> dict[tuple[Groups, int, int], int]:
    counts: dict[tuple[Groups, int, int], int] = {}
    for cell, rows in enumerate(score.tolist()):
        for _ in range(rows):
            race = ("Black", "Hispanic", "White")[int(draw.integers(3))]
            sex = ("female", "male")[int(draw.integers(2))]
            key = ((("race", race), ("sex", sex)), cell, int(cell > 5))
            counts[key] = counts.get(key, 0) + 1
    return counts


def _sizes(place: int, rows: int) -> np.ndarray:
    sizes = np.zeros(bins.SIZES, dtype=np.int64)
    sizes[bins.SIZES // 2 + place % 8] = rows
    return sizes


def fill(engine: sa.Engine, counts: list[WindowCounts]) -> list[float]:
    """Add the counts hour by hour; the seconds that each took."""
    seconds = []
    for place, part in enumerate(counts):
        key = VersionHour(version=1, content=CONTENT, hour=START + place * dt.timedelta(hours=1))
        inputs = {f"{place:08}{row:056}": key.hour for row in range(part.rows)}
        began = time.perf_counter()
        store.add_counts(engine, MODEL, {key: part}, log="log", after=place, until=place + 1, inputs=inputs)
        seconds.append(time.perf_counter() - began)
    return seconds


def fill_rest(engine: sa.Engine, counts: list[WindowCounts]) -> None:
    """Add all further counts at once."""
    rest = {
        VersionHour(version=1, content=CONTENT, hour=START + place * dt.timedelta(hours=1)): part
        for place, part in enumerate(counts)
        if place >= MEASURED
    }
    store.add_counts(engine, MODEL, rest, log="log", after=MEASURED, until=len(counts))


def judge(engine: sa.Engine, baseline: BaselineDocument, judging: JudgingPolicy) -> int:
    """Judge every window of the year; how many looks that were."""
    terms = judging.policy.monitoring
    if terms is None:
        raise SystemExit("the policy does not say how a version in use is watched")
    key = VersionKey(model=MODEL, version=1, content=CONTENT)
    end = START + HOURS * dt.timedelta(hours=1)
    watched = Watched(key=key, baseline=baseline, unwatched=None, since=START, until=end)
    zone = ZoneInfo(terms.timezone)
    days = store.days(engine, key, START, end, partial(windows.day_of, zone=zone))
    spans = looking.spans(watched, terms, end + dt.timedelta(days=1))
    for span in spans:
        looking.look(watched, judging, looking.counted(span, days, watched), "decisions")
    return len(spans)


if __name__ == "__main__":
    main()
