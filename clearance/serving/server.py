"""Effect: serves the champion of a project until stopped."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from clearance import inference_log
from clearance.inference_log import settings as log_settings
from clearance.promotion import inference_trail
from clearance.serving import access, app, faults, live, sealing, served_model
from clearance.serving.access import Gate, KeyHolder, Role
from clearance.serving.champion import Champion
from clearance.serving.connections import TimedProtocol
from clearance.serving.metrics import Metrics

logger = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SERVER: dict[str, Any] = {
    "loop": "uvloop",
    "http": TimedProtocol,
    "ws": "none",
    "log_level": "warning",
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "date_header": True,
    "limit_concurrency": 1024,
    "timeout_keep_alive": 30,
}


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Where the server listens, and its TLS certificate and key: None for plain HTTP."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


def serve(root: Path, listen: Listen) -> None:
    """Serve until stopped.

    Raises before the first request when the champion, the callers, the inference log or the feature store
    cannot be used.
    """
    settings = access.load(root)
    guests: list[KeyHolder] = []
    if not (settings.callers or settings.oidc):
        if listen.host not in LOOPBACK:
            raise faults.NO_CALLERS(path=access.FILE, host=listen.host)
        key, sha256 = access.new_key()
        guests = [KeyHolder(name="this-terminal", key_sha256=sha256, roles=tuple(Role))]
        logger.info("a key for this run alone, with every role: %s", key)
    champion = Champion(root)
    model = champion.start()
    stop = threading.Event()
    metrics = Metrics()
    spool = inference_trail.spool(root, model.policy.inference_log)
    address, key_path = log_settings.address(root), log_settings.key_path(root)
    with (
        inference_log.open(address, key_path, spool=spool) as log,
        live.running(root, log, metrics.registry, settings.features, champion) as following,
    ):
        services = app.Services(
            champion=champion,
            log=log.aio,
            gate=Gate(settings, guests),
            load=lambda version, content: served_model.load_version(root, version, content),
            metrics=metrics,
            live=following,
        )
        scheme = "https" if listen.certificate else "http"
        logger.info(
            "serving %s version %d at %s://%s:%d (scores: %s)",
            *(model.name, model.version, scheme, listen.host, listen.port, model.plan_note),
        )
        threads = [
            threading.Thread(target=champion.follow, args=(stop,), daemon=True),
            threading.Thread(target=sealing.follow, args=(root, log, model.name, stop), daemon=True),
        ]
        for thread in threads:
            thread.start()
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends, then raises the signal again
            signal.signal(number, lambda *_: None)
        try:
            uvicorn.run(
                app.app(services),
                host=listen.host,
                port=listen.port,
                ssl_certfile=listen.certificate,
                ssl_keyfile=listen.key,
                **SERVER,
            )
        finally:
            stop.set()
            for thread in threads:
                thread.join()
