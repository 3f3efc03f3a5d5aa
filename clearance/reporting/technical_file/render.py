"""A document of sentences and tables as text, Markdown or one HTML page. Pure; every text from outside is inert.

The same sentences stand in each format. A gap is marked in all of them, and a statement always carries who
wrote it and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clearance import foreign_text
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Statement
from clearance.documents.technical_file_document import ClaimTable, Section, TechnicalFile
from clearance.reporting import html_page
from clearance.reporting.claims import check

_ACTS = re.compile(r"([\\`*_{}\[\]()<>#!|~&])")
"""The characters that Markdown or the HTML in it acts on."""


def title(document: TechnicalFile) -> str:
    """The heading of the file."""
    return f"Technical file: {document.name} version {document.version}"


def subtitle(document: TechnicalFile) -> str:
    """What the file is, as of when, and how much is missing."""
    gaps = len(check.gaps(document))
    return (
        f"After Annex IV of Regulation (EU) 2024/1689, as of {document.at}. Gaps: {gaps}. "
        "It is not legal advice."
    )


def text(document: TechnicalFile) -> str:
    """The file for a terminal: one line a sentence, tables as their sentences."""
    lines = [title(document), subtitle(document)]
    for section in document.sections:
        lines += ["", section.title]
        lines += [f"  {_line(sentence)}" for sentence in section.sentences]
        for table in section.tables:
            lines += [f"  {foreign_text.inert(table.title)}"]
            lines += [f"    {_line(row)}" for row in table.rows]
    return "\n".join(lines) + "\n"


def _line(sentence: Sentence) -> str:
    if isinstance(sentence, Gap):
        return foreign_text.inert(f"GAP {sentence.what}. To fill it: {sentence.command}")
    if isinstance(sentence, Statement):
        return foreign_text.inert(f"“{sentence.text}” ({sentence.by}, {sentence.on})")
    return foreign_text.inert(sentence.text)


def markdown(document: TechnicalFile) -> str:
    """The file as Markdown; nothing in a text from outside is markup, a link or HTML."""
    lines = [f"# {escaped(title(document))}", "", subtitle(document), ""]
    for section in document.sections:
        lines += [f"## {escaped(section.title)}", "", *_section_lines(section)]
    return "\n".join(lines)


def _section_lines(section: Section) -> Iterator[str]:
    for sentence in section.sentences:
        yield f"* {_marked(sentence)}"
    if section.sentences:
        yield ""
    for table in section.tables:
        yield f"### {escaped(table.title)}"
        yield ""
        yield from table_lines(table)
        yield ""


def table_lines(table: ClaimTable) -> Iterator[str]:
    """A table of claims in Markdown; a gap takes a whole row."""
    yield f"| {' | '.join(map(escaped, table.columns.values()))} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        cells = [_marked(row)] if isinstance(row, Gap) else []
        if isinstance(row, DerivedClaim):
            cells = [escaped(row.values.get(name, "none")) for name in table.columns]
        cells += [""] * (len(table.columns) - len(cells))
        yield f"| {' | '.join(cells)} |"


def _marked(sentence: Sentence) -> str:
    if isinstance(sentence, Gap):
        return f"**Gap:** {escaped(sentence.what)}. To fill it: {escaped(sentence.command)}"
    if isinstance(sentence, Statement):
        return f"{escaped(sentence.text)} — {escaped(sentence.by)}, {sentence.on}"
    return escaped(sentence.text)


def escaped(value: str) -> str:
    """A text as Markdown that shows it and does nothing: one line, no markup, no link, no HTML."""
    shown = _ACTS.sub(r"\\\1", foreign_text.inert(value))
    shown = shown.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    shown = re.sub(r"(?i)\b(https?|ftp|mailto|www)(?=[:.])", r"\1&#8203;", shown)
    return re.sub(r"^([-+=]|\d+[.)])", r"\\\1", shown)


def html(document: TechnicalFile) -> str:
    """The file as one HTML page without a script, that requests nothing."""
    folder = Path(__file__).parent / "templates"
    template = html_page.environment(folder).get_template("technical_file.html.j2")
    return template.render(
        document=document,
        title=title(document),
        subtitle=subtitle(document),
        gaps=[
            (section, [gap for gap in check.gaps(section)])
            for section in document.sections
            if check.gaps(section)
        ],
        anchor=anchor,
    )


def anchor(section: Section) -> str:
    """The name of the section's place on the page."""
    return "section-" + re.sub(r"[^a-z0-9]+", "-", section.id).strip("-")
