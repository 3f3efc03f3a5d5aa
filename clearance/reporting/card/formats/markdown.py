"""The card as Markdown, in which text from outside stays text: it makes no link, image, heading or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clearance import foreign_text
from clearance.documents.card_document import CardDocument, ClaimTable, Section
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Statement
from clearance.reporting.card.formats import terminal

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|~&$@!])")
_LINK = re.compile(r"(?i):(?=//)|(?<=\bwww)\.|(?<=\bmailto):|(?<=\bxmpp):")
_FIRST = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")


def render(card: CardDocument) -> str:
    """The card as Markdown."""
    return "\n".join([f"# Model card: {literal(card.name)}", *body(card)]) + "\n"


def body(card: CardDocument) -> Iterator[str]:
    """The lines below the title."""
    yield ""
    yield f"Judged as of {literal(card.as_of)}. Each sentence is derived from an artefact of the evidence,"
    yield "or was written by the person named; a gap says what would fill it."
    for section in card.sections:
        yield from section_lines(section)


def section_lines(section: Section) -> Iterator[str]:
    """A section with its heading."""
    yield from ("", f"## {section.title}", "")
    for sentence in section.sentences:
        yield f"- {_sentence(sentence)}"
    for table in section.tables:
        yield from _table(table)


def _sentence(sentence: Sentence) -> str:
    if isinstance(sentence, Statement):
        return f"{literal(sentence.text)} ({literal(sentence.by)}, {literal(sentence.on)})"
    if isinstance(sentence, Gap):
        return f"**Gap:** {literal(sentence.what)}. To fill it: {literal(sentence.command)}"
    return literal(sentence.text)


def _table(table: ClaimTable) -> Iterator[str]:
    yield from ("", f"### {table.title}", "")
    yield f"| {' | '.join(column.heading for column in table.columns)} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        if isinstance(row, DerivedClaim):
            cells = [_inline(row.values[column.value]) for column in table.columns]
        else:
            cells = [_inline(terminal.words(row)), *[""] * (len(table.columns) - 1)]
        yield f"| {' | '.join(cells)} |"


def literal(text: str) -> str:
    """Text that Markdown shows as it is, on one line, where a line begins."""
    return _FIRST.sub(_escape_first, _inline(text))


def _inline(text: str) -> str:
    """The same within a line."""
    escaped = _ACTIVE.sub(r"\\\1", foreign_text.inert(text))
    return _LINK.sub(lambda sign: f"\\{sign[0]}", escaped)


def _escape_first(match: re.Match[str]) -> str:
    sign = match[2]
    return f"{match[1]}{sign}\\" if sign.isdigit() else f"{match[1]}\\{sign}"
