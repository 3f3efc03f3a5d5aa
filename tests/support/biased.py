"""Plentiful rows with a planted bias: one feature stands for the group, and the labels favour one group."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def table(rows: int = 6000, seed: int = 3) -> pd.DataFrame:
    """The columns of `learnable.table`; `age` and `region` give the race away, and race moves the label."""
    random = np.random.default_rng(seed)
    black = random.random(rows) < 0.4
    income = random.normal(0, 1, rows)
    label = random.random(rows) < 1 / (1 + np.exp(-(1.2 * income + 1.2 - 2.4 * black)))
    return pd.DataFrame(
        {
            "row": [hashlib.sha256(f"biased {seed}/{at}".encode()).hexdigest()[:32] for at in range(rows)],
            "split": random.choice(["train", "tune", "test"], rows, p=[0.5, 0.25, 0.25]),
            "income": income,
            "age": 40 + 12 * black + random.normal(0, 6, rows),
            "owner": random.integers(0, 2, rows).astype(np.int8),
            "region": pd.Series(
                np.where(random.random(rows) < 0.2 + 0.5 * black, "south", "north"), dtype="str"
            ),
            "street": pd.Series(["High Street"] * rows, dtype="str"),
            "grade": random.choice([1.0, 2.0], rows),
            "label": label.astype(np.int8),
            "race": pd.Series(np.where(black, "Black", "White"), dtype="str"),
            "sex": pd.Series(random.choice(["female", "male"], rows), dtype="str"),
        }
    )
