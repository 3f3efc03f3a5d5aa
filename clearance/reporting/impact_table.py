"""The impact table of a bias audit in the shape of New York City Local Law 144: a row for every category.

Arithmetic over the counts in `reports/fairness.json`; nothing here judges. Nobody is dropped: unknowns are
counted, small categories are listed, and one left out of the ratios stays with its count, rate and reason.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from clearance.documents.measurement import INTERSECTION

UNKNOWN = "(missing)"
"""What the counts call rows whose category is not known."""

_IN_VAIN = "not left out: its justification holds for a small category only, while the rule is in force"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One category of one attribute, or of several together.

    `selection_rate` is selected / applicants, in [0, 1], None without applicants. `impact_ratio` is that
    rate over the highest rate of any category compared: 1 is the best treated, 0 never selected, None where
    nothing can be compared, and `note` then says why. `above_median` of the applicants score above the median
    of all rows; `scoring_rate` and `scoring_impact_ratio` are the same of them as of the selected. `share` is
    the category's part of all applicants, unknowns included. `excluded` carries the written justification of
    a category left out of the ratios.
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


def table(fairness: Mapping[str, Any], rule: Mapping[str, Any] | None, as_of: dt.date) -> list[Row]:
    """The rows of every attribute in `fairness`; none where it was not measured.

    `rule` is the policy's `impact_table`, None where it has none: then no category is left out. People are
    counted, never weighted; where rows weigh, each note says so.
    """
    groups = _scored(fairness) if fairness.get("status") == "measured" else {}
    found = [
        row for attribute in sorted(groups) for row in _rows(attribute, groups[attribute], rule or {}, as_of)
    ]
    weight = fairness.get("sampling", {}).get("weight")
    said = f"rows counted as they are, not weighted by {weight}"
    return (
        [replace(row, note=f"{row.note}; {said}" if row.note else said) for row in found] if weight else found
    )


def to_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV, with a head; rates with all their digits, nothing as an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [each.name for each in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _inert(value) for name, value in asdict(row).items()})
    return stream.getvalue()


def _scored(fairness: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The groups of every attribute, each with its rows above the median; None where that was not counted."""
    above = fairness.get("above_median")
    return {
        attribute: {
            name: group | {"above_median": None if above is None else above[attribute].get(name, 0)}
            for name, group in groups.items()
        }
        for attribute, groups in fairness.get("groups", {}).items()
    }


def _rows(
    attribute: str, groups: Mapping[str, Any], rule: Mapping[str, Any], as_of: dt.date
) -> Iterable[Row]:
    counted = {name: _count(group["cells"]) for name, group in groups.items()}
    total = sum(applicants for applicants, _ in counted.values())
    written = _justified(attribute, rule)
    small = _small(counted, total, rule, as_of)
    left_out = small & written.keys()
    above = {name: group["above_median"] for name, group in groups.items()}
    compared = [
        name for name, (rows, _) in counted.items() if rows and name != UNKNOWN and name not in left_out
    ]
    rates = {name: counted[name][1] / counted[name][0] for name in compared}
    scores = {name: _over(above[name], counted[name][0]) for name in compared}
    ratios, hole = _ratios(rates, "no ratio", "is selected")
    scored, unscored = _ratios(scores, "no scoring ratio", "scores above the median")
    for name in sorted(counted.keys() | written.keys(), key=lambda name: (name == UNKNOWN, name)):
        applicants, selected = counted.get(name, (0, 0))
        notes = [
            "category not known: counted, never compared" if name == UNKNOWN else None,
            "left out of the ratios" if name in left_out else None,
            "no ratio: no applicants" if not applicants else None,
            *((hole, unscored if len(compared) > 1 else None) if name in compared else ()),
            "small: may be left out with a justification" if name in small - left_out else None,
            _IN_VAIN if name in written.keys() - left_out else None,
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
            scoring_impact_ratio=scored.get(name),
            share=_over(applicants, total),
            excluded=written[name] if name in left_out else None,
            note="; ".join(note for note in notes if note) or None,
        )


def _justified(attribute: str, rule: Mapping[str, Any]) -> dict[str, str]:
    """The written justification of each category of this attribute that the policy would leave out."""
    parts = set(attribute.split(INTERSECTION))
    listed = [
        each for each in rule.get("excluded", ()) if set(each["attribute"].split(INTERSECTION)) == parts
    ]
    return {each["category"]: each["justification"] for each in listed}


def _small(
    counted: Mapping[str, tuple[int, int]], total: int, rule: Mapping[str, Any], as_of: dt.date
) -> set[str]:
    """The categories that the rule, where it is in force, allows to leave out."""
    if not rule or not total or not _in_force(rule, as_of):
        return set()
    below = rule["excludable_below"]
    return {name for name, (rows, _) in counted.items() if name != UNKNOWN and rows / total < below}


def _count(cells: Mapping[str, int]) -> tuple[int, int]:
    return sum(cells.values()), cells["true_positive"] + cells["false_positive"]


def _in_force(rule: Mapping[str, Any], as_of: dt.date) -> bool:
    until = rule.get("valid_until")
    first = dt.date.fromisoformat(rule["valid_from"])
    return first <= as_of and (until is None or as_of <= dt.date.fromisoformat(until))


def _over(some: int | None, rows: int) -> float | None:
    return some / rows if some is not None and rows else None


def _ratios(
    rates: Mapping[str, float | None], none: str, happens: str
) -> tuple[dict[str, float], str | None]:
    """Each rate over the highest; or no ratio at all, and why."""
    known = {name: rate for name, rate in rates.items() if rate is not None}
    if len(rates) < 2:
        return {}, f"{none}: there is no other category to compare with"
    if len(known) < len(rates):
        return {}, f"{none}: the evidence does not say who {happens}"
    if not any(known.values()):
        return {}, f"{none}: nobody in any category {happens}"
    return {name: rate / max(known.values()) for name, rate in known.items()}, None


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula, kept from that by an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
