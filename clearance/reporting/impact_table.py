"""The impact table of a bias audit in the form of New York City Local Law 144: a row for every category.

Arithmetic over the counts in `reports/fairness.json`; nothing here judges. Nobody is dropped: rows of unknown
category are counted, small categories are listed, and a category left out of the ratios keeps its count, rate
and reason.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from clearance.documents.evidence_document import Evidence
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.documents.sampling_report import Confusion
from clearance.policy import schema
from clearance.policy.impact_rules import ExcludedCategory, ImpactTableRules

_NOT_EXCLUDED = "not left out: the justification applies only to a small category, while the rule is in force"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One category of one attribute, or of an intersection.

    `selection_rate` is selected / applicants, in [0, 1], None without applicants. `impact_ratio` is that rate
    divided by the highest rate of any compared category: 1 is the best treated, 0 never selected, None when
    nothing can be compared, and `note` then says why. `above_median` is how many applicants score above the
    median of all rows; `scoring_rate` and `scoring_impact_ratio` are computed from it like those of the
    selected. `share` is the category's part of all applicants, including those of unknown category.
    `excluded` holds the written justification of a category left out of the ratios.
    """

    attribute: str
    category: str
    applicants: int
    selected: int
    selection_rate: float | None
    impact_ratio: float | None
    above_median: int | None
    scoring_rate: float | None
    scoring_impact_ratio: float | None
    share: float | None
    excluded: str | None
    note: str | None


def table(fairness: Evidence, rules: Mapping[str, Any] | None, as_of: dt.date) -> list[Row]:
    """The rows of every attribute in `fairness`; empty when it was not measured.

    `rules` is the policy's `impact_table` as the verdict records it; None leaves no category out. People are
    counted, never weighted; when rows have weights, each note says so.
    """
    if not isinstance(fairness, FairnessDocument):
        return []
    chosen = ImpactTableRules.model_validate(rules) if rules else None
    in_force = chosen if chosen and chosen.in_force(as_of) else None
    listed = chosen.excluded if chosen else ()
    rows = [
        row
        for attribute in sorted(fairness.groups)
        for row in _rows(fairness, attribute, _justifications(attribute, listed), in_force)
    ]
    if not fairness.sampling.weight:
        return rows
    note = f"rows are counted, not weighted by {fairness.sampling.weight}"
    return [replace(row, note=f"{row.note}; {note}" if row.note else note) for row in rows]


def to_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV with a header line; rates with all their digits, None as an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _without_formula(value) for name, value in asdict(row).items()})
    return stream.getvalue()


def _rows(
    fairness: FairnessDocument,
    attribute: str,
    justifications: Mapping[str, str],
    rules: ImpactTableRules | None,
) -> Iterable[Row]:
    """The rows of one attribute; `rules` is None when none is in force."""
    counts = {name: _count(group.cells) for name, group in fairness.groups[attribute].items()}
    total = sum(applicants for applicants, _ in counts.values())
    small = _small(counts, total, rules)
    excluded = small & justifications.keys()
    scores_above = None if fairness.above_median is None else fairness.above_median[attribute]
    above = {name: None if scores_above is None else scores_above.get(name, 0) for name in counts}
    compared = [
        name for name, (rows, _) in counts.items() if rows and name != MISSING and name not in excluded
    ]
    rates = {name: counts[name][1] / counts[name][0] for name in compared}
    scores = {name: _over(above[name], counts[name][0]) for name in compared}
    ratios, no_ratio = _ratios(rates, "no ratio", "is selected")
    scoring_ratios, no_scoring_ratio = _ratios(scores, "no scoring ratio", "scores above the median")
    for name in sorted(counts.keys() | justifications.keys(), key=lambda name: (name == MISSING, name)):
        applicants, selected = counts.get(name, (0, 0))
        notes = [
            "category unknown: counted, never compared" if name == MISSING else None,
            "left out of the ratios" if name in excluded else None,
            "no ratio: no applicants" if not applicants else None,
            *((no_ratio, no_scoring_ratio if len(compared) > 1 else None) if name in compared else ()),
            "small: may be left out with a justification" if name in small - excluded else None,
            _NOT_EXCLUDED if name in justifications.keys() - excluded else None,
        ]
        yield Row(
            attribute=attribute,
            category=name,
            applicants=applicants,
            selected=selected,
            selection_rate=_over(selected, applicants),
            impact_ratio=ratios.get(name),
            above_median=above.get(name, 0),
            scoring_rate=_over(above.get(name, 0), applicants),
            scoring_impact_ratio=scoring_ratios.get(name),
            share=_over(applicants, total),
            excluded=justifications[name] if name in excluded else None,
            note="; ".join(note for note in notes if note) or None,
        )


def _justifications(attribute: str, excluded: Iterable[ExcludedCategory]) -> dict[str, str]:
    """The written justification of each category of this attribute that the policy wants to leave out."""
    attributes = schema.attribute_set(attribute)
    return {
        item.category: item.justification
        for item in excluded
        if schema.attribute_set(item.attribute) == attributes
    }


def _small(counts: Mapping[str, tuple[int, int]], total: int, rules: ImpactTableRules | None) -> set[str]:
    """The categories small enough to be left out; empty when no rule is in force."""
    if rules is None or not total:
        return set()
    return {
        name
        for name, (rows, _) in counts.items()
        if name != MISSING and rows / total < rules.excludable_below
    }


def _count(cells: Confusion) -> tuple[int, int]:
    """All rows of a group, and those decided favourably."""
    return sum(vars(cells).values()), cells.true_positive + cells.false_positive


def _over(some: int | None, rows: int) -> float | None:
    return some / rows if some is not None and rows else None


def _ratios(
    rates: Mapping[str, float | None], prefix: str, event: str
) -> tuple[dict[str, float], str | None]:
    """Each rate over the highest; or no ratio at all, and why."""
    values = {name: rate for name, rate in rates.items() if rate is not None}
    if len(rates) < 2:
        return {}, f"{prefix}: there is no other category to compare with"
    if len(values) < len(rates):
        return {}, f"{prefix}: the evidence does not say who {event}"
    highest = max(values.values())
    if not highest:
        return {}, f"{prefix}: nobody in any category {event}"
    return {name: rate / highest for name, rate in values.items()}, None


def _without_formula(value: Any) -> Any:
    """The value; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
