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
import numpy.typing as npt
import pandas as pd
import shap
from matplotlib.figure import Figure

from clearance import (
    artifacts,
    attribution,
    evidence,
    figures,
    model_file,
    params,
    prepared,
    scoring,
    stage,
)

BACKGROUND = Path("models/background")
FIGURES = Path("reports/figures/explain")
MODEL = Path("models/trained/model.skops")
REPORT = Path("reports/explanation.json")

FEW = 10
"""A group with fewer explained rows is counted and not shown: its mean would speak of single people."""
MISSING = "(missing)"
SHOWN = 12
"""Features a figure shows, those that matter most."""

log = logging.getLogger(__name__)


def smallest(rows: prepared.Prepared, count: int) -> list[int]:
    """The places of the `count` rows with the smallest hashes, in that order: a sample no one can choose."""
    return [int(place) for place in np.argsort(rows.rows.to_numpy(dtype=str), kind="stable")[:count]]


def explain(
    pipeline: Any, sample: pd.DataFrame, background: pd.DataFrame, seed: int
) -> attribution.Attribution | None:
    """Explain the rows of `sample`, or as many of the first as are not too costly; None without any row."""
    if len(sample) == 0:
        return None
    return attribution.attribute(pipeline, sample, background, seed)


def report(found: attribution.Attribution | None, protected: pd.DataFrame, test_rows: int) -> dict[str, Any]:
    """The explanation document; `protected` has the groups of the sampled rows, in their order."""
    if found is None:
        hole = evidence.undefined("there are no test rows to explain")
        holes = dict.fromkeys(("additivity_error", "rows", "coverage"), hole)
        return evidence.measured(holes, importance=[], by_group={}, group_rows={})
    rows = len(found.contributions)
    support = {"rows": rows}
    groups = protected.iloc[:rows]
    return evidence.measured(
        {
            "additivity_error": evidence.Measurement(value=found.additivity_error, support=support),
            "rows": evidence.Measurement(value=rows, support=support),
            "coverage": evidence.Measurement(value=rows / test_rows, support=support | {"test": test_rows}),
        },
        explainer=found.explainer,
        against=found.against,
        space=found.space,
        base_value=found.base,
        importance=importance(found.contributions),
        by_group={name: by_group(found.contributions, groups[name]) for name in groups.columns},
        group_rows={name: _count(groups[name]) for name in groups.columns},
        fewest_rows_shown=FEW,
        libraries={"shap": importlib.metadata.version("shap")},
    )


def importance(contributions: pd.DataFrame) -> list[dict[str, Any]]:
    """Each feature with the mean size of its contributions, the largest first; 0: it never mattered."""
    means = contributions.abs().mean()
    return [
        {"feature": name, "mean_abs": float(means[name])}
        for name in sorted(means.index, key=lambda name: (-means[name], name))
    ]


def by_group(contributions: pd.DataFrame, attribute: pd.Series) -> dict[str, dict[str, float]]:
    """The mean contribution of each feature in each group that has at least `FEW` explained rows.

    Positive: in this group the feature speaks, on average, for the favourable outcome.
    """
    named = attribute.astype(object).where(attribute.notna(), MISSING).to_numpy()
    means = contributions.groupby(named).mean()
    shown = [group for group, count in _count(attribute).items() if count >= FEW]
    return {group: {name: float(mean) for name, mean in means.loc[group].items()} for group in shown}


def _count(attribute: pd.Series) -> dict[str, int]:
    named = attribute.astype(object).where(attribute.notna(), MISSING)
    return {str(group): int(count) for group, count in sorted(named.value_counts().items())}


def draw_bar(found: attribution.Attribution) -> Figure:
    """The mean size of each feature's contributions, the largest on top."""
    top = importance(found.contributions)[:SHOWN][::-1]
    figure = Figure(figsize=(7, 1.4 + 0.3 * len(top)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([row["feature"] for row in top], [row["mean_abs"] for row in top], color=figures.LINE)
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.margins(x=0.12)
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)
    axes.set_xlabel(f"mean |contribution|, {found.space}")
    axes.set_title(f"What matters to the model ({len(found.contributions)} test rows)")
    return figure


def draw_beeswarm(found: attribution.Attribution, features: pd.DataFrame, seed: int) -> Figure:
    """One dot per row and feature: where it lies is the contribution, its colour the feature's value."""
    shown = min(SHOWN, found.contributions.shape[1])
    figure = Figure(figsize=(8, 1.6 + 0.36 * shown), layout="constrained")
    axes = figure.add_subplot()
    values = shap.Explanation(
        values=found.contributions.to_numpy(),
        data=_colours(features),
        feature_names=list(found.contributions.columns),
    )
    with attribution.seeded(seed):
        shap.plots.beeswarm(
            values,
            max_display=shown,
            group_remaining_features=False,  # their line would have the colours of one of them
            color_bar_label="feature value (grey: text, or missing)",
            ax=axes,
            plot_size=None,
            show=False,
            s=11,
        )
    axes.tick_params("both", labelsize=10)
    axes.set_xlabel(f"contribution to the favourable outcome, {found.space}", fontsize=10)
    axes.set_title(f"How each feature moves the model ({len(features)} test rows)")
    return figure


def _colours(features: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Values as SHAP colours them: numbers by size, texts and columns without any number in grey."""
    columns = {
        name: column.astype(object) if column.notna().any() else pd.Series(MISSING, index=column.index)
        for name, column in features.items()
    }
    return np.asarray(pd.DataFrame(columns).to_numpy(dtype=object))


def _write_figures(folder: Path, found: attribution.Attribution, features: pd.DataFrame, seed: int) -> None:
    artifacts.write_json(folder / "importance.json", importance(found.contributions))
    with figures.style("importance_bar"):
        draw_bar(found).savefig(folder / "importance_bar.svg", metadata=figures.METADATA["svg"])
    with figures.style("beeswarm"):
        draw_beeswarm(found, features, seed).savefig(
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
        "sha256": artifacts.sha256(table),
        "rows": len(background),
        "split": "train",
    }
    artifacts.write_json(folder / "background.json", kept | digest)


def main() -> None:
    """Write `models/background/`, `reports/explanation.json` and `reports/figures/explain/`."""
    settings = params.load(Path("params.yaml"))
    training = artifacts.read_json(Path("reports/training.json"))
    if training["status"] != "measured":
        _write_blocked(evidence.blocked(training["because"]))
        return
    model = model_file.load(MODEL, training["model"]["sha256"])
    train, test = (prepared.read(Path(), name) for name in ("train", "test"))
    background = train.features.iloc[smallest(train, settings.explain.background)]
    places = smallest(test, settings.explain.rows)
    sample = test.features.iloc[places]
    found = explain(model, sample, background, settings.seed)
    protected = test.protected.iloc[places][settings.data.protected]
    document = report(found, protected, len(test.rows)) | {"model_sha256": training["model"]["sha256"]}
    with artifacts.replacing_folder(BACKGROUND) as folder:
        _write_background(folder, background, document)
    with artifacts.replacing_folder(FIGURES) as folder:
        if found is not None:
            typed = scoring.inputs(sample.head(len(found.contributions)), scoring.model_kinds(model))
            _write_figures(folder, found, typed, settings.seed)
    artifacts.write_json(REPORT, document)
    _log(found, len(test.rows))


def _log(found: attribution.Attribution | None, test_rows: int) -> None:
    if found is None:
        return
    rows = len(found.contributions)
    log.info("explained %d of %d test rows with %s (%s)", rows, test_rows, found.explainer, found.space)
    log.info(
        "what matters most: %s", ", ".join(row["feature"] for row in importance(found.contributions)[:5])
    )


def _write_blocked(document: dict[str, Any]) -> None:
    for path in (BACKGROUND, FIGURES):
        with artifacts.replacing_folder(path) as folder:
            artifacts.write_json(folder / "blocked.json", document)
    artifacts.write_json(REPORT, document)
    log.info("blocked: %s", document["because"])


if __name__ == "__main__":
    stage.run(main)
