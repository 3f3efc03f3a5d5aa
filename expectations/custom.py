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
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from expectations import observed_table
from expectations.gx_engine import ColumnEngine
from expectations.observed_table import ObservedTable

EXAMPLES = observed_table.EXAMPLES
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


class TableObserved(TableMetricProvider):
    """The table and what was observed of it, for expectations that look at several columns."""

    metric_name = "table.observed"

    @metric_value(engine=ColumnEngine)
    def _observed(
        cls,  # noqa: N805 - the decorator makes it a class method
        execution_engine: ColumnEngine,
        **_: Any,
    ) -> ObservedTable:
        return execution_engine.observed


class TableExpectation(BatchExpectation, ABC):
    """An expectation on the whole table that succeeds when it finds no fault."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.observed",)

    @abstractmethod
    def faults(self, table: ObservedTable) -> Iterator[Fault]:
        """Each column at fault."""

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        faults = [asdict(fault) for fault in self.faults(metrics["table.observed"])]
        observed = "; ".join(fault["message"] for fault in faults) or "nothing at fault"
        return {"success": not faults, "result": {"observed_value": observed, "details": {"faults": faults}}}


def missing(table: ObservedTable, columns: list[str]) -> Iterator[Fault]:
    """A fault for each column that an expectation needs and the table lacks."""
    for name in columns:
        if name not in table:
            yield Fault(column=name, message=f"not run: column `{name}` is missing")


def present(table: ObservedTable, columns: list[str]) -> list[str]:
    """The columns the table has."""
    return [name for name in columns if name in table]


def plain(name: str) -> str:
    """The name of a column without the prefix of the table it comes from."""
    return name.rsplit(": ", 1)[-1]


def positions(wrong: np.ndarray) -> tuple[int, ...]:
    """The first positions where the mask is true, at most `EXAMPLES`."""
    return tuple(int(position) for position in np.flatnonzero(wrong)[:EXAMPLES])
