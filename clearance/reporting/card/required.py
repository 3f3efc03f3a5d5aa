"""Whether a card holds what a policy requires of it: pure, for a release, a status and a check."""

from __future__ import annotations

import datetime as dt

from clearance import paths, wording
from clearance.documents.card_document import CardDocument, Section
from clearance.documents.sentences import Gap, Statement
from clearance.policy.document_terms import DocumentTerms
from clearance.reporting.claims import check


def lacking(card: CardDocument | None, terms: DocumentTerms, day: dt.date) -> str | None:
    """Which required sections have a gap on `day`, in words, with the first step that fills each.

    None where none has. Without a card every section is a gap.
    """
    if card is None:
        return f"there is no {paths.CARD.as_posix()} that can be read (run the pipeline again)"
    sections = {section.id: section for section in card.sections}
    gaps = {name: _first_gap(sections.get(name), terms, day) for name in terms.required}
    phrases = [f"{name} ({gap.what}: {gap.command})" for name, gap in gaps.items() if gap]
    return wording.join_names(phrases) if phrases else None


def _first_gap(section: Section | None, terms: DocumentTerms, day: dt.date) -> Gap | None:
    """The first gap of a section; a statement that no longer counts on `day` is one."""
    if section is None or not (section.sentences or section.tables):
        return Gap(what="the card has no such section", command="clearance run")
    if gaps := check.gaps(section):
        return gaps[0]
    for sentence in section.sentences:
        if isinstance(sentence, Statement) and terms.is_outdated(dt.date.fromisoformat(sentence.on), day):
            what = f"what {sentence.by} stated on {sentence.on} is older than {terms.valid_days} days"
            return Gap(what=what, command=f"confirm it in {paths.CARD_TEXT}")
    return None
