"""A small raw table and its declaration: what validation and preparation start from."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from clearance import files, params
from tests.support import evidence

ROOT = Path(__file__).resolve().parents[2]

DATA: dict[str, Any] = {
    "row_key": "id",
    "target": "approved",
    "favourable": "yes",
    "protected": ["race", "sex"],
    "protected_encodings": ["black"],
    "after_outcome": ["rejected"],
    "features": ["income", "debt", "kind"],
    "rows_min": 100,
    "label_share_min": 0.05,
    "columns": {
        "income": {"type": "number", "min": 0, "max": 1000, "nulls": 0.02},
        "debt": {"type": "integer", "min": 0, "nulls": 0},
        "kind": {"type": "text", "values": ["car", "home"], "severity": "warn"},
        "race": {"type": "text", "values": ["Black", "White"], "nulls": 0.05},
        "sex": {"values": ["female", "male"], "nulls": 0},
    },
}


def applications(rows: int = 400, seed: int = 0, **columns: Any) -> pa.Table:
    """Loan applications that keep every expectation of `DATA`; `columns` replaces some, None drops."""
    random = np.random.default_rng(seed)
    race = random.choice(["Black", "White"], rows, p=[0.3, 0.7])
    decision = np.where(random.random(rows) < 0.5 + 0.3 * (race == "White"), "yes", "no")
    table: dict[str, Any] = {
        "id": np.arange(1000, 1000 + rows),
        "person": np.arange(rows) // 2,
        "day": [dt.date(2025, 1, 1) + dt.timedelta(days=int(at)) for at in random.integers(0, 365, rows)],
        "income": np.round(random.gamma(5, 20, rows).clip(0, 999), 1),
        "debt": random.integers(0, 200, rows),
        "kind": random.choice(["car", "home"], rows),
        "race": race,
        "sex": random.choice(["female", "male"], rows),
        "approved": decision,
        "black": (race == "Black").astype(int),
        "rejected": (decision == "no").astype(int),
    }
    table = {name: values for name, values in (table | columns).items() if values is not None}
    return pa.table(table)


def put(column: pa.ChunkedArray | list[Any], at: dict[int, Any], kind: pa.DataType | None = None) -> pa.Array:
    """The column with other values at some positions."""
    values = column if isinstance(column, list) else column.to_pylist()
    return pa.array([at.get(index, value) for index, value in enumerate(values)], type=kind)


def data(**changes: Any) -> params.Data:
    """The declaration with some keys changed; `columns` changes single columns, None drops one."""
    raw = copy.deepcopy(DATA)
    columns = raw["columns"] | changes.pop("columns", {})
    raw |= changes | {"columns": {name: rule for name, rule in columns.items() if rule is not None}}
    return params.Data.model_validate(raw)


def project(root: Path, table: pa.Table, **sections: Any) -> Path:
    """A project whose `ingest` wrote this table; `sections` replaces sections of its params.yaml."""
    raw = params.read_yaml(ROOT / "params.yaml") | {"data": copy.deepcopy(DATA)}
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(raw | sections))
    path = root / "data/raw.parquet"
    pq.write_table(table, path)
    record = evidence.origin(
        rows=table.num_rows,
        columns=tuple(table.column_names),
        types={field.name: str(field.type) for field in table.schema},
        sha256=files.sha256(path),
    )
    record.write(root)
    return root
