"""The public keys of an identity provider: discovered, cached for a while, fetched again at a bounded rate.

A response that is missing, too large, redirected or issued for another provider yields no key. No token is
read here. Source: OpenID Connect Discovery 1.0, RFC 7517.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from clearance.approvals_api import faults, oidc_settings

DISCOVERY = "/.well-known/openid-configuration"
LIFETIME = 600.0
"""Seconds for which a key is cached. A withdrawn key can count for this long."""
PAUSE = 10.0
"""Seconds between two fetches, so that tokens with invented key IDs cannot cause endless requests."""
_TIMEOUT, _MAX_BYTES, _MIN_RSA_BITS = 5.0, 1 << 20, 2048
_ALGORITHMS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


class ProviderKeys:
    """A cache of one provider's keys. Safe for use by many threads."""

    def __init__(
        self,
        issuer: str,
        *,
        lifetime: float = LIFETIME,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer, self._lifetime, self._pause, self._clock = issuer, lifetime, pause, clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._last_attempt = self._last_success = float("-inf")

    def key(self, keyid: str) -> jwt.PyJWK | None:
        """The key with this ID; None if the provider publishes none.

        Fetches the keys again if the ID is unknown or the cache is too old, unless the last attempt was a
        moment ago. Raises UnavailableError when the cache is too old and the provider does not answer.
        """
        with self._lock:
            now = self._clock()
            fresh = now - self._last_success < self._lifetime
            if (not fresh or keyid not in self._keys) and now - self._last_attempt >= self._pause:
                self._last_attempt = now
                self._keys = fetch(self.issuer)
                self._last_success, fresh = now, True
            if not fresh:
                raise faults.PROVIDER_UNAVAILABLE(issuer=self.issuer, reason="it did not answer a moment ago")
            return self._keys.get(keyid)


def fetch(issuer: str) -> dict[str, jwt.PyJWK]:
    """The signing keys that the provider publishes now, by their ID.

    Raises UnavailableError when the provider does not answer, or its answer is for another issuer or contains
    no usable key.
    """
    discovery = _get_json(issuer, issuer.rstrip("/") + DISCOVERY)
    if discovery.get("issuer") != issuer:
        reason = f"its discovery document is for {discovery.get('issuer')!r:.200}"
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason=reason)
    address = discovery.get("jwks_uri")
    if not isinstance(address, str) or not oidc_settings.is_tamper_proof(address):
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason="its jwks_uri is not an https:// address")
    published = _get_json(issuer, address).get("keys")
    keys = dict(filter(None, map(_parse, published if isinstance(published, list) else [])))
    if not keys:
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason="it publishes no usable signing key")
    return keys


def _parse(entry: Any) -> tuple[str, jwt.PyJWK] | None:
    """A public signing key of a supported type with its ID; None for any other entry."""
    match entry:
        case {"kid": str(keyid), "kty": str(key_type), **fields} if "d" not in fields:
            algorithm = _ALGORITHMS.get((key_type, str(fields.get("crv", ""))))
        case _:
            return None
    if algorithm is None or fields.get("use", "sig") != "sig" or fields.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return None if key_type == "RSA" and key.key.key_size < _MIN_RSA_BITS else (keyid, key)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirect: keys come only from the address that the provider states."""


def _get_json(issuer: str, address: str) -> dict[str, Any]:
    try:
        with urllib.request.build_opener(_NoRedirect).open(address, timeout=_TIMEOUT) as response:
            text = response.read(_MAX_BYTES + 1)
        document = json.loads(text) if len(text) <= _MAX_BYTES else None
    except urllib.error.HTTPError as error:
        error.close()
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason=f"{address}: {error}") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason=f"{address}: {error}") from None
    if not isinstance(document, dict):
        raise faults.PROVIDER_UNAVAILABLE(issuer=issuer, reason=f"{address} is not a JSON object")
    return document
