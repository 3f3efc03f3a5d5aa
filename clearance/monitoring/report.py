"""A run of the monitor in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from clearance import wording
from clearance.monitoring.run import MonitorRun
from clearance.reporting.monitoring import look_summary


def lines(result: MonitorRun, *, every_finding: bool = False) -> Iterator[str]:
    """What the run counted, each look, what was odd, and what follows. By default, of findings what fails."""
    yield f"{wording.counted(result.counted, 'new decision')} of {result.model} counted"
    if every_finding:
        for look in result.looks:
            yield from look_summary.details(look)
    else:
        yield from look_summary.lines(result.looks)
    if not result.looks:
        yield "no window is over yet"
    for note in result.notes:
        yield f"note: {note}"
    yield from result.consequences
