"""Bias in the data as expectations: measured here, so that it stands in the report and in Data Docs.

Each holds when it could be measured for every attribute. How much is too much is a policy's to say, on the
measurements it carries; nothing here holds a limit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

import pandas as pd

from clearance import wording
from clearance.documents import metrics as registry
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import data_bias, proxies
from expectations import custom

Measured = dict[str, Measurement]


class MeasuredExpectation(custom.TableExpectation):
    """An expectation that a figure can be taken for each protected attribute; it carries the figures.

    `prefix` is what the attributes' columns are called beside the features, `rows` names the columns that
    must agree row by row, and `label` is 0 or 1 in every row: else nothing is measured. All figures are of
    the rows as they are, unweighted; where rows come in clusters of `cluster` they carry no interval, for
    theirs take rows as independent.
    """

    attributes: list[str]
    prefix: str
    rows: list[str]
    label: str
    confidence: float
    cluster: str | None = None
    success_keys: ClassVar[tuple[str, ...]] = (
        *("attributes", "prefix", "rows", "label"),
        *("confidence", "cluster"),
    )
    figures: ClassVar[tuple[str, ...]]

    @abstractmethod
    def measure(self, frame: pd.DataFrame, attribute: str) -> Measured:
        """The figures of one attribute by metric."""

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        """Each column that stands in the way of measuring anything."""
        yield from custom.missing(frame, [*self.rows, self.label])
        first, *others = (frame[name].rename(None) for name in custom.present(frame, self.rows))
        if not all(first.equals(other) for other in others):
            yield custom.Fault(column=self.rows[0], says="the prepared tables do not line up")
        if self.label in frame and not frame[self.label].isin([0, 1]).all():
            yield custom.Fault(column=self.label, says="the label is not 0 or 1 in every row")

    def _figures(self, frame: pd.DataFrame, attribute: str, hole: str | None) -> Measured:
        if hole is None and self.prefix + attribute not in frame:
            hole = f"there is no column `{attribute}`"
        if hole:
            return dict.fromkeys(self.figures, undefined(hole))
        found = self.measure(frame, attribute)
        return found if self.cluster is None else {name: self._bare(each) for name, each in found.items()}

    def _bare(self, figure: Measurement) -> Measurement:
        """The figure without the interval that independent rows would give it."""
        if figure.low is None and figure.high is None:
            return figure
        said = f"no interval: rows of one `{self.cluster}` are not independent"
        return replace(figure, low=None, high=None, confidence=None, method=said)

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        frame = metrics["table.frame"]
        hole = next((fault.says for fault in self.faults(frame)), None)
        found = {name: self._figures(frame, name, hole) for name in self.attributes}
        holes = [
            custom.Fault(column=name, says=f"{registry.title(metric)} by {name}: {figure.undefined}")
            for name, figures in found.items()
            for metric, figure in figures.items()
            if figure.undefined
        ]
        said = "; ".join(
            f"{registry.title(metric)} by {name} {wording.measurement(figure.to_json())}"
            for name, figures in found.items()
            for metric, figure in figures.items()
            if figure.value is not None
        )
        figures = {
            name: {metric: figure.to_json() for metric, figure in each.items()}
            for name, each in found.items()
        }
        details = {"faults": [asdict(hole) for hole in holes], "figures": figures}
        return {"success": not holes, "result": {"observed_value": said or "nothing", "details": details}}

    def group(self, frame: pd.DataFrame, attribute: str) -> pd.Series:
        """The attribute's column."""
        column: pd.Series = frame[self.prefix + attribute]
        return column


class ExpectLabelBiasToBeMeasured(MeasuredExpectation):
    """The groups' label rates, and how unequal the groups are in size."""

    figures: ClassVar[tuple[str, ...]] = (*data_bias.LABELS, "class_imbalance")

    def measure(self, frame: pd.DataFrame, attribute: str) -> Measured:
        counted = frame.groupby(self.group(frame, attribute))[self.label].agg(["count", "sum"])
        rows = {str(group): int(count) for group, count in counted["count"].items()}
        favourable = {str(group): int(count) for group, count in counted["sum"].items()}
        return {
            **data_bias.labels(favourable, rows, self.confidence),
            "class_imbalance": data_bias.class_imbalance(rows),
        }


class ExpectMissingnessToBeMeasured(MeasuredExpectation):
    """How differently often the features are missing in the groups."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = (*MeasuredExpectation.success_keys, "features")
    figures: ClassVar[tuple[str, ...]] = ("missingness_difference",)

    def measure(self, frame: pd.DataFrame, attribute: str) -> Measured:
        group = self.group(frame, attribute)
        rows = {str(name): int(count) for name, count in group.value_counts(sort=False).items()}
        nulls: dict[str, Mapping[str, int]] = {}
        for name in custom.present(frame, self.features):
            found = group[frame[name].isna().to_numpy()].value_counts()
            counts = {str(each): int(count) for each, count in found.items()}
            nulls[name] = {each: counts.get(each, 0) for each in rows}
        return {"missingness_difference": data_bias.missingness(nulls, rows, self.confidence)}


class ExpectProxiesToBeMeasured(MeasuredExpectation):
    """How well each feature, and all of them together, tell the groups apart."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = (*MeasuredExpectation.success_keys, "features")
    figures: ClassVar[tuple[str, ...]] = ("proxy_auc", "proxy_auc_together")

    def measure(self, frame: pd.DataFrame, attribute: str) -> Measured:
        present = custom.present(frame, self.features)
        sample = _by_hash(frame, self.rows[0])[[*present, self.prefix + attribute]]
        known = map(str, self.group(frame, attribute).dropna().unique())
        found = proxies.measure(sample[present], self.group(sample, attribute), self.confidence, known)
        return {"proxy_auc": found.strongest, "proxy_auc_together": found.together}


def _by_hash(frame: pd.DataFrame, row: str) -> pd.DataFrame:
    """About twice the rows that are looked at, in the order of their hashes: the same in any order."""
    share = 2 * proxies.ROWS / max(1, len(frame))
    if share < 1:
        frame = frame[(frame[row] < f"{int(share * 16**8):08x}").to_numpy(dtype=bool)]
    return frame.iloc[frame[row].argsort(kind="stable").to_numpy()]
