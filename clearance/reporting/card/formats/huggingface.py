"""The card as a README of the Hugging Face Hub: `model-index` metadata above the card as Markdown.

The metadata hold numbers alone: verdict, intervals, limits and outcomes stand in the text, which says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clearance import foreign_text, wording, yaml
from clearance.documents.card_document import CardDocument
from clearance.reporting.card.formats import figures, markdown, schema_check
from clearance.reporting.card.formats.figures import Figure
from clearance.reporting.claims.artefacts import Artefacts

_SECTIONS = ("performance", "fairness")
_NAMED = {"type": "object", "required": ["type", "name"], "properties": {}}
SCHEMA = {
    "type": "object",
    "required": ["model-index"],
    "properties": {
        "library_name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "model-index": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "results"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["task", "dataset", "metrics"],
                            "additionalProperties": False,
                            "properties": {
                                "task": _NAMED,
                                "dataset": _NAMED,
                                "metrics": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["type", "value", "name"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "type": {"type": "string"},
                                            "name": {"type": "string"},
                                            "value": {"type": "number"},
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What the Hub reads of the metadata that this module writes."""


def render(card: CardDocument, known: Artefacts) -> str:
    """The README."""
    measured = [*figures.of_rules(card, known), *figures.without_rule(card, known)]
    of_model = [figure for figure in measured if figure.section in _SECTIONS and figure.value is not None]
    metadata = _metadata(card, of_model)
    lines = [
        "---",
        yaml.dumps(metadata).rstrip("\n"),
        "---",
        "",
        f"# Model card: {markdown.literal(card.name)}",
        *markdown.body(card),
        "",
        "## Not carried over into the metadata above",
        "",
        *(f"- {line}" for line in not_carried_over(measured)),
    ]
    return "\n".join(lines) + "\n"


def ensure_valid(text: str) -> None:
    """Raise IntegrityError unless the metadata of the README are what the Hub reads."""
    metadata = yaml.loads(text.split("\n---\n", 1)[0].removeprefix("---\n"))
    schema_check.ensure(metadata, SCHEMA, "the Hugging Face Hub")


def not_carried_over(measured: list[Figure]) -> Iterator[str]:
    """What `model-index` has no place for."""
    ruled = sum(figure.outcome is not None for figure in measured)
    bounded = sum(figure.low is not None for figure in measured)
    undefined = [figure for figure in measured if figure.value is None]
    elsewhere = sum(figure.section not in _SECTIONS for figure in measured)
    yield "The verdict: a number in the metadata is a measurement, not a pass."
    yield f"The limit and the outcome of {wording.counted(ruled, 'rule')}: see the tables."
    yield f"The interval of {wording.counted(bounded, 'measurement')}: see the tables."
    yield f"What was measured of the data, not of the model ({wording.counted(elsewhere, 'measurement')})."
    for figure in undefined:
        yield markdown.literal(figure.claim.text)


def _metadata(card: CardDocument, measured: list[Figure]) -> dict[str, Any]:
    results = []
    if measured:
        results.append(
            {
                "task": {"type": "tabular-classification", "name": "Binary decisions"},
                "dataset": {"type": "tabular", "name": f"Test rows of {foreign_text.inert(card.name)}"},
                "metrics": [_metric(figure) for figure in measured],
            }
        )
    return {
        "tags": ["tabular-classification"],
        "model-index": [{"name": foreign_text.inert(card.name), "results": results}],
    }


def _metric(figure: Figure) -> dict[str, Any]:
    by = f" by {figure.attribute}" if figure.attribute else ""
    return {
        "type": foreign_text.inert(figure.key),
        "name": foreign_text.inert(f"{figure.title}{by}"),
        "value": figure.value,
    }
