"""Prepared tables with everything a model must cope with, and a project around them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import tasks  # noqa: F401 - the tools' settings must stand before the first of them is imported
from clearance import files, params, paths
from clearance.data.tables import prepared
from tests.support import evidence

ROOT = Path(__file__).resolve().parents[2]
FEATURES = ("income", "age", "owner", "region", "street", "grade")
PROTECTED = ("race", "sex")


def table(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Numbers with nulls, a flag, texts with nulls and rare values, a grade declared a text."""
    random = np.random.default_rng(seed)
    income = random.lognormal(3, 0.6, rows)
    race = random.choice(["Black", "White"], rows, p=[0.3, 0.7]).astype(object)
    sex = random.choice(["female", "male"], rows).astype(object)
    sex[:4] = None
    region = random.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]).astype(object)
    logit = 0.06 * (income - 20) + 0.9 * (region == "south") - 0.8 * (race == "Black") + 0.6
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    income[random.random(rows) < 0.05] = np.nan
    region[random.random(rows) < 0.04] = None
    region[random.integers(0, rows, 6)] = "island"
    return pd.DataFrame(
        {
            "row": [hashlib.sha256(f"{seed}/{at}".encode()).hexdigest()[:32] for at in range(rows)],
            "split": random.choice(["train", "tune", "test"], rows, p=[0.55, 0.2, 0.25]),
            "income": income,
            "age": random.integers(18, 80, rows),
            "owner": random.integers(0, 2, rows).astype(np.int8),
            "region": pd.Series(region, dtype="str"),
            "street": pd.Series([f"{at} High Street" for at in range(rows)], dtype="str"),
            "grade": random.choice([1.0, 2.0, 3.0], rows),
            "label": label,
            "race": pd.Series(race, dtype="str"),
            "sex": pd.Series(sex, dtype="str"),
        }
    )


def split(frame: pd.DataFrame, name: str) -> prepared.Prepared:
    """The rows of one split, as `prepared.read` gives them."""
    rows = frame[frame["split"] == name].reset_index(drop=True)
    return prepared.Prepared(
        rows=rows["row"],
        splits=rows["split"],
        features=rows[list(FEATURES)],
        label=rows["label"].to_numpy(dtype=np.int8),
        protected=rows[list(PROTECTED)],
    )


def data() -> params.Data:
    """What the columns are."""
    return params.Data.model_validate(
        {
            "row_key": "key",
            "target": "label",
            "favourable": 1,
            "protected": list(PROTECTED),
            "features": list(FEATURES),
            "columns": {"grade": {"type": "text"}},
        }
    )


def choice(**more: Any) -> params.Train:
    """The `train` section: a logistic regression unless told otherwise."""
    return params.Train.model_validate({"estimator": "logistic_regression"} | more)


def build(root: Path, frame: pd.DataFrame, **train: Any) -> Path:
    """Write a project at `root` whose tables are prepared and validated; `train` is its `train` section."""
    settings = params.read_yaml(ROOT / "params.yaml")
    settings["data"] = data().model_dump(mode="json", exclude_defaults=True)
    options = {"estimator": "logistic_regression"} | train
    settings["train"] = {name: value for name, value in options.items() if value is not None}
    settings["explain"] = {"rows": 60, "background": 30}
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    (root / "policies").mkdir(exist_ok=True)
    for name in (
        "dvc.yaml",
        "requirements.lock",
        *map(str, paths.EXTRA_LOCKS.values()),
        "policies/demo.yaml",
        "reasons.yaml",
        "card.yaml",
    ):
        shutil.copy(ROOT / name, root / name)
    write(root, frame)
    return root


def write(root: Path, frame: pd.DataFrame) -> None:
    """Write the tables of `frame` and the records that vouch for them."""
    folder = root / paths.PREPARED
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"features": FEATURES, "label": ("label",), "protected": PROTECTED}
    for name, columns in parts.items():
        frame[["row", "split", *columns]].to_parquet(folder / f"{name}.parquet", index=False)
    tables = {name: files.sha256(folder / f"{name}.parquet") for name in parts}
    sides = {name: frame[frame["split"] == name] for name in prepared.SPLITS}
    record = evidence.split(
        tables=tables,
        rows={name: len(side) for name, side in sides.items()},
        row_digests={name: files.sha256_json(sorted(side["row"])) for name, side in sides.items()},
        features=FEATURES,
        protected=PROTECTED,
    )
    record.write(root)
    evidence.prepared_validation(tables=tables).write(root)
