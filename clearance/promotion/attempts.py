"""How often a model name was tried since its last promotion: models that were judged, promoted or not.

An attempt is a model that was judged, told from others by the digest of its content, whatever its seed, rows,
candidate or parameters. Its number is its place in the ledger, and never changes. Releases record there what
the tracking server knows and the ledger does not, so that deleting a run hides nothing.
"""

from __future__ import annotations

import datetime as dt
import os
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clearance import foreign_text, paths, registry, wording
from clearance.documents.measurement import Outcome
from clearance.ledger import Entry, EntryKind, events, settings
from clearance.policy.attempt_terms import AttemptTerms
from clearance.promotion.session import LedgerSession, open_read_only
from clearance.trust.roles import Right
from clearance.versioning import git

_SHOWN = 10
_WIDEST = 60
_A_BATCH = 1000
_LAST_SECOND = 253402300799  # the last that a date can hold


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A model that was judged. `version` is its number as a candidate, None where nobody proposed it.

    `fingerprint` is the digest of its content; what the ledger does not hold, or no longer, is None or empty.
    """

    fingerprint: str | None
    at: dt.datetime
    version: int | None = None
    outcome: str | None = None
    seed: int | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    test_rows: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        name = "an unreleased run" if self.version is None else f"candidate {self.version}"
        return f"{name} ({(self.outcome or 'verdict not known').replace('_', ' ')})"


@dataclass(frozen=True, kw_only=True)
class AttemptCount:
    """The attempts up to the newest, which it is about, since the candidate `champion` was promoted.

    `champion` is None where none ever was.
    """

    model: str
    champion: int | None
    attempts: tuple[Attempt, ...]

    @property
    def number(self) -> int:
        """The number of the newest attempt; the first is 1."""
        return len(self.attempts)

    @property
    def seeds(self) -> list[int]:
        """The different seeds, as they were tried."""
        return list(dict.fromkeys(attempt.seed for attempt in self.attempts if attempt.seed is not None))

    @property
    def overrides(self) -> list[str]:
        """What runs overrode, each `key=value` once and on one line, as they were tried."""
        pairs = (pair for attempt in self.attempts for pair in attempt.overrides.items())
        texts = (f"{_cut(key)}={_cut(text)}" for key, text in pairs)
        return list(dict.fromkeys(map(foreign_text.inert, texts)))

    @property
    def earlier(self) -> tuple[Attempt, ...]:
        """The attempts before the newest. None of them was promoted."""
        return self.attempts[:-1]

    @property
    def same_source(self) -> int:
        """How many of the earlier attempts were judged on the same source rows."""
        source = self.attempts[-1].source
        return sum(attempt.source == source for attempt in self.earlier) if source else 0

    def __str__(self) -> str:
        since = f"candidate {self.champion}, the last promotion" if self.champion else "the beginning"
        first = f"attempt {self.number} at {self.model} since {since}"
        if not self.earlier:
            return first
        parts = {
            "seeds": map(_cut, map(str, self.seeds)),
            "overrides": self.overrides,
            "not promoted before": map(str, self.earlier),
        }
        listed = [f"{name}: {text}" for name, texts in parts.items() if (text := _listed(texts))]
        return "; ".join([first, f"{self.same_source} before on the same source rows", *listed])

    def to_json(self) -> dict[str, Any]:
        """The count for a program."""
        return {
            "number": self.number,
            "since": self.champion,
            "seeds": self.seeds,
            "overrides": self.overrides,
            "same_source": self.same_source,
            "earlier": [
                {"version": attempt.version, "outcome": attempt.outcome, "seed": attempt.seed}
                for attempt in self.earlier
            ],
        }


def _cut(text: str) -> str:
    return textwrap.shorten(text, _WIDEST)


def _listed(texts: Iterable[str]) -> str:
    names = list(texts)
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return wording.join_names([*names[:_SHOWN], *more]) if names else ""


def recorded(entries: Iterable[Entry], model: str, terms: AttemptTerms | None = None) -> list[AttemptCount]:
    """The attempts that the ledger holds, in order, one count for the time up to each promotion.

    The last is the time since the present champion was first promoted; it is empty where nothing was tried. A
    version that serves again, by a rollback or by what is recorded as a promotion, starts no new count: the
    one since its first promotion goes on. Attempts recorded before the first day of the `terms` do not count.
    An entry whose body was erased counts as an attempt of its own. Of several verdicts on a version the first
    counts, which its release recorded.
    """
    first = dt.date.min if terms is None else terms.valid_from
    attempts: list[Attempt] = []
    starts: dict[int | None, int] = {None: 0}
    spans: list[tuple[int | None, int]] = [(None, 0)]  # the champion, and the attempts before the change
    places: dict[Any, int] = {}
    judged: set[int] = set()
    for entry in entries:
        event = entry.event
        if isinstance(event, events.PromotionEvent | events.RollbackEvent):
            starts.setdefault(event.version, len(attempts))
            spans.append((event.version, len(attempts)))
        elif entry.kind in _ATTEMPTS:
            attempt, key = _attempt(entry, event), _key(entry, event)
            if key not in places and entry.at.date() >= first:
                places[key] = len(attempts)
                attempts.append(attempt)
            if attempt.version is not None and key in places:
                place = places["version", attempt.version] = places[key]
                attempts[place] = replace(attempts[place], version=attempt.version)
        elif isinstance(event, events.VerdictEvent) and event.version not in judged:
            position = places.get(("version", event.version))
            if position is not None:
                judged.add(event.version)
                facts = _facts(event.attempt)
                attempts[position] = replace(attempts[position], outcome=_outcome(event.outcome), **facts)
    ends = [*(end for _, end in spans[1:]), len(attempts)]
    return [
        AttemptCount(model=model, champion=champion, attempts=tuple(attempts[starts[champion] : end]))
        for (champion, _), end in zip(spans, ends, strict=True)
    ]


def of_version(
    entries: Sequence[Entry], model: str, version: int, terms: AttemptTerms | None
) -> AttemptCount | None:
    """The attempts up to that of a candidate, as the policy's terms count; None where it was not proposed.

    A candidate from before the first day that counts is numbered among all that came before it.
    """
    for counted in (terms, None):
        if count := _up_to(recorded(entries, model, counted), lambda attempt: attempt.version == version):
            return count
    return None


def _up_to(counts: Iterable[AttemptCount], chosen: Callable[[Attempt], bool]) -> AttemptCount | None:
    """The count that holds the chosen attempt, up to it; None where none does."""
    for count in counts:
        for number, attempt in enumerate(count.attempts, start=1):
            if chosen(attempt):
                return replace(count, attempts=count.attempts[:number])
    return None


def unrecorded(
    entries: Sequence[Entry], tracked: Iterable[registry.TrackedAttempt], terms: AttemptTerms | None
) -> list[registry.TrackedAttempt]:
    """What was tracked since the last promotion, and since the terms count, and no entry holds."""
    fingerprints = {
        event.fingerprint
        for entry in entries
        if isinstance(event := entry.event, events.AttemptEvent | events.ProposalEvent)
    }
    since = recorded(entries, "", None)[-1].champion
    promotions = [entry for entry in entries if entry.read(events.PromotionEvent)]
    starts = [entry.at for entry in promotions if entry.event and entry.event.about == since][:1]
    if terms is not None:
        starts.append(dt.datetime.combine(terms.valid_from, dt.time(), dt.UTC))
    start = max(starts, default=dt.datetime.min.replace(tzinfo=dt.UTC))
    return [
        attempt
        for attempt in tracked
        if attempt.fingerprint not in fingerprints and _started(attempt) >= start
    ]


def count_tracked(
    root: Path, server: registry.MlflowServer, name: str, fingerprint: str, terms: AttemptTerms | None
) -> AttemptCount:
    """The attempts up to the tracked content `fingerprint`, which the next release would record.

    Reads the ledger of the checkout at `root` where there is one; raises as `open_read_only` does.
    """
    home = git.checkout_of(root)
    entries: list[Entry] = []
    if (home / paths.LEDGER).exists() or os.environ.get(settings.ADDRESS):
        with open_read_only(home) as reader:
            entries = reader.entries(name)
    counts = recorded(entries, name, terms)
    if count := _up_to(counts, lambda attempt: attempt.fingerprint == fingerprint):
        return count
    missing = unrecorded(entries, registry.find_attempts(server, name), terms)
    own_last = sorted(missing, key=lambda each: each.fingerprint == fingerprint)
    newer = tuple(
        Attempt(fingerprint=each.fingerprint, at=_started(each), outcome=each.outcome, **each.facts)
        for each in own_last
    )
    return replace(counts[-1], attempts=(*counts[-1].attempts, *newer))


def record_tracked(
    session: LedgerSession,
    server: registry.MlflowServer,
    name: str,
    fingerprint: str,
    terms: AttemptTerms | None,
) -> None:
    """Record what the tracking server knows of and the ledger does not, before `fingerprint` is proposed.

    A person without the right to propose records nothing, and can propose nothing either.
    """
    if not session.may(Right.PROPOSE):
        return
    missing = unrecorded(session.entries(name), registry.find_attempts(server, name), terms)
    drafts = [
        session.draft(
            EntryKind.ATTEMPT,
            name,
            fingerprint=attempt.fingerprint,
            outcome=attempt.outcome,
            run=attempt.run_id,
            attempt=dict(attempt.facts),
        )
        for attempt in missing
        if attempt.fingerprint != fingerprint
    ]
    for start in range(0, len(drafts), _A_BATCH):
        session.record(*drafts[start : start + _A_BATCH])


_ATTEMPTS = (EntryKind.ATTEMPT, EntryKind.PROPOSAL)


def _started(tracked: registry.TrackedAttempt) -> dt.datetime:
    seconds = min(max(0, tracked.started // 1000), _LAST_SECOND)
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _key(entry: Entry, event: events.Event | None) -> tuple[str, Any]:
    """What tells the attempt from others; an erased body could be anything, so it is one of its own."""
    if isinstance(event, events.AttemptEvent | events.ProposalEvent) and event.fingerprint:
        return "content", event.fingerprint
    return ("erased", entry.number) if event is None else ("version", event.about)


def _attempt(entry: Entry, event: events.Event | None) -> Attempt:
    if isinstance(event, events.AttemptEvent):
        facts = _facts(event.attempt)
        outcome = _outcome(event.outcome)
        return Attempt(fingerprint=event.fingerprint, at=entry.at, outcome=outcome, **facts)
    if isinstance(event, events.ProposalEvent):
        return Attempt(fingerprint=event.fingerprint, at=entry.at, version=event.version)
    return Attempt(fingerprint=None, at=entry.at)


def _facts(tried: events.AttemptFacts | None) -> dict[str, Any]:
    return tried.model_dump() if tried else {}


def _outcome(text: str | None) -> str | None:
    """The verdict that an entry states; None where it states something else."""
    return text if text in set(Outcome) else None
