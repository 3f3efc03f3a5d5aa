"""Inference logs to measure and to break: their records, and what a damaged row looks like."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from clearance import inference_log, ledger
from clearance.errors import TransientError
from clearance.inference_log import (
    Inference,
    InferenceLog,
    ModelReference,
    PolicyReference,
)
from clearance.inference_log.seals import LedgerAccess

MODEL = ModelReference(name="loan-approval", version=3, digest="a" * 64)
POLICY = PolicyReference(id="demo", version="1", digest="b" * 64)


def inference(subject: str | None = "applicant-1", **changes: Any) -> Inference:
    """A decision on a loan, as a server records it."""
    fields: dict[str, Any] = {
        "caller": "web",
        "request_id": "r-1",
        "model": MODEL,
        "policy": POLICY,
        "input": {"income": 41.5, "dependents": 2, "city": "Boston", "married": True, "debt": None},
        "score": 0.1 + 0.2,
        "threshold": 0.5,
        "decision": 0,
        "reasons": ({"feature": "debt", "points": -0.1},),
        "subject": subject,
    }
    return Inference(**(fields | changes))


def decisions(count: int, features: int = 28) -> list[Inference]:
    """Decisions about different people, of the size of the demo's."""
    random_ = random.Random(count)  # noqa: S311
    return [
        inference(
            subject=f"applicant-{number}",
            input={f"feature_{column}": random_.gauss(0, 100) for column in range(features)},
            score=random_.random(),
            reasons=tuple({"feature": f"feature_{place}", "points": random_.random()} for place in range(4)),
        )
        for number in range(count)
    ]


@contextmanager
def opened(address: str, folder: Path, **options: Any) -> Iterator[InferenceLog]:
    """The log at an address with its key file in a folder."""
    with inference_log.open(address, folder / "inference.key", **options) as log:
        yield log


@contextmanager
def away(address: str) -> Iterator[None]:
    """The database cannot be reached inside the block: no file, or a server that turns everybody away."""
    if address.startswith("sqlite"):
        file = Path(address.removeprefix("sqlite:///"))
        files = [path for path in file.parent.glob(f"{file.name}*") if path.suffix != ".lock"]
        for path in files:
            path.rename(path.with_name(f"away-{path.name}"))
        try:
            yield
        finally:
            for path in files:
                path.with_name(f"away-{path.name}").rename(path)
        return
    name = address.rpartition("/")[2]
    with psycopg.connect(address.replace(name, "postgres"), autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def until(attempt: Callable[[], Any], seconds: float = 30) -> Any:
    """What `attempt` returns once it no longer raises a TransientError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except TransientError:
            assert time.monotonic() < deadline, f"no recovery within {seconds} s"
            time.sleep(0.02)


def access(book: ledger.Ledger, actor: str = "otto") -> LedgerAccess:
    """The ledger in the hands of somebody whose entries all count."""

    def record(event: ledger.Event) -> ledger.Entry:
        draft = ledger.Draft.of(event, model=None, actor=actor, keyid="k" * 64)
        return ledger.append(book, [draft])[0]

    return LedgerAccess(
        entries=lambda kind: ledger.entries(book, kind=kind),
        record=record,
        lock=lambda name: ledger.lock(book, name),
    )


def change(address: str, *statements: str) -> None:
    """Change the database behind the log's back."""
    engine = sa.create_engine(address.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
