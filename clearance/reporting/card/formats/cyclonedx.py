"""The card as a CycloneDX 1.6 ML-BOM: the model with its card, and the locked packages as components.

Validated offline against the strict schema of cyclonedx-python-lib. It holds no time and no random number, so
the same card gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from clearance import files, foreign_text, wording
from clearance.documents.card_document import CardDocument, Section
from clearance.documents.sentences import Gap
from clearance.reporting import faults
from clearance.reporting.card.formats import figures, locked_packages, terminal
from clearance.reporting.card.formats.figures import Figure
from clearance.reporting.card.measured import EXPLANATION, ORIGIN, TRAINING, VERDICT, value
from clearance.reporting.claims.artefacts import Artefacts

_PREFIX = "clearance:"
_PLACED = {"intended_use", "out_of_scope", "limits", "ethical_considerations"}
"""Sections for which a CycloneDX model card has a place of its own."""


def render(card: CardDocument, known: Artefacts, lock: str) -> str:
    """The BOM as JSON."""
    return json.dumps(_bom(card, known, lock), ensure_ascii=False, indent=1) + "\n"


def ensure_valid(text: str) -> None:
    """Raise IntegrityError unless the text is a CycloneDX 1.6 document, by the strict schema."""
    from cyclonedx.schema import SchemaVersion  # only where a BOM is made
    from cyclonedx.validation.json import JsonStrictValidator

    if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        reason = " ".join(str(error.data.message if hasattr(error.data, "message") else error).split())[:200]
        raise faults.CARD_FORMAT_NOT_VALID(target="CycloneDX 1.6", place="the BOM", reason=reason)


def _bom(card: CardDocument, known: Artefacts, lock: str) -> dict[str, Any]:
    content = files.sha256_json([card.name, dict(card.artefacts), files.sha256_text(lock)])
    packages = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{package.name.lower()}@{package.version}",
            "name": package.name,
            "version": package.version,
            "purl": f"pkg:pypi/{package.name.lower()}@{package.version}",
            **(
                {"hashes": [{"alg": "SHA-256", "content": sha256} for sha256 in package.sha256]}
                if package.sha256
                else {}
            ),
        }
        for package in locked_packages.parse(lock)
    ]
    model = _model(card, known)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(content[:32], version=4)}",
        "version": 1,
        "metadata": {"component": model},
        "components": packages,
        "dependencies": [{"ref": "model", "dependsOn": sorted({item["bom-ref"] for item in packages})}],
    }


def _model(card: CardDocument, known: Artefacts) -> dict[str, Any]:
    sha256 = value(known, TRAINING, "model", "sha256")
    hashes = {"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": foreign_text.inert(card.name),
        **hashes,
        "modelCard": {
            "modelParameters": _parameters(known),
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(card, known))},
            "considerations": _considerations(card),
            "properties": [
                {"name": f"{_PREFIX}{name}", "value": text} for name, text in _properties(card, known)
            ],
        },
    }


def _parameters(known: Artefacts) -> dict[str, Any]:
    estimator = value(known, TRAINING, "estimator")
    origin = value(known, ORIGIN, "sha256")
    return {
        "approach": {"type": "supervised"},
        "task": "classification",
        **({"modelArchitecture": foreign_text.inert(estimator)} if estimator else {}),
        **({"datasets": [{"type": "dataset", "name": f"table with SHA-256 {origin}"}]} if origin else {}),
        "inputs": [{"format": "table"}],
        "outputs": [{"format": "decision"}],
    }


def _metrics(card: CardDocument, known: Artefacts) -> Iterator[dict[str, Any]]:
    """Every number that was measured; an undefined one is among the properties."""
    for figure in (*figures.of_rules(card, known), *figures.without_rule(card, known)):
        if figure.value is None:
            continue
        metric: dict[str, Any] = {
            "type": foreign_text.inert(figure.title),
            "value": wording.plain(figure.value),
        }
        if figure.attribute:
            metric["slice"] = foreign_text.inert(figure.attribute)
        if figure.low is not None and figure.high is not None:
            metric["confidenceInterval"] = {
                "lowerBound": wording.plain(figure.low),
                "upperBound": wording.plain(figure.high),
            }
        yield metric


def _considerations(card: CardDocument) -> dict[str, Any]:
    sections = {section.id: _lines(section) for section in card.sections}
    return {
        "useCases": [
            *sections.get("intended_use", []),
            *(f"Out of scope: {line}" for line in sections.get("out_of_scope", [])),
        ],
        "technicalLimitations": sections.get("limits", []),
        "ethicalConsiderations": [{"name": line} for line in sections.get("ethical_considerations", [])],
    }


def _lines(section: Section) -> list[str]:
    """The sentences of a section, a gap too, in words."""
    return [terminal.words(sentence) for sentence in section.sentences]


def _properties(card: CardDocument, known: Artefacts) -> Iterator[tuple[str, str]]:
    """What a CycloneDX model card has no field for, and what it has no place for at all."""
    yield "verdict", foreign_text.inert(str(value(known, VERDICT, "verdict") or "none"))
    for figure in figures.of_rules(card, known):
        yield f"outcome:{foreign_text.inert(figure.claim.values['rule'])}", terminal.words(figure.claim)
    for section in card.sections:
        if section.id not in _PLACED:
            for line in _lines(section):
                yield f"section:{section.id}", line
        for table in section.tables:
            for row in table.rows:
                if isinstance(row, Gap):
                    yield f"gap:{section.id}", terminal.words(row)
    for line in not_carried_over(figures.without_rule(card, known), known):
        yield "not_carried_over", line


def not_carried_over(measured: list[Figure], known: Artefacts) -> Iterator[str]:
    """What a CycloneDX model card cannot hold as what it is."""
    yield "a metric has no limit and no outcome: those are properties here, and no metric is a pass"
    yield "the artefact and the pointer that each sentence was derived from: reports/card.json has them"
    yield "the sizes of groups and their rates: reports/card.json has them"
    if value(known, EXPLANATION, "importance"):
        yield "the importance of features: reports/card.json has it"
    for figure in measured:
        if figure.value is None:
            yield terminal.words(figure.claim)
