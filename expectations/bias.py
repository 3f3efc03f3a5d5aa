"""Bias in the data as expectations, so that it appears in the report and in Data Docs.

An expectation succeeds when its figures could be measured for every attribute. How much bias is too much is
for the policy to decide; there are no limits here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import wording
from clearance.documents import metric_catalogue as registry
from clearance.documents.measurement import Measurement, undefined
from clearance.metrics import data_bias, proxies
from expectations import custom
from expectations.observed_table import ObservedTable

Figures = dict[str, Measurement]
"""Measurements by metric."""


class MeasuredExpectation(custom.TableExpectation):
    """An expectation that figures can be measured for each protected attribute; its result holds the figures.

    `prefix` precedes the names of the attributes' columns, the columns in `rows` must agree row by row, and
    `label` must be 0 or 1 in every row: otherwise nothing is measured. All figures are unweighted. Where rows
    come in clusters of `cluster` they have no interval, because the intervals assume independent rows.
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
    def measure(self, table: ObservedTable, attribute: str) -> Figures:
        """The figures of one attribute by metric."""

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        """Each column that prevents the measurement."""
        yield from custom.missing(table, [*self.rows, self.label])
        first, *others = custom.present(table, self.rows)
        if not all(table.are_equal(first, other) for other in others):
            yield custom.Fault(column=self.rows[0], message="the prepared tables do not line up")
        if self.label in table and not table[self.label].isin([0, 1]).all():
            yield custom.Fault(column=self.label, message="the label is not 0 or 1 in every row")

    def _figures(self, table: ObservedTable, attribute: str, obstacle: str | None) -> Figures:
        if obstacle is None and self.prefix + attribute not in table:
            obstacle = f"there is no column `{attribute}`"
        if obstacle:
            return dict.fromkeys(self.figures, undefined(obstacle))
        figures = self.measure(table, attribute)
        if self.cluster is None:
            return figures
        return {metric: self._without_interval(figure) for metric, figure in figures.items()}

    def _without_interval(self, figure: Measurement) -> Measurement:
        """The figure without its interval, which would assume independent rows."""
        if figure.low is None and figure.high is None:
            return figure
        method = f"no interval: rows of one `{self.cluster}` are not independent"
        return replace(figure, low=None, high=None, confidence=None, method=method)

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        table = metrics["table.observed"]
        obstacle = next((fault.message for fault in self.faults(table)), None)
        by_attribute = {name: self._figures(table, name, obstacle) for name in self.attributes}
        figures = [
            (attribute, metric, figure)
            for attribute, measured in by_attribute.items()
            for metric, figure in measured.items()
        ]
        missing = [
            custom.Fault(column=name, message=f"{registry.title(metric)} by {name}: {figure.undefined}")
            for name, metric, figure in figures
            if figure.undefined
        ]
        observed = "; ".join(
            f"{registry.title(metric)} by {name} {wording.measurement(figure.to_json())}"
            for name, metric, figure in figures
            if figure.value is not None
        )
        details = {
            "faults": [asdict(fault) for fault in missing],
            "figures": {
                name: {metric: figure.to_json() for metric, figure in measured.items()}
                for name, measured in by_attribute.items()
            },
        }
        return {
            "success": not missing,
            "result": {"observed_value": observed or "nothing", "details": details},
        }

    def group(self, table: ObservedTable, attribute: str) -> pd.Series:
        """The column of the attribute."""
        return table[self.prefix + attribute]


class ExpectLabelBiasToBeMeasured(MeasuredExpectation):
    """The label rates of the groups, and how unequal the groups are in size."""

    figures: ClassVar[tuple[str, ...]] = (*data_bias.LABELS, "class_imbalance")

    def measure(self, table: ObservedTable, attribute: str) -> Figures:
        codes, groups = pd.factorize(self.group(table, attribute), sort=True)
        names = [str(group) for group in groups]
        rows = _counted(codes, names)
        favourable = _counted(codes[table[self.label].to_numpy() == 1], names)
        return {
            **data_bias.labels(favourable, rows, self.confidence),
            "class_imbalance": data_bias.class_imbalance(rows),
        }


class ExpectMissingnessToBeMeasured(MeasuredExpectation):
    """How much the shares of missing feature values differ between the groups."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = (*MeasuredExpectation.success_keys, "features")
    figures: ClassVar[tuple[str, ...]] = ("missingness_difference",)

    def measure(self, table: ObservedTable, attribute: str) -> Figures:
        codes, groups = pd.factorize(self.group(table, attribute))
        names = [str(group) for group in groups]
        rows = _counted(codes, names)
        nulls: dict[str, Mapping[str, int]] = {}
        for name in custom.present(table, self.features):
            nulls[name] = _counted(codes[table.is_missing(name)], names)
        return {"missingness_difference": data_bias.missingness(nulls, rows, self.confidence)}


class ExpectProxiesToBeMeasured(MeasuredExpectation):
    """How well each feature, and all of them together, distinguish the groups."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = (*MeasuredExpectation.success_keys, "features")
    figures: ClassVar[tuple[str, ...]] = ("proxy_auc", "proxy_auc_together")

    def measure(self, table: ObservedTable, attribute: str) -> Figures:
        present = custom.present(table, self.features)
        # about twice the rows that are needed, because a row of no known group is left out
        sample = table.by_hash(self.rows[0], [*present, self.prefix + attribute], 2 * proxies.ROWS)
        groups = map(str, self.group(table, attribute).dropna().unique())
        proxy = proxies.measure(sample[present], sample[self.prefix + attribute], self.confidence, groups)
        return {"proxy_auc": proxy.strongest, "proxy_auc_together": proxy.together}


def _counted(codes: npt.NDArray[np.int64], names: list[str]) -> dict[str, int]:
    """The rows of each of the names, from their codes; rows of none have the code -1."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return dict(zip(names, map(int, counts), strict=True))
