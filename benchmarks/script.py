"""The hand-written peer of the million-row run: one script, pandas and scikit-learn, the same steps.

What a capable person writes who owes the same results: checked tables, a stable split, the same model,
intervals, group rates, explanations, figures, a page, a stored model. It has no cache, no retries, no
tracking server, no digests of what it read, and no proof.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
import sklearn.metrics
from sklearn.calibration import calibration_curve
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from benchmarks.million import FEATURES, NUMBERS, TEXTS

PROTECTED = ["race", "sex"]


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print how long a step took."""
    start = time.perf_counter()
    yield
    print(f"  {name:<18} {time.perf_counter() - start:6.1f} s", flush=True)


def demand(condition: bool) -> None:
    """Stop the script unless a check holds."""
    if not condition:
        raise SystemExit("a check failed")


def validate(frame: pd.DataFrame) -> dict[str, bool]:
    """Schema, keys, labels, nulls, ranges, and no text feature that settles a group or the label."""
    checks = {
        "unique": bool(frame["id"].is_unique),
        "label": set(frame["approve"].unique()) == {0, 1},
        "groups known": not frame[PROTECTED].isna().any().any(),
        "numbers": all(pd.api.types.is_numeric_dtype(frame[name]) for name in NUMBERS),
        "finite": bool(~np.isinf(frame[NUMBERS].to_numpy()).any()),
    }
    for name in NUMBERS:
        checks[f"{name} nulls"] = bool(frame[name].isna().mean() <= 0.05)
        checks[f"{name} range"] = bool(frame[name].dropna().between(-10, 10).all())
        checks[f"{name} varies"] = frame[name].nunique() > 1
    for name in TEXTS:
        for other in [*PROTECTED, "approve"]:
            checks[f"{name} keeps {other}"] = bool(frame.groupby(name)[other].nunique().max() > 1)
    return checks


def prepare(frame: pd.DataFrame, target: Path) -> dict[str, pd.DataFrame]:
    """Split by a stable hash of the key; features, label and groups leave as tables of their own."""
    hashed = pd.util.hash_pandas_object(frame["id"], index=False)
    share = hashed / 2**64
    split = pd.cut(share, [-1, 0.5, 0.7, 1.1], labels=["train", "tune", "test"]).astype(str)
    keys = pd.DataFrame({"row": hashed, "split": split})
    for name, columns in {"features": FEATURES, "label": ["approve"], "protected": PROTECTED}.items():
        pd.concat([keys, frame[columns]], axis=1).to_parquet(target / f"{name}.parquet")
    sides = {name: frame[(split == name).to_numpy()] for name in ("train", "tune", "test")}
    demand(not hashed[split == "train"].isin(hashed[split == "test"]).any())
    demand(all(set(side["approve"].unique()) == {0, 1} for side in sides.values()))
    return sides


def model() -> Pipeline:
    """Boosting on numbers as they are and on numbered texts, rare ones together; it handles NaN itself."""
    texts = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        min_frequency=10,
        max_categories=20,
    )
    encode = ColumnTransformer([("number", "passthrough", NUMBERS), ("category", texts, TEXTS)])
    return Pipeline([("encode", encode), ("estimator", HistGradientBoostingClassifier(random_state=1))])


def best_threshold(label: pd.Series, score: np.ndarray) -> float:
    """The threshold with the highest balanced accuracy."""
    false, true, limits = sklearn.metrics.roc_curve(label, score)
    return float(limits[np.argmax(true - false)])


def evaluate(label: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, Any]:
    """The eight metrics, each with the normal interval of a mean or of a rank statistic."""
    decision = score >= threshold
    metrics = {
        "roc_auc": sklearn.metrics.roc_auc_score(label, score),
        "average_precision": sklearn.metrics.average_precision_score(label, score),
        "brier": sklearn.metrics.brier_score_loss(label, score),
        "log_loss": sklearn.metrics.log_loss(label, score),
        "accuracy": sklearn.metrics.accuracy_score(label, decision),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(label, decision),
        "f1": sklearn.metrics.f1_score(label, decision),
    }
    observed, mean = calibration_curve(label, score, n_bins=10, strategy="quantile")
    metrics["calibration_error"] = float(np.abs(observed - mean).mean())
    spread = {name: (value * (1 - value) / len(label)) ** 0.5 for name, value in metrics.items()}
    return {
        name: (value, value - 1.96 * spread[name], value + 1.96 * spread[name])
        for name, value in metrics.items()
    }


def assess(test: pd.DataFrame, decision: np.ndarray) -> dict[str, Any]:
    """Selection rate, TPR and FPR of every group, and how far the selection rates lie apart."""
    results = {}
    for name in PROTECTED:
        rows = pd.DataFrame({"group": test[name], "label": test["approve"], "decision": decision})
        rates = rows.groupby("group")["decision"].mean()
        by_label = rows.groupby(["group", "label"])["decision"].mean().unstack()
        results[name] = {
            "selection_rate": rates.to_dict(),
            "true_positive_rate": by_label[1].to_dict(),
            "false_positive_rate": by_label[0].to_dict(),
            "difference": rates.max() - rates.min(),
            "ratio": rates.min() / rates.max(),
        }
    return results


def explain(pipeline: Pipeline, test: pd.DataFrame, draw: Any) -> dict[str, Any]:
    """SHAP values of 500 rows, their mean by group, a bar and a beeswarm plot."""
    sample = test.sample(500, random_state=1)
    encoded = pipeline[:-1].transform(sample[FEATURES])
    values = shap.TreeExplainer(pipeline[-1])(encoded)
    values.feature_names = list(pipeline[:-1].get_feature_names_out())
    for plot in (shap.plots.bar, shap.plots.beeswarm):
        plt.figure()
        plot(values, show=False)
        draw(plt.gcf())
    by_group = {
        name: pd.DataFrame(values.values).groupby(sample[name].to_numpy()).mean().to_dict("list")
        for name in PROTECTED
    }
    return {"importance": np.abs(values.values).mean(axis=0).tolist(), "by_group": by_group}


def curves(label: np.ndarray, score: np.ndarray, draw: Any) -> None:
    """ROC, precision-recall and calibration plots."""
    for display in (
        sklearn.metrics.RocCurveDisplay.from_predictions,
        sklearn.metrics.PrecisionRecallDisplay.from_predictions,
        lambda y, s: plt.gca().plot(*reversed(calibration_curve(y, s, n_bins=10))),
    ):
        plt.figure()
        display(label, score)
        draw(plt.gcf())


def run(source: Path, target: Path) -> None:
    """Every step, over the table at `source`; results go to `target`."""
    target.mkdir(parents=True, exist_ok=True)
    images: list[str] = []

    def draw(figure: Any) -> None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
        plt.close(figure)
        images.append(base64.b64encode(buffer.getvalue()).decode())

    with step("ingest"):
        frame = pd.read_csv(source)
        frame.to_parquet(target / "raw.parquet")
    with step("validate"):
        checks = validate(frame)
        demand(all(checks.values()))
    with step("prepare"):
        sides = prepare(frame, target)
    with step("train"):
        train, tune, test = sides["train"], sides["tune"], sides["test"]
        pipeline = model().fit(train[FEATURES], train["approve"])
        threshold = best_threshold(tune["approve"], pipeline.predict_proba(tune[FEATURES])[:, 1])
        joblib.dump(pipeline, target / "model.joblib")
    with step("evaluate"):
        label, score = test["approve"].to_numpy(), pipeline.predict_proba(test[FEATURES])[:, 1]
        performance = evaluate(label, score, threshold)
        curves(label, score, draw)
    with step("assess"):
        fairness = assess(test, score >= threshold)
    with step("explain"):
        explanation = explain(pipeline, test, draw)
    with step("judge, document"):
        passes = all(gaps["difference"] <= 0.1 and gaps["ratio"] >= 0.8 for gaps in fairness.values())
        results = {"passed": passes, "performance": performance, "fairness": fairness, **explanation}
        (target / "metrics.json").write_text(json.dumps(results | checks, default=float))
        page = "".join(f'<img src="data:image/svg+xml;base64,{image}">' for image in images)
        (target / "report.html").write_text(f"<h1>{passes}</h1>{page}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    run(**vars(parser.parse_args()))
