"""One million generated rows, 25 columns: the table, its parameters and policy, and a script to compare with.

The script is what a capable person writes with pandas and scikit-learn for the same steps over the same
file, without pipeline, cache, tracking or evidence.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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


def script(source: Path, target: Path) -> None:
    """The hand-written peer: read, check, split, train, measure, explain, write."""
    import shap
    import sklearn.metrics
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    target.mkdir(parents=True, exist_ok=True)
    frame = pd.read_csv(source)
    frame.to_parquet(target / "raw.parquet")
    checks = {
        "unique": bool(frame["id"].is_unique),
        "label": set(frame["approve"].unique()) == {0, 1},
        "nulls": frame.isna().mean().max() < 0.05,
        "range": bool(frame[NUMBERS].abs().max().max() <= 10),
    }
    train, rest = train_test_split(frame, train_size=0.5, random_state=1)
    tune, test = train_test_split(rest, train_size=0.4, random_state=1)
    for name, part in {"train": train, "tune": tune, "test": test}.items():
        part.to_parquet(target / f"{name}.parquet")
    model = Pipeline(
        [
            (
                "prepare",
                ColumnTransformer(
                    [
                        ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
                        ("t", OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
                    ]
                ),
            ),
            ("estimator", HistGradientBoostingClassifier(random_state=1)),
        ]
    ).fit(train[FEATURES], train["approve"])
    tuned = model.predict_proba(tune[FEATURES])[:, 1]
    false, true, limits = sklearn.metrics.roc_curve(tune["approve"], tuned)
    threshold = limits[np.argmax(true - false)]
    score = model.predict_proba(test[FEATURES])[:, 1]
    decision = score >= threshold
    metrics = {
        "roc_auc": sklearn.metrics.roc_auc_score(test["approve"], score),
        "average_precision": sklearn.metrics.average_precision_score(test["approve"], score),
        "brier": sklearn.metrics.brier_score_loss(test["approve"], score),
        "log_loss": sklearn.metrics.log_loss(test["approve"], score),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(test["approve"], decision),
        "f1": sklearn.metrics.f1_score(test["approve"], decision),
    }
    for attribute in ("race", "sex"):
        rates = pd.Series(decision).groupby(test[attribute].to_numpy()).mean()
        metrics[f"demographic_parity_difference_{attribute}"] = rates.max() - rates.min()
    transformed = model[:-1].transform(test[FEATURES].head(500))
    values = shap.TreeExplainer(model[-1]).shap_values(transformed)
    metrics["importance"] = float(np.abs(values).mean())
    (target / "metrics.json").write_text(json.dumps(metrics | checks, default=float))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    script(**vars(parser.parse_args()))
