"""The numbers behind a card's claims, for targets that hold numbers: read at the sources of the claims.

Only a number that was measured is given; what is undefined has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clearance.documents.card_document import CardDocument
from clearance.documents.sentences import DerivedClaim
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts

MEASURED, ATTRIBUTE, METRIC = "measured", "attribute", "metric"
"""The values of a claim about a measurement."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number in a section: `key` is the metric's name, `title` its words; `claim` is its sentence.

    `outcome` is the word for what a rule says of it; None where no rule reads it.
    """

    section: str
    key: str
    title: str
    attribute: str | None
    value: float | None
    low: float | None
    high: float | None
    outcome: str | None
    claim: DerivedClaim


def of(card: CardDocument, known: Artefacts) -> Iterator[Figure]:
    """Every measurement in the tables of the card; those that a rule reads come with its outcome."""
    for section in card.sections:
        for table in section.tables:
            for row in table.rows:
                if isinstance(row, DerivedClaim) and MEASURED in row.sources:
                    yield _figure(section.id, row, known)


def _figure(section: str, row: DerivedClaim, known: Artefacts) -> Figure:
    source, metric = row.sources[MEASURED], row.sources[METRIC]
    measurement = artefacts.at(known[source.artefact].content, source.pointer)
    name = measurement.get("metric") or artefacts.last_key(metric.pointer)
    attribute = row.values.get(ATTRIBUTE)
    return Figure(
        section=section,
        key=str(name).rpartition(".")[2],
        title=row.values[METRIC],
        attribute=None if attribute == "all rows" else attribute,
        value=measurement["value"],
        low=measurement.get("low"),
        high=measurement.get("high"),
        outcome=row.values.get("outcome"),
        claim=row,
    )


def of_rules(card: CardDocument, known: Artefacts) -> list[Figure]:
    """The measurements that a rule reads."""
    return [figure for figure in of(card, known) if figure.outcome is not None]


def without_rule(card: CardDocument, known: Artefacts) -> list[Figure]:
    """The measurements that no rule reads."""
    figures = list(of(card, known))
    ruled = {(figure.key, figure.attribute) for figure in figures if figure.outcome is not None}
    return [
        figure for figure in figures if figure.outcome is None and (figure.key, figure.attribute) not in ruled
    ]
