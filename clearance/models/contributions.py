"""What many rows' contributions say together: how much each feature matters, to whom, and two pictures of it.

Means only, never a row; groups of few rows are counted and not shown. Nothing here judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
from matplotlib.figure import Figure

from clearance.documents.group_names import MISSING
from clearance.metrics import figures
from clearance.models import attribution

FEW = 10
"""A group with fewer explained rows is counted and not shown: its mean would speak of single people."""
SHOWN = 12
"""Features a figure shows, those that matter most."""


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
    shown = [group for group, count in group_rows(attribute).items() if count >= FEW]
    return {group: {name: float(mean) for name, mean in means.loc[group].items()} for group in shown}


def group_rows(attribute: pd.Series) -> dict[str, int]:
    """How many rows each group has, unnamed rows as `MISSING`."""
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
