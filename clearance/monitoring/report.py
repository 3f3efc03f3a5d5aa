"""A run of the monitor in lines for a terminal: what failed first, what was quiet in one line."""

from __future__ import annotations

from collections.abc import Iterator

from clearance import wording
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.monitoring.run import MonitorRun
from clearance.policy.judgement import WORST_FIRST


def lines(result: MonitorRun) -> Iterator[str]:
    """What the run counted, each look, and what was odd."""
    yield f"{wording.counted(result.counted, 'new decision')} of {result.model} counted"
    for look in result.looks:
        yield from _look(look)
    if not result.looks:
        yield "no window is over yet"
    for note in result.notes:
        yield f"note: {note}"
    yield from result.consequences


def _look(look: Look) -> Iterator[str]:
    rows = wording.counted(look.rows, "decision")
    start = look.window.start[:7] if look.window.period == "month" else look.window.start[:10]
    rules = ", rules on labels" if look.basis in ("labels", "unlabelled") else ""
    yield f"{look.window.period} from {start}, version {look.version}, {rows}{rules}: {_word(look.outcome)}"
    loud = [finding for finding in look.findings if finding.outcome is not Outcome.PASS]
    for finding in sorted(loud, key=_worst_first):
        yield f"  {_word(finding.outcome)} ({finding.rule}): {finding.reason}"
    if quiet := len(look.findings) - len(loud):
        yield f"  {wording.counted(quiet, 'finding')} kept the limit"
    for note in look.notes:
        yield f"  note: {note}"


def _worst_first(finding: LiveFinding) -> int:
    return WORST_FIRST.index(finding.outcome)


def _word(outcome: Outcome) -> str:
    return str(outcome).replace("_", " ")
