"""Models that were made elsewhere, and projects around them: what another team or a vendor hands over."""

from __future__ import annotations

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


def build(root: Path, frame: pd.DataFrame, *, features: list[str] | None = None, **external: Any) -> Path:
    """A project with prepared tables whose model is `external`; its rows are tune and test rows.

    `threshold` and `protected_at_decision` go to `train`, everything else to `train.external`.
    """
    more = {name: external.pop(name) for name in ("threshold", "protected_at_decision") if name in external}
    names = list(learnable.FEATURES) if features is None else features
    frame = frame.assign(split=frame["split"].replace("train", "test"))
    learnable.build(root, frame)
    settings = params.read_yaml(root / "params.yaml")
    settings["data"]["features"] = names
    settings["split"] = {"trained_on": "none", "tune": 0.2, "test": 0.8}
    settings["train"] = {"external": {"declared_by": BY} | external} | more
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    (root / "external").mkdir(exist_ok=True)
    _write(root, frame, names)
    return root


def _write(root: Path, frame: pd.DataFrame, names: list[str]) -> None:
    folder = root / paths.PREPARED
    frame[["row", "split", *names]].to_parquet(folder / "features.parquet", index=False)
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
    """Another team's pipeline, fitted on the whole table: imputation, one-hot columns, a logistic regression."""
    encode = ColumnTransformer(
        [
            ("n", SimpleImputer(strategy="mean"), NUMBERS),
            ("t", make_pipeline(_filled(), OneHotEncoder(handle_unknown="ignore")), ["region", "grade"]),
        ]
    )
    fitted = Pipeline([("e", encode), ("m", estimator or LogisticRegression(max_iter=2000))])
    return fitted.fit(inputs(frame), frame["label"] if label is None else label)


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value="(none)")


def inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """The features as any team would hold them: numbers, and texts with None for what is missing."""
    texts = {
        name: frame[name].astype(object).where(frame[name].notna(), np.nan) for name in ("region", "grade")
    }
    texts["grade"] = frame["grade"].map(lambda grade: f"{grade:g}").astype(object)
    return pd.DataFrame({**{name: frame[name].astype(float) for name in NUMBERS}, **texts})


SKOPS_FEATURES = [*NUMBERS, "region", "grade"]


def save(model: Any, path: Path) -> Path:
    """Write it with skops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(skops.io.dumps(model))
    return path
