"""Whether a bearer token is the provider's, meant for us and in time; and which account it stands for.

Pure but for the key and the clock. Who holds that account here is the roles file's to say. A refusal names an
account only when the provider's signature holds, and never repeats the token.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from clearance.approvals_api.oidc_keys import Issuer
from clearance.approvals_api.oidc_settings import Groups, Identity
from clearance.trust.decisions import AttestedAccount

LONGEST = 16 * 1024
"""Characters of a token."""
_TYPES = {"jwt", "at+jwt"}
_CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
_UNCHECKED: Any = {f"verify_{claim}": False for claim in _CLAIMS}
_WHY: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is meant for another audience",
    jwt.InvalidIssuerError: "another issuer made it",
}


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A token that proves nothing, and why. `issuer` and `subject` where the provider's signature holds."""

    why: str
    issuer: str | None = None
    subject: str | None = None


def read(token: str, settings: Identity, issuer: Issuer) -> AttestedAccount | Refused:
    """The account that the token stands for, or why it stands for none.

    Checked: signature by a key of the provider, under an algorithm that is allowed and is the key's own;
    issuer, audience, expiry, not-before. Raises UnavailableError when the provider's keys cannot be had.
    """
    key = _key(token, settings, issuer)
    if isinstance(key, str):
        return Refused(why=f"The token proves nothing: {key}.")
    try:
        signed = jwt.decode(token, key.key, [key.algorithm_name], _UNCHECKED)
    except (jwt.PyJWTError, ValueError):
        return Refused(why="The token proves nothing: the provider's signature does not hold over it.")
    return _account(token, signed, key, settings)


def _key(token: str, settings: Identity, issuer: Issuer) -> jwt.PyJWK | str:
    """The key that the token says it is signed with; or what is wrong with its header."""
    if len(token) > LONGEST:
        return f"it has more than {LONGEST} characters"
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        return "it is no signed JSON Web Token"
    algorithm, keyid, kind = header.get("alg"), header.get("kid"), header.get("typ", "jwt")
    if algorithm not in settings.algorithms:
        return "its algorithm is not allowed"
    if str(kind).lower().removeprefix("application/") not in _TYPES:
        return "it is a token of another kind"
    key = issuer.key(keyid) if isinstance(keyid, str) else None
    if key is None:
        return "the provider has no key of the name that it gives"
    return key if key.algorithm_name == algorithm else "its algorithm is not its key's"


def _account(
    token: str, signed: Mapping[str, Any], key: jwt.PyJWK, settings: Identity
) -> AttestedAccount | Refused:
    """The account of a token whose signature holds, when its claims are right."""
    said, subject = _text(signed.get("iss")), _text(signed.get(settings.subject))
    try:
        claims = jwt.decode(
            token,
            key.key,
            [key.algorithm_name],
            {"require": ["iss", "aud", "exp", "iat"]},
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway,
        )
        issued = dt.datetime.fromtimestamp(int(claims["iat"]), dt.UTC)
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        why = next(
            (why for kind, why in _WHY.items() if isinstance(error, kind)), "a claim is missing or faulty"
        )
        return Refused(why=f"The token proves nothing: {why}.", issuer=said, subject=subject)
    if subject is None:
        return Refused(
            why=f"The token proves nothing: its claim {settings.subject} names nobody.", issuer=said
        )
    return AttestedAccount(
        issuer=settings.issuer,
        subject=subject,
        token=hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest(),
        issued=issued,
        roles=_roles(claims, settings.groups),
    )


def _roles(claims: Mapping[str, Any], groups: Groups | None) -> tuple[str, ...] | None:
    """The roles that the token's groups leave; None where groups are not asked about."""
    if groups is None:
        return None
    named = claims.get(groups.claim)
    listed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return groups.left(each for each in listed if isinstance(each, str))


def _text(value: Any) -> str | None:
    """A name that a ledger entry can hold; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable() else None
