"""How often a rule passes a fair model, and one just beyond its limit, with and without a corrected pass.

"Before" corrects both ends of the interval for the number of pairs (Bonferroni), "after" is the product: only
the end that finds a pair beyond the limit is corrected. Truths are simulated; nothing is timed.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assurance import docs_tables
from clearance.metrics import intervals
from clearance.policy.limit import Limit

CONFIDENCE = 0.95
TRIALS = 1500
ALLOWED = (1 - CONFIDENCE) / 2
"""How often a model at its limit or beyond may pass, and how often one at its limit or within may fail."""
ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/power.json"
GUIDE = ROOT / "docs/fairness.md"
Record = dict[str, Any]
Rates = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Groups of so many rows each, under a rule; their rates where all are equal is `rate`."""

    metric: str
    groups: int
    rows: int
    rate: float = 0.5

    @property
    def limit(self) -> Limit:
        """The limit of the rule."""
        return Limit(at_most=0.1) if self.metric == "difference" else Limit(at_least=0.8)

    def beyond(self) -> Rates:
        """Rates of one pair just beyond the limit, the other groups halfway between its two."""
        low, high = (
            (self.rate - 0.0501, self.rate + 0.0501)
            if self.metric == "difference"
            else (0.7998 * self.rate, self.rate)
        )
        return np.array([low, high, *[(low + high) / 2] * (self.groups - 2)])

    def equal(self) -> Rates:
        """The same rate for all groups."""
        return np.full(self.groups, self.rate)


SCENES = [
    Scene(metric=metric, groups=groups, rows=rows)
    for metric in ("difference", "ratio")
    for groups in (2, 3, 6)
    for rows in (300, 1000, 3000)
]


def run(_: Path, seeds: Sequence[int] = (), write: bool = False) -> int:
    """Simulate every scene with `seeds`, or with 1, 2 and a fresh one; print the table.

    Returns how many promises broke: `broken`.
    """
    fresh = None if seeds else secrets.randbits(32)
    record = measure([*seeds] if fresh is None else [1, 2, fresh], TRIALS)
    print(render(record))
    if write:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        GUIDE.write_text(docs_tables.placed(GUIDE.read_text(), "power", render(record)))
    faults = broken(record)
    print("\n".join(faults) or "every promise holds")
    return len(faults)


def measure(seeds: Sequence[int], trials: int, scenes: Sequence[Scene] = SCENES) -> Record:
    """The share of `trials` samples per seed that pass and fail, by scene."""
    return {
        "seeds": [*seeds],
        "trials": trials * len(seeds),
        "confidence": CONFIDENCE,
        "scenes": [_scene(scene, seeds, trials) for scene in scenes],
    }


def _scene(scene: Scene, seeds: Sequence[int], trials: int) -> Record:
    counted = dict.fromkeys(_outcomes(), 0)
    for seed in seeds:
        random = np.random.default_rng([seed, scene.groups, scene.rows, len(scene.metric)])
        for truth, rates in (("equal", scene.equal()), ("beyond", scene.beyond())):
            for drawn in random.binomial(scene.rows, rates, size=(trials, scene.groups)).tolist():
                successes = {str(at): hits for at, hits in enumerate(drawn)}
                totals = dict.fromkeys(successes, scene.rows)
                for version, (low, high) in (
                    ("before", before(scene.metric, successes, totals)),
                    ("after", after(scene.metric, successes, totals)),
                ):
                    counted[f"{truth} passed {version}"] += scene.limit.encloses(low, high)
                    counted[f"{truth} failed {version}"] += scene.limit.excludes(low, high)
    shares = {name: count / (trials * len(seeds)) for name, count in counted.items()}
    return {"metric": scene.metric, "groups": scene.groups, "rows": scene.rows, **shares}


def _outcomes() -> Iterator[str]:
    for truth in ("equal", "beyond"):
        for outcome in ("passed", "failed"):
            for version in ("before", "after"):
                yield f"{truth} {outcome} {version}"


def before(metric: str, successes: Mapping[str, int], totals: Mapping[str, int]) -> intervals.Interval:
    """The interval with both ends corrected for the number of pairs, by formulas of one pair alone."""
    pairs = list(combinations(totals, 2))
    level = 1 - (1 - CONFIDENCE) / len(pairs)
    of_pair = intervals.difference if metric == "difference" else intervals.ratio
    ends = [
        of_pair(successes[a], totals[a], successes[b], totals[b], level)
        for pair in pairs
        for a, b in (pair, pair[::-1])
    ]
    if metric == "difference":
        return max(0.0, *(low for low, _ in ends)), max(high for _, high in ends)
    return min(low for low, _ in ends), min(1.0, *(high for _, high in ends))


def after(metric: str, successes: Mapping[str, int], totals: Mapping[str, int]) -> intervals.Interval:
    """The product's interval."""
    measured = intervals.max_difference if metric == "difference" else intervals.min_ratio
    found = measured(successes, totals, CONFIDENCE)
    if found.low is None or found.high is None:
        raise ValueError(f"no interval: {found.undefined}")
    return found.low, found.high


def error(share: float, trials: int) -> float:
    """The standard error of a simulated share."""
    return math.sqrt(share * (1 - share) / trials)


def broken(record: Record) -> list[str]:
    """What the record shows to be untrue, three standard errors allowed.

    A pass beyond the limit, and a failure of equal rates, in more than `ALLOWED` of the samples; fewer passes
    of equal rates than before; anything that changed with two groups.
    """
    most = ALLOWED + 3 * error(ALLOWED, record["trials"])
    faults = []
    for scene in record["scenes"]:
        name = f"{scene['metric']}, {scene['groups']} groups of {scene['rows']:,}"
        for wrong in ("beyond passed after", "equal failed after"):
            if scene[wrong] > most:
                faults.append(f"{name}: {wrong} in {scene[wrong]:.2%}, {most:.2%} allowed")
        if scene["equal passed after"] < scene["equal passed before"]:
            faults.append(f"{name}: fewer pass than before")
        if scene["groups"] == 2 and any(
            scene[f"{what} before"] != scene[f"{what} after"] for what in ("equal passed", "beyond passed")
        ):
            faults.append(f"{name}: two groups changed")
    return faults


def render(record: Record) -> str:
    """The record as Markdown."""
    lines = [
        f"{record['trials']:,} samples a cell, seeds {', '.join(map(str, record['seeds']))}. "
        f"The standard error of a share is at most {error(0.5, record['trials']):.1%}; "
        f"that of 2.5 % is {error(ALLOWED, record['trials']):.2%}.",
        "",
        "| rule | groups | rows of each | equal rates, passed: before | after "
        "| just beyond the limit, passed: before | after |",
        "|---" * 7 + "|",
        *(
            f"| {RULES[scene['metric']]} | {scene['groups']} | {scene['rows']:,} "
            f"| {scene['equal passed before']:.0%} | {scene['equal passed after']:.0%} "
            f"| {scene['beyond passed before']:.1%} | {scene['beyond passed after']:.1%} |"
            for scene in record["scenes"]
        ),
    ]
    return "\n".join(lines) + "\n"


RULES = {"difference": "difference at most 0.1", "ratio": "ratio at least 0.8"}
