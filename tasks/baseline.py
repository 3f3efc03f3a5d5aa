"""Stage: what live decisions of the version will be compared with, as counts of train, tune and test rows.

It is signed with the version, and read by the monitor alone. No row is in it, and it judges nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn import metrics

from clearance import params, paths, stage
from clearance.data.tables import prepared, row_ids, scored, split
from clearance.data.tables.prepared import Prepared
from clearance.data.tables.stored_table import StoredTable
from clearance.documents.baseline_document import (
    BaselineDocument,
    FeatureBins,
    FeatureReference,
    GroupReference,
)
from clearance.documents.evidence_document import BlockedDocument, unless_blocked
from clearance.documents.measurement import Measurement
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.training_document import TrainingDocument
from clearance.errors import ConfigurationError
from clearance.metrics import contingency, intersections
from clearance.models import model_file, row_plan, scoring
from clearance.models.plan import proof
from clearance.monitoring.counting import bins
from clearance.reasons import contributions

Scores = npt.NDArray[np.float64]
Side = Literal["train", "tune", "test"]

logger = logging.getLogger(__name__)

PROFILE_ROWS = 2_000
"""The largest number of tune rows behind the attribution profile."""


def feature_rows(sides: Mapping[str, Prepared]) -> Side:
    """The split that the features are counted in: train, unless a model made elsewhere left it empty."""
    splits: tuple[Side, ...] = ("train", "tune", "test")
    return next((name for name in splits if len(sides[name].rows)), "train")


def features(
    inputs: pd.DataFrame, days: npt.NDArray[np.int64] | None, day_count: int
) -> dict[str, FeatureReference]:
    """The reference of each column of typed inputs."""
    return {
        str(name): bins.reference(bins.of_column(column), column, days, day_count)
        for name, column in inputs.items()
    }


def cells(
    score_bins: FeatureBins, scores: Scores, label: npt.NDArray[np.integer], threshold: float
) -> tuple[tuple[int, int, int, int], ...]:
    """The rows by score cell, label and decision: (cell, label, decision, count), in ascending order."""
    at = bins.places(score_bins, pd.Series(scores))
    rows = np.stack([at, label, scoring.decide(scores, threshold)], axis=1).astype(np.int64)
    keys, counts = np.unique(rows, axis=0, return_counts=True) if len(rows) else (rows, np.zeros(0, int))
    return tuple((*key, int(count)) for key, count in zip(keys.tolist(), counts, strict=True))


def groups(
    test: Prepared, scores: Scores, threshold: float, most: int
) -> dict[str, dict[str, GroupReference]]:
    """The test rows of each group, by attribute and by intersection of at most `most` attributes."""
    encoding = contingency.encode(test.protected)
    table = contingency.count(encoding, test.label, scoring.decide(scores, threshold))
    return {
        name: {
            group: GroupReference(
                rows=counts.count,
                selected=counts.selected,
                positive=counts.favourable,
                true_positive=counts.true_positive,
            )
            for group, counts in intersections.groups(table, over).items()
        }
        for name, over in intersections.families(encoding.attributes, most).items()
    }


def roc_auc(label: npt.NDArray[np.integer], scores: Scores) -> float | None:
    """ROC AUC over these rows, in [0, 1]; None where it is undefined."""
    if len(np.unique(label)) < 2 or not np.isfinite(scores).all():
        return None
    return float(metrics.roc_auc_score(label, scores))


def attribution(pipeline: Any, reasons: ReasonsDocument, inputs: pd.DataFrame) -> dict[str, float] | None:
    """The mean absolute contribution of each feature; None where contributions are not known exactly.

    At most `PROFILE_ROWS` rows, at even distances, are behind it.
    """
    if reasons.background is None or not len(inputs):
        return None
    try:
        plan = row_plan.compile_plan(pipeline, scoring.model_kinds(pipeline))
    except ConfigurationError:
        return None
    explainer = contributions.restore(plan, reasons.background)
    if isinstance(explainer, str):
        return None
    places = np.linspace(0, len(inputs) - 1, min(PROFILE_ROWS, len(inputs))).astype(np.int64)
    encoded = plan.encode(proof.values(inputs.iloc[places]))
    values = explainer.contributions(encoded, plan.output(encoded))
    return dict(zip(plan.features, np.abs(values).mean(axis=0).tolist(), strict=True))


def days_of(
    file: Path, data: params.Data, time: params.OutOfTime | None, rows: pd.Series
) -> list[str] | None:
    """The date of each of these rows, as `2026-11-30`; None where the parameters name no column of times."""
    if time is None:
        return None
    table = StoredTable(file)
    dates = table.column(time.column).cast(pa.timestamp("us"), safe=False).cast(pa.date32())
    hashes = row_ids.hexadecimal(split.identify(table, data).row).to_pylist()
    of_row = dict(zip(hashes, (str(day) for day in dates.to_pylist()), strict=True))
    return [of_row[row] for row in rows]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The prepared rows by split, the scores of the test rows, and the dates of the rows of features."""

    sides: Mapping[str, Prepared]
    test_scores: Scores
    days: list[str] | None = None


def measure(
    pipeline: Any,
    training: TrainingDocument,
    rows: Rows,
    *,
    reasons: ReasonsDocument | None = None,
    most_attributes: int = 1,
) -> BaselineDocument:
    """The reference of a trained model, with intersections of at most `most_attributes` attributes."""
    sides, test_scores, days = rows.sides, rows.test_scores, rows.days
    kinds = scoring.model_kinds(pipeline)
    answers = training.external is not None and training.external.format == "table"
    inputs = {name: _inputs(side, {} if answers else kinds) for name, side in sides.items()}
    counted = feature_rows(sides)
    calendar, at = (None, None) if days is None else np.unique(np.array(days, str), return_inverse=True)
    threshold, test, tune = training.threshold, sides["test"], sides["tune"]
    tune_scores = scoring.score(pipeline, tune.inputs(kinds))
    score_bins = bins.of_numbers(test_scores, bins.SCORE_BINS)
    return BaselineDocument(
        measurements={"rows": Measurement(value=len(inputs[counted]))},
        model_sha256=training.model.sha256,
        threshold=threshold,
        rows=len(inputs[counted]),
        counted_in=counted,
        repeated=int(inputs[counted].duplicated().sum()) if len(inputs[counted].columns) else 0,
        features=features(inputs[counted], at, 0 if calendar is None else len(calendar)),
        score=None if training.gives_decisions_alone else bins.reference(score_bins, pd.Series(test_scores)),
        cells=cells(score_bins, test_scores, test.label, threshold),
        calibration=cells(score_bins, tune_scores, tune.label, threshold),
        groups=groups(test, test_scores, threshold, most_attributes),
        attribution=None if reasons is None else attribution(pipeline, reasons, inputs["tune"]),
        roc_auc=None if training.gives_decisions_alone else roc_auc(test.label, test_scores),
        days=None if calendar is None else tuple(calendar.tolist()),
    )


def _inputs(side: Prepared, kinds: Mapping[str, scoring.Kind]) -> pd.DataFrame:
    return scoring.inputs(side.inputs(kinds), kinds) if kinds else pd.DataFrame(index=side.rows.index)


def main() -> None:
    """Write `reports/baseline.json`."""
    settings = params.load(paths.PARAMS)
    training = unless_blocked(TrainingDocument.read(Path()), paths.BASELINE)
    if training is None:
        return
    sides = dict(zip(prepared.SPLITS, prepared.read_splits(Path(), *prepared.SPLITS), strict=True))
    reasons = ReasonsDocument.read(Path())
    counted = sides[feature_rows(sides)]
    document = measure(
        model_file.load_scorer(paths.MODEL, training.model.sha256, training.threshold),
        training,
        Rows(
            sides=sides,
            test_scores=scored.read(Path(), sides["test"].rows, training.model.sha256),
            days=days_of(paths.RAW_TABLE, settings.data, settings.split.time, counted.rows),
        ),
        reasons=None if isinstance(reasons, BlockedDocument) else reasons,
        most_attributes=settings.evaluate.intersections,
    )
    document.write(Path())
    logger.info("reference of %d features, from %d rows", len(document.features), document.rows)


if __name__ == "__main__":
    stage.run(main)
