"""What the server counts, in the format that Prometheus reads. No label holds anything that a caller sent."""

from __future__ import annotations

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from clearance.serving.champion import Status

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter(
            "clearance_decisions", "Decisions on record", ["version", "decision"], registry=self.registry
        )
        self.faults = Counter(
            "clearance_faults", "Requests that ended with an error", ["code"], registry=self.registry
        )
        self.flags = Counter(
            "clearance_flagged_rows", "Rows that break a rule of the training data", registry=self.registry
        )
        self.seconds = Histogram(
            "clearance_predict_seconds",
            "Time from a whole request for decisions to its answer",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "clearance_log_seconds",
            "Time until the records of a request were durable",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.switches = Counter("clearance_switches", "Changes of the served version", registry=self.registry)
        self._version = Gauge(
            "clearance_version", "The version that decides; 0: none", registry=self.registry
        )
        self._lapsed = Gauge(
            "clearance_lapsed", "1: what allowed the version to decide has ended", registry=self.registry
        )
        self._restriction = Gauge(
            "clearance_restriction",
            "0: decides freely, 1: a person reviews every decision, 2: stopped",
            registry=self.registry,
        )
        self._unchecked = Gauge(
            "clearance_unchecked_seconds",
            "Seconds since ledger and registry last answered",
            registry=self.registry,
        )

    def text(self, status: Status) -> bytes:
        """Everything, with how things stand now."""
        self._version.set(status.model.version if status.model and status.decides else 0)
        self._lapsed.set(int(status.lapsed))
        held = status.model is not None and status.model.restriction is not None
        self._restriction.set(2 if status.stopped else int(held))
        self._unchecked.set(status.unchecked)
        return generate_latest(self.registry)
