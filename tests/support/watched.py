"""A governed champion with a baseline, under a policy that says how it is watched, and its decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest

from clearance import inference_log, registry
from clearance.inference_log import Inference, InferenceLog, ModelReference, PolicyReference, settings
from clearance.inference_log.records import FAVOURABLE, UNFAVOURABLE
from clearance.models import scoring
from clearance.monitoring import watched_version
from clearance.monitoring.counting import decision_counts
from clearance.monitoring.watched_version import WatchedVersion
from clearance.promotion import session
from tests.support import governed
from tests.support.governed import Place

ENGINEERING = {"kind": "engineering", "source": "the test", "valid_from": "2026-01-01"}
RULES: list[dict[str, Any]] = [
    {"id": "schema", "metric": "data.schema_violations", "limit": {"at_most": 0}},
    {"id": "skew", "metric": "data.serving_skew", "limit": {"at_most": 0}}
    | {"severity": "serious", "on_fail": "stop"},
    {"id": "units", "metric": "data.unit_factor", "limit": {"at_most": 0.5}},
    {"id": "drift", "metric": "drift.psi", "limit": {"at_most": 0.1}},
    {"id": "score", "metric": "drift.psi", "of": "score", "limit": {"at_most": 0.1}},
    {"id": "parity", "metric": "fairness.demographic_parity_difference", "attribute": "race"}
    | {"limit": {"at_most": 0.2}},
    {"id": "accuracy", "metric": "performance.accuracy", "limit": {"at_least": 0.5}},
]
MONITORING: dict[str, Any] = {"rules": [rule | ENGINEERING for rule in RULES], "label_delay_days": 7}


def build(place: Place) -> None:
    """The state: version 1, made with a baseline, is champion."""
    place.release(policy=governed.POLICY | {"monitoring": MONITORING}, baseline=True, rows=1_000)
    place.agree(1)


def enter(patch: pytest.MonkeyPatch) -> Place:
    """The shared place with a watched champion, entered; its log and its counts are empty."""
    return governed.enter(patch).make("watched", "judged", build)


@cache
def version() -> WatchedVersion:
    """The watched champion, loaded once in a process."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch)
        return load(place, 1)


def load(place: Place, number: int) -> WatchedVersion:
    """A version of the place, verified."""
    with session.open_read_only(place.root) as reader:
        return watched_version.load(reader, registry.connect(), governed.NAME, number)


def inputs(rows: int, seed: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Rows as those of the training data are drawn; `changes` are values that every row has."""
    draw = np.random.default_rng(seed)
    return [
        {
            "amount": float(draw.normal(100, 20)),
            "purpose": str(draw.choice(["house", "car"])),
            "ratio": float(draw.random()),
        }
        | changes
        for _ in range(rows)
    ]


def decisions(
    watched: WatchedVersion,
    rows: Sequence[dict[str, Any]],
    start: dt.datetime,
    every: dt.timedelta,
    **changes: Any,
) -> list[Inference]:
    """The model's decisions about these rows, the first at `start`."""
    blank = [
        Inference(
            caller="web",
            model=_model(watched),
            policy=_POLICY,
            input=row,
            score=None,
            threshold=None,
            decision=None,
        )
        for row in rows
    ]
    scores = scoring.score(watched.pipeline, decision_counts.frame(watched, blank))
    return [
        Inference(
            **{
                "caller": "web",
                "time": start + place * every,
                "model": _model(watched),
                "policy": _POLICY,
                "input": row,
                "score": float(score),
                "threshold": watched.threshold,
                "decision": FAVOURABLE if score >= watched.threshold else UNFAVOURABLE,
                "subject": f"person-{place}",
            }
            | changes
        )
        for place, (row, score) in enumerate(zip(rows, scores, strict=True))
    ]


_POLICY = PolicyReference(id="test", version="3", digest="b" * 64)


def _model(watched: WatchedVersion) -> ModelReference:
    return ModelReference(name=watched.model, version=watched.version, digest=watched.content)


@contextmanager
def log(place: Place, at: dt.datetime) -> Iterator[InferenceLog]:
    """The place's log, whose clock says `at`."""
    root = place.root
    with inference_log.open(settings.address(root), settings.key_path(root), clock=lambda: at) as opened:
        yield opened


def record(place: Place, inferences: Sequence[Inference]) -> None:
    """Put these decisions on record, each as of its own hour."""
    by_hour: dict[dt.datetime, list[Inference]] = {}
    for inference in inferences:
        by_hour.setdefault(inference.time.replace(minute=0, second=0, microsecond=0), []).append(inference)
    for hour, group in sorted(by_hour.items()):
        with log(place, hour + dt.timedelta(minutes=59)) as opened:
            for start in range(0, len(group), 500):
                opened.append(*group[start : start + 500])
