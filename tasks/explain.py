"""Explain a model on a bounded sample of test rows: what matters, for whom, and does it add up.

It also keeps the few train rows that explanations are held against, for those who explain later.
Nothing here judges.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from clearance import files, params, stage
from clearance.data.tables import prepared
from clearance.documents import measurement
from clearance.metrics import figures
from clearance.models import attribution, contributions, model_file, scoring

BACKGROUND = Path("models/background")
FIGURES = Path("reports/figures/explain")
MODEL = Path("models/trained/model.skops")
REPORT = Path("reports/explanation.json")

log = logging.getLogger(__name__)


def sample_positions(rows: prepared.Prepared, count: int) -> list[int]:
    """The places of the `count` rows with the smallest hashes, in that order: a sample no one can choose."""
    if not len(rows.rows):
        return []
    hashes = pa.array(rows.rows, type=pa.string())
    places: list[int] = pc.select_k_unstable(hashes, count, [("hash", "ascending")]).to_pylist()
    return places


def explain(
    pipeline: Any, sample: pd.DataFrame, background: pd.DataFrame, seed: int
) -> attribution.Attribution | str:
    """Explain the rows of `sample`, or as many of the first as are not too costly; or say why not."""
    if len(sample) == 0:
        return "there are no test rows to explain"
    found = attribution.attribute(pipeline, sample, background, seed)
    if not np.isfinite(found.contributions.to_numpy()).all() or not np.isfinite(found.margin).all():
        return "the model or its explainer gives an answer that is no number"
    return found


def report(found: attribution.Attribution | str, protected: pd.DataFrame, test_rows: int) -> dict[str, Any]:
    """The explanation document; `protected` has the groups of the sampled rows, in their order."""
    if isinstance(found, str):
        hole = measurement.undefined(found)
        holes = dict.fromkeys(("additivity_error", "rows", "coverage"), hole)
        return measurement.measured(holes, importance=[], by_group={}, group_rows={})
    rows = len(found.contributions)
    support = {"rows": rows}
    groups = protected.iloc[:rows]
    return measurement.measured(
        {
            "additivity_error": measurement.Measurement(value=found.additivity_error, support=support),
            "rows": measurement.Measurement(value=rows, support=support),
            "coverage": measurement.Measurement(
                value=rows / test_rows, support=support | {"test": test_rows}
            ),
        },
        explainer=found.explainer,
        against=found.against,
        space=found.space,
        base_value=found.base,
        importance=contributions.importance(found.contributions),
        by_group={name: contributions.by_group(found.contributions, groups[name]) for name in groups.columns},
        group_rows={name: contributions.group_rows(groups[name]) for name in groups.columns},
        fewest_rows_shown=contributions.FEW,
        libraries={"shap": importlib.metadata.version("shap")},
    )


def _write_figures(folder: Path, found: attribution.Attribution, features: pd.DataFrame, seed: int) -> None:
    files.write_json(folder / "importance.json", contributions.importance(found.contributions))
    with figures.style("importance_bar"):
        contributions.draw_bar(found).savefig(folder / "importance_bar.svg", metadata=figures.METADATA["svg"])
    with figures.style("beeswarm"):
        contributions.draw_beeswarm(found, features, seed).savefig(
            folder / "beeswarm.png", metadata=figures.METADATA["png"]
        )


def _write_background(folder: Path, background: pd.DataFrame, document: Mapping[str, Any]) -> None:
    table = folder / "background.parquet"
    background.to_parquet(table, index=False)
    kept = {
        name: document.get(name) for name in ("explainer", "against", "space", "base_value", "model_sha256")
    }
    digest = {
        "file": table.name,
        "sha256": files.sha256(table),
        "rows": len(background),
        "split": "train",
    }
    files.write_json(folder / "background.json", kept | digest)


def main() -> None:
    """Write `models/background/`, `reports/explanation.json` and `reports/figures/explain/`."""
    settings = params.load(Path("params.yaml"))
    training = files.read_json(Path("reports/training.json"))
    if training["status"] != "measured":
        _write_blocked(measurement.blocked(training["because"]))
        return
    model = model_file.load(MODEL, training["model"]["sha256"])
    train, test = prepared.read_splits(Path(), "train", "test")
    background = train.inputs(model.feature_names_in_).iloc[
        sample_positions(train, settings.explain.background)
    ]
    places = sample_positions(test, settings.explain.rows)
    sample = test.inputs(model.feature_names_in_).iloc[places]
    found = explain(model, sample, background, settings.seed)
    protected = test.protected.iloc[places][settings.data.protected]
    document = report(found, protected, len(test.rows)) | {"model_sha256": training["model"]["sha256"]}
    with files.replacing_folder(BACKGROUND) as folder:
        _write_background(folder, background, document)
    with files.replacing_folder(FIGURES) as folder:
        if not isinstance(found, str):
            typed = scoring.inputs(sample.head(len(found.contributions)), scoring.model_kinds(model))
            _write_figures(folder, found, typed, settings.seed)
    files.write_json(REPORT, document)
    _log(found, len(test.rows))


def _log(found: attribution.Attribution | str, test_rows: int) -> None:
    if isinstance(found, str):
        log.warning("%s", found)
        return
    rows = len(found.contributions)
    log.info("explained %d of %d test rows with %s (%s)", rows, test_rows, found.explainer, found.space)
    log.info(
        "what matters most: %s",
        ", ".join(row["feature"] for row in contributions.importance(found.contributions)[:5]),
    )


def _write_blocked(document: dict[str, Any]) -> None:
    for path in (BACKGROUND, FIGURES):
        with files.replacing_folder(path) as folder:
            files.write_json(folder / "blocked.json", document)
    files.write_json(REPORT, document)
    log.info("blocked: %s", document["because"])


if __name__ == "__main__":
    stage.run(main)
