"""The card as lines for a terminal. All text from outside is inert."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from clearance import foreign_text
from clearance.documents.card_document import CardDocument, Section
from clearance.documents.sentences import Gap, Sentence, Statement

_WIDTH = 110


def render(card: CardDocument) -> str:
    """The card, section by section; every row of a table is a sentence."""
    lines = [foreign_text.inert(f"Model card: {card.name}, judged as of {card.as_of}")]
    for section in card.sections:
        lines += section_lines(section)
    return "\n".join(lines) + "\n"


def section_lines(section: Section) -> Iterator[str]:
    """A section with its heading; every row of a table is a sentence."""
    yield from ("", foreign_text.inert(section.title).upper())
    for sentence in section.sentences:
        yield from _wrapped(words(sentence), "  ")
    for table in section.tables:
        yield f"  {foreign_text.inert(table.title)}:"
        for row in table.rows:
            yield from _wrapped(words(row), "    - ")


def words(sentence: Sentence) -> str:
    """A sentence on one line, inert: a statement with who wrote it, a gap with what would fill it."""
    if isinstance(sentence, Statement):
        return foreign_text.inert(f"{sentence.text} ({sentence.by}, {sentence.on})")
    if isinstance(sentence, Gap):
        return foreign_text.inert(f"[GAP] {sentence.what}. To fill it: {sentence.command}")
    return foreign_text.inert(sentence.text)


def _wrapped(text: str, indent: str) -> Iterator[str]:
    rest = " " * len(indent)
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False
    ) or [indent.rstrip()]
