"""How likely a model beyond the limit ever passes, tried again and again: today's rule and the spent level.

Every attempt is decided by `clearance.policy.findings` itself. The counts become `results/attempts.json`, and
the table in `docs/fairness.md` is rendered from that record alone.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assurance import docs_tables
from clearance.documents import attempt_level
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.measurement import Outcome
from clearance.metrics import intervals
from clearance.policy import attempt_terms, findings
from clearance.policy.schema import Rule
from tasks import assess

CONFIDENCE = 0.95
LEVEL = (1 - CONFIDENCE) / 2
"""The chance that one interval passes a model just beyond a limit: that of one end."""
ATTEMPTS = 50
SERIES = 1000
ROWS = 1000
TEST_SHARE = 0.3
RATES = {"beyond the limit": (0.5, 0.399), "fair": (0.5, 0.5)}
REDRAWN = 0.3
"""The share of a table's rows that the next model decides afresh; it decides the others as the table says."""
SHOWN = (1, 2, 3, 10, 50)
ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/attempts.json"
GUIDE = ROOT / "docs/fairness.md"
METRIC = "demographic_parity_difference"
RULE = Rule.model_validate(
    {
        "id": "gap",
        "metric": f"fairness.{METRIC}",
        "attribute": "group",
        "limit": {"at_most": 0.1},
        "decides_by": "interval",
        "severity": "block",
        "kind": "engineering",
        "source": "the study",
        "valid_from": "2026-01-01",
    }
)
Record = dict[str, Any]
Selected = npt.NDArray[np.int64]
"""How many of the test rows of two groups each attempt of a series selects: (attempts, 2)."""


def fresh_rows(random: np.random.Generator, rates: Sequence[float]) -> Selected:
    """Each attempt is judged on rows that no other attempt saw."""
    return random.binomial(ROWS, rates, size=(ATTEMPTS, 2))


def same_rows(random: np.random.Generator, rates: Sequence[float]) -> Selected:
    """Each attempt makes a new split of one table and decides a part of its rows differently."""
    size = round(ROWS / TEST_SHARE)
    selected = np.empty((ATTEMPTS, 2), dtype=np.int64)
    for group, rate in enumerate(rates):
        table = random.random(size) < rate
        for attempt in range(ATTEMPTS):
            decisions = np.where(random.random(size) < REDRAWN, random.random(size) < rate, table)
            selected[attempt, group] = decisions[random.permutation(size)[:ROWS]].sum()
    return selected


DRAWS: dict[str, Callable[[np.random.Generator, Sequence[float]], Selected]] = {
    "fresh rows": fresh_rows,
    "same rows": same_rows,
}


def run(_: Path, seeds: Sequence[int] = (), write: bool = False) -> int:
    """Simulate with `seeds`, or with 1, 2 and a fresh one; print the table. Returns how many bars broke."""
    fresh = None if seeds else secrets.randbits(32)
    chosen = [*seeds] if fresh is None else [1, 2, fresh]
    said = "" if fresh is None else f", the last drawn just now; `--seed {fresh}` repeats it"
    print(f"  seeds {', '.join(map(str, chosen))}{said}", flush=True)
    record = measure(chosen, SERIES) | {"fresh": fresh}
    print(render(record))
    if write:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        GUIDE.write_text(docs_tables.placed(GUIDE.read_text(), "attempts", render(record)))
    broken = above_the_level(record)
    for name in broken:
        print(f"above the level of {LEVEL:.1%}: {name}")
    return len(broken)


def measure(seeds: Sequence[int], series: int, attempts: int = ATTEMPTS) -> Record:
    """The record of `series` series of attempts per seed: how many passed, ever and at each attempt."""
    template = _template()
    passed = {
        (truth, rows, rule): np.zeros((2, attempts), dtype=np.int64)
        for truth in RATES
        for rows in DRAWS
        for rule in ("today", "spent")
    }
    for seed in seeds:
        random = np.random.default_rng(seed)
        for _ in range(series):
            for truth, rates in RATES.items():
                for rows, draw in DRAWS.items():
                    selected = draw(random, rates)[:attempts]
                    decided = np.array(list(_decide(template, selected)))
                    for at, rule in enumerate(("today", "spent")):
                        ever = np.maximum.accumulate(decided[:, at])
                        passed[truth, rows, rule] += np.array([ever, decided[:, at]])
    return {
        "seeds": [*seeds],
        "series": len(seeds) * series,
        "confidence": CONFIDENCE,
        "rows": ROWS,
        "rates": RATES,
        "passed": {
            truth: {
                rows: {
                    rule: {
                        "ever": passed[truth, rows, rule][0].tolist(),
                        "alone": passed[truth, rows, rule][1].tolist(),
                    }
                    for rule in ("today", "spent")
                }
                for rows in DRAWS
            }
            for truth in RATES
        },
    }


def _decide(template: FairnessDocument, selected: Selected) -> Iterator[tuple[bool, bool]]:
    """Whether each attempt of a series passes by today's rule, and at its share of the level."""
    totals = {"a": ROWS, "b": ROWS}
    shares = [attempt_terms.SHARES[number.bit_length() - 1] for number in range(1, len(selected) + 1)]
    for number, (share, (first, second)) in enumerate(zip(shares, selected.tolist(), strict=True), start=1):
        successes = {"a": first, "b": second}
        plain = intervals.max_difference(successes, totals, CONFIDENCE)
        confidence = attempt_terms.at_share(CONFIDENCE, share)
        stricter = intervals.max_difference(successes, totals, confidence)
        level = attempt_level.level(share, confidence, {METRIC: {"group": stricter}})
        evidence = {"fairness": replace(template, measurements={METRIC: {"group": plain}}, levels=(level,))}
        yield (
            findings.evaluate(RULE, "group", evidence).outcome is Outcome.PASS,
            findings.evaluate_attempt(RULE, "group", evidence, number).outcome is Outcome.PASS,
        )


def _template() -> FairnessDocument:
    """A document as the stage writes it, whose measurements are replaced."""
    import pandas as pd

    from clearance import params

    return assess.assess(
        protected=pd.DataFrame({"group": ["a", "b"] * 2}, dtype=object),
        label=np.array([0, 0, 1, 1]),
        scores=np.array([0.2, 0.8, 0.8, 0.8]),
        threshold=0.5,
        model_sha256="0" * 64,
        declared_groups={},
        options=params.Evaluate(resamples=100),
        seed=1,
    )


def above_the_level(record: Record) -> list[str]:
    """On which rows a model beyond the limit ever passed more often than the level and chance allow."""
    bar = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / record["series"])
    return [
        rows
        for rows, by_rule in record["passed"]["beyond the limit"].items()
        if by_rule["spent"]["ever"][-1] / record["series"] > bar
    ]


def render(record: Record) -> str:
    """The record as Markdown: how often a series ever passed, and how often each attempt does."""
    series, passed = record["series"], record["passed"]
    worst, best = record["rates"]["beyond the limit"][1], record["rates"]["beyond the limit"][0]
    lines = [
        f"{series:,} series of {ATTEMPTS} attempts, seeds {', '.join(map(str, record['seeds']))}; two groups "
        f"of {record['rows']:,} test rows; limit 0.1 at {record['confidence']:.0%} confidence. Beyond the "
        f"limit: rates of {best:g} and {worst:g}. Fair: both {best:g}.",
        "",
        f"| passed after attempts | {' | '.join(map(str, SHOWN))} |",
        "|---" * (1 + len(SHOWN)) + "|",
    ]
    for rows, by_rule in passed["beyond the limit"].items():
        for rule, name in (("today", "each at the full level"), ("spent", "level spent")):
            lines.append(
                f"| beyond the limit, {rows}, ever: {name} | {_row(by_rule[rule]['ever'], series)} |"
            )
    for rule, name in (("today", "at the full level"), ("spent", "level spent")):
        alone = passed["fair"]["fresh rows"][rule]["alone"]
        lines.append(f"| fair, this attempt alone: {name} | {_row(alone, series)} |")
    return "\n".join(lines) + "\n"


def _row(counts: Sequence[int], series: int) -> str:
    return " | ".join(f"{counts[number - 1] / series:.1%}" for number in SHOWN)
