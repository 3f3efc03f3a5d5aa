"""A draft of `card.yaml`: every section, empty, with what belongs there. It states nothing about a model."""

from __future__ import annotations

from clearance.drafting import params_text

_SECTIONS = {
    "intended_use": "what the model is for, and who uses it",
    "out_of_scope": "what it must not be used for",
    "limits": "what is known not to work",
    "mitigation": "what is done about unfairness",
    "ethical_considerations": "who may be harmed, and how",
    "contacts": "whom to ask",
}


def text(name: str) -> str:
    """The draft for the model of this name."""
    width = max(map(len, _SECTIONS))
    lines = [
        "# What people state about the model, for its card (docs/model-card.md). Each sentence has the form",
        "# {text: TEXT, by: NAME, on: YYYY-MM-DD}. A section without a sentence is a gap in the card.",
        f"model: {params_text.scalar(name)}",
        *(f"{key}: []{' ' * (width - len(key))}  # {meaning}" for key, meaning in _SECTIONS.items()),
    ]
    return "\n".join(lines) + "\n"
