"""What named people state in `card.yaml`, as statements of the technical file; gaps where nobody does.

A statement is repeated word for word, with who wrote it and when. One about another model, and one that the
policy no longer lets count, is a gap.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from clearance.documents.sentences import Gap, Reference, Sentence, Statement
from clearance.reporting.card import measured
from clearance.reporting.card.card_text import TechnicalTopic
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import Subject

KEY = "technical_file"
"""The key of `card.yaml` under which the statements stand that only the technical file needs."""

TOPICS: Mapping[TechnicalTopic, str] = {
    "provider": "who provides the system",
    "interaction": "which other hardware and software it works with",
    "hardware": "the hardware that it runs on",
    "forms": "the forms in which it is put into service, and its user interface",
    "instructions": "the instructions for deployers",
    "design": "the design choices and assumptions",
    "compute": "the computing resources used",
    "data_provenance": "where the data came from, and how it was collected and labelled",
    "data_date": "the date of the data",
    "oversight": "how people oversee the system",
    "predetermined_changes": "the changes that were determined in advance",
    "cybersecurity": "the measures of cybersecurity",
    "risks": "the foreseeable unintended outcomes and risks",
    "metrics": "why these metrics are appropriate",
    "risk_management": "the risk management system",
    "standards": "the harmonised standards that were applied, or what was done instead",
    "declaration": "the EU declaration of conformity",
    "distribution_date": "the day on which the tool was first used",
}
"""What may be stated under `technical_file`, and what each answers."""


def of_topic(topic: TechnicalTopic, known: Artefacts, subject: Subject) -> Iterator[Sentence]:
    """What is stated about a topic, or the gap in its place."""
    yield from _statements(sources.PRESENT_CARD_TEXT, (KEY, topic), TOPICS[topic], known, subject)


def of_card(section: str, what: str, known: Artefacts, subject: Subject) -> Iterator[Sentence]:
    """What is stated in a section of the model card, or the gap in its place."""
    yield from _statements(sources.CARD_TEXT, (section,), what, known, subject)


def _statements(
    file: str, keys: tuple[str, ...], what: str, known: Artefacts, subject: Subject
) -> Iterator[Sentence]:
    rerun = ", then `clearance run`" if file == sources.CARD_TEXT else ""
    command = f"write `{'.'.join(keys)}` in {sources.CARD_TEXT}" + rerun
    listed = enumerate(sources.items(known, file, *keys))
    written = [(index, item) for index, item in listed if _is_whole(item)]
    stated = [(index, item) for index, item in written if _day_of(item) <= subject.day]
    model = measured.value(known, file, "model")
    if not stated:
        late = f"; what is in {sources.CARD_TEXT} was stated after {subject.day}" if written else ""
        yield Gap(what=f"nobody has stated {what}{late}", command=command)
        return
    if model is not None and model != subject.name:
        yield Gap(what=f"{what}: stated for another model than {subject.name}", command=command)
        return
    for index, item in stated:
        yield Statement(
            text=item["text"],
            by=item["by"],
            on=item["on"],
            source=Reference(artefact=file, pointer=artefacts.pointer(*keys, index)),
            digest=known[file].sha256,
        )
        days = subject.valid_days
        if days is not None and subject.day - _day_of(item) > dt.timedelta(days=days):
            stale = f"{what}: what {item['by']} stated on {item['on']} is older than {days} days"
            yield Gap(what=stale, command=f"write it again in {sources.CARD_TEXT}, with the new day")


def _day_of(item: Mapping[str, str]) -> dt.date:
    return dt.date.fromisoformat(item["on"])


def _is_whole(item: Any) -> bool:
    """Whether it is a sentence with its author and its day."""
    if not isinstance(item, Mapping) or not all(isinstance(item.get(k), str) for k in ("text", "by", "on")):
        return False
    try:
        dt.date.fromisoformat(item["on"])
    except ValueError:
        return False
    return bool(item["text"].strip() and item["by"].strip())
