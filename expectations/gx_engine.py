"""Great Expectations' engine for a table of which most is known already.

What the facts of a column decide is answered from them; everything else is computed by the library, on the
one or two columns it is about. The results are the same. The table is not hashed, because its digest was
verified when it was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from great_expectations.core.batch import BatchMarkers
from great_expectations.core.batch_spec import RuntimeDataBatchSpec
from great_expectations.execution_engine.pandas_batch_data import PandasBatchData
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.validator.metric_configuration import MetricConfiguration

from expectations.observed_table import ColumnFacts, ObservedTable

_EXAMINED = "column under examination"
_COLUMNS = ("column", "column_A", "column_B", _EXAMINED)
_OBSERVED = "observed"
_NONE_UNEXPECTED: dict[str, Any] = {
    "condition": None,
    "unexpected_count": 0,
    "unexpected_values": [],
    "unexpected_index_list": [],
}
"""What a metric on a column gives where no value is unexpected."""


def handle(table: ObservedTable) -> pd.DataFrame:
    """A data frame without rows that takes the table through Great Expectations to this engine."""
    frame = pd.DataFrame(columns=table.columns)
    frame.attrs[_OBSERVED] = table
    return frame


class ColumnEngine(PandasExecutionEngine):
    """The engine for one observed table."""

    @property
    def observed(self) -> ObservedTable:
        """The table of the active batch."""
        data: Any = self.batch_manager.active_batch_data
        table: ObservedTable = data.dataframe.attrs[_OBSERVED]
        return table

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[PandasBatchData, BatchMarkers]:
        """The handle itself, with the time of the call and without a fingerprint."""
        if not isinstance(batch_spec, RuntimeDataBatchSpec):
            raise TypeError(f"this engine reads a data frame, not {type(batch_spec).__name__}")
        frame = batch_spec.batch_data
        batch_spec.batch_data = "PandasDataFrame"  # the specification is written into the result
        load_time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return PandasBatchData(self, frame), BatchMarkers({"ge_load_time": load_time})

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """The values of the metrics, by their ids."""
        answers, others = {}, []
        for metric in metrics_to_resolve:
            known, value = _answer(metric, self.observed)
            if known:
                answers[metric.id] = value
            else:
                others.append(metric)
        return answers | (super().resolve_metrics(others, metrics, runtime_configuration) if others else {})

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        """The one or two columns that a metric examines. Raises KeyError where it names others."""
        if domain_kwargs.get("row_condition"):
            raise NotImplementedError("no expectation of ours is on some of the rows")
        names = dict.fromkeys(domain_kwargs[key] for key in _COLUMNS if key in domain_kwargs)
        return self.observed.frame([name for name in names if name in self.observed])

    def get_compute_domain(
        self, domain_kwargs: dict[str, Any], domain_type: Any, accessor_keys: Iterable[str] | None = None
    ) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
        """What the library's own method returns, with the column noted for later calls on the same domain."""
        data, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
        examined = {_EXAMINED: accessor["column"]} if "column" in accessor else {}
        return data, compute | examined, accessor


def _answer(metric: MetricConfiguration, table: ObservedTable) -> tuple[bool, Any]:
    """Whether what was observed decides the metric, and then its value."""
    answers: dict[str, Any] = {}
    test, _, aspect = metric.metric_name.rpartition(".")
    domain, values = metric.metric_domain_kwargs, metric.metric_value_kwargs
    column = str(domain.get("column"))
    if test == "table":
        answers = {"row_count": len(table), "columns": table.columns}
    elif test == "column_pair_values.equal":
        answers = _of_pair(domain, table)
    elif column in table and aspect in _NONE_UNEXPECTED:
        if test == "column_values.nonnull":
            answers = _of_nulls(table.facts(column))
        elif _is_met(test, column, values, table):
            answers = _NONE_UNEXPECTED
    return aspect in answers, answers.get(aspect)


def _of_pair(domain: dict[str, Any], table: ObservedTable) -> dict[str, Any]:
    """The answers on two columns that are equal and known in every row; none on others."""
    pair = [domain["column_A"], domain["column_B"]]
    if domain.get("ignore_row_if") != "neither" or not all(name in table for name in pair):
        return {}
    if any(table.facts(name).nulls for name in pair) or not table.are_equal(*pair):
        return {}
    return _NONE_UNEXPECTED | {"filtered_row_count": len(table)}


def _of_nulls(facts: ColumnFacts) -> dict[str, Any]:
    return {
        "condition": None,
        "unexpected_count": facts.nulls,
        "unexpected_values": list(facts.first_nulls.values()),
        "unexpected_index_list": list(facts.first_nulls),
    }


def _is_met(test: str, column: str, values: dict[str, Any], table: ObservedTable) -> bool:
    """Whether the facts of the column prove that it has no unexpected value."""
    facts = table.facts(column)
    if test == "column_values.between":
        low, high = values.get("min_value"), values.get("max_value")
        return (
            facts.smallest is not None
            and facts.largest is not None
            and not (values.get("strict_min") or values.get("strict_max"))
            and (low is not None or high is not None)
            and (low is None or low <= facts.smallest)
            and (high is None or facts.largest <= high)
        )
    if test == "column_values.unique":
        return facts.nulls == 0 and table.is_unique(column)
    if test == "column_values.in_set":
        allowed = values.get("value_set")
        return allowed is not None and bool(table.counts(column).index.isin(allowed).all())
    return False
