"""What will be a gap in the model card, known before a run: from `card.yaml` and the policy alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from clearance import params, paths, wording
from clearance.documents import card_document
from clearance.errors import ClearanceError
from clearance.policy.schema import Policy
from clearance.preflight import faults
from clearance.preflight.problem import Problem, warning
from clearance.reporting.card import card_text, statements

MOST_READ = 2_000
"""The most characters of a sentence that are taken without a warning."""


def check(root: Path, name: str, policy: Policy | None, as_of: dt.date) -> Iterator[Problem]:
    """What is wrong with `card.yaml`, and which sections that the policy requires will have a gap."""
    path = paths.CARD_TEXT
    yield from _check_sentences(root / path, dt.datetime.now(dt.UTC).date())
    try:
        text = card_text.load(root / path)
    except ClearanceError as error:
        yield Problem(error=error)
        return
    if text.model is not None and text.model != name:
        yield warning(faults.CARD_OF_ANOTHER_MODEL(path=path, stated=text.model, name=name))
        return
    terms = policy.documents_on(as_of) if policy else None
    if terms is None:
        return
    written = {key: getattr(text, key) for key in terms.required if key in card_document.WRITTEN}
    if empty := [key for key, sentences in written.items() if not sentences]:
        yield warning(faults.CARD_SECTION_EMPTY(path=path, sections=wording.join_names(empty)))
    for key, sentences in written.items():
        for sentence in sentences:
            if terms.is_outdated(sentence.on, as_of):
                yield warning(
                    faults.CARD_SENTENCE_OUTDATED(
                        path=path, section=key, by=sentence.by, on=sentence.on, days=terms.valid_days
                    )
                )


def _check_sentences(file: Path, today: dt.date) -> Iterator[Problem]:
    """What is wrong with single sentences, also in a file that is not valid as a whole."""
    try:
        content = params.read_yaml(file)
    except ClearanceError:
        return
    topics = content.get("technical_file")
    sections = {**content, **(topics if isinstance(topics, dict) else {})}
    for section, sentences in sections.items():
        for sentence in sentences if isinstance(sentences, list) else ():
            if not isinstance(sentence, dict):
                continue
            on, text = _day(sentence.get("on")), str(sentence.get("text", ""))
            about = {"path": paths.CARD_TEXT, "section": section, "by": sentence.get("by", "somebody")}
            if on is not None and statements.is_dated_ahead(on, today):
                yield Problem(error=faults.CARD_SENTENCE_AHEAD(on=on, **about))
            if len(text) > MOST_READ:
                length = wording.count(len(text))
                yield warning(
                    faults.CARD_SENTENCE_LONG(length=length, most=wording.count(MOST_READ), **about)
                )


def _day(value: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        return None
