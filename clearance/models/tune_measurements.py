"""What the rules of a policy read, measured on tune rows: the same functions as on test rows, point values.

Tune rows rank candidates; they prove nothing, so no draws are spent on intervals. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clearance import params
from clearance.data.tables.prepared import Prepared
from clearance.documents.measurement import Measurement
from clearance.metrics import (
    contingency,
    count_rows,
    disparity,
    intersections,
    intervals,
    performance,
    sampled,
    sampling_design,
)
from clearance.models import scoring
from clearance.policy.schema import Rule

Figures = Mapping[str, Mapping[str | None, Measurement]]
"""A measurement for each metric, `<document>.<measurement>`, and attribute; None: of all rows together."""

_FEWEST_DRAWS = 2
"""The draws of an interval that nobody reads: as few as have a spread."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TuneRows:
    """The tune rows with all that measuring decisions on them needs."""

    rows: Prepared
    encoding: contingency.Encoding
    design: sampling_design.Design
    options: params.Evaluate
    seed: int

    @classmethod
    def of(cls, rows: Prepared, data: params.Data, options: params.Evaluate, seed: int) -> TuneRows:
        """The rows with their groups encoded once, for all candidates.

        Raises IntegrityError when the prepared tables do not hold what is declared of weights and clusters.
        """
        return cls(
            rows=rows,
            encoding=contingency.encode(rows.protected),
            design=sampling_design.declared(data, rows),
            options=options.model_copy(update={"resamples": _FEWEST_DRAWS}),
            seed=seed,
        )


def measure(rules: Sequence[Rule], tune: TuneRows, scores: scoring.Scores, threshold: float) -> Figures:
    """The figures that `rules` read, of n `scores` in [0, 1] that decide favourably from `threshold` on.

    What no rule reads, or what tune rows cannot tell, is left out.
    """
    read = {rule.document for rule in rules}
    figures: dict[str, Mapping[str | None, Measurement]] = {}
    if "performance" in read:
        measured = _performance(tune, scores, threshold)
        figures |= {f"performance.{name}": {None: figure} for name, figure in measured.items()}
    if "fairness" in read:
        over = {name for rule in rules if rule.document == "fairness" for name in rule.read_for}
        figures |= _fairness(tune, scores, threshold, filter(None, over))
    return figures


def _performance(tune: TuneRows, scores: scoring.Scores, threshold: float) -> Mapping[str, Measurement]:
    label, options = tune.rows.label, tune.options
    if not tune.design.independent:
        return sampled.measure(label, scores, threshold, tune.design, options.confidence)
    sampling = intervals.Sampling(confidence=options.confidence, resamples=options.resamples, seed=tune.seed)
    return performance.measure(label, scores, threshold, options.bins, sampling)


def _fairness(
    tune: TuneRows, scores: scoring.Scores, threshold: float, names: Iterable[str]
) -> dict[str, dict[str | None, Measurement]]:
    label, options = tune.rows.label, tune.options
    counted = count_rows.count(tune.encoding, label, scoring.decide(scores, threshold), tune.design)
    ranks = disparity.score(tune.encoding, label, scores, tune.design)
    families = intersections.families(tune.encoding.attributes, options.intersections)
    figures: dict[str, dict[str | None, Measurement]] = {
        f"fairness.{metric}": {} for metric in disparity.METRICS
    }
    for name in sorted({*names} & families.keys()):
        over = families[name]
        groups = counted.groups(over, (), options.confidence)
        measured = disparity.measure(
            counted, ranks, groups=groups, over=over, options=options, seed=tune.seed
        )
        for metric in disparity.METRICS:
            figures[f"fairness.{metric}"][name] = measured[metric]
    return figures
