"""`card.yaml`: the sentences of a model card that people write and put their name to.

Reads and checks the file. It judges no sentence; who may write one is for the owners of the file to say.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from clearance import foreign_text, params, paths, validation_messages
from clearance.reporting import faults

LONGEST = 20_000
"""The largest number of characters of a sentence."""


def _visible(text: str) -> str:
    if not foreign_text.is_visible(text):
        raise ValueError("it shows nothing")
    return text


VisibleText = Annotated[str, Field(max_length=LONGEST), AfterValidator(_visible)]


class WrittenSentence(params.Section):
    """A sentence with the person who wrote it, and the day."""

    text: VisibleText
    by: Annotated[str, Field(max_length=200), AfterValidator(_visible)]
    on: dt.date


Sentences = tuple[WrittenSentence, ...]

TechnicalTopic = Literal[
    "provider",
    "interaction",
    "hardware",
    "forms",
    "instructions",
    "design",
    "compute",
    "data_provenance",
    "data_date",
    "oversight",
    "predetermined_changes",
    "cybersecurity",
    "risks",
    "metrics",
    "risk_management",
    "standards",
    "declaration",
    "distribution_date",
]
"""What only the technical file needs to have stated: docs/technical-file.md."""


class CardText(params.Section):
    """The content of `card.yaml`: the model that it is about, and what people state in each section."""

    model: str | None = None
    intended_use: Sentences = ()
    out_of_scope: Sentences = ()
    limits: Sentences = ()
    mitigation: Sentences = ()
    ethical_considerations: Sentences = ()
    contacts: Sentences = ()
    technical_file: dict[TechnicalTopic, Sentences] = Field(default_factory=dict)


def load(path: Path = paths.CARD_TEXT) -> CardText:
    """Read the file; an empty one states nothing.

    Raises ConfigurationError when it is missing, or is not what `CardText` says.
    """
    if not path.is_file():
        raise faults.CARD_TEXT_MISSING(path=path)
    content = params.read_yaml(path) if path.read_text(encoding="utf-8").strip() else {}
    try:
        return CardText.model_validate(content)
    except ValidationError as error:
        problems = validation_messages.describe(error, CardText)
        raise faults.CARD_TEXT_NOT_VALID(path=path.name, problems=problems) from None
