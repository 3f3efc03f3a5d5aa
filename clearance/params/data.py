"""The sections `data` and `split`: the roles of the columns, and the use of the rows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from clearance.params import external
from clearance.params.section import APART, Fraction, Scalar, Section, Share

_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+(_level_\d+)?")
"""What pandas calls an index without a name, in Parquet and in a CSV that was read and written again."""


class Column(Section):
    """The rules for one column of the table. `severity` says whether a violation blocks or warns.

    `min` and `max` are numbers, or days or times for a column of times; a day as `max` is included in full.
    `title` is what people read for the column in sentences; None: its name.
    """

    type: Literal["number", "integer", "text", "boolean", "time"] | None = None
    min: float | dt.date | dt.datetime | None = None
    max: float | dt.date | dt.datetime | None = None
    values: list[Scalar] | None = Field(default=None, min_length=1)
    nulls: Share | None = None
    severity: Literal["block", "warn"] = "block"
    title: str | None = Field(default=None, min_length=1, max_length=80)

    @model_validator(mode="after")
    def _one_kind_of_limits(self) -> Self:
        ends = [end for end in (self.min, self.max) if end is not None]
        if ends and len({isinstance(end, float) for end in ends}) > 1:
            raise ValueError("`min` and `max` must be two numbers or two times")
        if len(ends) == 2 and _is_above(*ends):
            raise ValueError(f"`min` ({self.min}) is above `max` ({self.max})")
        if self.type is not None and any(isinstance(end, float) == (self.type == "time") for end in ends):
            raise ValueError(f"`min` and `max` of a {self.type} column must match its values")
        return self

    @property
    def numbers(self) -> tuple[float | None, float | None]:
        """The ends of the range of a column of numbers; None where there is none."""
        low, high = (end if isinstance(end, float) else None for end in (self.min, self.max))
        return low, high

    @property
    def times(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """The first and the last moment a column of times may hold; None where there is none."""
        return _moment(self.min, dt.time.min), _moment(self.max, dt.time.max)


def _is_above(low: float | dt.date, high: float | dt.date) -> bool:
    """Whether the first end of a range, both of one kind, is after the second."""
    if isinstance(low, float) and isinstance(high, float):
        return low > high
    first, last = (_moment(end, time) for end, time in ((low, dt.time.min), (high, dt.time.max)))
    if first is None or last is None or (first.tzinfo is None) != (last.tzinfo is None):
        return False
    return first > last


def _moment(end: float | dt.date | None, time: dt.time) -> dt.datetime | None:
    if isinstance(end, dt.date) and not isinstance(end, dt.datetime):
        return dt.datetime.combine(end, time)
    return end if isinstance(end, dt.datetime) else None


class AllBut(Section):
    """Every column except these, and except those that can never be features."""

    all_but: list[str]


class Data(Section):
    """The roles of the columns, declared once for every stage.

    `weight` says how many rows of the population a row represents; rows of one `cluster` are not independent.
    """

    row_key: str | None
    entity: str | None = None
    weight: str | None = None
    cluster: str | None = None
    target: str
    favourable: Scalar
    protected: list[str] = Field(min_length=1)
    protected_encodings: list[str] = []
    after_outcome: list[str] = []
    features: list[str] | AllBut
    columns: dict[str, Column] = {}
    rows_min: int = Field(default=100, ge=1)
    label_share_min: Fraction = 0.01
    leak_auc_max: Fraction = 0.95

    @model_validator(mode="after")
    def _roles_are_distinct(self, info: ValidationInfo) -> Self:
        if info.context and APART in info.context:
            return self
        if problems := self.inconsistencies():
            raise ValueError("; ".join(problems))
        return self

    def inconsistencies(self) -> list[str]:
        """What is wrong with the roles together, a sentence each: columns listed twice, or in two roles."""
        return [*self._repetitions(), *self._clashes()]

    def _repetitions(self) -> Iterator[str]:
        lists = {key: getattr(self, key) for key in ("protected", "protected_encodings", "after_outcome")}
        features = self.features if isinstance(self.features, list) else self.features.all_but
        lists["features" if isinstance(self.features, list) else "features.all_but"] = features
        for key, names in lists.items():
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"`{name}` is listed twice in `data.{key}`"

    def _clashes(self) -> Iterator[str]:
        forbidden = self.never_features()
        if isinstance(self.features, list):
            if not self.features:
                yield "`features` is empty"
            if clashes := [name for name in self.features if name in forbidden]:
                reasons = ", ".join(forbidden[name] for name in clashes)
                yield f"{', '.join(clashes)} can never be a feature: {reasons}"
        for name in (self.row_key, self.entity, self.target, self.weight, self.cluster):
            if name is not None and name in self.protected:
                yield f"`{name}` is declared protected and also has another role"
        others = (self.row_key, self.entity, self.target, self.cluster)
        if self.weight is not None and self.weight in others:
            yield f"`{self.weight}` is declared as the weight and also has another role"
        for role in ("row_key", "entity", "cluster"):
            if getattr(self, role) == self.target:
                yield f"`{self.target}` is declared as the {role.replace('_', ' ')} and is also the target"

    def never_features(self) -> dict[str, str]:
        """Columns that may never be features, each with the reason."""
        roles = {self.target: "the target"}
        roles |= dict.fromkeys(self.after_outcome, "decided after the outcome")
        roles |= dict.fromkeys(self.protected_encodings, "an encoding of a protected attribute")
        roles |= dict.fromkeys(self.protected, "a protected attribute")
        if self.weight is not None:
            roles[self.weight] = "the sampling weight"
        if self.cluster is not None:
            roles[self.cluster] = "the cluster of rows"
        roles |= {name: "an identifier" for name in (self.row_key, self.entity) if name is not None}
        return roles

    @property
    def titles(self) -> dict[str, str]:
        """What people read for the columns that have a title."""
        return {name: column.title for name, column in self.columns.items() if column.title is not None}

    def feature_names(self, columns: list[str]) -> list[str]:
        """The features in a table with these columns, in the order of the table for `all_but`."""
        if isinstance(self.features, list):
            return list(self.features)
        excluded = {*self.features.all_but, *self.never_features(), *self.index_columns(columns)}
        return [name for name in columns if name not in excluded]

    def index_columns(self, columns: list[str]) -> list[str]:
        """The columns that are the row index of a data frame: `all_but` never makes them features."""
        return [name for name in columns if self.is_index(name)]

    @staticmethod
    def is_index(column: str) -> bool:
        """Whether a column is named as the unnamed row index of a data frame is when it is written along."""
        return _INDEX.fullmatch(column) is not None


class OutOfTime(Section):
    """Rows at or after `test_from` in `column` are the test rows."""

    column: str
    test_from: dt.date | dt.datetime


class Split(Section):
    """Shares of the rows for fitting, choosing and judging; they add up to 1.

    Of a model made elsewhere, `trained_on` declares which rows it was trained on: `none` of these rows,
    `unknown`, or a file below `external/` that lists their keys. Those are its train rows, the others are
    shared out between tune and test. `trained_on_delimiter` separates the columns of that file in CSV (None:
    a comma).
    """

    train: float = Field(default=0.0, ge=0, lt=1)
    tune: float = Field(default=0.0, ge=0, lt=1)
    test: float = Field(gt=0, le=1)
    trained_on: str | None = None
    trained_on_delimiter: str | None = None
    time: OutOfTime | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if abs(self.train + self.tune + self.test - 1) > 1e-9:
            raise ValueError("train, tune and test must add up to 1")
        if self.trained_on is None:
            for name in ("train", "tune"):
                if not getattr(self, name):
                    raise ValueError(f"`{name}` must be above 0, unless the model was made elsewhere")
        elif self.train:
            raise ValueError("set either `train` or `trained_on`: a model made elsewhere is not trained here")
        if self.trained_on_delimiter is not None and self.trained_on_file is None:
            raise ValueError("`trained_on_delimiter` belongs to a file in `trained_on`, and it names none")
        return self

    @field_validator("trained_on")
    @classmethod
    def _is_known_or_file(cls, value: str | None) -> str | None:
        return value if value is None or value in ("none", "unknown") else external.checked_path(value)

    @property
    def trained_on_file(self) -> str | None:
        """The file that lists the rows a model made elsewhere was trained on; None where there is none."""
        return None if self.trained_on in (None, "none", "unknown") else self.trained_on
