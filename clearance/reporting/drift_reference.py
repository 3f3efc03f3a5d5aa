"""The drift reference in words and outlines: what the rows were like that live data are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clearance import wording
from clearance.documents.baseline_document import BaselineDocument, FeatureReference
from clearance.reporting.charts import histogram

FEW_BINS = 4
"""With so few bins of a number, each has its own bar; with more, a bar is as wide as its bin."""


@dataclass(frozen=True, kw_only=True)
class ReferenceRow:
    """A feature in the reference: its distribution, in words too, and the share of rows without a value."""

    feature: str
    distribution: histogram.Histogram
    words: str
    missing: float | None


def rows(baseline: BaselineDocument) -> list[ReferenceRow]:
    """Every feature of the reference, those first that matter most to the model, then by name."""
    weights = baseline.attribution or {}
    names = sorted(baseline.features, key=lambda name: (-weights.get(name, 0.0), name))
    return [_row(name, baseline.features[name]) for name in names]


def _row(name: str, reference: FeatureReference) -> ReferenceRow:
    *counts, _, missing = reference.counts
    total, bins = sum(reference.counts), reference.bins
    numeric = bins.kind == "number"
    inner = numeric and len(counts) > FEW_BINS
    return ReferenceRow(
        feature=name,
        distribution=histogram.draw(counts[1:-1], bins.edges) if inner else histogram.draw(reference.counts),
        words=_number_in_words(reference, counts) if numeric else _categories_in_words(reference),
        missing=missing / total if total else None,
    )


def _number_in_words(reference: FeatureReference, counts: list[int]) -> str:
    edges, known = reference.bins.edges, sum(counts)
    if not edges or not known:
        return "one value, or none"
    first, last = counts[0] / known, counts[-1] / known
    low, high = wording.number(edges[0]), wording.number(edges[-1])
    ends = [f"{wording.percent(first)} up to {low}", f"{wording.percent(last)} above {high}"]
    mean = [] if reference.mean is None else [f"mean {wording.number(reference.mean)}"]
    return ", ".join([*ends, *mean])


def _categories_in_words(reference: FeatureReference) -> str:
    total = sum(reference.counts) or 1
    named = zip(reference.bins.categories, reference.counts, strict=False)
    most = sorted(named, key=lambda entry: (-entry[1], entry[0]))
    shown = [f"{name} {wording.percent(count / total)}" for name, count in most[:3]]
    more = len(most) - len(shown)
    return ", ".join([*shown, *([f"{wording.counted(more, 'other value')}"] if more > 0 else [])])


def score_rows(
    scores: Mapping[str, Mapping[str, tuple[int, ...]]],
) -> dict[str, list[tuple[str, histogram.Histogram]]]:
    """The scores of each group by attribute, as outlines over the scores from 0 to 1."""
    return {
        attribute: [(group, histogram.draw(counts)) for group, counts in groups.items()]
        for attribute, groups in scores.items()
    }
