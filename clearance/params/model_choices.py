"""The section `train`: estimators, mitigations, search and threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from clearance.params.external import External
from clearance.params.section import Fraction, Section


class Search(Section):
    """A cross-validated search within the train rows; with `iterations` it draws combinations at random."""

    grid: dict[str, list[Any]] = Field(min_length=1)
    folds: int = Field(default=5, ge=2)
    scoring: str = "roc_auc"
    iterations: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _can_be_drawn_again(self) -> Self:
        for name, values in self.grid.items():
            if name.split("__")[-1] == "random_state" and None in values:
                raise ValueError(
                    f"`{name}: null` is another model at each fit: leave it out, and `seed` is used"
                )
        return self


class Threshold(Section):
    """The score from which on the decision is favourable: chosen on tune rows, or fixed."""

    objective: Literal["balanced_accuracy", "accuracy", "f1"] | None = "balanced_accuracy"
    fixed: Fraction | None = None

    @model_validator(mode="after")
    def _fixed_or_objective(self) -> Self:
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
METHOD_OPTIONS: Mapping[Method, tuple[str, ...]] = {
    "none": (),
    "reweighing": (),
    "correlation_remover": ("alpha",),
    "exponentiated_gradient": ("constraint", "bound", "steps"),
    "grid_search": ("constraint", "bound", "steps"),
    "threshold_optimizer": ("constraint",),
}
"""The options of each method. `clearance/models/mitigations.py` says what each method does."""

DECIDES_BY_PROTECTED: frozenset[Method] = frozenset({"correlation_remover", "threshold_optimizer"})
"""The methods that need the protected attributes of a row to decide it."""

WEIGHS_ROWS: frozenset[Method] = frozenset({"reweighing", "exponentiated_gradient", "grid_search"})
"""The methods that need an estimator whose `fit` takes `sample_weight`."""


class Mitigation(Section):
    """How disparity is reduced: a method, and its options (None: the method's default).

    The name of a method alone is short for `{method: name}`.
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
    def _options_belong_to_method(self) -> Self:
        for option in ("constraint", "bound", "steps", "alpha"):
            if getattr(self, option) is not None and option not in METHOD_OPTIONS[self.method]:
                methods = [method for method, options in METHOD_OPTIONS.items() if option in options]
                raise ValueError(f"`{option}` belongs to {' and '.join(methods)}, not to {self.method}")
        if self.constraint == "bounded_group_loss":
            if "bound" not in METHOD_OPTIONS[self.method]:
                raise ValueError(f"bounded_group_loss is not a constraint of {self.method}")
            if self.bound is None:
                raise ValueError("bounded_group_loss needs `bound`: the largest error rate a group may have")
        return self

    @property
    def label(self) -> str:
        """The method and every option that is set: it distinguishes the candidates of a grid."""
        values = self.model_dump(exclude_none=True, exclude={"method"})
        options = ", ".join(f"{key}={value}" for key, value in values.items())
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
    """Every estimator with every mitigation. `none` is always tried, as the baseline for the others."""

    estimators: list[EstimatorChoice] = Field(min_length=1)
    mitigations: list[Mitigation] = Field(min_length=1)

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        for choices in (self.estimators, self.mitigations):
            if any(choice in choices[:index] for index, choice in enumerate(choices)):
                raise ValueError("a candidate is listed twice")
        return self


class Train(Section):
    """One estimator (a short name, or an import path) with one mitigation, or `candidates`, or a model made
    elsewhere."""

    estimator: str | None = None
    external: External | None = None
    arguments: dict[str, Any] = {}
    mitigation: Method | Mitigation = "none"
    search: Search | None = None
    candidates: Candidates | None = None
    threshold: Threshold = Threshold()
    protected_at_decision: bool = False

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        if [self.estimator, self.candidates, self.external].count(None) != 2:
            raise ValueError("set either one `estimator`, or `candidates`, or `external`")
        misplaced = {"arguments", "mitigation", "search"} & self.model_fields_set
        if self.external is not None and misplaced:
            keys = ", ".join(f"`{key}`" for key in sorted(misplaced))
            raise ValueError(f"{keys}: a model made elsewhere (`external`) is not fitted here")
        if self.candidates is not None and misplaced:
            keys = ", ".join(f"`{key}`" for key in sorted(misplaced))
            raise ValueError(f"{keys}: put it into `candidates`")
        return self

    @property
    def grid(self) -> list[tuple[EstimatorChoice, Mitigation]]:
        """Every estimator with every mitigation, in the order of params.yaml; without candidates one pair."""
        if self.candidates is None:
            chosen = EstimatorChoice(
                estimator=self.estimator or "", arguments=self.arguments, search=self.search
            )
            return [(chosen, Mitigation.model_validate(self.mitigation))]
        mitigations = list(self.candidates.mitigations)
        if not any(mitigation.method == "none" for mitigation in mitigations):
            mitigations.insert(0, Mitigation(method="none"))
        return [
            (estimator, mitigation) for estimator in self.candidates.estimators for mitigation in mitigations
        ]
