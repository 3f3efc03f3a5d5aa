"""The card as other tools and people read it: projections of the same claims, each checked when it is made.

What a target has no place for is listed in it, never left out silently or turned into a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clearance.documents.card_document import CardDocument
from clearance.reporting.card.formats import cyclonedx, html, huggingface, markdown, sagemaker, terminal
from clearance.reporting.claims.artefacts import Artefacts


@dataclass(frozen=True, kw_only=True)
class CardFormat:
    """A format: how it is rendered, and the file that the pipeline writes it to (None: it is only printed).

    `render` takes the card, the artefacts that it was made from, and the text of the locked requirements.
    """

    render: Callable[[CardDocument, Artefacts, str], str]
    file: str | None = None


def _of_card(render: Callable[[CardDocument], str]) -> Callable[[CardDocument, Artefacts, str], str]:
    return lambda card, _known, _lock: render(card)


FORMATS: Mapping[str, CardFormat] = {
    "text": CardFormat(render=_of_card(terminal.render)),
    "markdown": CardFormat(render=_of_card(markdown.render), file="card.md"),
    "html": CardFormat(render=_of_card(html.render), file="card.html"),
    "cyclonedx": CardFormat(render=cyclonedx.render, file="cyclonedx.json"),
    "huggingface": CardFormat(
        render=lambda card, known, _lock: huggingface.render(card, known), file="huggingface.md"
    ),
    "sagemaker": CardFormat(
        render=lambda card, known, _lock: sagemaker.render(card, known), file="sagemaker.json"
    ),
}
"""Every format beside `json`, by its name."""


def render_files(card: CardDocument, known: Artefacts, lock: str) -> dict[str, str]:
    """The text of every file that the pipeline writes beside the card, by its name."""
    return {form.file: form.render(card, known, lock) for form in FORMATS.values() if form.file is not None}
