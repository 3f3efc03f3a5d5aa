"""What a change of model does to figures of the scores themselves: ROC AUC, Brier score, log loss.

Both models score the same rows, so what makes one row hard for both says nothing about either. Rows are taken
as independent. Nothing here judges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import stats

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import ranking

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.float64]

METRICS = ("roc_auc", "brier", "log_loss")


def measure(label: Labels, champion: Scores, candidate: Scores, confidence: float) -> dict[str, Measurement]:
    """The candidate's figure minus the champion's over n rows, by metric; 0 means no change.

    `roc_auc` in [-1, 1], above 0 where the candidate ranks better; `brier` in [-1, 1] and `log_loss`, below 0
    where its probabilities are nearer to the labels. Undefined without rows, `roc_auc` with one label only.
    """
    if not len(label):
        return dict.fromkeys(METRICS, undefined("there are no rows to compare on"))
    losses = {
        "brier": [(scores - label) ** 2 for scores in (champion, candidate)],
        "log_loss": [_surprise(label, scores) for scores in (champion, candidate)],
    }
    return {"roc_auc": area(label, champion, candidate, confidence)} | {
        name: _mean(second - first, confidence) for name, (first, second) in losses.items()
    }


def area(label: Labels, champion: Scores, candidate: Scores, confidence: float) -> Measurement:
    """The candidate's area under the ROC curve minus the champion's, with DeLong's paired variance.

    No interval with fewer than `ranking.FEWEST` rows of a label, and where both models rank all rows alike.
    Bounds reach as far as Student's t of the rarer label. Source: E. R. DeLong et al., Biometrics 44 (1988)
    837-845.
    """
    favourable = label == 1
    support = _support(label)
    if 0 in support.values():
        return undefined(f"every row has the label {int(label[0])}", support)
    first, second = (_placements(favourable, scores) for scores in (champion, candidate))
    over, under = (two - one for one, two in zip(first, second, strict=True))
    value = float(over.mean())
    fewest = min(support.values())
    lack = (
        f"{ranking.FEWEST} rows of each label are needed, there are {fewest}"
        if fewest < ranking.FEWEST
        else None
    )
    error = 0.0 if lack else math.sqrt(over.var(ddof=1) / len(over) + under.var(ddof=1) / len(under))
    if lack is None and error < 1e-12:
        lack = "both models rank these rows alike"
    if lack:
        return Measurement(value=value, method="no interval", support=support, lack=lack)
    half = float(stats.t.ppf((1 + confidence) / 2, fewest - 1)) * error
    return Measurement(
        value=value,
        low=max(-1.0, value - half),
        high=min(1.0, value + half),
        confidence=confidence,
        method="paired DeLong, Student t",
        support=support,
    )


def _placements(favourable: npt.NDArray[np.bool_], scores: Scores) -> tuple[Scores, Scores]:
    """For each favourable row the share of the others that it outscores, ties half; for each other row the
    share of the favourable ones that outscore it."""
    ours, others = scores[favourable], scores[~favourable]
    placed = stats.rankdata(np.concatenate([ours, others]))
    over = (placed[: len(ours)] - stats.rankdata(ours)) / len(others)
    under = 1 - (placed[len(ours) :] - stats.rankdata(others)) / len(ours)
    return over, under


def _surprise(label: Labels, scores: Scores) -> Scores:
    """The negative logarithm of the probability given to each label, kept off 0 and 1 by 2.2e-16."""
    smallest = np.finfo(np.float64).eps
    probability = np.clip(np.where(label == 1, scores, 1 - scores), smallest, 1 - smallest)
    return np.asarray(-np.log(probability))


def _mean(changes: Scores, confidence: float) -> Measurement:
    value, support = float(changes.mean()), {"rows": len(changes)}
    if len(changes) < ranking.FEWEST or np.ptp(changes) < 1e-12:
        lack = f"fewer than {ranking.FEWEST} rows, or all with the same change"
        return Measurement(value=value, method="no interval", support=support, lack=lack)
    spread = float(changes.std(ddof=1)) / math.sqrt(len(changes))
    half = float(stats.t.ppf((1 + confidence) / 2, len(changes) - 1)) * spread
    return Measurement(
        value=value,
        low=value - half,
        high=value + half,
        confidence=confidence,
        method="paired Student t on the losses",
        support=support,
    )


def _support(label: Labels) -> Mapping[str, int]:
    return {
        "favourable label": int((label == 1).sum()),
        "unfavourable label": int((label == 0).sum()),
    }
