"""Clean tables for the study of the gate: applications for loans, each drawn from another world.

Size, groups, shares, distributions, codings and further features vary with the seed; the declaration that
comes with a table is true of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from clearance import params

Random = np.random.Generator
PURPOSES = ["car", "home", "repair", "school"]
REGIONS = ["Zürich", "Île-de-France", "Málaga", "Köln", "Bern", "Turin", "Gent", "Łódź", "Brno", "Graz"]
RACES = ["Asian", "Black", "Hispanic", "Other", "White"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A table on its way through the gates: what it holds, what is declared of it, what happens to it.

    `lost` rows vanish after `ingest` has counted them. `file` makes a CSV's text the bytes of a file that
    `ingest` has to read. `parts` changes the prepared tables.
    """

    frame: pd.DataFrame
    data: dict[str, Any]
    lost: int = 0
    file: Callable[[str], bytes] | None = None
    parts: Callable[[dict[str, pa.Table]], dict[str, pa.Table]] | None = None

    def put(self, **columns: Any) -> Case:
        """The same with other columns."""
        return replace(self, frame=self.frame.assign(**columns))

    def feature(self, **columns: Any) -> Case:
        """The same with further features."""
        data = copy.deepcopy(self.data)
        if isinstance(data["features"], list):
            data["features"] += columns
        return replace(self.put(**columns), data=data)

    def declaration(self) -> params.Data:
        return params.Data.model_validate(self.data)

    def table(self) -> pa.Table:
        return pa.Table.from_pandas(self.frame, preserve_index=False)


@dataclass(frozen=True)
class World:
    """What one clean table is drawn from."""

    random: Random
    rows: int
    merit: np.ndarray = field(repr=False)

    def around(self, weight: float) -> np.ndarray:
        """A standard normal (n,) that says a little of a person's merit."""
        return weight * self.merit + np.sqrt(1 - weight**2) * self.random.normal(size=self.rows)


def case(seed: int, rows: int | None = None) -> Case:
    """A clean table of 600 to 1,600 rows (or of `rows`) and its declaration; the same for the same seed."""
    random = np.random.default_rng([seed, 20260101])
    size = rows or int(random.integers(600, 1600))
    world = World(random, size, random.normal(size=size))
    frame = _roles(world) | _features(world)
    more = _further(world)
    columns = [*(name for name in _features_of(frame)), *more]
    labels: list[tuple[Any, Any]] = [("yes", "no"), (1, 0), (True, False)]
    yes, no = labels[random.integers(3)]
    chance = random.uniform(0.3, 0.7)
    bias = random.uniform(0, 0.6) * (frame["race"] == frame["race"][0])
    good = world.around(0.8) - bias > -np.quantile(world.merit, chance)
    frame |= more | {"approved": np.where(good, yes, no).astype(type(yes) if yes != "yes" else object)}
    frame |= {"rejected": (~good).astype(int), "minority": (frame["race"] == "Black").astype(int)}
    table = pd.DataFrame(frame)
    return Case(frame=table, data=_data(table, yes, no, columns if random.random() < 0.5 else None))


def _roles(world: World) -> dict[str, Any]:
    random, rows = world.random, world.rows
    races = sorted(random.choice(RACES, random.integers(3, 6), replace=False))
    races = sorted({*races, "Black"})
    share = 0.08 + random.dirichlet(np.ones(len(races)))
    sex = random.choice(["female", "male"], rows, p=(half := random.uniform(0.35, 0.65), 1 - half))
    days = pd.Timestamp("2021-01-01") + pd.to_timedelta(random.integers(0, 1800, rows), unit="D")
    return {
        "id": random.integers(1, 10**6) + np.arange(rows),
        "decided": days,
        "race": random.choice(races, rows, p=share / share.sum()),
        "sex": np.where(random.random(rows) < random.uniform(0, 0.015), None, sex),  # type: ignore[call-overload]
    }


def _features(world: World) -> dict[str, Any]:
    random, rows = world.random, world.rows
    income = [
        lambda: np.exp(4.3 + 0.4 * world.around(0.4)),
        lambda: 90 + 25 * world.around(0.4),
        lambda: random.gamma(5, 18, rows) + 10 * world.around(0.5),
    ][random.integers(3)]()
    income = income.clip(12, 900).round(random.integers(0, 4))
    debt = (random.exponential(random.uniform(20, 200), rows)).astype(int)
    score = (580 + 70 * world.around(random.uniform(0.2, 0.6))).clip(300, 850)
    tenure = random.exponential(60, rows)
    return {
        "income": np.where(random.random(rows) < random.uniform(0, 0.02), np.nan, income),
        "debt": np.where(random.random(rows) < random.choice([0.0, 0.5]), 0, debt),
        "loan": (random.gamma(3, 4000, rows) + 500).clip(500, 90000).round(random.choice([-2, 0, 2])),
        "history": random.poisson(random.uniform(1, 4), rows).clip(0, 10),
        "score": score.round(random.choice([0, 2])),
        "tenure": tenure.round(random.choice([0, 1, 3])),
        "purpose": random.choice(PURPOSES, rows),
        "region": random.choice(random.choice(REGIONS, random.integers(5, 11), replace=False), rows),
        "employed": random.random(rows) < random.uniform(0.6, 0.95),
    }


def _features_of(frame: dict[str, Any]) -> list[str]:
    return [name for name in frame if name not in ("id", "decided", "race", "sex")]


def _further(world: World) -> dict[str, Any]:
    """Up to five more features of all shapes that real columns have."""
    random, rows = world.random, world.rows
    shapes: list[Callable[[], Any]] = [
        lambda: random.normal(0, 10, rows),
        lambda: random.uniform(0, 1, rows).round(3),
        lambda: random.lognormal(3, 1.5, rows).round(2),
        lambda: random.standard_t(3, rows),
        lambda: random.poisson(1, rows),
        lambda: random.poisson(40, rows),
        lambda: random.geometric(0.2, rows),
        lambda: np.where(random.random(rows) < 0.8, 0.0, random.lognormal(7, 1, rows).round(0)),
        lambda: random.integers(0, 2, rows),
        lambda: random.integers(1, 6, rows),
        lambda: random.integers(1950, 2021, rows),
        lambda: random.integers(0, 101, rows) / 100,
        lambda: random.integers(18, 90, rows).clip(21, 75),
        lambda: (10 ** random.uniform(2, 6, rows)).round(-1),
        lambda: [f"B{code:03d}" for code in random.integers(0, 30, rows)],
        lambda: random.choice(["a", "b", "c"], rows, p=[0.9, 0.07, 0.03]),
        lambda: np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows)),
        lambda: world.around(0.5).round(2),
    ]
    places = random.choice(len(shapes), random.integers(0, 6), replace=False)
    return {f"further_{at}": shapes[at]() for at in places}


def _data(table: pd.DataFrame, yes: Any, no: Any, columns: list[str] | None) -> dict[str, Any]:
    return {
        "row_key": "id",
        "target": "approved",
        "favourable": yes,
        "protected": ["race", "sex"],
        "protected_encodings": ["minority"],
        "after_outcome": ["rejected"],
        "features": columns or {"all_but": ["decided"]},
        "rows_min": min(400, len(table)),
        "label_share_min": 0.05,
        "columns": {
            "id": {"type": "integer", "min": 1, "nulls": 0},
            "approved": {"values": [yes, no], "nulls": 0},
            "race": {"type": "text", "values": sorted(set(table["race"])), "nulls": 0},
            "sex": {"values": ["female", "male"], "nulls": 0.03},
            "decided": {"type": "time", "min": "2015-01-01", "max": "2026-12-31", "nulls": 0},
            "income": {"type": "number", "min": 10, "max": 1000, "nulls": 0.04},
            "debt": {"type": "integer", "min": 0, "max": 10000, "nulls": 0},
            "loan": {"type": "number", "min": 100, "max": 100000, "nulls": 0},
            "history": {"type": "integer", "min": 0, "max": 12, "nulls": 0},
            "purpose": {"type": "text", "values": PURPOSES, "nulls": 0},
            "employed": {"type": "boolean", "nulls": 0},
        },
    }
