"""A run of the monitor in lines for a terminal: the newest look first, and of many only the newest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from clearance import wording
from clearance.documents.look_document import Look
from clearance.documents.measurement import Outcome
from clearance.monitoring.run import MonitorRun, Pending
from clearance.reporting.monitoring import look_summary

MOST_LOOKS = 10
"""Of more looks, such as those of missed days, so many are printed unless all are asked for."""


def lines(result: MonitorRun, *, every_look: bool = False, every_finding: bool = False) -> Iterator[str]:
    """What the run counted, each look, what was odd, and what follows.

    Of findings what fails, and of many looks the newest, unless all are asked for.
    """
    yield f"{wording.counted(result.counted, 'new decision')} of {result.model} counted"
    if result.pending is not None:
        yield waiting(result.pending)
    looks = look_summary.newest_first(result.looks)
    shown = looks if every_look or every_finding else looks[:MOST_LOOKS]
    if len(looks) > 1:
        yield f"{wording.counted(len(looks), 'look')}, the newest first: {_outcomes(looks)}"
    if every_finding:
        for look in shown:
            yield from look_summary.details(look)
    else:
        yield from look_summary.lines(shown)
    if rest := looks[len(shown) :]:
        yield from _earlier(rest)
    if not result.looks:
        yield "no window is over yet"
    for note in result.notes:
        yield f"note: {note}"
    yield from result.consequences


def waiting(pending: Pending) -> str:
    """How many decisions no look has seen yet, since when, and when they are due, as a sentence."""
    since, due = (f"{moment:%Y-%m-%d %H:%MZ}" for moment in (pending.since, pending.due))
    return f"{wording.counted(pending.decisions, 'decision')} since {since} wait to be judged, from {due} on"


def _outcomes(looks: Sequence[Look]) -> str:
    words = {
        Outcome.FAIL: ("fails", "fail"),
        Outcome.INSUFFICIENT_EVIDENCE: ("lacks evidence", "lack evidence"),
        Outcome.NOT_EVALUATED: ("is not evaluated", "are not evaluated"),
        Outcome.PASS: ("passes", "pass"),
    }
    counts = Counter(look.outcome for look in looks)
    return ", ".join(
        f"{wording.count(counts[outcome])} {one if counts[outcome] == 1 else many}"
        for outcome, (one, many) in words.items()
        if counts[outcome]
    )


def _earlier(looks: Sequence[Look]) -> Iterator[str]:
    """The looks that are not printed, and those of them that fail, by name."""
    yield f"{wording.counted(len(looks), 'earlier look')}: {_outcomes(looks)}; `--since DAY` prints them"
    failing = [look_summary.name(look) for look in looks if look.outcome is Outcome.FAIL]
    if failing:
        more = f" and {wording.count(len(failing) - MOST_LOOKS)} more" if len(failing) > MOST_LOOKS else ""
        yield f"  of these fail: {', '.join(failing[:MOST_LOOKS])}{more}"
