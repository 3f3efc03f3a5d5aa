"""What the world added to a version after its verdict, in sentences and rows: for its page.

Values only. Nothing here reads or decides anything; who composes a page fills them.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.look_document import LiveFinding


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An entry of the ledger as a sentence, and the reason or the outcome that it states."""

    sentence: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class WatchedRule:
    """A rule of the monitor over `looks` looks: its newest worst finding, and an outline of its values."""

    finding: LiveFinding
    looks: int
    spark: str


@dataclass(frozen=True, kw_only=True)
class SinceVerdict:
    """What happened to version `version` up to `until`.

    `state` says what it is then: champion, former champion, rejected or candidate. `bar` says whether policy,
    test rows and seed were set before the result. `tenures` say when it was
    champion and who allowed it. `obstacle` says why it may not become champion; None where nothing stops it
    or it was asked of another day. `waiting` are the people it waits for, `asked` what they are asked.
    `comparison` is the newest one with the champion; None without one. `newest_looks` are the newest looks of
    the monitor in lines, `watched` its rules over all looks, the worst first. `problems` say what could not
    be read.
    """

    version: int
    until: str
    state: str
    bar: str
    tenures: tuple[str, ...]
    events: tuple[RecordedEvent, ...]
    obstacle: str | None
    waiting: tuple[str, ...]
    asked: tuple[str, ...]
    comparison: ComparisonDocument | None
    incidents: tuple[tuple[str, ...], ...]
    restrictions: tuple[str, ...]
    newest_looks: tuple[str, ...]
    watched: tuple[WatchedRule, ...]
    problems: tuple[str, ...]
