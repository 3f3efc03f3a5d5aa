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
    `ensure_valid` raises IntegrityError where the text is not what its target reads.
    """

    render: Callable[[CardDocument, Artefacts, str], str]
    file: str | None = None
    ensure_valid: Callable[[str], None] = lambda _: None

    def checked(self, card: CardDocument, known: Artefacts, lock: str) -> str:
        """The text, valid for its target. Raises IntegrityError where it is not."""
        text = self.render(card, known, lock)
        self.ensure_valid(text)
        return text


FORMATS: Mapping[str, CardFormat] = {
    "text": CardFormat(render=lambda card, _known, _lock: terminal.render(card)),
    "markdown": CardFormat(render=lambda card, _known, _lock: markdown.render(card), file="card.md"),
    "html": CardFormat(render=lambda card, _known, _lock: html.render(card), file="card.html"),
    "cyclonedx": CardFormat(
        render=cyclonedx.render, file="cyclonedx.json", ensure_valid=cyclonedx.ensure_valid
    ),
    "huggingface": CardFormat(
        render=lambda card, known, _lock: huggingface.render(card, known),
        file="huggingface.md",
        ensure_valid=huggingface.ensure_valid,
    ),
    "sagemaker": CardFormat(
        render=lambda card, known, _lock: sagemaker.render(card, known),
        file="sagemaker.json",
        ensure_valid=sagemaker.ensure_valid,
    ),
}
"""Every format beside `json`, by its name."""


def texts(card: CardDocument, known: Artefacts, lock: str) -> dict[str, str]:
    """The text of every file that the pipeline writes beside the card, by its name."""
    return {form.file: form.render(card, known, lock) for form in FORMATS.values() if form.file is not None}


def ensure_valid(written: Mapping[str, str]) -> None:
    """Raise IntegrityError where a text, by the name of its file, is not what its target reads."""
    for form in FORMATS.values():
        if form.file is not None:
            form.ensure_valid(written[form.file])
