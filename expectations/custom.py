"""The base of our own expectations, which examine a whole table.

Each names every column at fault, in a sentence, with the rows to look at. An expectation whose column is
missing reports that it was not run, and fails. Results hold positions and counts, never the values of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

EXAMPLES = 20
"""The largest number of examples of one fault."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One column at fault: a sentence, a hint, and the positions of at most `EXAMPLES` rows to look at.

    `leaks`: the values of the column reveal those of a protected attribute.
    """

    column: str | None
    message: str
    hint: str | None = None
    observed: Any = None
    positions: tuple[int, ...] = ()
    leaks: bool = False


class TableFrame(TableMetricProvider):
    """The loaded table itself, for expectations that look at several columns."""

    metric_name = "table.frame"

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805 - the decorator makes it a class method
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        **_: Any,
    ) -> pd.DataFrame:
        return execution_engine.get_domain_records(metric_domain_kwargs)


class TableExpectation(BatchExpectation, ABC):
    """An expectation on the whole table that succeeds when it finds no fault."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.frame",)

    @abstractmethod
    def faults(self, frame: pd.DataFrame) -> Iterator[Fault]:
        """Each column at fault."""

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        faults = [asdict(fault) for fault in self.faults(metrics["table.frame"])]
        observed = "; ".join(fault["message"] for fault in faults) or "nothing at fault"
        return {"success": not faults, "result": {"observed_value": observed, "details": {"faults": faults}}}


def missing(frame: pd.DataFrame, columns: list[str]) -> Iterator[Fault]:
    """A fault for each column that an expectation needs and the table lacks."""
    for name in columns:
        if name not in frame:
            yield Fault(column=name, message=f"not run: column `{name}` is missing")


def present(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    """The columns the table has."""
    return [name for name in columns if name in frame]


def plain(name: str) -> str:
    """The name of a column without the prefix of the table it comes from."""
    return name.rsplit(": ", 1)[-1]


def kind_of(values: pd.Series) -> str:
    """number, integer, text, boolean or time; `no` for a column without values, else the name of its type."""
    kinds = pd.api.types
    if not values.notna().any():
        return "no"
    if kinds.is_bool_dtype(values.dtype):
        return "boolean"
    if kinds.is_integer_dtype(values.dtype):
        return "integer"
    if kinds.is_float_dtype(values.dtype):
        numbers = values.dropna()
        are_integers = bool((np.floor(numbers) == numbers).all() and np.isfinite(numbers).all())
        return "integer" if are_integers else "number"
    if kinds.is_datetime64_any_dtype(values.dtype):
        return "time"
    return "text" if isinstance(values.dtype, pd.StringDtype) else str(values.dtype)


def positions(wrong: np.ndarray) -> tuple[int, ...]:
    """The first positions where the mask is true, at most `EXAMPLES`."""
    return tuple(int(position) for position in np.flatnonzero(wrong)[:EXAMPLES])
