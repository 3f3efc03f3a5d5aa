"""The technical file as text, Markdown or one HTML page. Pure; every text from outside is inert.

The same sentences stand in each format. A gap is marked in all of them, and a statement always carries who
wrote it and when.
"""

from __future__ import annotations

import re
from pathlib import Path

from clearance import foreign_text, wording
from clearance.documents.card_document import Section
from clearance.documents.technical_file_document import TechnicalFile
from clearance.reporting import html_page
from clearance.reporting.card.formats import markdown as card_markdown
from clearance.reporting.card.formats import terminal
from clearance.reporting.claims import check, formatters

_TEMPLATES = Path(__file__).parent / "templates"
_SHARED = Path(__file__).parent.parent / "card" / "templates"


_FREE = frozenset(
    {
        *("category", "description", "digest", "evidence", "fact", "feature", "group", "library", "name"),
        *("parameter", "path", "reason", "rule", "sha256", "source", "text", "topic", "value"),
    }
)
"""Columns of text and digests, which may break anywhere; a number or a date never does."""


def title(document: TechnicalFile) -> str:
    """The heading of the file."""
    return foreign_text.inert(f"Technical file: {document.name} version {document.version}")


def subtitle(document: TechnicalFile) -> str:
    """What the file is, as of when, and how much is missing."""
    moment = document.at[:19].replace("T", " ")
    return (
        f"After Annex IV of Regulation (EU) 2024/1689 (AI Act), as of {moment} UTC; "
        f"{wording.counted(len(check.gaps(document)), 'gap')}. It is not legal advice."
    )


def text(document: TechnicalFile) -> str:
    """The file for a terminal: every row of a table is a sentence."""
    lines = [title(document), subtitle(document)]
    for section in document.sections:
        lines += ["", section_text(section).rstrip("\n")]
    return "\n".join(lines) + "\n"


def markdown(document: TechnicalFile) -> str:
    """The file as Markdown, in which text from outside stays text."""
    lines = [f"# {card_markdown.literal(title(document))}", "", card_markdown.literal(subtitle(document))]
    for section in document.sections:
        lines += card_markdown.section_lines(section)
    return "\n".join(lines) + "\n"


def section_text(section: Section) -> str:
    """One section for a terminal; its heading is as Annex IV numbers it."""
    return "\n".join([section.title, *list(terminal.section_lines(section))[2:]]) + "\n"


def section_markdown(section: Section) -> str:
    """One section as Markdown."""
    return "\n".join(list(card_markdown.section_lines(section))[1:]) + "\n"


def html(document: TechnicalFile) -> str:
    """The file as one HTML page without a script, that requests nothing."""
    template = html_page.environment(_TEMPLATES, _SHARED).get_template("technical_file.html.j2")
    return template.render(
        document=document,
        title=title(document),
        subtitle=subtitle(document),
        anchor=anchor,
        gaps=check.gaps,
        free=_FREE,
        outcomes=tuple(formatters.OUTCOMES.values()),
    )


def anchor(section: Section) -> str:
    """The name of the section's place on the page."""
    return "section-" + re.sub(r"[^a-z0-9]+", "-", section.id).strip("-")
