"""The card as the content of an Amazon SageMaker model card.

Its schema is written here from the public documentation. It holds no interval, limit or outcome of a
measurement, and cuts text: those stand in notes, and what is cut is listed as not carried over.
"""

from __future__ import annotations

import json
from typing import Any

from clearance import foreign_text, wording
from clearance.documents.card_document import CardDocument
from clearance.documents.sentences import Gap
from clearance.reporting.card.formats import figures, schema_check, terminal
from clearance.reporting.card.formats.figures import Figure
from clearance.reporting.card.measured import TRAINING, VERDICT, value
from clearance.reporting.claims.artefacts import Artefacts

LONGEST = 100_000
"""The largest number of characters of the content."""
_SHORT, _LONG = 1024, 2048


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


_METRIC = {
    **_object(
        name=_text(255),
        notes=_text(_LONG),
        type={"enum": ["number", "string", "boolean"]},
        value={"type": ["number", "string", "boolean"]},
    ),
    "required": ["name", "type", "value"],
}
SCHEMA = _object(
    model_overview=_object(
        model_name=_text(_SHORT),
        model_description=_text(_SHORT),
        problem_type={"type": "string"},
        algorithm_type=_text(_SHORT),
    ),
    intended_uses=_object(
        purpose_of_model=_text(_LONG),
        intended_uses=_text(_LONG),
        factors_affecting_model_efficiency=_text(_LONG),
        risk_rating={"enum": ["High", "Medium", "Low", "Unknown"]},
        explanations_for_risk_rating=_text(_LONG),
    ),
    training_details=_object(training_observations=_text(_SHORT)),
    evaluation_details={
        "type": "array",
        "items": {
            **_object(
                name=_text(_SHORT),
                evaluation_observation=_text(_LONG),
                metric_groups={
                    "type": "array",
                    "items": {
                        **_object(
                            name=_text(63), metric_data={"type": "array", "minItems": 1, "items": _METRIC}
                        ),
                        "required": ["name", "metric_data"],
                    },
                },
            ),
            "required": ["name"],
        },
    },
    additional_information=_object(
        ethical_considerations=_text(_LONG),
        caveats_and_recommendations=_text(_LONG),
        custom_details={"type": "object", "additionalProperties": _text(_LONG)},
    ),
)
"""What SageMaker reads of the content that this module writes."""


def render(card: CardDocument, known: Artefacts) -> str:
    """The content as JSON."""
    cut: list[str] = []
    return json.dumps(_content(card, known, cut), ensure_ascii=False, indent=1) + "\n"


def ensure_valid(text: str) -> None:
    """Raise IntegrityError unless the text is content that SageMaker reads."""
    schema_check.ensure(json.loads(text), SCHEMA, "Amazon SageMaker")


def _content(card: CardDocument, known: Artefacts, cut: list[str]) -> dict[str, Any]:
    sections = {
        section.id: " ".join(terminal.words(sentence) for sentence in section.sentences)
        for section in card.sections
    }

    def within(section: str, longest: int) -> str:
        text = sections.get(section, "")
        if len(text) > longest:
            cut.append(section)
        return text if len(text) <= longest else f"{text[: longest - 1]}…"

    estimator = foreign_text.inert(str(value(known, TRAINING, "estimator") or "unknown"))
    verdict = foreign_text.inert(str(value(known, VERDICT, "verdict") or "none").replace("_", " "))
    ruled, others = figures.of_rules(card, known), figures.without_rule(card, known)
    groups = [
        {"name": name, "metric_data": [_metric(figure) for figure in listed]}
        for name, listed in (("what rules read", ruled), ("what no rule reads", others))
        if listed
    ]
    placed = {"intended_use", "limits", "ethical_considerations", "details", "mitigation"}
    custom = {name: within(name, _LONG) for name in sections if name not in placed}
    content = {
        "model_overview": {
            "model_name": foreign_text.inert(card.name)[:_SHORT],
            "model_description": within("details", _SHORT),
            "problem_type": "Binary Classification",
            "algorithm_type": estimator[:_SHORT],
        },
        "intended_uses": {
            "intended_uses": within("intended_use", _LONG),
            "factors_affecting_model_efficiency": within("limits", _LONG),
            "risk_rating": "Unknown",
            "explanations_for_risk_rating": f"Nobody rates risk here. The verdict is: {verdict}.",
        },
        "training_details": {"training_observations": within("mitigation", _SHORT)},
        "evaluation_details": [
            {
                "name": "test rows",
                "evaluation_observation": f"Verdict: {verdict}. A metric is a measurement, not a pass.",
                "metric_groups": groups,
            }
        ],
        "additional_information": {
            "ethical_considerations": within("ethical_considerations", _LONG),
            "custom_details": custom,
        },
    }
    custom["not_carried_over"] = _shortened(_not_carried_over(card, cut, [*ruled, *others]))
    return _within_limit(content, custom)


def _within_limit(content: dict[str, Any], custom: dict[str, str]) -> dict[str, Any]:
    """The content without what no rule reads, where all of it is longer than SageMaker takes."""
    if len(json.dumps(content, ensure_ascii=False)) > LONGEST:
        evaluation = content["evaluation_details"][0]
        dropped = evaluation["metric_groups"].pop()
        custom["not_carried_over"] = _shortened(
            f"{wording.counted(len(dropped['metric_data']), 'measurement')} of the group {dropped['name']}: "
            f"at most {wording.count(LONGEST)} characters fit; {custom['not_carried_over']}"
        )
    return content


def _not_carried_over(card: CardDocument, cut: list[str], measured: list[Figure]) -> str:
    lines = [
        "a metric has no interval, limit or outcome in SageMaker: those are in its notes",
        "the tables of groups and of features, and the source of each sentence: reports/card.json has them",
    ]
    undefined = sum(figure.value is None for figure in measured)
    if undefined:
        lines.append(f"{wording.counted(undefined, 'undefined measurement')}: text in the place of a number")
    gaps = sum(isinstance(sentence, Gap) for section in card.sections for sentence in section.sentences)
    if gaps:
        lines.append(f"{wording.counted(gaps, 'gap')} of the card, which the text marks with [GAP]")
    if cut:
        lines.append(f"the end of the sections {wording.join_names(dict.fromkeys(cut))}, which are longer")
    return "; ".join(lines)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _metric(figure: Figure) -> dict[str, Any]:
    by = f" by {figure.attribute}" if figure.attribute else ""
    name = foreign_text.inert(f"{figure.title}{by}")
    number = figure.value is not None
    return {
        "name": name if len(name) <= 255 else f"{name[:254]}…",
        "notes": _shortened(terminal.words(figure.claim)),
        "type": "number" if number else "string",
        "value": figure.value if number else _shortened(foreign_text.inert(figure.claim.values["measured"])),
    }
