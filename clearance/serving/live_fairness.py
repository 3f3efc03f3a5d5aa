"""Counts live decisions by group, off the request path, and says what the version's rules make of them.

The group of an entity comes from the feature store, as it was known when the decision was made. What is kept
is how many decisions there were in an hour, by groups and by outcome: no entity, no id, no row. A group that
cannot be looked up is unknown, and is counted as that.
"""

from __future__ import annotations

import datetime as dt
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import prometheus_client

from clearance import feature_store
from clearance.documents.measurement import Outcome
from clearance.errors import ClearanceError
from clearance.inference_log import Inference
from clearance.inference_log.records import FAVOURABLE
from clearance.serving import live_rules
from clearance.serving.live_counts import Key, LiveCounts
from clearance.serving.live_rules import Groups, LiveVerdict
from clearance.serving.served_model import ServedModel

logger = logging.getLogger(__name__)

KIND = "decisions"
"""The kind of counts: (version, evidence digest, groups, 1 for a favourable decision)."""
WAITING = 10_000
"""Most decisions that wait to be counted with their groups; more are counted without."""
SECONDS = 30.0
"""Seconds between two looks at the rules."""
_TOGETHER = 500
_LOOK_FOR_WORK = 0.2


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class LiveFairness:
    """Counts decisions and reads the rules. Only `offer` is called by requests."""

    def __init__(
        self,
        store: feature_store.Store,
        counts: LiveCounts,
        metrics: prometheus_client.CollectorRegistry,
        *,
        capacity: int = WAITING,
        now: Callable[[], dt.datetime] = _now,
    ) -> None:
        self._store, self._counts, self._capacity, self._now = store, counts, capacity, now
        self._queue: queue.SimpleQueue[Inference] = queue.SimpleQueue()
        self._pending: Counter[Key] = Counter()
        self._counting = threading.Lock()
        self._failing: frozenset[tuple[str, str]] = frozenset()
        self._without = prometheus_client.Counter(
            "clearance_live_without_group",
            "Decisions whose groups could not be looked up",
            ["reason"],
            registry=metrics,
        )
        self._alarm = prometheus_client.Gauge(
            "clearance_live_alarm",
            "1: a blocking rule fails on the decisions of the window, or its rules could not be read",
            registry=metrics,
        )
        self._rule = prometheus_client.Gauge(
            "clearance_live_rule",
            "1: this is the outcome of the rule on the decisions of the window",
            ["rule", "attribute", "severity", "outcome"],
            registry=metrics,
        )

    # Counting

    def offer(self, decided: Sequence[Inference]) -> None:
        """Have these decisions counted. Returns at once and never raises."""
        room = self._capacity - self._queue.qsize()
        for inference in decided[: max(0, room)]:
            self._queue.put(inference)
        if len(decided) > room:
            for inference in decided[max(0, room) :]:
                self._count(inference, self._unknown("queue_full"))

    def work(self, stop: threading.Event) -> None:
        """Count what waits until `stop` is set, and then all that is left."""
        while not stop.is_set():
            if not self.step():
                stop.wait(_LOOK_FOR_WORK)
        while self.step():
            pass

    def step(self) -> bool:
        """Count some of what waits; whether there was anything to do."""
        batch: list[Inference] = []
        with suppress(queue.Empty):
            while len(batch) < _TOGETHER:
                batch.append(self._queue.get_nowait())
        for inference in batch:
            self._count(inference, self._groups(inference))
        with self._counting:
            pending, self._pending = self._pending, Counter()
        if pending:
            self._counts.add(KIND, pending)
        return bool(batch)

    def _groups(self, inference: Inference) -> Groups:
        if inference.subject is None:
            return self._unknown("no_entity")
        try:
            groups = self._store.protected(inference.subject, inference.time)
        except ClearanceError as error:
            return self._unknown(error.code)
        return tuple((name, groups.get(name)) for name in self._store.attributes)

    def _unknown(self, reason: str) -> Groups:
        self._without.labels(reason).inc()
        return tuple((name, None) for name in self._store.attributes)

    def _count(self, inference: Inference, groups: Groups) -> None:
        key = (
            inference.model.version,
            inference.model.digest,
            groups,
            int(inference.decision == FAVOURABLE),
        )
        with self._counting:
            self._pending[key] += 1

    # Judging

    def verdict(self, model: ServedModel, hours: int | None = None) -> LiveVerdict:
        """What the rules of the version say of its decisions in a window; by default the policy's.

        Raises UnavailableError when the counts cannot be read.
        """
        counts = self._counts.since(KIND, hours or model.policy.serving.window_hours)
        decisions: Counter[tuple[Groups, bool]] = Counter()
        for (version, digest, groups, favourable), count in counts.items():
            if (version, digest) == (model.version, model.content):
                decisions[groups, bool(favourable)] += count
        return live_rules.judge(
            model.policy,
            model.settings,
            decisions,
            required=model.groups,
            day=self._now().astimezone(dt.UTC).date(),
        )

    def watch(self, model: ServedModel | None) -> None:
        """Set the metrics by what the rules say now, and warn where a blocking rule begins to fail."""
        if model is None:
            return
        try:
            verdict = self.verdict(model)
        except ClearanceError as error:
            logger.warning("the live rules could not be read: %s", error.fault)
            self._alarm.set(1)
            return
        self._rule.clear()
        for finding in verdict.findings:
            labels = (finding.rule.id, finding.attribute or "", finding.rule.severity)
            for outcome in Outcome:
                self._rule.labels(*labels, str(outcome)).set(int(finding.outcome is outcome))
        self._alarm.set(int(bool(verdict.failing)))
        failing = frozenset((finding.rule.id, finding.attribute or "") for finding in verdict.failing)
        for finding in verdict.failing:
            if (finding.rule.id, finding.attribute or "") not in self._failing:
                logger.warning("a rule fails on live decisions: %s", finding.reason)
        self._failing = failing

    def follow(
        self, stop: threading.Event, model: Callable[[], ServedModel | None], interval: float = SECONDS
    ) -> None:
        """Watch every `interval` seconds until `stop` is set."""
        while not stop.wait(interval):
            self.watch(model())


def document(fairness: LiveFairness | None, model: ServedModel, hours: int | None) -> dict[str, Any]:
    """The live verdict on the model's decisions as a JSON value; not evaluated without a feature store.

    Raises UnavailableError when the counts cannot be read.
    """
    head = {
        "version": model.version,
        "policy": {"id": model.stamp.id, "version": model.stamp.version, "sha256": model.stamp.sha256},
        "window_hours": hours or model.policy.serving.window_hours,
    }
    if fairness is None:
        reason = "no feature store with protected attributes is configured, so no group is known"
        return head | {"outcome": Outcome.NOT_EVALUATED, "reason": reason}
    return head | fairness.verdict(model, hours).to_json()
