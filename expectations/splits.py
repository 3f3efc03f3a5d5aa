"""Expectations on the split: every row on one side, every side with both outcomes and usable features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from expectations import custom
from expectations.observed_table import ObservedTable


class ExpectSplitsToBeDisjoint(custom.TableExpectation):
    """No row is on more than one side of the split."""

    row: str
    split: str
    success_keys: ClassVar[tuple[str, ...]] = ("row", "split")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.row, self.split])
        if self.row not in table or self.split not in table or table.is_unique(self.row):
            return
        frame = table.frame([self.row, self.split])
        repeated = frame[frame[self.row].duplicated(keep=False)]
        overlap = int(repeated.drop_duplicates()[self.row].duplicated().sum())
        if overlap:
            message = f"{overlap} rows are on more than one side of the split"
            yield custom.Fault(column=self.split, message=message, observed=overlap)


class ExpectEverySplitToHaveBothLabels(custom.TableExpectation):
    """Rows of each of these sides exist, with both values of the label."""

    split: str
    label: str
    sides: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("split", "label", "sides")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [self.split, self.label])
        if self.split not in table or self.label not in table:
            return
        counts = table.frame([self.split, self.label]).groupby([self.split, self.label]).size()
        for side in self.sides:
            rows = {value: int(counts.get((side, value), 0)) for value in (0, 1)}
            hint = "add rows, or change `split` in params.yaml"
            if not any(rows.values()):
                yield custom.Fault(
                    column=self.split, message=f"there are no {side} rows", hint=hint, observed=rows
                )
            elif not all(rows.values()):
                only = "favourable" if rows[1] else "unfavourable"
                message = f"all {sum(rows.values())} {side} rows have the {only} label"
                yield custom.Fault(column=self.split, message=message, hint=hint, observed=rows)


class ExpectFeaturesToBeKnown(custom.TableExpectation):
    """Each feature has a value in at least one row of this side of the split."""

    features: list[str]
    split: str
    side: str
    success_keys: ClassVar[tuple[str, ...]] = ("features", "split", "side")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [*self.features, self.split])
        if self.split not in table:
            return
        on_side = _on(table, self.split, self.side)
        for name in custom.present(table, self.features):
            if not (~table.is_missing(name) & on_side).any():
                message = f"the feature `{name}` is null in every {self.side} row"
                yield custom.Fault(
                    column=name, message=message, hint="leave it out of `data.features`", observed=0
                )


class ExpectTestCategoriesToBeTrained(custom.TableExpectation):
    """Nearly all test rows have categories that train rows have: a model knows nothing of any other."""

    features: list[str]
    split: str
    most: float = 0.01
    success_keys: ClassVar[tuple[str, ...]] = ("features", "split", "most")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        if self.split not in table:
            return
        in_train, in_test = (_on(table, self.split, side) for side in ("train", "test"))
        for name in custom.present(table, self.features):
            if not isinstance(table.facts(name).dtype, pd.StringDtype):
                continue
            codes, levels = pd.factorize(table[name])
            trained = np.zeros(len(levels), dtype=bool)
            trained[codes[in_train & (codes >= 0)]] = True
            test = codes[in_test & (codes >= 0)]
            unseen = int(np.count_nonzero(~trained[test]))
            if unseen > self.most * max(1, len(test)):
                message = f"{unseen} of {len(test)} test rows have a `{name}` that no train row has"
                hint = "group rare values in `source.select`, or check that the train rows are not too old"
                yield custom.Fault(column=name, message=message, hint=hint, observed=unseen)


def _on(table: ObservedTable, split: str, side: str) -> npt.NDArray[np.bool_]:
    """The rows (n,) on this side of the split."""
    return np.asarray((table[split] == side).to_numpy(dtype=bool, na_value=False))
