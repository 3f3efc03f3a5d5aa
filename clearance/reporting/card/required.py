"""Whether a card holds what a policy requires of it: pure, for a release, a status and a check."""

from __future__ import annotations

import datetime as dt

from clearance import paths, wording
from clearance.documents.card_document import CardDocument, Section
from clearance.documents.sentences import Gap, Statement
from clearance.policy.document_terms import DocumentTerms
from clearance.reporting.card import statements
from clearance.reporting.claims import check


def lacking(card: CardDocument | None, terms: DocumentTerms, day: dt.date) -> str | None:
    """Which required sections have a gap on `day`, in words; what is missing where it is one alone.

    None where none has. Without a card every section is a gap.
    """
    if card is None:
        return f"there is no {paths.CARD.as_posix()} that can be read (run the pipeline again)"
    sections = {section.id: section for section in card.sections}
    found = {name: _first_gap(sections.get(name), terms, day) for name in terms.required}
    gaps = {name: gap for name, gap in found.items() if gap}
    if len(gaps) > 1:
        return wording.join_names(list(gaps))
    return next((f"{name} ({gap.what})" for name, gap in gaps.items()), None)


def _first_gap(section: Section | None, terms: DocumentTerms, day: dt.date) -> Gap | None:
    """The first gap of a section; a statement that no longer counts on `day` is one."""
    if section is None or not (section.sentences or section.tables):
        return Gap(what="the card has no such section", command="clearance run")
    if gaps := check.gaps(section):
        return gaps[0]
    for sentence in section.sentences:
        if not isinstance(sentence, Statement):
            continue
        on = dt.date.fromisoformat(sentence.on)
        if statements.is_dated_ahead(on, day):
            what = f"what {sentence.by} stated is dated {sentence.on}, which is still to come"
            return Gap(what=what, command=f"correct the day in {paths.CARD_TEXT}")
        if terms.is_outdated(on, day):
            what = f"what {sentence.by} stated on {sentence.on} is older than {terms.valid_days} days"
            return Gap(what=what, command=f"confirm it in {paths.CARD_TEXT}")
    return None
