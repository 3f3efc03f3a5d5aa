"""Great Expectations' engine for data frames, without its unnecessary work.

The results are the same: a metric on one column gets that column alone, not a copy of the whole table for
each of its nulls or unexpected values; and the table is not hashed, because its digest was verified when it
was read.
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

_EXAMINED = "column under examination"
_COLUMNS = ("column", "column_A", "column_B", _EXAMINED)


class ColumnEngine(PandasExecutionEngine):
    """The engine for one data frame in memory."""

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[PandasBatchData, BatchMarkers]:
        """The frame itself, with the time of the call and without a fingerprint."""
        if not isinstance(batch_spec, RuntimeDataBatchSpec):
            raise TypeError(f"this engine reads a data frame, not {type(batch_spec).__name__}")
        frame = batch_spec.batch_data
        batch_spec.batch_data = "PandasDataFrame"  # the specification is written into the result
        load_time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return PandasBatchData(self, frame), BatchMarkers({"ge_load_time": load_time})

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        """The rows that a metric examines, with only its one or two columns where it names them."""
        records: pd.DataFrame = super().get_domain_records(domain_kwargs)
        names = dict.fromkeys(domain_kwargs[key] for key in _COLUMNS if key in domain_kwargs)
        present = [name for name in names if name in records.columns]
        return records[present] if present else records

    def get_compute_domain(
        self, domain_kwargs: dict[str, Any], domain_type: Any, accessor_keys: Iterable[str] | None = None
    ) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
        """What the library's own method returns, with the column noted for later calls on the same domain."""
        data, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
        examined = {_EXAMINED: accessor["column"]} if "column" in accessor else {}
        return data, compute | examined, accessor
