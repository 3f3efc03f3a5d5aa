"""A small project with prepared tables and a trained model: what the measuring stages start from."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from clearance import files
from clearance.models import model_file
from tasks import score
from tests.support import evidence

ROOT = Path(__file__).resolve().parents[2]
THRESHOLD = 0.75


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Applications with a score-like feature `a`, noise, a label, two protected attributes and a split."""
    random = np.random.default_rng(seed)
    race = random.choice(["Black", "Hispanic", "White"], rows, p=[0.2, 0.15, 0.65]).astype(object)
    race[:3] = None
    first = random.normal(size=rows)
    logit = 1.2 + 1.5 * first - 0.9 * (race == "Black")
    names = (hashlib.sha256(str(at).encode()).hexdigest()[:32] for at in range(rows))
    return pd.DataFrame(
        {
            "row": list(names),
            "split": random.choice(["train", "tune", "test"], rows, p=[0.5, 0.1, 0.4]),
            "a": first,
            "b": random.normal(size=rows),
            "label": (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8),
            "race": race,
            "sex": random.choice(["female", "male"], rows).astype(object),
        }
    )


def build(root: Path, frame: pd.DataFrame, labels: npt.NDArray[np.integer] | None = None) -> Path:
    """Write the project at `root`: tables of `frame`, and a model fitted on its train rows and `labels`."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("params.yaml", "dvc.yaml", "reasons.yaml", "card.yaml"):
        shutil.copy(ROOT / name, root / name)
    (root / "policies").mkdir(exist_ok=True)
    shutil.copy(ROOT / "policies/demo.yaml", root / "policies/demo.yaml")
    folder = root / "data/prepared"
    folder.mkdir(parents=True)
    parts = {"features": ["a", "b"], "label": ["label"], "protected": ["race", "sex"]}
    for name, columns in parts.items():
        frame[["row", "split", *columns]].to_parquet(folder / f"{name}.parquet", index=False)
    digests = {name: files.sha256(folder / f"{name}.parquet") for name in parts}
    evidence.split(tables=digests).write(root)
    train = frame["split"] == "train"
    model = Pipeline(
        [
            ("columns", ColumnTransformer([("number", SimpleImputer(), ["a", "b"])])),
            ("estimator", LogisticRegression()),
        ]
    ).fit(frame.loc[train, ["a", "b"]], frame["label"][train] if labels is None else labels[train])
    decider = model_file.with_threshold(model, THRESHOLD)
    sha256 = model_file.save(decider, root / "models/trained/model.skops")
    evidence.training(threshold=THRESHOLD, model=sha256).write(root)
    with contextlib.chdir(root):
        score.main()
    return root


def block(root: Path) -> None:
    """Turn the training of the project at `root` into one that did not happen."""
    evidence.block(root, "validate_raw: 3 rows are wrong", "training")
