"""Ledgers to measure and to break: their key, drafts as a release makes them, PostgreSQL if it runs."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner

from clearance import ledger
from clearance.errors import IntegrityError
from clearance.ledger import Draft, EntryKind

MODEL = "loan-approval"
PEOPLE = ("pipeline", "vera", "rita", "otto", "dan")
_TYPE = "application/vnd.in-toto+json"
_SERVER = "postgresql://postgres@127.0.0.1:5432"


@dataclass(frozen=True)
class Opened:
    """What was signed."""

    statement: Mapping[str, Any]


@dataclass(frozen=True)
class Signer:
    """An Ed25519 key that signs checkpoints and knows its own signatures."""

    key: CryptoSigner

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (self.key.private_bytes,)

    def sign(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        envelope = Envelope(payload, _TYPE, {})
        envelope.sign(self.key)
        return dict(envelope.to_dict())

    def verify_envelope(self, envelope: Mapping[str, Any]) -> Opened:
        try:
            parsed_envelope = Envelope.from_dict(json.loads(json.dumps(envelope)))
            parsed_envelope.verify([self.key.public_key], 1)
        except (VerificationError, UnverifiedSignatureError, KeyError, TypeError, ValueError):
            raise IntegrityError("no signature by a known key holds", "ask who signed it") from None
        return Opened(json.loads(parsed_envelope.payload))

    def seal(self, *places: Path) -> ledger.Seal:
        return ledger.Seal(sign=self.sign, verify_envelope=self.verify_envelope, places=places)


def signer() -> Signer:
    """A new key."""
    return Signer(CryptoSigner.generate_ed25519())


def _loaded(key: bytes) -> Signer:
    return Signer(CryptoSigner(load_pem_private_key(key, None)))


def sqlite(folder: Path) -> str:
    """The URL of an SQLite ledger in a folder."""
    return f"sqlite:///{folder / 'ledger.db'}"


def draft(version: int, kind: EntryKind = EntryKind.PROPOSAL, actor: str = "pipeline", **more: Any) -> Draft:
    """An entry about a version of the model, as small as its kind allows."""
    body = {"version": version, "content": f"{version:064x}", **more}
    if kind is EntryKind.INTENT:
        body = {"step": "promotion", **body}
    elif kind not in (EntryKind.PROPOSAL, EntryKind.VERDICT):
        body = {"reason": "weekly run", **body}
    return Draft(kind=kind, model=MODEL, actor=actor, keyid="k" * 64, body=body)


def erasure(
    *numbers: int, actor: str = "ada", keyid: str | None = None, reason: str = "asked for", **body: Any
) -> Draft:
    """The draft of an erasure of these entries."""
    content = {"entries": sorted(set(numbers)), "reason": reason} | body
    return Draft(kind=EntryKind.REDACTION, model=MODEL, actor=actor, keyid=keyid, body=content)


def story(batches: int, random_: random.Random) -> list[list[Draft]]:
    """Batches of one to six entries by different people."""
    kinds = [
        EntryKind.PROPOSAL,
        EntryKind.VERDICT,
        EntryKind.APPROVAL,
        EntryKind.REFUSAL,
        EntryKind.INTENT,
        EntryKind.PROMOTION,
    ]
    return [
        [
            draft(random_.randrange(1, 9), random_.choice(kinds), random_.choice(PEOPLE), of=random_.random())
            for _ in range(random_.randint(1, 6))
        ]
        for _ in range(batches)
    ]


def write(address: str, seal: ledger.Seal, batches: Sequence[Sequence[Draft]]) -> str:
    """Append the batches to the ledger at the address; its id."""
    with ledger.open(address, seal=seal) as book:
        for batch in batches:
            ledger.append(book, batch)
        return book.id


def postgres_runs() -> bool:
    """Whether PostgreSQL answers on loopback."""
    try:
        psycopg.connect(f"{_SERVER}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database that is dropped afterwards."""
    name = f"ledger_{uuid.uuid4().hex}"
    with psycopg.connect(f"{_SERVER}/postgres", autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield f"{_SERVER}/{name}"
        finally:
            owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
