"""The decisions of one version in a window, read again from the log: for what counts cannot show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from clearance.inference_log import InferenceLog
from clearance.inference_log.reading import LoggedDecision
from clearance.inference_log.records import Inference
from clearance.monitoring.counting import decision_counts

LATE = dt.timedelta(days=1)
"""How long after the window its decisions may come into the log to be read with it."""
SEED = 20_260_101
REASON = "monitoring: a sample of a window"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Decisions drawn at random from a window: one in `each` of them."""

    inferences: tuple[Inference, ...]
    each: float


def sample(
    log: InferenceLog, model: tuple[str, int], start: dt.datetime, end: dt.datetime, *, most: int, reader: str
) -> Sample:
    """At most `most` decisions by a version of a model in the hours from `start` until before `end`.

    The same log and window give the same decisions. That `reader` read them is recorded. Raises
    IntegrityError when a record is not what was recorded.
    """
    drawn, each = log.sample_taken(
        start=start - decision_counts.EARLY,
        end=end + LATE,
        most=most,
        seed=SEED + int(start.timestamp()),
        reader=reader,
        reason=REASON,
    )
    own = [decision.inference for decision in drawn if _is_of(decision, model, start, end)]
    return Sample(inferences=tuple(inference for inference in own if inference is not None), each=each)


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
    return (decision for decision in taken if _is_of(decision, model, start, end))


def _is_of(decision: LoggedDecision, model: tuple[str, int], start: dt.datetime, end: dt.datetime) -> bool:
    by = (decision.model.name, decision.model.version)
    return by == model and start <= decision_counts.hour_of(decision) < end
