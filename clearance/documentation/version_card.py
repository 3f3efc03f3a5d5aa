"""The card of a version: what was signed with it, and what the ledger has added until a time.

The signed part never changes. A claim whose artefact is lost or altered becomes a gap: no number is shown
that cannot be checked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import files, ledger, params, paths, registry
from clearance.documentation import faults, version_files, world
from clearance.documentation.world import LedgerUntil
from clearance.documents.card_document import CardDocument, ClaimTable, Section
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Statement
from clearance.errors import ClearanceError
from clearance.ledger import Entry, times
from clearance.promotion import preregistration, session, version_record
from clearance.promotion.session import ReadOnlySession
from clearance.reporting.card import make, statements
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefact, Artefacts


@dataclass(frozen=True, kw_only=True)
class VersionCard:
    """The composed card of a version, the artefacts of its claims, and its locked requirements ("": lost)."""

    version: int
    at: dt.datetime
    card: CardDocument
    known: Mapping[str, Artefact]
    lock: str


def read(root: Path, number: int | None = None, at: dt.datetime | None = None) -> VersionCard:
    """The card of candidate `number` as of `at` (None: now), of the project at `root`.

    Without a number it is the champion of that time, else the newest candidate. Raises ConfigurationError
    when there was no such version then, and IntegrityError when its card is not the one that was signed.
    """
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        moment = at or reader.now()
        until = LedgerUntil.of(reader.entries(name), name, moment)
        version = number if number is not None else default_version(until)
        ensure_proposed(until, reader.entries(name), version)
        return _read(reader, registry.connect(), until, version)


def default_version(until: LedgerUntil) -> int:
    """The champion of that time, else the newest candidate. Raises ConfigurationError where there is none."""
    if tenure := ledger.champion_at(until.entries, until.model, until.at):
        return tenure.version
    proposed = _proposals(until.entries)
    if not proposed:
        raise _no_version(until)
    return max(proposed)


def ensure_proposed(until: LedgerUntil, entries: Sequence[Entry], version: int) -> None:
    """Raise ConfigurationError unless the version was proposed by then; `entries` is the whole ledger."""
    if version in _proposals(until.entries):
        return
    proposals = _proposals(entries)
    if not proposals:
        raise _no_version(until)
    if version not in proposals:
        raise faults.NO_SUCH_VERSION(version=version, name=until.model, newest=max(proposals))
    raise faults.NOT_PROPOSED_THEN(
        version=version,
        name=until.model,
        proposed=times.for_display(proposals[version]),
        at=times.for_display(until.at),
    )


def _proposals(entries: Sequence[Entry]) -> dict[int, dt.datetime]:
    """When each version was first proposed, by its number."""
    proposals = [(entry.at, event) for entry in entries if (event := entry.read(ledger.events.ProposalEvent))]
    return {event.version: at for at, event in reversed(proposals)}


def _no_version(until: LedgerUntil) -> ClearanceError:
    return faults.NO_VERSION_YET(name=until.model, then=f"by {times.for_display(until.at)}")


def _read(
    reader: ReadOnlySession, server: registry.MlflowServer, until: LedgerUntil, version: int
) -> VersionCard:
    record = version_record.fold(reader.entries(until.model), until.model, version, reader.roles)
    names = (paths.CARD, *make.READ, paths.REQUIREMENTS_LOCK)
    with version_files.fetched(reader, server, record, names) as fetched:
        if paths.CARD.as_posix() not in fetched.bundle.evidence.outs:
            raise faults.NO_CARD(version=fetched.version, number=version)
        evidence = fetched.bundle.evidence
        bar = preregistration.of_version(
            until.entries,
            version,
            list(fetched.bundle.files.values()),
            files.sha256_text(evidence.judged.text),
        )
        until = replace(until, bar=str(bar))
        try:
            signed = CardDocument.read(fetched.folder)
        except ClearanceError as error:
            why = fetched.lost.get(paths.CARD.as_posix(), error.fault)
            raise faults.CARD_LOST(version=fetched.version, why=why) from None
        known = artefacts.read(fetched.folder, make.READ)
        lock = fetched.folder / paths.REQUIREMENTS_LOCK
        text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    return VersionCard(
        version=version,
        at=until.at,
        card=compose(without_lost(signed, known), until, version),
        known=known | world.artefacts(until, version),
        lock=text,
    )


def compose(card: CardDocument, until: LedgerUntil, version: int) -> CardDocument:
    """The card with the sections that the ledger adds, those first that say where the version stands."""
    added = world.sections(until, version)
    digests = {name: artefact.sha256 for name, artefact in world.artefacts(until, version).items()}
    signed = tuple(_with_dates_ahead(section, until.at.date()) for section in card.sections)
    first = tuple(section for section in added if section.id == "standing")
    rest = tuple(section for section in added if section.id != "standing")
    return replace(card, sections=(*first, *signed, *rest), artefacts={**card.artefacts, **digests})


def _with_dates_ahead(section: Section, day: dt.date) -> Section:
    """The section, with a gap after each statement that is dated later than the day on which it is read."""
    sentences: list[Sentence] = []
    for sentence in section.sentences:
        sentences.append(sentence)
        if isinstance(sentence, Statement) and statements.is_dated_ahead(
            dt.date.fromisoformat(sentence.on), day
        ):
            what = f"what {sentence.by} stated is dated {sentence.on}, which was still to come"
            command = f"correct the day in {paths.CARD_TEXT}, and run `clearance run`"
            sentences.append(Gap(what=what, command=command))
    return replace(section, sentences=tuple(sentences))


def without_lost(card: CardDocument, known: Artefacts) -> CardDocument:
    """The card, with a gap in the place of each sentence whose artefact is not what it was derived from."""
    lost = {path for path, digest in card.artefacts.items() if _digest(known, path) != digest}
    return replace(card, sections=tuple(_section_without(section, lost) for section in card.sections))


def _digest(known: Artefacts, path: str) -> str | None:
    return known[path].sha256 if path in known else None


def _section_without(section: Section, lost: set[str]) -> Section:
    return replace(
        section,
        sentences=tuple(_without(sentence, lost) for sentence in section.sentences),
        tables=tuple(_table_without(table, lost) for table in section.tables),
    )


def _table_without(table: ClaimTable, lost: set[str]) -> ClaimTable:
    rows: tuple[Any, ...] = tuple(_without(row, lost) for row in table.rows)
    return replace(table, rows=rows)


def _without(sentence: Sentence, lost: set[str]) -> Sentence:
    if isinstance(sentence, DerivedClaim):
        cited = sorted(lost & set(sentence.digests))
    elif isinstance(sentence, Statement):
        cited = sorted(lost & {sentence.source.artefact})
    else:
        cited = []
    if not cited:
        return sentence
    what = f"a sentence that rests on {cited[0]}, which is lost or is not what was signed"
    return Gap(what=what, command="restore the files of the version's run in MLflow from a backup")
