"""The public keys of an identity provider: found by discovery, kept for a while, asked for again with care.

What cannot be fetched, is too big, redirects or speaks for somebody else is no key; no token is read here.
Source: OpenID Connect Discovery 1.0, RFC 7517.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from clearance.approvals_api import oidc_settings
from clearance.errors import UnavailableError

DISCOVERY = "/.well-known/openid-configuration"
LIFETIME = 600.0
"""Seconds for which a key is believed without asking again: so long a withdrawn one may still count."""
PAUSE = 10.0
"""Seconds between two questions, so that tokens with made-up key ids cannot make us ask without end."""
_TIMEOUT, _LONGEST, _SMALLEST_RSA = 5.0, 1 << 20, 2048
_KINDS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


class Issuer:
    """An identity provider's keys, as any number of threads may ask for them."""

    def __init__(
        self,
        address: str,
        *,
        lifetime: float = LIFETIME,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self._lifetime, self._pause, self._clock = address, lifetime, pause, clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._asked = self._answered = float("-inf")

    def key(self, keyid: str) -> jwt.PyJWK | None:
        """The key with this id; None when the provider has none.

        Asks the provider when the id is not known or what is known has grown old, unless it was asked just
        now. Raises UnavailableError when it gives no answer, and nothing that it said is young enough.
        """
        with self._lock:
            now = self._clock()
            young = now - self._answered < self._lifetime
            if (not young or keyid not in self._keys) and now - self._asked >= self._pause:
                self._asked = now
                self._keys = fetch(self.address)
                self._answered, young = now, True
            if not young:
                raise _silent(self.address, "it did not answer a moment ago")
            return self._keys.get(keyid)


def fetch(address: str) -> dict[str, jwt.PyJWK]:
    """The signing keys that the provider publishes now, by their id.

    Raises UnavailableError when it does not answer, or its answer is of no use: another issuer, no key.
    """
    about = _read(address, address.rstrip("/") + DISCOVERY)
    if about.get("issuer") != address:
        raise _silent(address, f"its discovery document speaks for {about.get('issuer')!r:.200}")
    place = about.get("jwks_uri")
    if not isinstance(place, str) or not oidc_settings.is_safe(place):
        raise _silent(address, "its jwks_uri is no https:// address")
    listed = _read(address, place).get("keys")
    found = dict(filter(None, map(_parsed, listed if isinstance(listed, list) else [])))
    if not found:
        raise _silent(address, "it publishes no key that could sign a token here")
    return found


def _parsed(said: Any) -> tuple[str, jwt.PyJWK] | None:
    """A public signing key of a kind that we know, and its id; None for any other."""
    match said:
        case {"kid": str(keyid), "kty": str(kind), **rest} if "d" not in rest:
            algorithm = _KINDS.get((kind, str(rest.get("crv", ""))))
        case _:
            return None
    if algorithm is None or rest.get("use", "sig") != "sig" or rest.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(said, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return None if kind == "RSA" and key.key.key_size < _SMALLEST_RSA else (keyid, key)


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No redirect is followed: the keys come from where the provider says, and from nowhere else."""


def _read(address: str, place: str) -> dict[str, Any]:
    try:
        with urllib.request.build_opener(_Straight).open(place, timeout=_TIMEOUT) as answer:
            text = answer.read(_LONGEST + 1)
        said = json.loads(text) if len(text) <= _LONGEST else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise _silent(address, f"{place}: {error}") from None
    if not isinstance(said, dict):
        raise _silent(address, f"{place} holds no JSON object")
    return said


def _silent(address: str, why: str) -> UnavailableError:
    return UnavailableError(
        f"the identity provider {address} gives no keys ({why}), so that no token can be checked",
        "see that it runs and can be reached; until then, sign with a key of your own: `clearance approve`",
    )
