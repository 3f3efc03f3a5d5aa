"""The summary of a bias audit after New York City Local Law 144: counts, rates and impact ratios by category.

Pure; it reads the impact table. The law has no pass mark, so nothing passes here. Rules: 6 RCNY § 5-300 ff.,
known from secondary sources; the publication of the distribution date: Admin. Code § 20-871(a)(2).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from clearance.documents.card_document import ClaimTable
from clearance.documents.evidence_document import MeasuredDocument
from clearance.documents.fairness_document import FairnessDocument
from clearance.documents.group_names import MISSING
from clearance.documents.sentences import DerivedClaim, Gap, Sentence
from clearance.errors import IntegrityError
from clearance.reporting import impact_table
from clearance.reporting.card import measured
from clearance.reporting.card.measured import place
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources, statements
from clearance.reporting.technical_file.sources import (
    FAIRNESS,
    IMPACT,
    LEDGER,
    ORIGIN,
    VERDICT,
    Subject,
    say,
)

Part = Sentence | ClaimTable

_COLUMNS = measured.columns(
    attribute="By",
    category="Category",
    applicants="Applicants",
    selected="Selected",
    rate="Selection rate",
    ratio="Impact ratio",
    scoring="Scoring rate",
    scoring_ratio="Scoring ratio",
    share="Share of all",
    note="Note",
)


def applies(known: Artefacts) -> bool:
    """Whether the policy of the verdict has an impact table."""
    return bool(measured.value(known, VERDICT, "policy", "impact_table"))


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
    rules = measured.value(known, VERDICT, "policy", "impact_table")
    try:
        as_of = dt.date.fromisoformat(measured.value(known, VERDICT, "policy", "as_of"))
        rows = impact_table.table(fairness, rules, as_of)
    except ValueError:  # no day, or terms that no policy could have
        return None
    unknown = {row.attribute: 0 for row in rows} | {
        row.attribute: row.applicants for row in rows if row.category == MISSING
    }
    return {"rows": [_plain(row) for row in rows], "unknown": unknown}


def _plain(row: impact_table.Row) -> dict[str, Any]:
    """The row as JSON, in which a ratio that is missing says why."""
    why = row.note or "nothing to compare with"
    ratios = {name: getattr(row, name) for name in ("impact_ratio", "scoring_impact_ratio")}
    return {
        **asdict(row),
        **{name: {"value": ratio, "undefined": why} for name, ratio in ratios.items()},
        "note": row.note or "none",
    }


def section(known: Artefacts, subject: Subject) -> Iterator[Part]:
    """The summary as a section of the technical file."""
    yield say(
        known,
        "Audit by the policy {policy}, version {version}, as of {day}. The law sets no pass mark, and this "
        "summary claims none. How sure the source is: {certainty}. Source: {source}.",
        "the audit",
        policy=place(VERDICT, "text", "policy", "id"),
        version=place(VERDICT, "text", "policy", "version"),
        day=place(VERDICT, "date", "policy", "as_of"),
        certainty=place(VERDICT, "as_written", "policy", "impact_table", "certainty"),
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
    elif measured.value(known, LEDGER, "first_promotion"):
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
    for attribute in sources.entries(known, IMPACT, "unknown"):
        yield say(
            known,
            "Applicants whose {attribute} is unknown, and who are in no ratio: {applicants}.",
            "applicants of unknown category",
            attribute=place(IMPACT, "key", "unknown", attribute),
            applicants=place(IMPACT, "count", "unknown", attribute),
        )
    for index, row in enumerate(rows):
        if row["excluded"]:
            yield _left_out(known, index)
    claims = tuple(_row(known, index) for index, _ in enumerate(rows))
    yield ClaimTable(title="Impact ratios", columns=_COLUMNS, rows=claims)


def _left_out(known: Artefacts, index: int) -> Sentence:
    return say(
        known,
        "{category} is left out of the ratios, with {applicants} applicants and a selection rate of {rate}: "
        "{why}.",
        "a category left out",
        category=place(IMPACT, "text", "rows", index, "category"),
        applicants=place(IMPACT, "count", "rows", index, "applicants"),
        rate=place(IMPACT, "percent", "rows", index, "selection_rate"),
        why=place(IMPACT, "text", "rows", index, "excluded"),
    )


def _row(known: Artefacts, index: int) -> DerivedClaim | Gap:
    at = ("rows", index)
    return say(
        known,
        "{attribute}, {category}: {applicants} applicants ({share} of all), {selected} selected, "
        "rate {rate}, impact ratio {ratio}; scoring rate {scoring}, scoring ratio {scoring_ratio}; note: "
        "{note}.",
        "a row of the impact table",
        attribute=place(IMPACT, "text", *at, "attribute"),
        category=place(IMPACT, "text", *at, "category"),
        applicants=place(IMPACT, "count", *at, "applicants"),
        selected=place(IMPACT, "count", *at, "selected"),
        rate=place(IMPACT, "percent", *at, "selection_rate"),
        ratio=place(IMPACT, "measurement", *at, "impact_ratio"),
        scoring=place(IMPACT, "percent", *at, "scoring_rate"),
        scoring_ratio=place(IMPACT, "measurement", *at, "scoring_impact_ratio"),
        share=place(IMPACT, "percent", *at, "share"),
        note=place(IMPACT, "text", *at, "note"),
    )
