"""How often Evidently's default preset flags a column although nothing changed.

    python -m assurance.evidently_quiet [--windows 200] [--rows 100 300 600 1000 5000] [--columns 28]

The customary "PSI > 0.1" and our rule see the same windows. Needs the extra `evidently`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from clearance.documents.baseline_document import FeatureBins
from clearance.metrics import significance
from clearance.monitoring import judgement
from clearance.monitoring.batch import evidently_page
from clearance.monitoring.counting import bins
from clearance.monitoring.figures.effects import Hypothesis
from clearance.monitoring.statistics import distribution, divergence
from clearance.monitoring.statistics.reference import ReferenceCounts
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import LiveRule

Counts = npt.NDArray[np.int64]
Random = np.random.Generator

REFERENCE_ROWS = 1_392
LIMIT = 0.1
LEVEL = 0.05


def flagged(current: pd.DataFrame, reference: pd.DataFrame, categories: Sequence[str] = ()) -> list[str]:
    """The columns that Evidently's default preset calls drifted.

    Its own choice of tests and thresholds, without the plots, which take a thousand times as long;
    tests/test_monitor_task.py holds it to the preset itself.
    """
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    drifted = []
    for name in reference.columns:
        kind = ColumnType.Categorical if name in categories else ColumnType.Numerical
        before, now = (table[name].dropna() for table in (reference, current))
        if get_stattest(before, now, kind, None)(before, now, kind, None).drifted:
            drifted.append(str(name))
    return drifted


def flagged_by_preset(current: pd.DataFrame, reference: pd.DataFrame, categories: Sequence[str] = ()) -> int:
    """How many columns the preset itself calls drifted."""
    report = evidently_page.drift(current, reference, categories)
    (count,) = [
        metric["value"]["count"] for metric in report.dict()["metrics"] if isinstance(metric["value"], dict)
    ]
    return int(count)


def frame(cells: Mapping[str, tuple[FeatureBins, Counts]], random: Random) -> pd.DataFrame:
    """Rows that have these counts: what Evidently sees of a window of which only counts were drawn.

    Numbers of a bin are standard normal between its edges; a category is its name. Columns are shuffled
    apart from each other.
    """
    columns = {}
    for name, (of, counts) in cells.items():
        places = random.permutation(np.repeat(np.arange(len(counts)), counts))
        columns[name] = _numbers(of, places, random) if of.kind == "number" else _names(of, places)
    return pd.DataFrame(columns)


def _numbers(of: FeatureBins, places: Counts, random: Random) -> npt.NDArray[np.float64]:
    below = special.ndtr(np.array([-np.inf, *of.edges, np.inf]))
    inside = places < of.size - 2
    place = np.where(inside, places, 0)
    share = below[place] + random.random(len(place)) * (below[place + 1] - below[place])
    return np.where(inside, special.ndtri(share), np.nan)


def _names(of: FeatureBins, places: Counts) -> list[str | None]:
    names = [*of.categories, "other", None]
    return [names[place] for place in places]


def quiet(rows: int, windows: int, columns: int, random: Random) -> dict[str, int]:
    """How many of so many quiet windows have an alarm, by who decides."""
    alarms = dict.fromkeys(("evidently", "plain", "ours"), 0)
    reference = pd.DataFrame(random.standard_normal((REFERENCE_ROWS, columns))).add_prefix("x")
    cells = {name: bins.of_column(reference[name]) for name in reference}
    before = {name: bins.count(cells[name], bins.places(cells[name], reference[name])) for name in reference}
    for _ in range(windows):
        current = pd.DataFrame(random.standard_normal((rows, columns))).add_prefix("x")
        now = {name: bins.count(cells[name], bins.places(cells[name], current[name])) for name in current}
        alarms["evidently"] += bool(flagged(current, reference))
        alarms["plain"] += any(divergence.psi(now[name], before[name]) > LIMIT for name in now)
        alarms["ours"] += _fails(cells, before, now)
    return alarms


def _fails(cells: Mapping[str, FeatureBins], before: Mapping[str, Counts], now: Mapping[str, Counts]) -> bool:
    rule = LiveRule(
        id="psi",
        kind="engineering",
        source="assurance",
        valid_from="2026-01-01",
        metric="drift.psi",
        limit=Limit(at_most=LIMIT),
    )
    tests = [
        Hypothesis(
            rule=rule,
            subject=name,
            effect=distribution.effect(
                rule.metric, now[name], ReferenceCounts(bins=cells[name], counts=before[name])
            ),
        )
        for name in cells
    ]
    return any(finding.outcome == "fail" for finding in judgement.judge(tests, LEVEL))


def main() -> None:
    """Print the share of quiet windows with an alarm, with its 95 % interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="*", default=[100, 300, 600, 1_000, 5_000])
    parser.add_argument("--columns", type=int, default=28)
    parser.add_argument("--seed", type=int, default=18)
    options = parser.parse_args()
    evidently_page.check_installed()
    os.environ["DO_NOT_TRACK"] = "1"
    print(f"| rows | windows | Evidently's default preset | PSI > {LIMIT} | our rule, error 5 % a look |")
    print("|---" * 5 + "|")
    for rows in options.rows:
        random = np.random.default_rng([options.seed, rows])
        alarms = quiet(rows, options.windows, options.columns, random)
        shares = " | ".join(_share(count, options.windows) for count in alarms.values())
        print(f"| {rows:,} | {options.windows} | {shares} |", flush=True)


def _share(count: int, of: int) -> str:
    low, high = significance.clopper_pearson(count, of, 0.95)
    return f"{count / of:.0%} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
