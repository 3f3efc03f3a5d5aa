"""People with real keys, a roles file that lists them, and decisions that they really signed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from clearance.trust import decisions, dsse, keys, recorded_decisions, roles_file
from clearance.trust.decisions import ApprovalSubject, DecisionKind
from clearance.trust.roles import Roles

AT = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
RIGHTS = {
    "data_scientist": ["train", "propose"],
    "validator": ["approve"],
    "risk_officer": ["approve", "override"],
    "operator": ["promote", "roll_back"],
    "auditor": ["read"],
}
WORK = {
    "dan": ["data_scientist", "validator"],
    "vera": ["validator"],
    "viktor": ["validator"],
    "rita": ["risk_officer"],
    "both": ["validator", "risk_officer"],
    "otto": ["operator"],
    "ada": ["auditor"],
}


def signer(number: int) -> CryptoSigner:
    """The same Ed25519 key for the same number; a private key never lies in the repository."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


SIGNERS = {who: signer(number) for number, who in enumerate(WORK, start=1)}
STRANGER = signer(99)


def key_entry(holder: CryptoSigner, since: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {**keys.entry(holder.public_key), "from": since, **more}


def plain(**more: Any) -> dict[str, Any]:
    """The roles file as data, a key a person; somebody in `more` takes the usual one's place."""
    people = {
        who: {"emails": [f"{who}@bank.example"], "roles": work, "keys": [key_entry(SIGNERS[who])]}
        for who, work in WORK.items()
    }
    return {"roles": RIGHTS, "people": {**people, **more}}


def text(data: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(data), sort_keys=False).encode()


def roles(data: Mapping[str, Any] | None = None, version: int = 1) -> Roles:
    return roles_file.parse(text(data or plain()), version=version)


ROLES = roles()
MATTER = ApprovalSubject(
    model="loans", version=3, content="a" * 64, policy="bank", comparison="c" * 64, champion="d" * 64
)


def decided(
    who: str,
    kind: DecisionKind,
    matter: ApprovalSubject = MATTER,
    *,
    key: CryptoSigner | None = None,
    by: str = "",
    **more: Any,
) -> dict[str, Any]:
    """An envelope with the person's decision; `key` and `by` make it somebody else's in part."""
    reason, at = more.pop("reason", "seen the evidence"), more.pop("at", AT)
    statement = decisions.statement_for(kind, matter, by=by or who, reason=reason, at=at, **more)
    return dsse.sign(statement, key or SIGNERS[who])


def record(
    number: int,
    who: str,
    kind: DecisionKind,
    matter: ApprovalSubject = MATTER,
    *,
    seen: Roles = ROLES,
    **more: Any,
) -> recorded_decisions.DecisionRecord:
    """The decision as a ledger would hold it, recorded at `when` (default: when it says it was made)."""
    when = more.pop("when", more.get("at", AT))
    return recorded_decisions.open_record(number, when, decided(who, kind, matter, **more), seen)
