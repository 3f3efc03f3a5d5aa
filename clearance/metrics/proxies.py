"""Proxies: how well a feature, or all of them together, tell to which protected group a row belongs.

Cross-validated over folds, on a bounded sample. A feature is cut into at most `BINS` values, and what a
fold's rows say of a bin is never used on those rows. It measures what could be inferred; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import extremes, ranking

ROWS = 10_000
"""Rows looked at, at most: enough to tell an area under the curve to about a hundredth."""

FOLDS = 5
BINS = 20
"""Values a feature is cut into, missing included: quantiles of a number, the most frequent of a text."""

Codes = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Proxies:
    """For one attribute: the strongest feature, and all features together."""

    strongest: Measurement
    together: Measurement


def measure(
    features: pd.DataFrame, group: pd.Series, confidence: float, group_names: Iterable[str] = ()
) -> Proxies:
    """How well features tell the groups of one attribute; rows in an order that says nothing of either.

    The figure is the area under the ROC curve of the group that is easiest to tell from the others: 0.5
    is chance, 1 identifies the group. `features` and `group` have the same n rows; a row of no known group
    is left out. It is bounded whichever feature and group it truly is: `extremes.largest`. Undefined
    without features, without two groups, and when one of them, or of the `group_names`, has fewer than
    `ranking.FEWEST` rows among those looked at: nobody would see that such a group can be identified.
    """
    looked_at = group.notna().to_numpy().nonzero()[0][:ROWS]
    names, codes = np.unique(group.iloc[looked_at].astype(str).to_numpy(dtype=object), return_inverse=True)
    rows = np.bincount(codes, minlength=len(names))
    group_rows = {str(name): int(count) for name, count in zip(names, rows, strict=True)}
    support = dict.fromkeys(sorted(group_names), 0) | group_rows
    targets = list(range(len(names)))
    if len(targets) < 2 or min(support.values()) < ranking.FEWEST or features.shape[1] == 0:
        says = f"two groups, {ranking.FEWEST} rows of each among those looked at, and a feature are needed"
        hole = undefined(says, support)
        return Proxies(hole, hole)
    sample = features.iloc[looked_at]
    binned = np.column_stack([bins(sample[name]) for name in sample.columns])
    alone = {str(name): _posterior(binned[:, at], codes) for at, name in enumerate(sample.columns)}
    areas = {name: max(_area(scores, codes, at) for at in targets) for name, scores in alone.items()}
    strongest = max(areas, key=lambda name: areas[name])
    together = {"all": _logistic(binned, codes)}
    figure = _measured(alone, codes, targets, confidence, support=support, how=f"strongest `{strongest}`")
    return Proxies(
        strongest=replace(figure, feature=strongest),
        together=_measured(
            together, codes, targets, confidence, support=support, how="logistic regression over bins"
        ),
    )


def areas(features: pd.DataFrame, group: pd.Series) -> dict[str, float]:
    """For each feature alone, the area under the ROC curve of the group that it tells best, out of fold.

    Rows in an order that says nothing of either; those of no known group are left out. 0.5 is chance, 1
    identifies the group. Empty unless two groups occur.
    """
    known = group.notna().to_numpy()
    names, codes = np.unique(group[known].astype(str).to_numpy(dtype=object), return_inverse=True)
    if len(names) < 2:
        return {}
    scores = {str(name): _posterior(bins(features.loc[known, name]), codes) for name in features.columns}
    targets = range(len(names))
    return {name: max(_area(score, codes, at) for at in targets) for name, score in scores.items()}


def bins(values: pd.Series) -> Codes:
    """Each value as a bin from 0, which is for missing ones: n integers below `BINS`."""
    present = values.notna().to_numpy()
    codes = np.zeros(len(values), dtype=np.int64)
    if not present.any():
        return codes
    if pd.api.types.is_numeric_dtype(values.dtype) and values.nunique() > BINS - 1:
        numbers = values[present].to_numpy(dtype="float64")
        cuts = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS)[1:-1]))
        codes[present] = 1 + np.minimum(np.searchsorted(cuts, numbers, side="right"), BINS - 2)
        return codes
    texts = values[present].astype(str)
    often = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[: BINS - 2]
    place = often.get_indexer_for(texts)
    codes[present] = np.where(place < 0, BINS - 1, place + 1)  # the rarer ones share a bin
    return codes


def _posterior(binned: Codes, codes: Codes) -> Scores:
    """The share of each group (n, groups) in a row's bin, among the rows of the other folds."""
    groups = int(codes.max()) + 1
    fold = np.arange(len(codes)) % FOLDS
    flat = np.bincount((fold * BINS + binned) * groups + codes, minlength=FOLDS * BINS * groups)
    counts = flat.reshape(FOLDS, BINS, groups)
    others = counts.sum(axis=0) - counts
    prior = others.sum(axis=1, keepdims=True) / np.maximum(1, others.sum(axis=(1, 2), keepdims=True))
    share = (others + prior) / (others.sum(axis=2, keepdims=True) + 1)
    return np.asarray(share[fold, binned], dtype=np.float64)


def _logistic(binned: Codes, codes: Codes) -> Scores:
    """The same from all features together: a logistic regression over the bins, fitted on the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    # ranks are wanted, not digits: the loose tolerance halves the time
    learner = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression(tol=1e-2, max_iter=200)
    )
    folds = PredefinedSplit(np.arange(len(codes)) % FOLDS)
    return np.asarray(cross_val_predict(learner, binned, codes, cv=folds, method="predict_proba"))


def _area(scores: Scores, codes: Codes, at: int) -> float:
    inside, ranks = codes == at, stats.rankdata(scores[:, at])
    some = int(inside.sum())
    return float((ranks[inside].sum() - some * (some + 1) / 2) / (some * (len(inside) - some)))


def _measured(
    scores: Mapping[str, Scores],
    codes: Codes,
    targets: list[int],
    confidence: float,
    *,
    support: Mapping[str, int],
    how: str,
) -> Measurement:
    """The largest area of any scores and group, bounded whichever it truly is."""
    figures = [
        _alone(feature_scores[:, at], codes == at, _area(feature_scores, codes, at))
        for feature_scores in scores.values()
        for at in targets
    ]
    return extremes.largest(
        figures,
        confidence,
        method=f"{ranking.METHOD}; {FOLDS} folds of at most {ROWS} rows; {how}",
        of="areas",
        support=dict(support),
    )


def _alone(scores: Scores, inside: npt.NDArray[np.bool_], area: float) -> extremes.Figure:
    """One area; where all scores are alike they tell nothing, and it is exactly 0.5."""

    def interval(confidence: float) -> tuple[float, float]:
        return ranking.roc_auc(inside.astype(np.int8), scores, area, confidence)[0] or (0.5, 0.5)

    return extremes.Figure(area, extremes.shrinking(area, interval))
