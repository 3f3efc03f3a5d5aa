"""The contributions of many rows together: how much each feature matters, in which groups, and a figure.

Means only, never a single row; groups of few rows are counted but not shown. Nothing here judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
from matplotlib.figure import Figure

from clearance.documents.group_names import MISSING
from clearance.models import attribution

FEW = 10
"""A group with fewer explained rows is counted but not shown: its mean would reveal individuals."""
CATEGORIES = 12
"""The number of values of a text feature that are shown: those with the largest effect."""

SHOWN = 12
"""The number of features in a figure: those that matter most."""


def importance(contributions: pd.DataFrame) -> list[dict[str, Any]]:
    """Each feature with the mean absolute value of its contributions, largest first; 0: it has no effect."""
    means = contributions.abs().mean()
    return [
        {"feature": name, "mean_abs": float(means[name])}
        for name in sorted(means.index, key=lambda name: (-means[name], name))
    ]


def by_group(contributions: pd.DataFrame, attribute: pd.Series) -> dict[str, dict[str, float]]:
    """The mean contribution of each feature in each group that has at least `FEW` explained rows.

    Positive: in this group the feature favours, on average, the favourable outcome.
    """
    groups = attribute.astype(object).where(attribute.notna(), MISSING).to_numpy()
    means = contributions.groupby(groups).mean()
    shown = [group for group, count in group_rows(attribute).items() if count >= FEW]
    return {group: {name: float(mean) for name, mean in means.loc[group].items()} for group in shown}


def by_category(contributions: pd.DataFrame, features: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The mean contribution of each value of a text feature, largest effect first, in at least `FEW` rows.

    At most `CATEGORIES` values of a feature. Positive: with this value the feature favours, on average, the
    favourable outcome. Features of numbers are left out.
    """
    tables = {}
    for name in contributions.columns:
        if pd.api.types.is_numeric_dtype(features[name]):
            continue
        means = by_group(contributions[[name]], features[name])
        counts = group_rows(features[name])
        entries: list[dict[str, Any]] = [
            {"category": category, "rows": counts[category], "mean": mean[name]}
            for category, mean in means.items()
        ]
        if entries:
            tables[name] = sorted(entries, key=lambda entry: (-abs(entry["mean"]), entry["category"]))[
                :CATEGORIES
            ]
    return tables


def group_rows(attribute: pd.Series) -> dict[str, int]:
    """The number of rows of each group; rows without a group count as `MISSING`."""
    groups = attribute.astype(object).where(attribute.notna(), MISSING)
    return {str(group): int(count) for group, count in sorted(groups.value_counts().items())}


def draw_beeswarm(explained: attribution.Attribution, features: pd.DataFrame, seed: int) -> Figure:
    """One dot per row and feature: its position is the contribution, its colour the value of the feature."""
    shown = min(SHOWN, explained.contributions.shape[1])
    figure = Figure(figsize=(8, 1.6 + 0.36 * shown), layout="constrained")
    axes = figure.add_subplot()
    values = shap.Explanation(
        values=explained.contributions.to_numpy(),
        data=_colours(features),
        feature_names=list(explained.contributions.columns),
    )
    with attribution.seeded(seed):
        shap.plots.beeswarm(
            values,
            max_display=shown,
            group_remaining_features=False,  # one line for all would have the colours of one feature
            color_bar_label="feature value (grey: text, or missing)",
            ax=axes,
            plot_size=None,
            show=False,
            s=11,
        )
    low, high = _bulk(explained.contributions.to_numpy())
    outside = int(((values.values < low) | (values.values > high)).any(axis=1).sum())
    axes.set_xlim(low, high)
    for dots in axes.collections:
        dots.set_rasterized(True)  # thousands of dots as one picture, the names beside them as text
    axes.tick_params("both", labelsize=10)
    axes.set_xlabel(f"contribution to the favourable outcome, {explained.space}", fontsize=10)
    beyond = f"; {outside} of them have a dot outside the picture" if outside else ""
    axes.set_title(f"How each feature moves the model\n({len(features)} test rows{beyond})")
    return figure


def _bulk(contributions: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the axis that show nearly all dots: a few far out must not squeeze the others."""
    low, high = float(contributions.min()), float(contributions.max())
    inner_low, inner_high = np.quantile(contributions, [0.001, 0.999])
    room = 0.5 * max(inner_high - inner_low, 1e-12)
    edges = max(low, inner_low - room), min(high, inner_high + room)
    margin = 0.05 * max(edges[1] - edges[0], 1e-12)
    return float(edges[0] - margin), float(edges[1] + margin)


def _colours(features: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Values as SHAP colours them: numbers by size, texts and columns without numbers in grey."""
    columns = {
        name: column.astype(object) if column.notna().any() else pd.Series(MISSING, index=column.index)
        for name, column in features.items()
    }
    return np.asarray(pd.DataFrame(columns).to_numpy(dtype=object))
