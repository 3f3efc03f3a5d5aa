"""Expectations on the features: permitted, without leaks, usable, and informative."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from expectations import custom, leaks, near_leaks
from expectations.observed_table import ObservedTable

SUSPICIOUS = 0.85
"""An area under the ROC curve that one feature rarely reaches in decisions about people: a convention."""

NO_DATA = 1e30
"""No measurement is as large; codes for `no data` are (3.4e38, 1.8e308), and they overflow sums."""

_RAISE_LIMIT = "or raise `data.leak_auc_max` deliberately"


class ExpectFeaturesToBePermitted(custom.TableExpectation):
    """The features are the declared ones and none is forbidden; `forbidden` gives a reason per column."""

    features: list[str]
    declared: list[str]
    forbidden: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("features", "declared", "forbidden")

    def faults(self, _: ObservedTable) -> Iterator[custom.Fault]:
        if not self.features:
            yield custom.Fault(
                column=None, message="there are no features", hint="list some in `data.features`"
            )
        for name in self.features:
            if name in self.forbidden:
                message = f"`{name}` is among the features and is {self.forbidden[name]}"
                hint = "leave it out of `data.features`, or rename it in `source.select`"
                yield custom.Fault(column=name, message=message, hint=hint)
            elif name not in self.declared:
                message = f"`{name}` is among the features and is not declared"
                yield custom.Fault(column=name, message=message, hint="list it in `data.features`")
        for name in self.declared:
            if name not in self.features:
                yield custom.Fault(column=name, message=f"the declared feature `{name}` is missing")


class ExpectFeaturesNotToGiveAway(custom.TableExpectation):
    """No feature restates or determines a protected attribute, or determines the label, or nearly does.

    `most` is the largest area under the ROC curve, by its lower bound, that does not count as a leak: of one
    feature, or of two features for the label.
    """

    features: list[str]
    attributes: list[str]
    label: str
    most: float
    success_keys: ClassVar[tuple[str, ...]] = ("features", "attributes", "label", "most")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, [*self.attributes, self.label])
        names = custom.present(table, self.features)
        targets = custom.present(table, [*self.attributes, self.label])
        sample = near_leaks.sample(table, [*names, *targets])
        leaking = set()
        for feature in names:
            cells = near_leaks.cells(sample[feature])
            for target in targets:
                verb = (leaks.label if target == self.label else leaks.attribute)(table, feature, target)
                area = near_leaks.NOTHING if verb else near_leaks.alone(cells, sample[target])
                if area.leaks(self.most):
                    verb = f"predicts, with {area} against a limit of {self.most:g},"
                if verb:
                    leaking.add(feature)
                    yield _leak(feature, verb, target, of_label=target == self.label)
        others = [feature for feature in names if feature not in leaking]
        if self.label in targets:
            for one, other, area in near_leaks.pairs(sample[others], sample[self.label], self.most):
                yield custom.Fault(
                    column=other,
                    message=f"the features `{one}` and `{other}` together predict the label "
                    f"`{custom.plain(self.label)}`, with {area} against a limit of {self.most:g}",
                    hint=f"move the one known later to `data.after_outcome`; {_RAISE_LIMIT}",
                    observed=area.value,
                )


class ExpectFeaturesToTellLittle(custom.TableExpectation):
    """No feature predicts a protected attribute or the label suspiciously well.

    Suspicious is an area under the ROC curve above `SUSPICIOUS`, by its lower bound. Another expectation
    reports features that leak beyond `most`; without `most` they are reported here too.
    """

    features: list[str]
    targets: list[str]
    most: float | None = None
    success_keys: ClassVar[tuple[str, ...]] = ("features", "targets", "most")

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.targets)
        names, targets = custom.present(table, self.features), custom.present(table, self.targets)
        sample = near_leaks.sample(table, [*names, *targets])
        for feature in names:
            cells = near_leaks.cells(sample[feature])
            for target in targets:
                area = near_leaks.alone(cells, sample[target])
                reported = self.most is not None and area.leaks(self.most)
                if area.low > SUSPICIOUS and not reported:
                    message = f"`{feature}` alone predicts `{target}`, with {area}"
                    hint = "check that it is known before the outcome and does not stand in for a group"
                    yield custom.Fault(
                        column=feature, message=message, hint=hint, observed=area.value, leaks=True
                    )


def _leak(feature: str, verb: str, column: str, *, of_label: bool) -> custom.Fault:
    role, key = ("label", "after_outcome") if of_label else ("protected attribute", "protected_encodings")
    alternative = f"; {_RAISE_LIMIT}" if verb.startswith("predicts, ") else ""
    return custom.Fault(
        column=feature,
        message=f"the feature `{feature}` {verb} the {role} `{custom.plain(column)}`",
        hint=f"move `{feature}` from `data.features` to `data.{key}`{alternative}",
        leaks=not of_label,
    )


class ExpectFeaturesToBeUsable(custom.TableExpectation):
    """Each feature is a finite number, a boolean or a text, and has at least one value."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.features)
        for name in custom.present(table, self.features):
            facts = table.facts(name)
            kind = facts.kind
            if facts.nulls == len(table):
                message = f"the feature `{name}` is null in every row"
                yield custom.Fault(
                    column=name, message=message, hint="leave it out of `data.features`", observed=0
                )
            elif kind not in ("number", "integer", "text", "boolean"):
                message = f"the feature `{name}` holds {kind} values, which estimators cannot use"
                hint = (
                    "derive a number or a text from it in `source.select`, or leave it out of `data.features`"
                )
                yield custom.Fault(column=name, message=message, hint=hint, observed=kind)
            elif kind == "number" and math.isinf(facts.greatest):
                infinite = np.isinf(table[name].to_numpy(dtype=float))
                message = f"the feature `{name}` is infinite in {infinite.sum()} rows"
                hint = "make it null, or a number, in `source.select`"
                observed = int(infinite.sum())
                yield custom.Fault(
                    column=name,
                    message=message,
                    hint=hint,
                    observed=observed,
                    positions=custom.positions(infinite),
                )


class ExpectFeaturesToBeMeasurements(custom.TableExpectation):
    """No feature holds a number as large as those that programs write for `no data`."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        for name in custom.present(table, self.features):
            if table.facts(name).greatest < NO_DATA:
                continue
            values = table[name].to_numpy(dtype=float, na_value=np.nan)
            wrong = np.isfinite(values) & (np.abs(values) >= NO_DATA)
            if wrong.any():
                first, rows = float(values[wrong][0]), int(wrong.sum())
                others = "" if (values[wrong] == first).all() else " or a number as large"
                yield custom.Fault(
                    column=name,
                    message=f"the feature `{name}` is {first:g}{others} in {rows} "
                    f"{'row' if rows == 1 else 'rows'}: that is not a measurement, it stands for no value",
                    hint="make it null in `source.select`: `* REPLACE (CASE WHEN "
                    f"abs({name}) < {NO_DATA:g} THEN {name} END AS {name})`",
                    observed={"value": first, "rows": rows},
                    positions=custom.positions(wrong),
                )


class ExpectFeaturesToVary(custom.TableExpectation):
    """Each feature has more than one value."""

    features: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("features",)

    def faults(self, table: ObservedTable) -> Iterator[custom.Fault]:
        yield from custom.missing(table, self.features)
        for name in custom.present(table, self.features):
            if table.facts(name).nulls or not len(table) or _varies(near_leaks.sample(table, [name])[name]):
                continue
            if not _varies(table[name]):
                message = f"the feature `{name}` has the same value in every row"
                yield custom.Fault(
                    column=name, message=message, hint="leave it out of `data.features`", observed=1
                )


def _varies(values: pd.Series) -> bool:
    return not bool((values == values.iloc[0]).all())
