"""Expectations on the features: permitted, giving nothing away, usable, and worth having."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom, leaks


class ExpectFeaturesToBePermitted(custom.TableExpectation):
    """The features are the declared ones, and none may never be one; `forbidden` gives each reason why."""

    features: list[str]
    declared: list[str]
    forbidden: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("features", "declared", "forbidden")

    def faults(self, _: pd.DataFrame) -> Iterator[custom.Fault]:
        if not self.features:
            yield custom.Fault(column=None, says="there are no features", mend="name some in `data.features`")
        for name in self.features:
            if name in self.forbidden:
                says = f"`{name}` is among the features, and is {self.forbidden[name]}"
                mend = "leave it out of `data.features`, or rename it in `source.select`"
                yield custom.Fault(column=name, says=says, mend=mend)
            elif name not in self.declared:
                says = f"`{name}` is among the features and is not declared"
                yield custom.Fault(column=name, says=says, mend="name it in `data.features`")
        for name in self.declared:
            if name not in self.features:
                yield custom.Fault(column=name, says=f"the declared feature `{name}` is missing")


class ExpectFeaturesNotToGiveAway(custom.TableExpectation):
    """No feature restates or determines a protected attribute, or determines the label."""

    features: list[str]
    attributes: list[str]
    label: str
    success_keys: ClassVar[tuple[str, ...]] = ("features", "attributes", "label")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [*self.attributes, self.label])
        for feature in custom.present(frame, self.features):
            for name in custom.present(frame, self.attributes):
                if how := leaks.attribute(frame, feature, name):
                    says = f"the feature `{feature}` {how} the protected attribute `{custom.plain(name)}`"
                    mend = f"move `{feature}` from `data.features` to `data.protected_encodings`"
                    yield custom.Fault(column=feature, says=says, mend=mend, leaks=True)
            if self.label in frame and (how := leaks.label(frame, feature, self.label)):
                says = f"the feature `{feature}` {how} the label `{custom.plain(self.label)}`"
                mend = f"move `{feature}` from `data.features` to `data.after_outcome`"
                yield custom.Fault(column=feature, says=says, mend=mend)


class ExpectFeaturesToBeUsable(custom.TableExpectation):
    """Each feature is a finite number, a boolean or a text, and has a value somewhere."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.features)
        for name in custom.present(frame, self.features):
            values = frame[name]
            kind = custom.kind_of(values)
            if not values.notna().any():
                says = f"the feature `{name}` is null in every row"
                yield custom.Fault(column=name, says=says, mend="leave it out of `data.features`", observed=0)
            elif kind not in ("number", "integer", "text", "boolean"):
                says = f"the feature `{name}` holds {kind} values, which no estimator takes"
                mend = (
                    "derive a number or a text from it in `source.select`, or leave it out of `data.features`"
                )
                yield custom.Fault(column=name, says=says, mend=mend, observed=kind)
            elif kind == "number" and (endless := np.isinf(values.to_numpy(dtype=float))).any():
                says = f"the feature `{name}` is infinite in {endless.sum()} rows"
                mend = "make it null, or a number, in `source.select`"
                observed = int(endless.sum())
                yield custom.Fault(
                    column=name, says=says, mend=mend, observed=observed, positions=custom.positions(endless)
                )


class ExpectFeaturesToVary(custom.TableExpectation):
    """Each feature has more than one value."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.features)
        for name in custom.present(frame, self.features):
            known = frame[name].dropna()
            if len(known) and bool((known == known.iloc[0]).all()) and len(known) == len(frame):
                says = f"the feature `{name}` has the same value in every row"
                yield custom.Fault(column=name, says=says, mend="leave it out of `data.features`", observed=1)
