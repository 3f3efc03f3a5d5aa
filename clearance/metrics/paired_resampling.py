"""How a change of model moves figures that are not a single rate: both models' rows are resampled together.

Draws follow from seed and counts alone, not from names of groups nor from the order of rows. Where too few
rows are decided differently no bootstrap decides, and that is said. Nothing here judges.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import intervals, resampling

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Figures = Callable[[Floats], tuple[Floats, Floats]]
"""The champion's and the candidate's figure of tables (..., groups, label, champion, candidate)."""

METHOD = "multinomial bootstrap over group x label x both decisions, the wider of percentile and basic"
_KINDS = {"favoured by the candidate alone": (0, 1), "favoured by the champion alone": (1, 0)}


def f1(rows: Floats) -> tuple[Floats, Floats]:
    """Both models' F1 over all groups, in [0, 1]; NaN without a favourable label or decision."""
    champion, candidate = (_f1(model_rows.sum(axis=-3)) for model_rows in _apart(rows))
    return champion, candidate


def predictive_parity(rows: Floats) -> tuple[Floats, Floats]:
    """Both models' highest minus lowest positive predictive value of a group, in [0, 1].

    NaN where a model favours nobody of a group.
    """
    champion, candidate = (
        _over(model_rows[..., 1, 1], model_rows[..., :, 1].sum(axis=-1)) for model_rows in _apart(rows)
    )
    return np.ptp(champion, axis=-1), np.ptp(candidate, axis=-1)


def measure(
    rows: Codes, figures: Figures, sampling: intervals.Sampling, support: Mapping[str, int]
) -> Measurement:
    """The candidate's figure minus the champion's, over `rows` (groups, 2, 2, 2) of label and both decisions.

    Half of the error is kept back: quantiles of few draws lie too near. No interval with fewer than
    `resampling.FEWEST` rows that either model alone favours: there a bootstrap collapses. Undefined where a
    figure is.
    """
    cells = rows[sorted(range(len(rows)), key=lambda at: rows[at].tolist())]
    before, after = (float(figure) for figure in figures(cells.astype(np.float64)))
    if not (math.isfinite(before) and math.isfinite(after)):
        return undefined("a model favours nobody of a group", support)
    counts_ = {kind: int(cells[:, :, a, b].sum()) for kind, (a, b) in _KINDS.items()}
    if few := [f"{count} {kind}" for kind, count in counts_.items() if count < resampling.FEWEST]:
        lack = f"a bootstrap needs {resampling.FEWEST} rows of each kind: {', '.join(few)}"
        return Measurement(value=after - before, method="no interval", support=support, lack=lack)
    draws = _draw(cells, sampling)
    first, second = figures(draws)
    tail, point = (1 - sampling.confidence) / 4, after - before
    low, high = np.nanquantile(second - first, [tail, 1 - tail]).tolist()
    return Measurement(
        value=point,
        low=min(low, 2 * point - high),
        high=max(high, 2 * point - low),
        confidence=sampling.confidence,
        method=f"{METHOD}, {sampling.resamples} draws, half the error kept back",
        support=support,
    )


def _draw(cells: Codes, sampling: intervals.Sampling) -> Floats:
    """Tables (resamples, groups, 2, 2, 2) of as many rows as there are."""
    content = json.dumps([sampling.seed, cells.tolist()]).encode()
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16]))
    total = int(cells.sum())
    draws = random.multinomial(total, cells.ravel() / total, size=sampling.resamples)
    return draws.reshape(-1, *cells.shape).astype(np.float64)


def _apart(rows: Floats) -> tuple[Floats, Floats]:
    """The champion's and the candidate's tables of label and decision."""
    return rows.sum(axis=-1), rows.sum(axis=-2)


def _f1(decided: Floats) -> Floats:
    return _over(2 * decided[..., 1, 1], decided[..., 1, :].sum(axis=-1) + decided[..., :, 1].sum(axis=-1))


def _over(part: Floats, total: Floats) -> Floats:
    return np.divide(part, total, out=np.full_like(total, np.nan), where=total > 0)
