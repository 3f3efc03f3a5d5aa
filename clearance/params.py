"""The data scientist's choices: `params.yaml`, read once, typed, unknown keys refused.

Compliance's choices are not here: they live in `policies/`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clearance import yaml12
from clearance.errors import ConfigurationError

Scalar = bool | int | float | str
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of `params.yaml`: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Section):
    """Where the table comes from.

    `path` is what DVC watches and `ingest` depends on: the file or folder of a `file` source, the
    snapshot folder of a `sql` or `openml` source, and the (unused) `data/source` of the demo.
    """

    kind: Literal["demo", "file", "sql", "openml"]
    path: str
    glob: str | None = None
    format: Literal["csv", "parquet", "json"] | None = None
    delimiter: str | None = None
    url_env: str | None = None
    query: str | None = None
    openml_id: int | None = Field(default=None, ge=1)
    select: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"sql": ("url_env", "query"), "openml": ("openml_id",)}
        missing = [name for name in needed.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"source kind {self.kind} needs {' and '.join(missing)}")
        foreign = {
            "url_env": "sql",
            "query": "sql",
            "openml_id": "openml",
            "glob": "file",
            "format": "file",
            "delimiter": "file",
        }
        for name, kind in foreign.items():
            if getattr(self, name) is not None and self.kind != kind:
                raise ValueError(f"`{name}` belongs to a {kind} source, not to a {self.kind} source")
        if any(mark in self.path for mark in "*?["):
            raise ValueError(
                "DVC watches a file or folder: put the folder in `path` and the pattern in `glob`"
            )
        return self

    @field_validator("url_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(
                "name the environment variable that holds the URL; never write the URL itself here"
            )
        return value


class Column(Section):
    """What must hold for one column of the table. `severity` is what a breach does.

    `min` and `max` are numbers, or days or times for a column of times; a day as `max` counts in full.
    """

    type: Literal["number", "integer", "text", "boolean", "time"] | None = None
    min: float | dt.date | dt.datetime | None = None
    max: float | dt.date | dt.datetime | None = None
    values: list[Scalar] | None = Field(default=None, min_length=1)
    nulls: Share | None = None
    severity: Literal["block", "warn"] = "block"

    @model_validator(mode="after")
    def _one_kind_of_limits(self) -> Self:
        ends = [end for end in (self.min, self.max) if end is not None]
        if ends and len({isinstance(end, float) for end in ends}) > 1:
            raise ValueError("`min` and `max` are two numbers or two times")
        if self.type is not None and any(isinstance(end, float) == (self.type == "time") for end in ends):
            raise ValueError(f"`min` and `max` of a {self.type} column are of another kind than its values")
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


def _moment(end: float | dt.date | None, time: dt.time) -> dt.datetime | None:
    if isinstance(end, dt.date) and not isinstance(end, dt.datetime):
        return dt.datetime.combine(end, time)
    return end if isinstance(end, dt.datetime) else None


class AllBut(Section):
    """Every column except these (and except those that can never be features)."""

    all_but: list[str]


class Data(Section):
    """What the columns are: declared once, for every stage.

    `weight` says how many rows of the population a row stands for; rows of one `cluster` are not independent.
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
    def _roles_are_apart(self) -> Self:
        forbidden = self.never_features()
        if isinstance(self.features, list):
            if not self.features:
                raise ValueError("`features` is empty")
            both = [name for name in self.features if name in forbidden]
            if both:
                raise ValueError(
                    f"{', '.join(both)} can never be a feature: {', '.join(forbidden[n] for n in both)}"
                )
        for name in (self.row_key, self.entity, self.target, self.weight, self.cluster):
            if name is not None and name in self.protected:
                raise ValueError(f"`{name}` is declared protected and has another role too")
        if self.weight is not None and self.weight in (
            self.row_key,
            self.entity,
            self.target,
            self.cluster,
        ):
            raise ValueError(f"`{self.weight}` is declared as the weight and has another role too")
        if self.cluster is not None and self.cluster == self.target:
            raise ValueError(f"`{self.cluster}` is declared as the cluster and is the target")
        return self

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

    def feature_names(self, columns: list[str]) -> list[str]:
        """The features in a table with these columns, in the order of the table for `all_but`."""
        if isinstance(self.features, list):
            return list(self.features)
        left_out = {*self.features.all_but, *self.never_features()}
        return [name for name in columns if name not in left_out]


class OutOfTime(Section):
    """Rows at or after `test_from` in `column` are the test rows."""

    column: str
    test_from: dt.date | dt.datetime


class Split(Section):
    """Shares of the rows for fitting, choosing and judging; they add up to 1."""

    train: Fraction
    tune: Fraction
    test: Fraction
    time: OutOfTime | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.tune + self.test - 1) > 1e-9:
            raise ValueError("train, tune and test must add up to 1")
        return self


class Search(Section):
    """A cross-validated search by folds inside the train rows; `iterations` draws instead of trying all."""

    grid: dict[str, list[Any]] = Field(min_length=1)
    folds: int = Field(default=5, ge=2)
    scoring: str = "roc_auc"
    iterations: int | None = Field(default=None, ge=1)


class Threshold(Section):
    """The score from which on the decision is favourable: chosen on tune rows, or fixed."""

    objective: Literal["balanced_accuracy", "accuracy", "f1"] | None = "balanced_accuracy"
    fixed: Fraction | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.fixed is not None and "objective" in self.model_fields_set and self.objective is not None:
            raise ValueError("a threshold is either `fixed` or chosen by `objective`, not both")
        return self


Method = Literal[
    "none",
    "reweighing",
    "correlation_remover",
    "exponentiated_gradient",
    "grid_search",
    "threshold_optimizer",
]
_REDUCTIONS = ("exponentiated_gradient", "grid_search")
_OWN_OPTIONS = {
    "constraint": (*_REDUCTIONS, "threshold_optimizer"),
    "bound": _REDUCTIONS,
    "steps": _REDUCTIONS,
}
_OWN_OPTIONS |= {"alpha": ("correlation_remover",)}


class Mitigation(Section):
    """What is done about disparity while fitting: a method, and its options (None: the method's default).

    A method's name alone is short for `{method: name}`.
    """

    method: Method
    constraint: (
        Literal["demographic_parity", "equalized_odds", "true_positive_rate_parity", "bounded_group_loss"]
        | None
    ) = None
    bound: Fraction | None = None
    steps: int | None = Field(default=None, ge=2, le=1000)
    alpha: Fraction | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_its_name(cls, value: Any) -> Any:
        return {"method": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _options_are_its_own(self) -> Self:
        for option, methods in _OWN_OPTIONS.items():
            if getattr(self, option) is not None and self.method not in methods:
                raise ValueError(f"`{option}` belongs to {' and '.join(methods)}, not to {self.method}")
        if self.constraint == "bounded_group_loss" and self.method not in _REDUCTIONS:
            raise ValueError(f"bounded_group_loss is no constraint of {self.method}")
        if self.constraint == "bounded_group_loss" and self.bound is None:
            raise ValueError("bounded_group_loss needs `bound`: the largest error rate a group may have")
        return self

    @property
    def label(self) -> str:
        """The method, and every option that was named: what tells two candidates apart."""
        named = self.model_dump(exclude_none=True, exclude={"method"})
        options = ", ".join(f"{key}={value}" for key, value in named.items())
        return f"{self.method} ({options})" if options else self.method


class EstimatorChoice(Section):
    """An estimator among the candidates. Its name alone is short for `{estimator: name}`."""

    estimator: str
    arguments: dict[str, Any] = {}
    search: Search | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_its_name(cls, value: Any) -> Any:
        return {"estimator": value} if isinstance(value, str) else value


class Candidates(Section):
    """Every estimator with every mitigation. `none` is always tried: the others are held against it."""

    estimators: list[EstimatorChoice] = Field(min_length=1)
    mitigations: list[Mitigation] = Field(min_length=1)

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        for named in (self.estimators, self.mitigations):
            if any(each in named[:place] for place, each in enumerate(named)):
                raise ValueError("a candidate is named twice")
        return self


class Train(Section):
    """One estimator (a short name, or an import path) with one mitigation, or `candidates`."""

    estimator: str | None = None
    arguments: dict[str, Any] = {}
    mitigation: Method | Mitigation = "none"
    search: Search | None = None
    candidates: Candidates | None = None
    threshold: Threshold = Threshold()
    protected_at_decision: bool = False

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        if (self.estimator is None) == (self.candidates is None):
            raise ValueError("name either one `estimator` or `candidates`")
        alone = {"arguments", "mitigation", "search"} & self.model_fields_set
        if self.candidates is not None and alone:
            raise ValueError(f"{', '.join(f'`{key}`' for key in sorted(alone))}: put it into `candidates`")
        return self

    @property
    def grid(self) -> list[tuple[EstimatorChoice, Mitigation]]:
        """Every estimator with every mitigation, in the order named; one pair when one is named alone."""
        if self.candidates is None:
            chosen = EstimatorChoice(
                estimator=self.estimator or "", arguments=self.arguments, search=self.search
            )
            return [(chosen, Mitigation.model_validate(self.mitigation))]
        named = self.candidates.mitigations
        none = [] if any(each.method == "none" for each in named) else [Mitigation(method="none")]
        return [(each, way) for each in self.candidates.estimators for way in (*none, *named)]


class Evaluate(Section):
    """How performance and fairness are measured.

    `intersections` is how many protected attributes are combined at most (1: each alone); `reference` names
    the group of an attribute that disparate impact is measured against.
    """

    confidence: Fraction = 0.95
    resamples: int = Field(default=1000, ge=100)
    bins: int = Field(default=10, ge=2)
    intersections: int = Field(default=2, ge=1)
    reference: dict[str, Scalar] = {}


class Explain(Section):
    """How many test rows are explained, against how many background rows."""

    rows: int = Field(default=500, ge=10)
    background: int = Field(default=100, ge=10)


class PolicyChoice(Section):
    """Which policy judges, and as of which day its dated rules are read."""

    file: str
    as_of: dt.date


class Params(Section):
    """Everything in `params.yaml`."""

    name: str
    experiment: str
    seed: int = Field(ge=0, lt=2**32)
    source: Source
    data: Data
    split: Split
    train: Train
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    policy: PolicyChoice
    overrides: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _registrable(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", value) or value.endswith("-candidate"):
            raise ValueError(
                "a model name has letters, digits, `_`, `.`, `-`, and does not end in `-candidate`"
            )
        return value


def load(path: Path) -> Params:
    """Read `params.yaml`.

    Raises ConfigurationError that names each fault and the key it sits at.
    """
    return parse(read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ConfigurationError when it is missing, no YAML, or no mapping."""
    try:
        data = yaml12.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is missing", f"restore {path.name}, or run in the project folder"
        ) from None
    except (yaml12.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not readable YAML: {error}", "mend the line it names") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "name a YAML file") from None
    if not isinstance(data, dict):
        raise ConfigurationError(
            f"{path} holds no keys",
            "docs/configuration.md lists those of params.yaml, policies/README.md those of a policy",
        )
    return data


def parse(data: Mapping[str, Any], where: str) -> Params:
    """Type the content of `params.yaml`; `where` names it in errors. Raises ConfigurationError."""
    for key, value in _leaves(data):
        if isinstance(value, dt.date):
            raise ConfigurationError(
                f"{where}: `{key}` is a bare date, which DVC cannot hold", f'write it in quotes: "{value}"'
            )
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        mend = f"correct {where}; docs/configuration.md lists every key"
        raise ConfigurationError(f"{where}: {describe(error, Params)}", mend) from None


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, at)
    else:
        yield at, value


_PLAIN = {
    "missing": "is missing",
    "string_type": "must be text, so put it in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "model_type": "must hold keys of its own",
    "dict_type": "must hold keys of its own",
    "literal_error": "must be {expected}",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "date_type": "must be a day, like 2026-01-31",
    "date_parsing": "must be a day, like 2026-01-31",
    "date_from_datetime_parsing": "must be a day, like 2026-01-31",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
"""By pydantic's name of a fault, what to say instead of its own message."""


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Each fault with its key; a misspelt key with the key that was probably meant."""
    known = sorted(set(_field_names(model)))
    faults = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
            faults.append(f"unknown key `{key}`" + (f" (did you mean `{close[0]}`?)" if close else ""))
        else:
            own = fault["msg"].removeprefix("Value error, ")
            plain = _PLAIN.get(fault["type"], "").format(**fault.get("ctx", {}))
            faults.append(f"`{key}` {plain}" if key and plain else f"`{key}`: {own}" if key else own)
    return "; ".join(dict.fromkeys(faults))


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for kind in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _field_names(kind)
