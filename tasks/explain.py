"""Stage: explain a model on a bounded sample of test rows: what matters, for which groups, does it add up.

It also keeps the few train rows that explanations compare with, for later explanations. Nothing here judges.
"""

from __future__ import annotations

import importlib.metadata
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from clearance import files, params, paths, stage
from clearance.data.tables import prepared, row_ids
from clearance.documents import measurement
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.explanation_document import ExplanationDocument
from clearance.documents.group_names import MISSING
from clearance.documents.training_document import TrainingDocument
from clearance.metrics import figures
from clearance.models import attribution, contributions, model_file, scoring

NO_MODEL = "only the answers of the model are here, not the model: nothing can be explained"
"""Why nothing is explained where a model made elsewhere is a table of its answers."""

logger = logging.getLogger(__name__)


def sample_positions(rows: prepared.Prepared, count: int) -> list[int]:
    """The positions of the `count` rows with the smallest hashes, in that order: nobody can choose them."""
    if not len(rows.rows):
        return []
    hashes = row_ids.texts(rows.rows)
    positions: list[int] = pc.select_k_unstable(hashes, count, [("hash", "ascending")]).to_pylist()
    return positions


def sample_by_group(rows: prepared.Prepared, protected: pd.DataFrame, count: int) -> list[int]:
    """The positions of `count` rows, in which every group of every attribute is met early.

    A row's place is its rank by hash within its group, for the attribute where that rank is best. So the
    first n rows of every group come before the rest of the large ones, and however few of the rows can be
    afforded, no group is left out by its size. Nobody can choose the rows: hashes order them.
    """
    order = pc.sort_indices(row_ids.texts(rows.rows)).to_numpy()
    ranks = np.arange(len(order))
    for name in protected.columns:
        groups = protected[name].astype(object).where(protected[name].notna(), MISSING).iloc[order]
        ranks = np.minimum(ranks, groups.groupby(groups.to_numpy()).cumcount().to_numpy())
    return [int(position) for position in order[np.argsort(ranks, kind="stable")][:count]]


def explain(
    pipeline: Any, sample: pd.DataFrame, background: pd.DataFrame, seed: int, split: str = "train"
) -> attribution.Attribution | str:
    """Explain the rows of `sample`, or as many of the first as can be afforded; or return why not.

    `background` are rows of `split`.
    """
    if len(sample) == 0:
        return "there are no test rows to explain"
    explained = attribution.attribute(pipeline, sample, background, seed, split)
    if not np.isfinite(explained.contributions.to_numpy()).all() or not np.isfinite(explained.margin).all():
        return "the model or its explainer returns a value that is not a finite number"
    return explained


def report(
    explained: attribution.Attribution | str,
    protected: pd.DataFrame,
    features: pd.DataFrame,
    test_rows: int,
    model_sha256: str,
) -> ExplanationDocument:
    """The explanation document; `protected` and `features` have the sampled rows, in their order."""
    if isinstance(explained, str):
        undefined = measurement.undefined(explained)
        return ExplanationDocument(
            measurements=dict.fromkeys(("additivity_error", "rows", "coverage"), undefined),
            importance=(),
            by_group={},
            group_rows={},
            model_sha256=model_sha256,
        )
    rows = len(explained.contributions)
    support = {"rows": rows}
    groups = protected.iloc[:rows]
    return ExplanationDocument.create(
        measurements={
            "additivity_error": measurement.Measurement(value=explained.additivity_error, support=support),
            "rows": measurement.Measurement(value=rows, support=support),
            "coverage": measurement.Measurement(
                value=rows / test_rows, support=support | {"test": test_rows}
            ),
        },
        explainer=explained.explainer,
        against=explained.against,
        space=explained.space,
        base_value=explained.base,
        importance=contributions.importance(explained.contributions),
        by_group={
            name: contributions.by_group(explained.contributions, groups[name]) for name in groups.columns
        },
        group_rows={name: contributions.group_rows(groups[name]) for name in groups.columns},
        by_category=contributions.by_category(explained.contributions, features.iloc[:rows]) or None,
        fewest_rows_shown=contributions.FEW,
        libraries={"shap": importlib.metadata.version("shap")},
        model_sha256=model_sha256,
    )


def _write_figures(
    folder: Path, explained: attribution.Attribution, features: pd.DataFrame, seed: int
) -> None:
    files.write_json(folder / "importance.json", contributions.importance(explained.contributions))
    with figures.style("beeswarm"):
        beeswarm = contributions.draw_beeswarm(explained, features, seed)
        beeswarm.savefig(folder / "beeswarm.svg", metadata=figures.METADATA["svg"])


def _write_background(
    folder: Path, background: pd.DataFrame, explanation: ExplanationDocument, split: str
) -> None:
    table = folder / "background.parquet"
    background.to_parquet(table, index=False)
    description = {
        "explainer": explanation.explainer,
        "against": explanation.against,
        "space": explanation.space,
        "base_value": explanation.base_value,
        "model_sha256": explanation.model_sha256,
        "file": table.name,
        "sha256": files.sha256(table),
        "rows": len(background),
        "split": split,
    }
    files.write_json(folder / "background.json", description)


def main() -> None:
    """Write `models/background/`, `reports/explanation.json` and `reports/figures/explain/`."""
    settings = params.load(paths.PARAMS)
    training = unless_blocked(
        TrainingDocument.read(Path()), paths.EXPLANATION, paths.BACKGROUND, paths.EXPLAIN_FIGURES
    )
    if training is None:
        return
    model = model_file.load_scorer(paths.MODEL, training.model.sha256, training.threshold)
    test = prepared.read_outcomes(Path(), "test")
    split, compared = _compared(test)
    chosen = sample_positions(compared, settings.explain.background)
    background = prepared.read_sample(Path(), split, compared, chosen).inputs(model.feature_names_in_)
    groups = test.protected[settings.data.protected]
    positions = sample_by_group(test, groups, settings.explain.rows)
    sample = prepared.read_sample(Path(), "test", test, positions).inputs(model.feature_names_in_)
    made_elsewhere = training.external
    if made_elsewhere is not None and made_elsewhere.origin != "computed":
        explained: attribution.Attribution | str = NO_MODEL
    else:
        explained = explain(model, sample, background, settings.seed, split)
    explanation = report(explained, groups.iloc[positions], sample, len(test.rows), training.model.sha256)
    with files.replacing_folder(paths.BACKGROUND) as folder:
        _write_background(folder, background, explanation, split)
    with files.replacing_folder(paths.EXPLAIN_FIGURES) as folder:
        if isinstance(explained, str):
            files.write_json(folder / "importance.json", [])
        else:
            typed = scoring.inputs(sample.head(len(explained.contributions)), scoring.model_kinds(model))
            _write_figures(folder, explained, typed, settings.seed)
    explanation.write(Path())
    _log(explained, len(test.rows))


def _compared(test: prepared.Prepared) -> tuple[str, prepared.Prepared]:
    """The split whose rows explanations compare with: one that is not of test rows, if any has rows."""
    for split in ("train", "tune"):  # not trained here: there are no train rows
        outcomes = prepared.read_outcomes(Path(), split)
        if len(outcomes.rows):
            return split, outcomes
    return "test", test


def _log(explained: attribution.Attribution | str, test_rows: int) -> None:
    if isinstance(explained, str):
        logger.warning("%s", explained)
        return
    rows = len(explained.contributions)
    logger.info(
        "explained %d of %d test rows with %s (%s)", rows, test_rows, explained.explainer, explained.space
    )
    top = ", ".join(row["feature"] for row in contributions.importance(explained.contributions)[:5])
    logger.info("features that matter most: %s", top)


if __name__ == "__main__":
    stage.run(main)
