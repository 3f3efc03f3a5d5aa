"""The card as one page that loads nothing and holds no script."""

from __future__ import annotations

from pathlib import Path

from clearance.documents.card_document import CardDocument
from clearance.reporting import html_page
from clearance.reporting.claims import check

_TEMPLATES = Path(__file__).parent.parent / "templates"


def render(card: CardDocument) -> str:
    """The page: the same bytes for the same card, and all text escaped."""
    template = html_page.environment(_TEMPLATES).get_template("card.html.j2")
    return template.render(card=card, gaps=len(check.gaps(card)))
