"""What follows each decision off the request path: the challenger's score, and counts for the live rules.

None of it changes an answer.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import prometheus_client

from clearance import feature_store
from clearance.feature_store import FeatureSettings
from clearance.inference_log import Inference, InferenceLog
from clearance.monitoring import metrics as monitor_metrics
from clearance.monitoring.metrics import MonitorMetrics
from clearance.serving import live_fairness, live_monitor, shadow_summary
from clearance.serving.champion import Champion
from clearance.serving.features import Features
from clearance.serving.live_counts import FILE, LiveCounts
from clearance.serving.live_fairness import LiveFairness
from clearance.serving.live_monitor import MonitorReader
from clearance.serving.served_model import ServedModel
from clearance.serving.shadow import Shadow
from clearance.serving.shadow_summary import LOST, PAIRS

SECONDS_TO_STOP = 5.0
"""How long the end of the server waits for what follows its decisions."""
Work = Callable[[threading.Event], None]
"""What a thread does until the event is set."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """What is told of each decision after it is on record; None for what this server does not do."""

    counts: LiveCounts | None = None
    shadow: Shadow | None = None
    features: Features | None = None
    fairness: LiveFairness | None = None

    def offer(self, decided: Sequence[Inference]) -> None:
        """Tell of new decisions. Returns at once and never raises."""
        if self.shadow is not None:
            self.shadow.offer(decided)
        if self.fairness is not None:
            self.fairness.offer(decided)

    def fairness_document(self, model: ServedModel, hours: int | None) -> dict[str, Any]:
        """What the rules say of the model's live decisions, over a window. Raises UnavailableError."""
        return live_fairness.document(self.fairness, model, hours)

    def shadow_document(self, model: ServedModel, hours: int | None) -> dict[str, Any]:
        """The challenger beside the model that decides, over a window. Raises UnavailableError."""
        if self.shadow is None or self.counts is None:
            return {"challenger": None, "fault": None, "scores": False, "waiting": 0, "comparison": None}
        status, window = self.shadow.status(), hours or model.policy.serving.window_hours
        comparison = status.named and shadow_summary.summarise(
            self.counts.since(PAIRS, window),
            self.counts.since(LOST, window),
            champion=(model.version, model.content),
            challenger=(status.named.version, status.named.content),
            hours=window,
        )
        return {
            "challenger": status.named.version if status.named else None,
            "fault": status.fault,
            "scores": status.scores,
            "waiting": status.waiting,
            "comparison": comparison.to_json() if comparison else None,
        }


@contextmanager
def running(
    root: Path,
    log: InferenceLog,
    metrics: prometheus_client.CollectorRegistry,
    settings: FeatureSettings | None,
    champion: Champion,
) -> Iterator[Live]:
    """Its threads, running until the end of the block.

    Raises as opening the feature store does, and when that lacks a feature that the champion takes.
    """
    counts = LiveCounts(root / FILE)
    shadow = Shadow(root, log, counts, metrics)
    monitor = MonitorReader(root, lambda: champion.status().model)
    works: list[Work] = [
        shadow.follow,
        shadow.work,
        partial(
            monitor_metrics.follow,
            metrics=MonitorMetrics(metrics),
            read=monitor,
            interval=live_monitor.SECONDS,
        ),
    ]
    with contextlib.ExitStack() as stack:
        features = fairness = None
        if settings is not None:
            store = stack.enter_context(feature_store.open(root, settings))
            features = Features(store)
            if (model := champion.status().model) is not None:
                features.check(model)
            works.append(features.follow)
            if store.attributes:
                fairness = LiveFairness(store, counts, metrics)
                works += [
                    fairness.work,
                    partial(fairness.follow, model=lambda: champion.status().model),
                ]
        stack.enter_context(_threads(works))
        yield Live(counts=counts, shadow=shadow, features=features, fairness=fairness)


@contextmanager
def _threads(works: Sequence[Work]) -> Iterator[None]:
    """A thread for each, told to stop and awaited at the end, but not for long.

    A challenger that is being loaded, or hangs, must not hold up the end of the server; it ends with it.
    """
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
