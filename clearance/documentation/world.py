"""What the world added to a version after it was judged: sections of claims over entries of the ledger.

Pure. Every entry about the version is told, in the section of its kind; each sentence names its entry.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clearance import files
from clearance.documents.card_document import Section
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Source
from clearance.ledger import Entry, EntryKind, events, times
from clearance.promotion import restrictions, standing
from clearance.reporting.claims import claim
from clearance.reporting.claims.artefacts import Artefact
from clearance.reporting.claims.claim import Claim

LEDGER = "ledger"
"""The artefact of what is counted over all entries up to a time."""

TITLES: Mapping[str, str] = {
    "standing": "Where the version stands",
    "approvals": "Approvals, rejections and overrides",
    "test_set": "Use of the test set",
    "champion_history": "Champion history",
    "incidents": "Incidents",
    "restrictions": "Restrictions",
    "other_entries": "Other entries of the ledger",
}
"""The sections that are added when a card is read, with the heading of each."""

_KINDS: Mapping[EntryKind, str] = {
    EntryKind.APPROVAL: "approvals",
    EntryKind.REJECTION: "approvals",
    EntryKind.REVOCATION: "approvals",
    EntryKind.OVERRIDE: "approvals",
    EntryKind.REFUSAL: "approvals",
    EntryKind.PROMOTION: "champion_history",
    EntryKind.ROLLBACK: "champion_history",
    EntryKind.RETIREMENT: "champion_history",
    EntryKind.CHALLENGER: "champion_history",
    EntryKind.INCIDENT: "incidents",
    EntryKind.INCIDENT_REPORT: "incidents",
    EntryKind.INCIDENT_CLOSURE: "incidents",
    EntryKind.RESTRICTION: "restrictions",
    EntryKind.RESUMPTION: "restrictions",
}
"""The section of each kind of entry; every other kind about the version is in the last section."""

_WORDS: Mapping[str, str] = {
    "outcome": "Outcome",
    "reason": "Reason",
    "allowed_by": "Allowed by",
    "override_until": "Override until",
    "category": "Kind",
    "description": "What happened",
    "corrective_action": "What was corrected",
    "statement": "Statement",
}
"""What an entry may say beside who did what, by its field, with the word that stands before it."""

_NOTHING: Mapping[str, str] = {
    "approvals": "Until {at} nobody had decided about it.",
    "champion_history": "Until {at} it had never been champion.",
    "incidents": "Until {at} no incident was on record.",
    "restrictions": "Until {at} its decisions were not restricted.",
}


@dataclass(frozen=True, kw_only=True)
class LedgerUntil:
    """The entries of a model that count and were recorded until a time, in order.

    `bar` says whether the bar of the version was set before its result; None where that is not asked.
    """

    model: str
    entries: Sequence[Entry]
    at: dt.datetime
    bar: str | None = None

    @classmethod
    def of(cls, entries: Sequence[Entry], model: str, at: dt.datetime) -> LedgerUntil:
        """The ledger as it was at a time."""
        return cls(model=model, entries=[entry for entry in entries if entry.at <= at], at=at)


def artefacts(ledger: LedgerUntil, version: int) -> dict[str, Artefact]:
    """What the sections are derived from: each entry about the version, and what is counted over all."""
    known = {
        _name(entry): Artefact(
            content=_content(entry),
            sha256=entry.digest,
        )
        for entry in _about(ledger, version)
    }
    counted = _counted(ledger, version)
    return known | {LEDGER: Artefact(content=counted, sha256=files.sha256_json(counted))}


def _content(entry: Entry) -> dict[str, object]:
    """What an entry says: who did what, and the words that were given with it."""
    event = entry.event
    says = "" if event is None else event.sentence(entry.actor, entry.model)
    given = {name: getattr(event, name, None) for name in _WORDS}
    return {
        "number": entry.number,
        "at": times.for_display(entry.at),
        "says": says,
        **{
            name: list(words) if isinstance(words, tuple) else _in_words(name, words)
            for name, words in given.items()
            if words
        },
    }


def _in_words(name: str, value: object) -> str:
    """A word that the ledger has as a key, such as `insufficient_evidence`, in words; other text as it is."""
    return str(value).replace("_", " ") if name in {"outcome", "category"} else str(value)


def sections(ledger: LedgerUntil, version: int) -> tuple[Section, ...]:
    """The sections about a version as the ledger tells them."""
    known = artefacts(ledger, version)
    told: dict[str, list[Sentence]] = {key: [] for key in TITLES}
    told["standing"] += _standing(known)
    told["test_set"].append(_test_set(known))
    for entry in _about(ledger, version):
        kind = EntryKind(entry.kind) if entry.kind in list(EntryKind) else None
        told[_KINDS.get(kind, "other_entries") if kind else "other_entries"].append(_sentence(entry, known))
    for key, template in _NOTHING.items():
        if not told[key]:
            told[key].append(_say(template, "the ledger", known, at=_at_ledger("at", "text")))
    return tuple(
        Section(id=key, title=TITLES[key], sentences=tuple(sentences))
        for key, sentences in told.items()
        if sentences
    )


def _name(entry: Entry) -> str:
    return f"ledger entry {entry.number}"


def _about(ledger: LedgerUntil, version: int) -> Iterator[Entry]:
    """The entries about the version; what a change began with is told by what it ended in."""
    for entry in ledger.entries:
        event = entry.event
        if event is not None and event.about == version and not isinstance(event, events.IntentEvent):
            yield entry


def _counted(ledger: LedgerUntil, version: int) -> dict[str, object]:
    listed = {item.version: item for item in standing.candidates(list(ledger.entries), ledger.model)}
    restriction = restrictions.find(ledger.entries, version)
    last = ledger.entries[-1] if ledger.entries else None
    rows, models = _test_uses(ledger, version)
    return {
        "at": times.for_display(ledger.at),
        "entries": len(ledger.entries),
        "last": None if last is None else last.number,
        "state": listed[version].state if version in listed else None,
        "open_incidents": len(_open_incidents(ledger, version)),
        "restricted_by": [] if restriction is None else [cause.name for cause in restriction.causes],
        "bar": ledger.bar,
        "test_rows": rows,
        "test_rows_judged": models,
    }


def _open_incidents(ledger: LedgerUntil, version: int) -> set[int]:
    opened: set[int] = set()
    for entry in ledger.entries:
        event = entry.read(events.LiveEvent)
        if isinstance(event, events.IncidentEvent) and event.version == version:
            opened.add(entry.number)
        elif isinstance(event, events.IncidentClosureEvent):
            opened.discard(event.incident)
    return opened


def _test_uses(ledger: LedgerUntil, version: int) -> tuple[str | None, int]:
    """The digest of the version's test rows, and how many models they have judged by the ledger."""
    tried: dict[str, set[str]] = {}
    own: str | None = None
    fingerprints = {
        proposal.version: proposal.fingerprint
        for entry in ledger.entries
        if (proposal := entry.read(events.ProposalEvent))
    }
    for entry in ledger.entries:
        attempt, verdict = entry.read(events.AttemptEvent), entry.read(events.VerdictEvent)
        if attempt is not None:
            facts, model = attempt.attempt, attempt.fingerprint
        elif verdict is not None:
            facts, model = verdict.attempt, fingerprints.get(verdict.version) or entry.digest
        else:
            continue
        if facts is not None and facts.test_rows is not None:
            tried.setdefault(facts.test_rows, set()).add(model)
            own = facts.test_rows if verdict and verdict.version == version else own
    return own, len(tried.get(own, ())) if own else 0


def _standing(known: Mapping[str, Artefact]) -> Iterator[Sentence]:
    yield _say(
        "At {at} the version was: {state}. The ledger had {entries} entries about this model.",
        "where the version stands",
        known,
        at=_at_ledger("at", "text"),
        state=_at_ledger("state", "text"),
        entries=_at_ledger("entries", "count"),
    )
    counted = known[LEDGER].content
    if counted["bar"]:
        yield _say(
            "{bar}",
            "whether the bar was set before the result",
            known,
            bar=_at_ledger("bar", "sentence"),
        )
    if counted["open_incidents"]:
        yield _say(
            "Open incidents: {number}.",
            "open incidents",
            known,
            number=_at_ledger("open_incidents", "count"),
        )
    if counted["restricted_by"]:
        yield _say(
            "Its decisions are restricted by {causes}.",
            "restrictions in force",
            known,
            causes=_at_ledger("restricted_by", "names"),
        )


def _test_set(known: Mapping[str, Artefact]) -> Sentence:
    if known[LEDGER].content["test_rows"] is None:
        return Gap(
            what="how often its test rows judged: no entry of the ledger names them", command="clearance run"
        )
    return _say(
        "By the ledger, its test rows {rows} had judged {models} attempts at the model by {at}, this one "
        "included; the same content counts once.",
        "the use of the test set",
        known,
        rows=_at_ledger("test_rows", "digest"),
        models=_at_ledger("test_rows_judged", "count"),
        at=_at_ledger("at", "text"),
    )


def _sentence(entry: Entry, known: Mapping[str, Artefact]) -> Sentence:
    name = _name(entry)
    content = known[name].content
    given = {key: label for key, label in _WORDS.items() if key in content}
    words = "".join(f" {label}: {{{key}}}." for key, label in given.items())
    formatters = {key: "names" if isinstance(content[key], list) else "text" for key in given}
    return _say(
        f"{{says}}.{words} (entry {{number}}, {{at}})",
        name,
        known,
        says=Source(artefact=name, pointer="/says", formatter="text"),
        number=Source(artefact=name, pointer="/number", formatter="count"),
        at=Source(artefact=name, pointer="/at", formatter="text"),
        **{
            key: Source(artefact=name, pointer=f"/{key}", formatter=formatter)
            for key, formatter in formatters.items()
        },
    )


def _at_ledger(key: str, formatter: str) -> Source:
    return Source(artefact=LEDGER, pointer=f"/{key}", formatter=formatter)


def _say(template: str, about: str, known: Mapping[str, Artefact], **sources: Source) -> DerivedClaim | Gap:
    return claim.derive(Claim(template=template, sources=sources, about=about), known)
