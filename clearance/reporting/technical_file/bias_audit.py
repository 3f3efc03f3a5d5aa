"""The summary of a bias audit after New York City Local Law 144: counts, rates and impact ratios by category.

Pure; it reads the impact table. The law has no pass mark, so nothing passes here. Rules: 6 RCNY § 5-300 ff.,
known from secondary sources; the publication of the distribution date: Admin. Code § 20-871(a)(2).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.documents.sentences import Gap, Sentence
from clearance.documents.technical_file_document import ClaimTable
from clearance.errors import IntegrityError
from clearance.reporting import impact_table
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources, statements
from clearance.reporting.technical_file.sources import (
    FAIRNESS,
    IMPACT,
    LEDGER,
    ORIGIN,
    VERDICT,
    Subject,
    place,
    say,
)

Part = Sentence | ClaimTable

_COLUMNS: Mapping[str, str] = {
    "category": "Category",
    "applicants": "Applicants",
    "selected": "Selected",
    "rate": "Selection rate",
    "ratio": "Impact ratio",
    "scoring": "Scoring rate",
    "scoring_ratio": "Scoring ratio",
    "share": "Share of all",
    "note": "Note",
}


def applies(known: Artefacts) -> bool:
    """Whether the policy of the verdict has an impact table."""
    return bool(sources.value(known, VERDICT, "policy", "impact_table"))


def content(known: Artefacts) -> dict[str, Any] | None:
    """The rows of the impact table as a JSON value; None where there is none."""
    if not applies(known) or FAIRNESS not in known:
        return None
    try:
        fairness = FairnessDocument.from_json(known[FAIRNESS].content)
    except IntegrityError:
        return None
    if not isinstance(fairness, MeasuredDocument):
        return None
    rules = sources.value(known, VERDICT, "policy", "impact_table")
    as_of = dt.date.fromisoformat(sources.value(known, VERDICT, "policy", "as_of"))
    return {"rows": [_plain(asdict(row)) for row in impact_table.table(fairness, rules, as_of)]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what it has not, so that a claim never words a missing number."""
    return {name: value for name, value in row.items() if value is not None}


def section(known: Artefacts, subject: Subject) -> Iterator[Part]:
    """The summary as a section of the technical file."""
    yield say(
        known,
        "Audit by the policy {policy}, version {version}, as of {day}. The law sets no pass mark, and this "
        "summary claims none. Source: {source}",
        "the audit",
        policy=place(VERDICT, "text", "policy", "id"),
        version=place(VERDICT, "text", "policy", "version"),
        day=place(VERDICT, "date", "policy", "as_of"),
        source=place(VERDICT, "text", "policy", "impact_table", "source"),
    )
    yield from _distribution(known, subject)
    yield from statements.of_topic("data_date", known, subject)
    yield from statements.of_topic("data_provenance", known, subject)
    yield say(
        known,
        "Source of the data: kind {kind}, table with the SHA-256 {digest}, {rows} rows.",
        "the source of the data",
        kind=place(ORIGIN, "text", "source", "kind"),
        digest=place(ORIGIN, "digest", "sha256"),
        rows=place(ORIGIN, "count", "rows"),
    )
    yield from _tables(known)


def _distribution(known: Artefacts, subject: Subject) -> Iterator[Sentence]:
    """The day on which the tool was first used: as a person states it, else the first promotion."""
    stated = list(statements.of_topic("distribution_date", known, subject))
    if not all(isinstance(part, Gap) for part in stated):
        yield from stated
    elif sources.value(known, LEDGER, "first_promotion"):
        yield say(
            known,
            "Distribution date of the tool, by the ledger: version {version} was first promoted {at} "
            "(entry {entry}); nobody has stated when it was first used.",
            "the distribution date",
            version=place(LEDGER, "count", "first_promotion", "version"),
            at=place(LEDGER, "text", "first_promotion", "at"),
            entry=place(LEDGER, "count", "first_promotion", "entry"),
        )
    else:
        yield from stated


def _tables(known: Artefacts) -> Iterator[Part]:
    rows = sources.items(known, IMPACT, "rows")
    if not rows:
        yield Gap(what=f"impact ratios: {FAIRNESS} was not measured", command=sources.RUN)
        return
    for attribute in dict.fromkeys(row["attribute"] for row in rows):
        claims = tuple(_row(known, index) for index, row in enumerate(rows) if row["attribute"] == attribute)
        yield ClaimTable(title=f"Impact ratios by {attribute}", columns=_COLUMNS, rows=claims)
        for index, row in enumerate(rows):
            if row["attribute"] == attribute and row["category"] == MISSING:
                yield say(
                    known,
                    "Applicants of unknown {attribute}: {applicants}.",
                    "applicants of unknown category",
                    attribute=place(IMPACT, "text", "rows", index, "attribute"),
                    applicants=place(IMPACT, "count", "rows", index, "applicants"),
                )
            if row["attribute"] == attribute and row.get("excluded"):
                yield say(
                    known,
                    "{category} is left out of the ratios, with {applicants} applicants: {excluded}.",
                    "a category left out",
                    category=place(IMPACT, "text", "rows", index, "category"),
                    applicants=place(IMPACT, "count", "rows", index, "applicants"),
                    excluded=place(IMPACT, "text", "rows", index, "excluded"),
                )


def _row(known: Artefacts, index: int) -> Any:
    """A row as a claim about what it has."""
    row = sources.items(known, IMPACT, "rows")[index]
    optional = {
        "rate": ("selection_rate", "percent", ", rate {rate}"),
        "ratio": ("impact_ratio", "number", ", impact ratio {ratio}"),
        "scoring": ("scoring_rate", "percent", ", scoring rate {scoring}"),
        "scoring_ratio": ("scoring_impact_ratio", "number", ", scoring ratio {scoring_ratio}"),
        "share": ("share", "percent", ", share {share}"),
        "note": ("note", "text", "; {note}"),
    }
    present = {name: part for name, part in optional.items() if part[0] in row}
    return say(
        known,
        "{category}: {applicants} applicants, {selected} selected"
        + "".join(words for _, _, words in present.values())
        + ".",
        "a row of the impact table",
        category=place(IMPACT, "text", "rows", index, "category"),
        applicants=place(IMPACT, "count", "rows", index, "applicants"),
        selected=place(IMPACT, "count", "rows", index, "selected"),
        **{name: place(IMPACT, form, "rows", index, field) for name, (field, form, _) in present.items()},
    )
