"""A decision server on loopback: real uvicorn, a real log, and the champion of a governed project."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from clearance import inference_log
from clearance.inference_log import InferenceLog
from clearance.inference_log import log as inference_log_log
from clearance.reasons import contributions, decision
from clearance.serving import access, app, served_model, server
from clearance.serving.access import AccessSettings, Gate, KeyHolder, Role
from clearance.serving.champion import Champion, Sight
from clearance.serving.live import Live
from clearance.serving.metrics import Metrics
from clearance.serving.served_model import ServedModel
from tests.support import governed

KEYS = {role: f"clk_{role}-of-the-tests" for role in Role}
CALLERS = tuple(
    KeyHolder(name=f"{role}-caller", key_sha256=access.digest(key), roles=(role,))
    for role, key in KEYS.items()
)
ROW = {"amount": 101.5, "purpose": "house", "ratio": 0.625}
OTHER = {"amount": None, "purpose": "boat", "ratio": 0.1}


@cache
def champion_model() -> ServedModel:
    """The verified champion of the governed project, version 1; loaded once in a process."""
    with pytest.MonkeyPatch.context() as patch:
        place = governed.enter(patch).put("champion")
        return served_model.load_champion(place.root)


@cache
def reasoned_model() -> ServedModel:
    """The same with reasons for denials, against a background and a profile of generated rows."""
    model = champion_model()
    assert model.plan is not None
    rows = [(80.0 + 2 * n, ("house", "car")[n % 2], n / 30) for n in range(30)]
    encoded = model.plan.encode(rows)
    explainer = contributions.explainer_of(model.plan, encoded)
    assert not isinstance(explainer, str)
    values = explainer.contributions(encoded, model.plan.output(encoded))
    profile = decision.Profile(
        features=model.plan.features,
        method="near_cutoff",
        rows=10,
        means=values[15:25].mean(axis=0),
        texts=tuple(f"What people read about {name}" for name in model.plan.features),
        at_most=4,
        near_share=0.9,
        key_factors=False,
        inquiries=(),
    )
    reasoner = decision.Reasoner(plan=model.plan, explainer=explainer, profile=profile)
    return replace(model, reasoner=reasoner, reasons_note="near_cutoff, against 10 applicants")


def changed(model: ServedModel, **serving: Any) -> ServedModel:
    """The model under a policy whose section `serving` says this."""
    terms = model.policy.serving.model_copy(update=serving)
    return replace(model, policy=model.policy.model_copy(update={"serving": terms}))


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that runs: its address, its log and its champion."""

    address: str
    log: InferenceLog
    champion: Champion
    services: app.Services

    def client(self, role: Role | None = Role.PREDICT) -> httpx.Client:
        """A client with the key of a role; None: without a key."""
        headers = {"authorization": f"Bearer {KEYS[role]}"} if role else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)

    def predict(self, *rows: dict[str, Any], **headers: str) -> httpx.Response:
        """Ask for decisions about rows, each of them features or a whole row."""
        whole = [row if "features" in row or "entity" in row else {"features": row} for row in rows]
        with self.client() as client:
            return client.post("/v1/predict", json={"rows": whole}, headers=headers)


def fixed(model: Callable[[], ServedModel]) -> Champion:
    """A champion that never changes: `model` gives it."""
    champion = Champion(
        Path(),
        load=lambda _: model(),
        look=lambda _: Sight(entries=0, digest="", alias=1),
        restriction=lambda _, __: model().restriction,
    )
    champion.start()
    return champion


@contextlib.contextmanager
def running(
    folder: Path,
    champion: Champion,
    settings: AccessSettings | None = None,
    load: Callable[[int, str], ServedModel] | None = None,
    *,
    following: Callable[[InferenceLog, Metrics], Live] | None = None,
    patience: float = inference_log_log.PATIENCE,
) -> Iterator[Running]:
    """A server with its log in `folder`, until the end; `following` makes what follows its decisions."""

    def refuse(version: int, content: str) -> ServedModel:
        raise AssertionError(f"nobody asked for version {version} ({content})")

    with inference_log.open(
        f"sqlite:///{folder}/inference.db", folder / "inference.key", patience=patience
    ) as log:
        metrics = Metrics()
        services = app.Services(
            champion=champion,
            log=log.aio,
            gate=Gate(settings or AccessSettings(callers=CALLERS)),
            load=load or refuse,
            metrics=metrics,
            live=following(log, metrics) if following else Live(),
        )
        config = uvicorn.Config(app.app(services), host="127.0.0.1", port=0, **server.SERVER)
        runner = uvicorn.Server(config)
        thread = threading.Thread(target=runner.run, daemon=True)
        thread.start()
        while not runner.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = runner.servers[0].sockets[0].getsockname()[1]
        try:
            yield Running(address=f"http://127.0.0.1:{port}", log=log, champion=champion, services=services)
        finally:
            runner.should_exit = True
            thread.join(30)
