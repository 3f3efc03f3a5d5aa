"""Expectations on features that name a person rather than describe one: names, identifiers, row numbers.

An encoder keeps the values of a category, so a surname among the features ends up in the model file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom, disguises

ROWS = 50
"""With fewer rows, texts that all differ may be chance."""

UNIQUE = 0.8
"""From this share of different texts among the known ones on, a column identifies rows."""


class ExpectFeaturesNotToIdentify(custom.TableExpectation):
    """No feature holds another text in nearly every row, and none numbers the rows."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.features)
        for name in custom.present(frame, self.features):
            values = frame[name].dropna()
            if len(values) < ROWS:
                continue
            if isinstance(values.dtype, pd.StringDtype) and _identifies(name, values):
                different = values.nunique()
                message = (
                    f"`{name}` holds {different} different texts in {len(values)} rows: it names persons or "
                    "rows, and its values would stand in the model file"
                )
                yield custom.Fault(column=name, message=message, hint=_hint(name), observed=different)
            elif pd.api.types.is_integer_dtype(values.dtype) and _numbers_rows(values):
                message = f"`{name}` is another whole number in every row, without gaps: it numbers the rows"
                yield custom.Fault(column=name, message=message, hint=_hint(name), observed=len(values))


class ExpectFeaturesToDiffer(custom.TableExpectation):
    """No feature is a copy of another one."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.features)
        first: dict[str, str] = {}
        for name in custom.present(frame, self.features):
            if frame[name].nunique() < 2:
                continue
            hashes = pd.util.hash_pandas_object(frame[name], index=False).to_numpy()
            digest = hashlib.sha256(np.ascontiguousarray(hashes).tobytes()).hexdigest()
            if digest in first:
                yield custom.Fault(
                    column=name,
                    message=f"`{name}` is a copy of `{first[digest]}`: the same value in every row",
                    hint="leave one of them out of `data.features`",
                )
            first.setdefault(digest, name)


class ExpectNoIndexAmongFeatures(custom.TableExpectation):
    """No column is the row index of a data frame that was written along; such a column is never a feature."""

    columns: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("columns",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        for name in custom.present(frame, self.columns):
            yield custom.Fault(
                column=name,
                message=f"`{name}` is the row index of a data frame: it is not a feature",
                hint="write the table without its index, or name the column in `data.features` if it is one",
            )


def _hint(name: str) -> str:
    return (
        f"leave `{name}` out (`data.features: {{all_but: [{name}]}}`), or declare it under `data.columns` "
        "if it is meant as a feature"
    )


def _identifies(name: str, values: pd.Series) -> bool:
    texts = values.unique()
    return len(texts) >= UNIQUE * len(values) and disguises.of(name, [str(text) for text in texts]) is None


def _numbers_rows(values: pd.Series) -> bool:
    return bool(values.is_unique and values.max() - values.min() == len(values) - 1)
