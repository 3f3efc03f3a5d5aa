"""A model file from elsewhere is scored exactly as its own library scores it, and explained; others are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clearance import files, paths
from tasks import assess, evaluate, explain, score, train
from tests.support import elsewhere, learnable


def judge_until_scores(root: Path, patch: pytest.MonkeyPatch) -> pd.Series:
    """Run train and score; the score of each test row by its hash."""
    patch.chdir(root)
    train.main()
    score.main()
    table = pd.read_parquet(paths.SCORED_TABLE)
    return table.set_index("row")["score"]


def test_a_skops_pipeline_scores_as_its_own_library_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = learnable.table()
    root = elsewhere.build(tmp_path, frame, features=elsewhere.SKOPS_FEATURES, file="external/m.skops")
    model = elsewhere.pipeline(frame)
    elsewhere.save(model, root / "external/m.skops")
    scores = judge_until_scores(root, monkeypatch)
    test = frame[frame["split"] != "tune"].set_index("row")
    expected = pd.Series(model.predict_proba(elsewhere.inputs(test))[:, 1], index=test.index)
    assert np.abs(scores - expected[scores.index]).max() <= 1e-9
    explain.main()
    explanation = files.read_json(paths.EXPLANATION)
    print(explanation["measurements"], explanation["against"], explanation["importance"])
    evaluate.main()
    assess.main()


def numeric(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["income", "age", "owner"]].astype(float)


def test_lgb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    frame = learnable.table()
    root = elsewhere.build(tmp_path, frame, features=elsewhere.NUMBERS, file="external/m.txt")
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(numeric(frame), frame["label"])
    model.booster_.save_model(root / "external/m.txt")
    scores = judge_until_scores(root, monkeypatch)
    test = frame[frame["split"] != "tune"].set_index("row")
    expected = pd.Series(model.predict_proba(numeric(test))[:, 1], index=test.index)
    assert np.abs(scores - expected[scores.index]).max() <= 1e-9
    explain.main()
    explanation = files.read_json(paths.EXPLANATION)
    print(
        explanation["measurements"]["additivity_error"]["value"],
        explanation["explainer"],
        explanation["against"],
    )


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgb(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xgboost = pytest.importorskip("xgboost")
    frame = learnable.table()
    root = elsewhere.build(tmp_path, frame, features=elsewhere.NUMBERS, file=f"external/m.{suffix}")
    model = xgboost.XGBClassifier(n_estimators=20).fit(numeric(frame), frame["label"])
    model.save_model(root / f"external/m.{suffix}")
    scores = judge_until_scores(root, monkeypatch)
    test = frame[frame["split"] != "tune"].set_index("row")
    expected = pd.Series(model.predict_proba(numeric(test))[:, 1], index=test.index)
    assert np.abs(scores - expected[scores.index]).max() <= 1e-9
    explain.main()
    explanation = files.read_json(paths.EXPLANATION)
    print(
        explanation["measurements"]["additivity_error"]["value"],
        explanation["explainer"],
        explanation["against"],
    )


@pytest.mark.parametrize("zipped", [None, True, False])
def test_onnx(zipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    from tests.support import onnx_graphs

    frame = learnable.table()
    frame["income"] = frame["income"].fillna(0)
    names = ["income", "age", "owner"]
    weights, bias = [0.05, -0.01, 0.3], -0.5
    more = {"features": None}
    root = elsewhere.build(tmp_path, frame, features=names, file="external/m.onnx")
    if zipped is None:
        content = onnx_graphs.logistic(weights, bias)
        import yaml

        from clearance import params

        s = params.read_yaml(root / "params.yaml")
        s["train"]["external"]["features"] = names
        (root / "params.yaml").write_text(yaml.safe_dump(s))
    else:
        content = onnx_graphs.classifier(weights, bias, names, zipped=zipped)
    (root / "external/m.onnx").write_bytes(content)
    scores = judge_until_scores(root, monkeypatch)
    test = frame[frame["split"] != "tune"].set_index("row")
    expected = 1 / (1 + np.exp(-(test[names].to_numpy(float) @ np.array(weights) + bias)))
    expected = pd.Series(expected, index=test.index)
    print(np.abs(scores - expected[scores.index]).max())
    assert np.abs(scores - expected[scores.index]).max() <= 1e-6
    explain.main()
    explanation = files.read_json(paths.EXPLANATION)
    print(
        explanation["measurements"]["additivity_error"]["value"],
        explanation["explainer"],
        explanation["against"],
    )


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    frame = learnable.table()
    root = elsewhere.build(tmp_path, frame, features=elsewhere.SKOPS_FEATURES, file="external/m")
    model = elsewhere.pipeline(frame)
    inputs = elsewhere.inputs(frame)
    sig = mlflow.models.infer_signature(inputs.fillna({"region": "x"}), model.predict_proba(inputs))
    mlflow.sklearn.save_model(
        model,
        root / "external/m",
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
        signature=sig,
    )
    scores = judge_until_scores(root, monkeypatch)
    test = frame[frame["split"] != "tune"].set_index("row")
    expected = pd.Series(model.predict_proba(elsewhere.inputs(test))[:, 1], index=test.index)
    assert np.abs(scores - expected[scores.index]).max() <= 1e-9
    explain.main()
    doc = files.read_json(paths.TRAINING)
    print(doc["external"])
    print(files.read_json(paths.EXPLANATION)["measurements"])
