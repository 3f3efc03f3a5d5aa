"""The section `train`: estimators, mitigations, search and threshold."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from clearance.params.section import Fraction, Section


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
