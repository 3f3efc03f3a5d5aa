"""What cannot be measured of a model that was made elsewhere, and what to do where a policy demands it.

Nothing is read or decided here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from clearance.documents import metric_catalogue
from clearance.documents.training_document import ExternalModel

_ASK = "ask the owners of the policy what they demand of a model made elsewhere"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of such a model.

    `answers_alone`: only its answers are here, not the model. `decisions_alone`: these are decisions without
    scores. `training_rows`: it is declared which rows trained it.
    """

    answers_alone: bool
    decisions_alone: bool
    training_rows: bool

    @classmethod
    def of(cls, model: ExternalModel) -> Known:
        """What the training document records of the model."""
        return cls(
            answers_alone=model.origin != "computed",
            decisions_alone=model.answer == "decisions",
            training_rows=model.trained_on != "unknown",
        )

    @property
    def beyond(self) -> frozenset[str]:
        """The names of the metrics that cannot be measured."""
        return self._needs_model | self._needs_rows

    def remedy(self, metrics: Collection[str]) -> str:
        """What to do where a policy blocks on these metrics, which are `beyond`, as a clause."""
        ways = [_ASK]
        if not self._needs_model.isdisjoint(metrics):
            ways.append("bring the model itself")
        if not self._needs_rows.isdisjoint(metrics):
            ways.append("list the rows that trained it in `split.trained_on`")
        return ", or ".join(ways)

    @property
    def _needs_model(self) -> frozenset[str]:
        names = (metric.name for metric in metric_catalogue.METRICS.values())
        inner = {name for name in names if name.startswith(("training.", "explanation."))}
        of_scores = metric_catalogue.NEED_SCORES if self.decisions_alone else frozenset()
        return of_scores | inner if self.answers_alone else of_scores

    @property
    def _needs_rows(self) -> frozenset[str]:
        return frozenset() if self.training_rows else frozenset({"split.overlap"})
