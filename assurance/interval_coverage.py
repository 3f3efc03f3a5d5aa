"""What the fairness intervals really cover, and how often the gate is wrong: simulated, never timed.

Every truth goes through `tasks.assess.assess` itself. The counts become `results/coverage.json`, and the
table in `docs/fairness.md` is rendered from that record alone.
"""

from __future__ import annotations

import json
import math
import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assurance import docs_tables, fairness_truths
from clearance import params
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Measurement
from clearance.metrics import intervals
from clearance.policy.limit import Limit
from tasks import assess

CONFIDENCE = 0.95
BARS = {"both ends": CONFIDENCE, "passing end": (1 + CONFIDENCE) / 2}
"""The share of samples in which both ends, and the one that lets a rule pass, hold the truth, by stratum."""
ERRORS = 3
"""Standard errors of the simulation by which a share may miss its bar."""
TRUTHS = 2000
SMALL = 30
METRICS = {metric.measurement: metric for metric in metric_catalogue.of_document("fairness")}
ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/coverage.json"
GUIDE = ROOT / "docs/fairness.md"
NOT_STUDIED = {"missing_share": "counted, not estimated: it has no interval"}
ONE_GROUP = {"intervals": "Wilson", "exact_intervals": "Clopper-Pearson"}
RULES = {
    "demographic_parity_difference": Limit(at_most=0.1),
    "demographic_parity_ratio": Limit(at_least=0.8),
}
RULE_NAMES = {
    "demographic_parity_difference": "difference at most 0.1",
    "demographic_parity_ratio": "ratio at least 0.8",
}
STRATA = [f"{low}-{high:,}" for low, high in fairness_truths.STRATA]
Record = dict[str, Any]


def run(_: Path, seeds: Sequence[int] = (), write: bool = False) -> int:
    """Simulate with `seeds`, or with 1, 2 and a fresh one; print the tables.

    Returns how many strata are below a bar.
    """
    fresh = None if seeds else secrets.randbits(32)
    used_seeds = [*seeds] if fresh is None else [1, 2, fresh]
    note = "" if fresh is None else f", the last drawn just now; `--seed {fresh}` repeats it"
    print(f"  seeds {', '.join(map(str, used_seeds))}{note}", flush=True)
    record = measure(used_seeds, TRUTHS) | {"fresh": fresh}
    print(render(record))
    if write:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        GUIDE.write_text(docs_tables.placed(GUIDE.read_text(), "coverage", render(record)))
    missed = below(record)
    print("\n".join(missed) or "every stratum meets its bar")
    return len(missed)


def measure(seeds: Sequence[int], count: int) -> Record:
    """The record of `count` truths per seed and stratum-balanced: what was held, how wide, what had none."""
    tally: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    wrong: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    draws: Counter[str] = Counter()
    for seed in seeds:
        random = np.random.default_rng(seed)
        for at in range(count):
            _simulate(random, at % len(STRATA), tally, draws)
            for metric in RULES:
                _decide(random, at % len(STRATA), metric, wrong[metric])
    return {
        "seeds": [*seeds],
        "truths": len(seeds) * count,
        "confidence": CONFIDENCE,
        "strata": STRATA,
        "not_studied": NOT_STUDIED,
        "rows": dict(draws),
        "coverage": {name: _rounded(by_stratum) for name, by_stratum in tally.items()},
        "decisions": {name: _rounded(by_stratum) for name, by_stratum in wrong.items()},
    }


def _rounded(by_stratum: dict[str, Counter[str]]) -> dict[str, dict[str, float]]:
    return {
        stratum: {key: round(number, 3) for key, number in sorted(by_stratum[stratum].items())}
        for stratum in STRATA
    }


def _simulate(
    random: np.random.Generator, at: int, tally: dict[str, dict[str, Counter[str]]], counts: Counter[str]
) -> None:
    """One truth and one sample of it, measured as a test set is."""
    truth = fairness_truths.draw(random, fairness_truths.STRATA[at])
    group, label, scores = fairness_truths.sample(random, truth)
    names = np.array([f"g{number}" for number in range(len(truth.sizes))], dtype=object)
    reference = len(names) - 1
    document = assess.assess(
        protected=pd.DataFrame({"group": names[group]}, dtype=object),
        label=label,
        scores=scores,
        threshold=0.5,
        model_sha256="0" * 64,
        declared_groups={"group": names},
        options=params.Evaluate(
            confidence=CONFIDENCE, bins=fairness_truths.BINS, reference={"group": names[reference]}
        ),
        seed=int(random.integers(2**32)),
    )
    truths, rates = fairness_truths.values(truth, reference)
    for metric, value in truths.items():
        _add(tally[metric][STRATA[at]], value, document.measurements[metric]["group"])
    table = document.groups["group"]
    for name, size, *true in zip(names, truth.sizes, *rates.values(), strict=True):
        stratum = STRATA[
            int(np.searchsorted([low for low, _ in fairness_truths.STRATA], size, side="right")) - 1
        ]
        for kind, title in ONE_GROUP.items():
            for rate, value in zip(rates, true, strict=True):
                _add_pair(
                    tally[f"{rate} of one group, {title}"][stratum], value, getattr(table[name], kind)[rate]
                )
    small = [name for name, size in zip(names, truth.sizes, strict=True) if size < SMALL]
    counts["groups"] += len(names)
    counts["groups under 30 rows"] += len(small)
    counts["of them in the group table"] += sum(name in table and table[name].count > 0 for name in small)
    counts["truths with an empty cell"] += any(0 in vars(row.cells).values() for row in table.values())


def _add(tally: Counter[str], value: float, measurement: Measurement) -> None:
    """Count one interval; one around a value that does not exist holds nothing."""
    if measurement.low is None or measurement.high is None:
        tally["undefined" if measurement.value is None else "no interval"] += 1
        tally["width"] += 0
        return
    _add_pair(tally, value, [measurement.low, measurement.high])


def _add_pair(tally: Counter[str], value: float, ends: Sequence[float] | None) -> None:
    if ends is None:
        tally["undefined"] += 1
        return
    tally["intervals"] += 1
    is_low, is_high = ends[0] - 1e-9 <= value, value <= ends[1] + 1e-9
    tally["held"] += bool(is_low and is_high)
    tally["low held"] += bool(is_low)  # of one end alone
    tally["high held"] += bool(is_high)
    tally["width"] += ends[1] - ends[0]  # type: ignore[assignment]


def _decide(random: np.random.Generator, at: int, metric: str, by_stratum: dict[str, Counter[str]]) -> None:
    """What a rule says of groups that are all alike, and of a worst group just beyond its limit."""
    limit, tally = RULES[metric], by_stratum[STRATA[at]]
    measured = {
        "demographic_parity_difference": intervals.max_difference,
        "demographic_parity_ratio": intervals.min_ratio,
    }[metric]
    for fair in (True, False):
        sizes = fairness_truths.sizes(random, fairness_truths.STRATA[at], int(random.integers(2, 7)))
        best = random.uniform(0.15, 0.95)
        worst = best if fair else best - 0.101 if limit.at_most else best * 0.799
        rates = random.permutation(
            np.concatenate([[worst, best], random.uniform(worst, best, len(sizes) - 2)])
        )
        totals = {str(place): int(size) for place, size in enumerate(sizes)}
        counts = {str(place): int(k) for place, k in enumerate(random.binomial(sizes, rates))}
        gap = measured(counts, totals, CONFIDENCE)
        kind = "fair" if fair else "beyond"
        tally[kind] += 1
        if gap.value is None or gap.low is None or gap.high is None:
            continue
        for rule, ends in (
            ("point", (gap.value, gap.value)),
            ("interval", (gap.low, gap.high)),
        ):
            tally[f"{kind} passed by {rule}"] += limit.encloses(*ends)
            tally[f"{kind} failed by {rule}"] += limit.excludes(*ends)


def shares(record: Record, ends: str) -> list[tuple[float, float, str, str]]:
    """The share of intervals whose `ends` held the truth, its standard error at the bar, and where.

    The metrics of one group alone, which no rule reads, have no passing end.
    """
    return [
        (
            cell[_counted(name, ends)] / cell["intervals"],
            math.sqrt(BARS[ends] * (1 - BARS[ends]) / cell["intervals"]),
            name,
            stratum,
        )
        for name, by_stratum in record["coverage"].items()
        for stratum, cell in by_stratum.items()
        if cell.get("intervals") and (ends == "both ends" or name in METRICS)
    ]


def _counted(metric: str, ends: str) -> str:
    """What was counted of these ends: `high` lets a figure pass of which less is better, `low` any other."""
    if ends == "both ends":
        return "held"
    return "low held" if METRICS[metric].better == "higher" else "high held"


def lowest(record: Record, ends: str) -> tuple[float, str, str]:
    """The lowest share of intervals whose `ends` held the truth, and where."""
    share, _, name, stratum = min(shares(record, ends))
    return share, name, stratum


def below(record: Record) -> list[str]:
    """The strata in which fewer intervals than the bar asks for held the truth, and not by chance."""
    return [
        f"{ends} of {name}, {stratum} rows: {share:.1%}, bar {bar:.1%} less {ERRORS} x {error:.2%}"
        for ends, bar in BARS.items()
        for share, error, name, stratum in shares(record, ends)
        if share < bar - ERRORS * error
    ]


def render(record: Record) -> str:
    """The record as Markdown: what intervals held, and what a rule would have decided."""
    rows = record["rows"]
    small = f"{rows['groups under 30 rows']:,} of {rows['groups']:,} groups had fewer than {SMALL} rows"
    least = {ends: lowest(record, ends) for ends in BARS}
    errors = {ends: max(error for _, error, *_ in shares(record, ends)) for ends in BARS}
    lines = [
        f"{record['truths']:,} truths, seeds {', '.join(map(str, record['seeds']))}. {small}, and "
        f"{rows['of them in the group table']:,} of these stand in the group table; in "
        f"{rows['truths with an empty cell']:,} truths a cell was empty. Lowest share in any stratum: "
        + "; ".join(
            f"{ends} {share:.1%} ({name}, {stratum} rows)" for ends, (share, name, stratum) in least.items()
        )
        + ". Due are "
        + " and ".join(f"{bar:.1%}, standard error {_most(errors[ends])}" for ends, bar in BARS.items())
        + ".",
        "",
        f"| rows of the smallest group | {' | '.join(record['strata'])} |",
        "|---" * (1 + len(record["strata"])) + "|",
        *(
            f"| {metric} | {' | '.join(_cell(metric, by_stratum[label]) for label in record['strata'])} |"
            for metric, by_stratum in sorted(record["coverage"].items())
        ),
        "",
        "Share of the intervals whose both ends held the truth, in brackets that whose passing end did, "
        "their mean width, and after the stroke how many samples in a hundred gave no interval "
        "(too few rows, or no value).",
        "",
        "| rule, rows of the smallest group | all groups alike, failed: by the point value | by the interval "
        "| beyond the limit, passed: by the point value | by the interval |",
        "|---|---|---|---|---|",
        *(
            f"| {RULE_NAMES[metric]}, {label} | {_rates(by_stratum[label])} |"
            for metric, by_stratum in sorted(record["decisions"].items())
            for label in record["strata"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _most(error: float) -> str:
    return f"at most {error:.1%}"


def _cell(metric: str, counted: dict[str, float]) -> str:
    taken, none = counted.get("intervals", 0), counted.get("undefined", 0) + counted.get("no interval", 0)
    if not taken:
        return f"none / {100 * none / (taken + none):.0f}"
    passing = f" ({counted[_counted(metric, 'passing end')] / taken:.1%})" if metric in METRICS else ""
    share = f"{counted['held'] / taken:.1%}{passing}, {counted['width'] / taken:.2f}"
    return f"{share} / {100 * none / (taken + none):.0f}"


def _rates(counts: dict[str, float]) -> str:
    rates = [
        ("fair", "fair failed by point"),
        ("fair", "fair failed by interval"),
        ("beyond", "beyond passed by point"),
        ("beyond", "beyond passed by interval"),
    ]
    return " | ".join(f"{counts.get(what, 0) / counts[of]:.1%}" for of, what in rates)
