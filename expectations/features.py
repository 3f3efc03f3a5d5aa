"""Expectations on the features: permitted, giving nothing away, usable, and worth having."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom, leaks, near_leaks

SUSPICIOUS = 0.85
"""An area under the ROC curve that one feature seldom reaches in decisions about people: a convention."""

_KNOWINGLY = "or raise `data.leak_auc_max` knowingly"


class ExpectFeaturesToBePermitted(custom.TableExpectation):
    """The features are the declared ones, and none may never be one; `forbidden` gives each reason why."""

    features: list[str]
    declared: list[str]
    forbidden: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("features", "declared", "forbidden")

    def faults(self, _: pd.DataFrame) -> Iterator[custom.Fault]:
        if not self.features:
            yield custom.Fault(column=None, says="there are no features", hint="name some in `data.features`")
        for name in self.features:
            if name in self.forbidden:
                says = f"`{name}` is among the features, and is {self.forbidden[name]}"
                hint = "leave it out of `data.features`, or rename it in `source.select`"
                yield custom.Fault(column=name, says=says, hint=hint)
            elif name not in self.declared:
                says = f"`{name}` is among the features and is not declared"
                yield custom.Fault(column=name, says=says, hint="name it in `data.features`")
        for name in self.declared:
            if name not in self.features:
                yield custom.Fault(column=name, says=f"the declared feature `{name}` is missing")


class ExpectFeaturesNotToGiveAway(custom.TableExpectation):
    """No feature restates or determines a protected attribute, or determines the label, but for a few errors.

    `most` is the largest area under the ROC curve, by its lower bound, that is no leak: of one feature, or of
    two for the label.
    """

    features: list[str]
    attributes: list[str]
    label: str
    most: float
    success_keys: ClassVar[tuple[str, ...]] = ("features", "attributes", "label", "most")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, [*self.attributes, self.label])
        found = custom.present(frame, self.features)
        targets = custom.present(frame, [*self.attributes, self.label])
        some = near_leaks.sample(frame, [*found, *targets])
        telling = set()
        for feature in found:
            cells = near_leaks.cells(some[feature])
            for name in targets:
                how = (leaks.label if name == self.label else leaks.attribute)(frame, feature, name)
                area = near_leaks.NOTHING if how else near_leaks.alone(cells, some[name])
                if area.leaks(self.most):
                    how = f"tells, with {area} against {self.most:g}, almost surely"
                if how:
                    telling.add(feature)
                    yield _leak(feature, how, name, of_label=name == self.label)
        others = [feature for feature in found if feature not in telling]
        if self.label in targets:
            for one, other, area in near_leaks.pairs(some[others], some[self.label], self.most):
                says = (
                    f"the features `{one}` and `{other}` together tell the label `{custom.plain(self.label)}`"
                )
                hint = f"move the one known later to `data.after_outcome`; {_KNOWINGLY}"
                yield custom.Fault(
                    column=other,
                    says=f"{says} with {area} against {self.most:g}",
                    hint=hint,
                    observed=area.value,
                )


class ExpectFeaturesToTellLittle(custom.TableExpectation):
    """No feature tells a protected attribute or the label suspiciously well.

    That is an area under the ROC curve above `SUSPICIOUS`, by its lower bound. What leaks beyond `most` is
    for another expectation to name; without `most` it counts here too.
    """

    features: list[str]
    targets: list[str]
    most: float | None = None
    success_keys: ClassVar[tuple[str, ...]] = ("features", "targets", "most")

    def faults(self, frame: pd.DataFrame) -> Iterator[custom.Fault]:
        yield from custom.missing(frame, self.targets)
        found, targets = custom.present(frame, self.features), custom.present(frame, self.targets)
        some = near_leaks.sample(frame, [*found, *targets])
        for feature in found:
            cells = near_leaks.cells(some[feature])
            for name in targets:
                area = near_leaks.alone(cells, some[name])
                named = self.most is not None and area.leaks(self.most)
                if area.low > SUSPICIOUS and not named:
                    says = f"`{feature}` alone tells `{name}` with {area}"
                    hint = "check that it is known before the outcome, and no stand-in for a group"
                    yield custom.Fault(column=feature, says=says, hint=hint, observed=area.value, leaks=True)


def _leak(feature: str, how: str, column: str, *, of_label: bool) -> custom.Fault:
    what, place = ("label", "after_outcome") if of_label else ("protected attribute", "protected_encodings")
    knowingly = f"; {_KNOWINGLY}" if how.startswith("tells, ") else ""
    return custom.Fault(
        column=feature,
        says=f"the feature `{feature}` {how} the {what} `{custom.plain(column)}`",
        hint=f"move `{feature}` from `data.features` to `data.{place}`{knowingly}",
        leaks=not of_label,
    )


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
                yield custom.Fault(column=name, says=says, hint="leave it out of `data.features`", observed=0)
            elif kind not in ("number", "integer", "text", "boolean"):
                says = f"the feature `{name}` holds {kind} values, which no estimator takes"
                hint = (
                    "derive a number or a text from it in `source.select`, or leave it out of `data.features`"
                )
                yield custom.Fault(column=name, says=says, hint=hint, observed=kind)
            elif kind == "number" and (endless := np.isinf(values.to_numpy(dtype=float))).any():
                says = f"the feature `{name}` is infinite in {endless.sum()} rows"
                hint = "make it null, or a number, in `source.select`"
                observed = int(endless.sum())
                yield custom.Fault(
                    column=name, says=says, hint=hint, observed=observed, positions=custom.positions(endless)
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
                yield custom.Fault(column=name, says=says, hint="leave it out of `data.features`", observed=1)
