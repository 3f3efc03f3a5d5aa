"""Whether a bearer token is genuine, meant for this service and current, and which account it attests.

Pure but for the provider's keys and the clock. Whose account it is, the roles file says. A rejection names an
account only if the provider's signature is valid, and never contains the token.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from clearance.approvals_api import faults
from clearance.approvals_api.oidc_keys import ProviderKeys
from clearance.approvals_api.oidc_settings import GroupMapping, ProviderSettings
from clearance.errors import ClearanceError, ErrorKind
from clearance.trust.decisions import AttestedAccount

MAX_LENGTH = 16 * 1024
"""Characters of a token."""
_TYPES = {"jwt", "at+jwt"}
_CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
_SIGNATURE_ONLY: Any = {f"verify_{claim}": False for claim in _CLAIMS}
_FAULTS: dict[type[jwt.PyJWTError], ErrorKind] = {
    jwt.ExpiredSignatureError: faults.TOKEN_EXPIRED,
    jwt.ImmatureSignatureError: faults.TOKEN_NOT_YET_VALID,
    jwt.InvalidAudienceError: faults.TOKEN_WRONG_AUDIENCE,
    jwt.InvalidIssuerError: faults.TOKEN_WRONG_ISSUER,
}


@dataclass(frozen=True, kw_only=True)
class RejectedToken:
    """Why a token is rejected. `issuer` and `subject` are set if the provider's signature is valid."""

    error: ClearanceError
    issuer: str | None = None
    subject: str | None = None


def read(token: str, settings: ProviderSettings, keys: ProviderKeys) -> AttestedAccount | RejectedToken:
    """The account that the token attests, or why it attests none.

    Checks the signature with a key of the provider, under an allowed algorithm that is the key's own; then
    issuer, audience, expiry, not-before and age. Raises UnavailableError when the provider gives no keys.
    """
    key = _key(token, settings, keys)
    if isinstance(key, ClearanceError):
        return RejectedToken(error=key)
    try:
        signed = jwt.decode(token, key.key, [key.algorithm_name], _SIGNATURE_ONLY)
    except (jwt.PyJWTError, ValueError):
        return RejectedToken(error=faults.TOKEN_BAD_SIGNATURE())
    return _account(token, signed, key, settings)


def _key(token: str, settings: ProviderSettings, keys: ProviderKeys) -> jwt.PyJWK | ClearanceError:
    """The key that the token names, or what is wrong with its header."""
    if len(token) > MAX_LENGTH:
        return faults.TOKEN_TOO_LONG(limit=MAX_LENGTH)
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        return faults.TOKEN_NOT_A_JWT()
    algorithm, keyid, token_type = header.get("alg"), header.get("kid"), header.get("typ", "jwt")
    if algorithm not in settings.algorithms:
        return faults.TOKEN_ALGORITHM_NOT_ALLOWED()
    if str(token_type).lower().removeprefix("application/") not in _TYPES:
        return faults.TOKEN_WRONG_TYPE()
    key = keys.key(keyid) if isinstance(keyid, str) else None
    if key is None:
        return faults.TOKEN_UNKNOWN_KEY()
    return key if key.algorithm_name == algorithm else faults.TOKEN_KEY_MISMATCH()


def _account(
    token: str, signed: Mapping[str, Any], key: jwt.PyJWK, settings: ProviderSettings
) -> AttestedAccount | RejectedToken:
    """The account of a token whose signature is valid, if its claims are."""
    issuer, subject = _printable(signed.get("iss")), _printable(signed.get(settings.subject))
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
        lifetime = int(claims["exp"]) - int(claims["iat"])
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        fault = next(
            (fault for kind, fault in _FAULTS.items() if isinstance(error, kind)), faults.TOKEN_INVALID_CLAIM
        )
        return RejectedToken(error=fault(), issuer=issuer, subject=subject)
    age = (dt.datetime.now(dt.UTC) - issued).total_seconds()
    if age > settings.max_age + settings.leeway or lifetime > settings.max_age:
        too_old = faults.TOKEN_TOO_OLD(seconds=settings.max_age)
        return RejectedToken(error=too_old, issuer=issuer, subject=subject)
    if subject is None:
        return RejectedToken(error=faults.TOKEN_NO_SUBJECT(claim=settings.subject), issuer=issuer)
    return AttestedAccount(
        issuer=settings.issuer,
        subject=subject,
        token=hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest(),
        issued=issued,
        roles=_roles(claims, settings.groups),
    )


def _roles(claims: Mapping[str, Any], groups: GroupMapping | None) -> tuple[str, ...] | None:
    """The roles to which the token's groups restrict the account; None without a group mapping."""
    if groups is None:
        return None
    claim = claims.get(groups.claim)
    names = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return groups.roles_of(name for name in names if isinstance(name, str))


def _printable(value: Any) -> str | None:
    """A name that a ledger entry can hold; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable() else None
