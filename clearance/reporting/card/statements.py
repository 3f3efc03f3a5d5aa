"""The sentences of `card.yaml` as statements of a card, word for word, with who wrote each and when.

What nobody stated, what is outdated and what is about another model is a gap.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from clearance import paths
from clearance.documents.sentences import Gap, Reference, Sentence, Statement
from clearance.policy.document_terms import DocumentTerms
from clearance.reporting.card.card_text import CardText
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts

FILE = paths.CARD_TEXT.as_posix()


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What people state, about which model it must be, and by which terms and as of which day it counts."""

    text: CardText
    model: str
    terms: DocumentTerms | None
    as_of: dt.date


def is_dated_ahead(on: dt.date, day: dt.date) -> bool:
    """Whether a sentence is dated after `day` (UTC); the next day counts as today, which it is east of it."""
    return on - day > dt.timedelta(days=1)


def statements(section: str, stated: Stated, known: Artefacts) -> Iterator[Sentence]:
    """What people state in a section; a gap where nobody does."""
    text, model, terms = stated.text, stated.model, stated.terms
    command = f"write `{section}` in {FILE}, and run `clearance run`"
    written = getattr(text, section)
    if not written:
        yield Gap(what=f"nobody has stated the {_name(section)}", command=command)
    elif text.model is not None and text.model != model:
        what = f"the {_name(section)} was stated for another model than {model}"
        yield Gap(what=what, command=f"write {FILE} for {model}, and run `clearance run`")
    else:
        for index, sentence in enumerate(written):
            yield Statement(
                text=sentence.text,
                by=sentence.by,
                on=sentence.on.isoformat(),
                source=Reference(artefact=FILE, pointer=artefacts.pointer(section, index)),
                digest=known[FILE].sha256,
            )
            if terms is not None and terms.is_outdated(sentence.on, stated.as_of):
                what = f"what {sentence.by} stated on {sentence.on} is older than {terms.valid_days} days"
                yield Gap(what=what, command=f"confirm it or write it again in {FILE}, with the new day")


def _name(section: str) -> str:
    return section.replace("_", " ").replace("out of scope", "out-of-scope use")
