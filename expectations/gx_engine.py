"""Great Expectations' engine for data frames, told what it would otherwise find out the slow way.

Same verdicts, less work: a metric on one column is handed that column alone, not a copy of the table
for every question about its nulls or its unexpected values; and the table is not hashed, because it was read
by its digest.
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

_NOTED = "column that is asked about"
_COLUMNS = ("column", "column_A", "column_B", _NOTED)


class ColumnEngine(PandasExecutionEngine):
    """The engine for one data frame in memory."""

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[PandasBatchData, BatchMarkers]:
        """The frame itself, with the time it was handed over and no fingerprint."""
        if not isinstance(batch_spec, RuntimeDataBatchSpec):
            raise TypeError(f"this engine reads a data frame, not {type(batch_spec).__name__}")
        frame = batch_spec.batch_data
        batch_spec.batch_data = "PandasDataFrame"  # the specification is written into the result
        handed_over = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return PandasBatchData(self, frame), BatchMarkers({"ge_load_time": handed_over})

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        """The rows a metric looks at: of one column or of two, where it asks for no more."""
        records: pd.DataFrame = super().get_domain_records(domain_kwargs)
        asked = [domain_kwargs[key] for key in _COLUMNS if key in domain_kwargs]
        known = [name for name in dict.fromkeys(asked) if name in records.columns]
        return records[known] if known else records

    def get_compute_domain(
        self, domain_kwargs: dict[str, Any], domain_type: Any, accessor_keys: Iterable[str] | None = None
    ) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
        """What the library's own gives, with the column noted: later questions are of that column too."""
        data, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
        noted = {_NOTED: accessor["column"]} if "column" in accessor else {}
        return data, compute | noted, accessor
