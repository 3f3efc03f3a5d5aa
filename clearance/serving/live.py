"""What follows each decision off the request path: the challenger's score. None of it changes an answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prometheus_client

from clearance import feature_store
from clearance.feature_store import FeatureSettings
from clearance.inference_log import Inference, InferenceLog
from clearance.serving import shadow_summary
from clearance.serving.features import Features
from clearance.serving.live_counts import FILE, LiveCounts
from clearance.serving.served_model import ServedModel
from clearance.serving.shadow import Shadow
from clearance.serving.shadow_summary import LOST, PAIRS


@dataclass(frozen=True, kw_only=True)
class Live:
    """What is told of each decision after it is on record; None for what this server does not do."""

    counts: LiveCounts | None = None
    shadow: Shadow | None = None
    features: Features | None = None

    def offer(self, decided: Sequence[Inference]) -> None:
        """Tell of new decisions. Returns at once and never raises."""
        if self.shadow is not None:
            self.shadow.offer(decided)

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
) -> Iterator[Live]:
    """Its threads, running until the end of the block. Raises as opening the feature store does."""
    with contextlib.ExitStack() as stack:
        features = None
        if settings is not None:
            features = Features(stack.enter_context(feature_store.open(root, settings)))
        yield stack.enter_context(_threads(root, log, metrics, features))


@contextmanager
def _threads(
    root: Path,
    log: InferenceLog,
    metrics: prometheus_client.CollectorRegistry,
    features: Features | None,
) -> Iterator[Live]:
    counts = LiveCounts(root / FILE)
    shadow = Shadow(root, log, counts, metrics)
    stop = threading.Event()
    threads = [
        threading.Thread(target=work, args=(stop,), name=name, daemon=True)
        for name, work in (
            ("shadow-follow", shadow.follow),
            ("shadow-score", shadow.work),
            *([("features-follow", features.follow)] if features else []),
        )
    ]
    for thread in threads:
        thread.start()
    try:
        yield Live(counts=counts, shadow=shadow, features=features)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
