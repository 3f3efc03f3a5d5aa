"""The decisions of one version in a window, read again from the log: for what counts cannot show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from clearance.inference_log import InferenceLog
from clearance.inference_log.reading import LoggedDecision
from clearance.monitoring.counting import decision_counts

LATE = dt.timedelta(days=1)
"""How long after the window its decisions may come into the log to be read with it."""


def read(
    log: InferenceLog,
    model: tuple[str, int],
    start: dt.datetime,
    end: dt.datetime,
    *,
    reader: str,
    reason: str,
) -> Iterator[LoggedDecision]:
    """The decisions by a version of a model in the hours from `start` until before `end`, in order.

    Those whose content was erased are among them, without it. That `reader` read them, and why, is recorded.
    Raises IntegrityError when a record is not what was recorded.
    """
    taken = log.decisions_taken(
        start=start - decision_counts.EARLY, end=end + LATE, reader=reader, reason=reason
    )
    for decision in taken:
        of = (decision.model.name, decision.model.version)
        if of == model and start <= decision_counts.hour_of(decision) < end:
            yield decision
