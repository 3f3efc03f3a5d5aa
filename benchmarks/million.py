"""Generated rows of 25 columns, a million or as many: the table, and the parameters of a pipeline over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000_000
NUMBERS = [f"n{i:02d}" for i in range(16)]
TEXTS = [f"t{i}" for i in range(4)]
FEATURES = [*NUMBERS, *TEXTS]


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """`rows` rows of 25 columns: id, time, race, sex, approve, 16 numbers (some missing), 4 texts."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, len(NUMBERS)))
    frame = pd.DataFrame({"id": np.arange(rows), "time": rng.integers(2010, 2026, rows)})
    frame["race"] = rng.choice(["A", "B", "C"], rows, p=[0.7, 0.2, 0.1])
    frame["sex"] = rng.choice(["f", "m"], rows)
    logit = numbers[:, :4].sum(axis=1) + 0.5 * numbers[:, 4] * numbers[:, 5] + 1.0
    frame["approve"] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("int64")
    numbers[rng.random(numbers.shape) < 0.01] = np.nan
    for index, name in enumerate(NUMBERS):
        frame[name] = numbers[:, index]
    for name in TEXTS:
        frame[name] = rng.choice([f"{name}_{i}" for i in range(6)], rows)
    return frame


def write(path: Path, rows: int) -> None:
    """Write `rows` rows to a Parquet file, a million at a time."""
    writer = None
    for number, start in enumerate(range(0, rows, ROWS)):
        part = table(min(ROWS, rows - start), seed=number)
        part["id"] += start
        arrow = pa.Table.from_pandas(part, preserve_index=False).replace_schema_metadata()
        writer = writer or pq.ParquetWriter(path, arrow.schema)
        writer.write_table(arrow)
    if writer is not None:
        writer.close()


def params(path: str) -> dict[str, Any]:
    """The parameters that point the pipeline at the table."""
    return {
        "name": "million",
        "experiment": "million",
        "seed": 1,
        "source": {"kind": "file", "path": path},
        "data": {
            "row_key": "id",
            "target": "approve",
            "favourable": 1,
            "protected": ["race", "sex"],
            "features": FEATURES,
            "columns": {name: {"type": "number", "min": -10, "max": 10, "nulls": 0.05} for name in NUMBERS},
        },
        "split": {"train": 0.5, "tune": 0.2, "test": 0.3},
        "train": {"estimator": "hist_gradient_boosting", "mitigation": "none"},
        "evaluate": {},
        "explain": {},
        "policy": {"file": "policies/demo.yaml", "as_of": "2026-11-22"},
        "overrides": {},
    }
