"""A small OpenID provider on loopback: discovery, keys that rotate, and tokens as good or bad as asked."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

AUDIENCE = "api://clearance"
_MAKERS: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A private key, its id and its algorithm."""

    keyid: str
    algorithm: str
    private: Any

    @property
    def public_pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(self.private.public_key().public_bytes(serialization.Encoding.PEM, form))

    @property
    def listed(self) -> dict[str, Any]:
        """The public half, as a provider publishes it."""
        maker = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = json.loads(maker.to_jwk(self.private.public_key()))  # type: ignore[attr-defined]
        return {**public, "kid": self.keyid, "use": "sig", "alg": self.algorithm}

    @property
    def secret(self) -> dict[str, Any]:
        """The private half, as nobody should publish it."""
        maker = jwt.get_algorithm_by_name(self.algorithm)
        private: dict[str, Any] = json.loads(maker.to_jwk(self.private))  # type: ignore[attr-defined]
        return {**private, "kid": self.keyid}


def make(algorithm: str = "ES256", keyid: str | None = None) -> Key:
    return Key(keyid=keyid or uuid.uuid4().hex, algorithm=algorithm, private=_MAKERS[algorithm]())


@dataclass
class Provider:
    """What the provider says now; `discovery` is laid over its discovery document."""

    port: int = 0
    keys: list[Key] = field(default_factory=lambda: [make()])
    extra: list[Any] = field(default_factory=list)
    discovery: dict[str, Any] = field(default_factory=dict)
    redirect: str | None = None
    asked: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rotate(self, algorithm: str = "ES256") -> Key:
        """Sign with a new key from now on, and publish no other."""
        self.keys = [make(algorithm)]
        return self.keys[0]

    def document(self, path: str) -> dict[str, Any] | None:
        self.asked += 1
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.address, "jwks_uri": f"{self.address}/keys"} | self.discovery
        return {"keys": [*self.extra, *(key.listed for key in self.keys)]} if path == "/keys" else None

    def claims(self, subject: str, **changes: Any) -> dict[str, Any]:
        """Good claims, changed; a claim that is changed to None is left out."""
        now = int(time.time())
        payload = {"iss": self.address, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300}
        payload |= {"nbf": now, "jti": uuid.uuid4().hex, **changes}
        return {name: value for name, value in payload.items() if value is not None}

    def token(
        self, subject: str, *, key: Key | None = None, headers: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """A token for the subject, signed by the newest key unless by another."""
        key = key or self.keys[-1]
        fields = {"kid": key.keyid} | (headers or {})
        token_headers = {name: value for name, value in fields.items() if value is not None}
        return jwt.encode(self.claims(subject, **changes), key.private, key.algorithm, token_headers)


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that answers on loopback until the end."""
    provider = Provider()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = provider.document(self.path)
            if provider.redirect:
                self.send_response(302)
                self.send_header("Location", provider.redirect)
                self.end_headers()
                return
            body = json.dumps(content).encode()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the base class names it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        provider.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join(10)
