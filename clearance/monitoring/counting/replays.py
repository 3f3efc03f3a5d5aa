"""Traffic that repeats that of an earlier hour or day: the same entity with the same whole input.

What is kept of a decision for it is a digest under the key file of the log, for `store.KEPT`: without that
file it says nothing about anybody. A decision that names no entity is never a replay: people can be alike.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace

from clearance.inference_log.records import Inference
from clearance.monitoring.counting import store
from clearance.monitoring.counting.decision_counts import Decided

Digests = Callable[[Sequence[str]], list[str]]
Hours = Mapping[str, dt.datetime]
"""The hour in which each digest came first."""


def text(inference: Inference) -> str | None:
    """What makes a decision the same as another one; None where it names no entity."""
    if inference.subject is None:
        return None
    return json.dumps([inference.subject, dict(inference.input)], sort_keys=True, ensure_ascii=False)


def marked(
    decided: Sequence[Decided], digests: Digests, known: Callable[[Sequence[str]], Hours]
) -> tuple[list[Decided], Hours]:
    """The decisions, each with whether it replays another hour, and the first hours of digests that are new.

    `known` gives the first hour of those digests that came before these decisions.
    """
    texts = [text(decision.inference) for decision in decided]
    keys = iter(digests([each for each in texts if each is not None]))
    of_each = [None if each is None else next(keys) for each in texts]
    first: MutableMapping[str, dt.datetime] = dict(known([key for key in of_each if key is not None]))
    new: dict[str, dt.datetime] = {}
    result = []
    for decision, key in zip(decided, of_each, strict=True):
        if key is None:
            result.append(decision)
            continue
        before = first.get(key)
        if before is None or decision.hour - before > store.KEPT:
            first[key] = new[key] = decision.hour
        result.append(replace(decision, replays=first[key] != decision.hour))
    return result, new
