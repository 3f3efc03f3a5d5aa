"""Expectations on the split: every row on one side, every side with both outcomes and usable features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pandas as pd

from expectations import custom


class ExpectSplitsToBeDisjoint(custom.TableExpectation):
    """No row is on more than one side of the split."""

    row: str
    split: str
    success_keys: ClassVar[tuple[str, ...]] = ("row", "split")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.row, self.split])
        if self.row not in frame or self.split not in frame:
            return
        repeated = frame.loc[frame[self.row].duplicated(keep=False), [self.row, self.split]]
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

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [self.split, self.label])
        if self.split not in frame or self.label not in frame:
            return
        counts = frame.groupby([self.split, self.label]).size()
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

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [*self.features, self.split])
        if self.split not in frame:
            return
        on_side = (frame[self.split] == self.side).to_numpy(dtype=bool, na_value=False)
        for name in custom.present(frame, self.features):
            if not (frame[name].notna().to_numpy() & on_side).any():
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

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        if self.split not in frame:
            return
        side = frame[self.split]
        for name in custom.present(frame, self.features):
            if not isinstance(frame[name].dtype, pd.StringDtype):
                continue
            test = frame.loc[side == "test", name].dropna()
            trained = frame.loc[side == "train", name].dropna().unique()
            unseen = int((~test.isin(trained)).sum())
            if unseen > self.most * max(1, len(test)):
                message = f"{unseen} of {len(test)} test rows have a `{name}` that no train row has"
                hint = "group rare values in `source.select`, or check that the train rows are not too old"
                yield custom.Fault(column=name, message=message, hint=hint, observed=unseen)
