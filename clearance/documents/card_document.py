"""`reports/card.json`: the model card, made of derived claims, signed statements and visible gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from clearance import paths
from clearance.documents.codec import Sha256
from clearance.documents.evidence_document import Document
from clearance.documents.sentences import DerivedClaim, Gap, Sentence

WrittenSection = Literal[
    "intended_use", "out_of_scope", "limits", "mitigation", "ethical_considerations", "contacts"
]
"""The sections that people write in `card.yaml`; limits and mitigation hold derived claims too."""

WRITTEN: tuple[str, ...] = get_args(WrittenSection)

TITLES: Mapping[str, str] = {
    "details": "Model details",
    "intended_use": "Intended use",
    "out_of_scope": "Out-of-scope use",
    "data": "Data",
    "performance": "Performance",
    "fairness": "Fairness",
    "explanation": "Explanation",
    "limits": "Limits",
    "mitigation": "Mitigation",
    "ethical_considerations": "Ethical considerations",
    "contacts": "Contacts",
}
"""The sections of a card, in their order, with the heading of each."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: the name of the value that it shows of each claim, and its heading."""

    value: str
    heading: str


@dataclass(frozen=True, kw_only=True)
class ClaimTable:
    """Claims of one template as a table."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[DerivedClaim | Gap, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of a card: `id` is a key of `TITLES`, or one that is added when the card is read."""

    id: str
    title: str
    sentences: tuple[Sentence, ...]
    tables: tuple[ClaimTable, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CardDocument(Document):
    """The model card. `as_of` is the day of the verdict; `artefacts` are the digests of all that was read."""

    path: ClassVar[Path] = paths.CARD

    name: str
    as_of: str
    sections: tuple[Section, ...]
    artefacts: Mapping[str, Sha256]
