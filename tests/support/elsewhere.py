"""Models that were made elsewhere, and projects around them: what another team or a vendor hands over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from clearance import files, params, paths
from clearance.documents.measurement import Measurement
from clearance.documents.split_document import TrainedOn
from tests.support import evidence, learnable

NUMBERS = ["income", "age", "owner"]
TEXTS = ["region", "street", "grade"]
BY = "Acme Scoring, letter of 2026-03-01"


def table(**columns: Any) -> pd.DataFrame:
    """Rows as `learnable.table` has them, none of which trained the model; `columns` replaces some."""
    frame = learnable.table().assign(**columns)
    return frame.assign(split=frame["split"].replace("train", "test"))


def build(root: Path, frame: pd.DataFrame, *, features: list[str] | None = None, **external: Any) -> Path:
    """A project with prepared tables whose model is `external`; its rows are tune and test rows.

    `threshold` and `protected_at_decision` go to `train`, everything else to `train.external`.
    """
    more = {name: external.pop(name) for name in ("threshold", "protected_at_decision") if name in external}
    names = list(learnable.FEATURES) if features is None else features
    learnable.build(root, frame)
    settings = params.read_yaml(root / "params.yaml")
    settings["data"]["features"] = names
    settings["split"] = {"trained_on": "none", "tune": 0.2, "test": 0.8}
    settings["train"] = {"external": {"declared_by": BY} | external} | more
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    (root / "external").mkdir(exist_ok=True)
    rewrite(root, frame, names)
    return root


def rewrite(root: Path, frame: pd.DataFrame, names: list[str]) -> None:
    """Write the prepared tables of these rows and features, and the records that vouch for them."""
    folder = root / paths.PREPARED
    parts = {"features": names, "label": ["label"], "protected": list(learnable.PROTECTED)}
    for name, columns in parts.items():
        frame[["row", "split", *columns]].to_parquet(folder / f"{name}.parquet", index=False)
    tables = {name: files.sha256(folder / f"{name}.parquet") for name in evidence.TABLES}
    sides = {name: frame[frame["split"] == name] for name in evidence.SPLITS}
    record = evidence.split(
        {"overlap": Measurement(value=0), "left_out": Measurement(value=0)},
        tables=tables,
        rows={name: len(side) for name, side in sides.items()},
        row_digests={name: files.sha256_json(sorted(side["row"])) for name, side in sides.items()},
        features=tuple(names),
        protected=learnable.PROTECTED,
        trained_on=TrainedOn(declared="none"),
    )
    record.write(root)
    evidence.prepared_validation(tables=tables).write(root)


def pipeline(frame: pd.DataFrame, label: Any = None, estimator: Any = None) -> Pipeline:
    """Another team's pipeline: imputation, one-hot columns, and by default a logistic regression."""
    encode = ColumnTransformer(
        [
            ("n", SimpleImputer(strategy="mean"), NUMBERS),
            ("t", make_pipeline(_filled(), OneHotEncoder(handle_unknown="ignore")), ["region", "grade"]),
        ]
    )
    fitted = Pipeline([("e", encode), ("m", estimator or LogisticRegression(max_iter=2000))])
    return fitted.fit(inputs(frame), frame["label"] if label is None else label)


def by_race(table: pd.DataFrame, label: Any) -> Pipeline:
    """A model that takes in the protected attribute `race` beside `age`."""
    encode = ColumnTransformer([("n", "passthrough", ["age"]), ("r", OneHotEncoder(), ["race"])])
    return Pipeline([("e", encode), ("m", LogisticRegression(max_iter=2000))]).fit(table, label)


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value="(none)")


def inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """The features of `pipeline` as that team holds them: numbers, and texts with NaN for what is missing."""
    region = frame["region"].astype(object).where(frame["region"].notna(), np.nan)
    grade = frame["grade"].map("{:g}".format).astype(object)
    return numbers(frame).assign(region=region, grade=grade)


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The features that are numbers, as any team holds them."""
    return frame[NUMBERS].astype(float)


SKOPS_FEATURES = [*NUMBERS, "region", "grade"]


def save(model: Any, path: Path) -> Path:
    """Write it with skops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(skops.io.dumps(model))
    return path


def answers(root: Path, table: pd.DataFrame, name: str = "vendor.csv") -> Path:
    """Write a table of answers to `external/`, in the format that its name says."""
    path = root / "external" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


def pyfunc(folder: Path, source: str, names: list[str] | None = None) -> Path:
    """An MLflow folder whose loader module is `source`; `names` are the inputs of its signature."""
    (folder / "code").mkdir(parents=True)
    flavour = "flavors:\n  python_function:\n    loader_module: made_elsewhere\n    code: code\n"
    columns = [{"name": name, "type": "double", "required": True} for name in names or []]
    signature = f"signature:\n  inputs: '{json.dumps(columns)}'\n" if names else ""
    (folder / "MLmodel").write_text(f"{flavour}{signature}mlflow_version: 3.0.0\n")
    (folder / "code/made_elsewhere.py").write_text(source)
    return folder
