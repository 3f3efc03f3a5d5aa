"""From decisions on record to counts by the hour: no row, no id and no value of a person leaves this module.

Vectorised over many decisions of one version. The groups of a decision are given by the caller.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.documents.baseline_document import BaselineDocument
from clearance.errors import ClearanceError
from clearance.inference_log.reading import LoggedDecision
from clearance.inference_log.records import FAVOURABLE, Inference
from clearance.ledger import times
from clearance.models import row_plan, scoring
from clearance.models.plan import proof
from clearance.monitoring.counting import bins, windows
from clearance.monitoring.counting.window_counts import Contributions, Groups, WindowCounts
from clearance.monitoring.watched_version import WatchedVersion

Numbers = npt.NDArray[np.float64]

Seen = dict[dt.datetime, set[int]]
"""Hashes of the inputs that were counted, by the hour. Never stored."""

EARLY, LATE = dt.timedelta(minutes=5), dt.timedelta(days=31)
"""How far the time of a decision may be after, and before, the time at which the log took it."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision that is counted, with its groups; `inference` is its record.

    `replays` says whether its entity and whole input came before in another hour; None: it names no entity.
    """

    hour: dt.datetime
    inference: Inference
    groups: Groups
    replays: bool | None = None


def hour_of(decision: LoggedDecision) -> dt.datetime:
    """The hour a decision belongs to: that of its own time, or where that cannot be, when the log took it.

    The log's time never goes back, so a caller's clock that jumped moves no decision to another year.
    """
    taken = times.parse(decision.at)
    stated = taken if decision.inference is None else decision.inference.time
    return windows.hour_of(stated if -LATE <= stated - taken <= EARLY else taken)


def count(
    version: WatchedVersion, decided: Sequence[Decided], seen: Seen | None = None
) -> dict[dt.datetime, WindowCounts]:
    """The counts of these decisions by the hour. Without a baseline there are rows and groups alone.

    `seen` are the inputs of each hour that were counted before, and takes the new ones.
    """
    hours = sorted({decision.hour for decision in decided})
    at = np.array([hours.index(decision.hour) for decision in decided], dtype=np.int64)
    if version.baseline is None or not decided:
        return {hour: _plain(decided, hour) for hour in hours}
    rows = _Rows(version=version, decided=decided, at=at, hours=len(hours))
    tables = _Tables(rows, version.baseline, _repeated(rows, {} if seen is None else seen))
    return {hour: tables.of_hour(place) for place, hour in enumerate(hours)}


def score_places(baseline: BaselineDocument, scores: Numbers) -> npt.NDArray[np.int64]:
    """The score cell of each score; 0 for all of a model that gives decisions alone."""
    if baseline.score is None:
        return np.zeros(len(scores), dtype=np.int64)
    return bins.places(baseline.score.bins, pd.Series(scores))


def _plain(decided: Sequence[Decided], hour: dt.datetime) -> WindowCounts:
    own = [decision for decision in decided if decision.hour == hour]
    decisions = Counter((decision.groups, 0, _favourable(decision.inference)) for decision in own)
    return WindowCounts(rows=len(own), features={}, score=np.zeros(0, dtype=np.int64), decisions=decisions)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Decisions of one version, each with the place of its hour, of so many `hours`."""

    version: WatchedVersion
    decided: Sequence[Decided]
    at: npt.NDArray[np.int64]
    hours: int

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Their inputs as the model takes them."""
        return frame(self.version, [decision.inference for decision in self.decided])


def _repeated(rows: _Rows, seen: Seen) -> npt.NDArray[np.bool_]:
    """Which rows have the whole input of an earlier row of their hour."""
    flags = np.zeros(len(rows.decided), dtype=np.bool_)
    if not len(rows.frame.columns):
        return flags
    for place, key in enumerate(pd.util.hash_pandas_object(rows.frame, index=False).tolist()):
        earlier = seen.setdefault(rows.decided[place].hour, set())
        flags[place] = key in earlier
        earlier.add(key)
    return flags


class _Tables:
    """The counts of all hours as tables with a row for each hour."""

    def __init__(self, rows: _Rows, baseline: BaselineDocument, repeated: npt.NDArray[np.bool_]) -> None:
        self._version, self._baseline = rows.version, baseline
        self._decided, self._at, self._hours, self._frame = rows.decided, rows.at, rows.hours, rows.frame
        decided, version = rows.decided, rows.version
        inferences = [decision.inference for decision in decided]
        scores = np.array([_score(inference) for inference in inferences])
        self._score_at = score_places(baseline, scores)
        self._features = {
            name: self._table(bins.places(reference.bins, self._frame[name]), reference.bins.size)
            for name, reference in baseline.features.items()
        }
        self._sizes = {
            name: self._sizes_of(name)
            for name, reference in baseline.features.items()
            if reference.bins.kind == "number"
        }
        self._score = (
            None if baseline.score is None else self._table(self._score_at, baseline.score.bins.size)
        )
        self._contributions = self._contributions_by_hour()
        self._skew_tried, self._skewed = self._skew(scores)
        self._violations = self._sum(np.array([bool(_broken(version, decision)) for decision in inferences]))
        self._repeated = self._sum(repeated)

    def of_hour(self, hour: int) -> WindowCounts:
        """The counts of the hour in this place."""
        rows = np.flatnonzero(self._at == hour)
        decisions = Counter(
            (
                self._decided[row].groups,
                int(self._score_at[row]),
                _favourable(self._decided[row].inference),
            )
            for row in rows.tolist()
        )
        return WindowCounts(
            rows=len(rows),
            features={name: table[hour] for name, table in self._features.items()},
            score=np.zeros(0, dtype=np.int64) if self._score is None else self._score[hour],
            decisions=decisions,
            sizes={name: table[hour] for name, table in self._sizes.items()},
            contributions={
                name: Contributions(rows=len(rows), total=float(sums[0][hour]), squares=float(sums[1][hour]))
                for name, sums in self._contributions.items()
            },
            repeated=int(self._repeated[hour]),
            violations=int(self._violations[hour]),
            skew_tried=int(self._skew_tried[hour]),
            skewed=int(self._skewed[hour]),
            named=sum(self._decided[row].replays is not None for row in rows.tolist()),
            replayed=sum(self._decided[row].replays is True for row in rows.tolist()),
        )

    def _table(self, places: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
        counted = np.bincount(self._at * size + places, minlength=self._hours * size)
        return counted.reshape(self._hours, size).astype(np.int64)

    def _sum(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(self._at[flags], minlength=self._hours).astype(np.int64)

    def _total(self, values: Numbers) -> Numbers:
        return np.bincount(self._at, weights=values, minlength=self._hours).astype(np.float64)

    def _sizes_of(self, name: str) -> npt.NDArray[np.int64]:
        values = self._frame[name].to_numpy(dtype="float64")
        sized = np.isfinite(values) & (values != 0)
        places = self._at[sized] * bins.SIZES + bins.size_places(values[sized])
        return np.bincount(places, minlength=self._hours * bins.SIZES).reshape(self._hours, bins.SIZES)

    def _contributions_by_hour(self) -> dict[str, tuple[Numbers, Numbers]]:
        plan, explainer = self._version.plan, self._version.explainer
        if plan is None or explainer is None or self._baseline.attribution is None:
            return {}
        encoded = plan.encode(proof.values(_finite(self._frame)))
        sizes = np.abs(explainer.contributions(encoded, plan.output(encoded)))
        return {
            name: (
                self._total(sizes[:, place]),
                self._total(sizes[:, place] ** 2),
            )
            for place, name in enumerate(explainer.features)
        }

    def _skew(self, recorded: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How many decisions the pipeline computed again, and how many of them came out otherwise."""
        again = np.array(pipeline_scores(self._version, self._frame))
        favourable = np.array([_favourable(decision.inference) for decision in self._decided], dtype=np.bool_)
        near = np.array([row_plan.is_near(score, self._version.threshold) for score in again], dtype=np.bool_)
        with np.errstate(invalid="ignore"):
            close = np.abs(again - recorded) <= proof.CLOSE
        same = scoring.decide(again, self._version.threshold) == favourable
        return self._sum(np.ones(len(again), dtype=np.bool_)), self._sum(~(close & (same | near)))


def frame(version: WatchedVersion, inferences: Sequence[Inference]) -> pd.DataFrame:
    """The inputs as the model takes them: float64 with NaN, and texts with NaN; infinity: not a number."""
    columns = {}
    for name, kind in version.kinds.items():
        values = [inference.input.get(name) for inference in inferences]
        if kind == "number":
            columns[name] = pd.Series([_number(value) for value in values], dtype="float64")
        else:
            texts = [np.nan if value is None else str(value) for value in values]
            columns[name] = pd.Series(texts, dtype=object)
    return pd.DataFrame(columns, index=range(len(inferences)))


def pipeline_scores(version: WatchedVersion, rows: pd.DataFrame) -> list[float]:
    """The score of each row by the pipeline that was trained; NaN where it refuses the row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers near the largest double overflow in some models
        try:
            return [float(score) for score in scoring.score(version.pipeline, _finite(rows))]
        except ClearanceError:
            return [float("nan")] * len(rows)


def _finite(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.replace([np.inf, -np.inf], np.nan)


def _number(value: object) -> float:
    if value is None:
        return float("nan")
    return float(value) if isinstance(value, int | float) else float("inf")


def _score(inference: Inference) -> float:
    return float("nan") if inference.score is None else inference.score


def _favourable(inference: Inference) -> int:
    return int(inference.decision == FAVOURABLE)


def _broken(version: WatchedVersion, inference: Inference) -> bool:
    row = [_plain_value(inference.input.get(column.name)) for column in version.inputs]
    return bool(version.checks.unusual(row))


def _plain_value(value: object) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float) else str(value)


def grouped(groups: Mapping[str, str | None], attributes: Sequence[str]) -> Groups:
    """The group by each attribute, in their order; None where it is not known."""
    return tuple((name, groups.get(name)) for name in attributes)
