"""Sentinel values: codes such as -999 or 9999 in a column of numbers that stand for a missing value.

They are sought in a bounded sample, inside the declared range. A single row is an outlier, not a code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance.data import sentinel_codes
from expectations import custom
from expectations.observed_table import MANY, ObservedTable


class ExpectNumbersNotToBeCodes(custom.TableExpectation):
    """No column of numbers repeats a value that is far from all others or looks like a code.

    `ranges` gives the declared ends of the range for some columns, null where there is none.
    """

    columns: list[str]
    ranges: dict[str, list[float | None]]
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "ranges")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        sample = table.sample(custom.present(table, self.columns), MANY)
        for name in custom.present(table, self.columns):
            kind = pd.api.types
            if not kind.is_numeric_dtype(sample[name].dtype) or kind.is_bool_dtype(sample[name].dtype):
                continue
            values = sample[name].to_numpy(dtype=float, na_value=np.nan)
            for code in sentinel_codes.codes(_within(values, *self.ranges.get(name, (None, None)))):
                rows = (table[name] == code).to_numpy(dtype=bool, na_value=False)
                message = (
                    f"{rows.sum()} rows of `{name}` hold {code:g}, which looks like a code, not a measurement"
                )
                hint = f"make it null in `source.select`, or list `data.columns.{name}.values`"
                observed = {"value": code, "rows": int(rows.sum())}
                yield custom.Fault(
                    column=name,
                    message=message,
                    hint=hint,
                    observed=observed,
                    positions=custom.positions(rows),
                )


def _within(
    values: npt.NDArray[np.float64], low: float | None, high: float | None
) -> npt.NDArray[np.float64]:
    inside = np.isfinite(values)
    if low is not None:
        inside &= values >= low
    if high is not None:
        inside &= values <= high
    return np.asarray(values[inside])
