"""The keys of an inference log: one for each subject, wrapped by a key that lies in a file outside the log.

Content is sealed with AES-256-GCM under the key of its subject, or of the day where it has none. The key
file holds the key-encryption key; the keys that are derived from it (HKDF-SHA256) wrap the subjects' keys,
name subjects by pseudonym, authenticate the chain and seal the spool. Destroying a wrapped key makes what it
sealed unreadable for everybody, the holder of the key file included.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clearance.inference_log import faults
from clearance.inference_log.chain import Head
from clearance.trust import protected_files

NONCE = 12
"""Bytes of the random nonce before each sealed text."""

_SIZE = 32
_SHAPE = re.compile(rb"[0-9a-f]{64}\n?\Z")
_REMEMBERED = 10_000


def create(path: Path) -> None:
    """Write a new key file, mode 0600, unless there is one. Raises ConfigurationError."""
    try:
        protected_files.write(path, f"{os.urandom(_SIZE).hex()}\n".encode())
    except FileExistsError:
        return
    except OSError as error:
        raise faults.KEY_NOT_READABLE(path=path, why=error.strerror) from None


def load(path: Path, log: str) -> Keyring:
    """The keyring of the log with this id. Raises ConfigurationError when the file cannot be used."""
    try:
        data = protected_files.read(path)
    except protected_files.Exposed as error:
        raise faults.KEY_EXPOSED(path=path, mode=error.mode) from None
    except FileNotFoundError:
        raise faults.KEY_MISSING(path=path) from None
    except OSError as error:
        raise faults.KEY_NOT_READABLE(path=path, why=error.strerror) from None
    if not _SHAPE.match(data):
        raise faults.KEY_MALFORMED(path=path)
    return Keyring(bytes.fromhex(data.decode()), log)


class Keyring:
    """What the key file allows: wrap and unwrap keys, seal and open content, authenticate the chain."""

    def __init__(self, secret: bytes, log: str) -> None:
        def derived(purpose: str) -> bytes:
            info = f"clearance/inference/{purpose}/1".encode()
            return HKDF(algorithm=SHA256(), length=_SIZE, salt=log.encode(), info=info).derive(secret)

        self._wrap = AESGCM(derived("wrap"))
        self._spool = AESGCM(derived("spool"))
        self._index = derived("index")
        self._chain = derived("chain")
        self.check = hashlib.sha256(derived("check")).hexdigest()
        """Tells the key file of this log from another; nothing can be derived from it."""
        self._open: dict[int, AESGCM] = {}
        self._pseudonyms: dict[str, str] = {}

    def pseudonym(self, subject: str | None, day: str) -> str:
        """The name under which the store knows the key of a subject, or of the day without a subject."""
        name = f"day {day}" if subject is None else f"subject {subject}"
        pseudonym = self._pseudonyms.get(name)
        if pseudonym is None:
            pseudonym = hmac.digest(self._index, name.encode(), "sha256").hex()
            self._pseudonyms[name] = pseudonym
        return pseudonym

    def digest(self, text: str) -> str:
        """A keyed digest of a text: the same text gives the same one, and nobody without the key can try."""
        return hmac.digest(self._index, f"text {text}".encode(), "sha256").hex()

    def make(self, number: int) -> bytes:
        """A new key with this number, wrapped."""
        key, nonce = AESGCM.generate_key(256), os.urandom(NONCE)
        self._remember(number, AESGCM(key))
        return nonce + self._wrap.encrypt(nonce, key, b"%d" % number)

    def take(self, number: int, wrapped: bytes) -> bool:
        """Unwrap a stored key; False when it is not the key with this number, wrapped by this key file."""
        if number in self._open:
            return True
        try:
            key = self._wrap.decrypt(wrapped[:NONCE], wrapped[NONCE:], b"%d" % number)
        except (InvalidTag, ValueError):
            return False
        self._remember(number, AESGCM(key))
        return True

    def has(self, number: int) -> bool:
        """Whether the key with this number is unwrapped."""
        return number in self._open

    def drop(self, number: int) -> None:
        """Forget one unwrapped key."""
        self._open.pop(number, None)

    def forget(self) -> None:
        """Forget every unwrapped key: some were destroyed, or never committed."""
        self._open.clear()

    def trim(self) -> None:
        """Forget every unwrapped key once there are many. Not between taking a key and using it."""
        if len(self._pseudonyms) > _REMEMBERED:
            self._pseudonyms.clear()
        if len(self._open) > _REMEMBERED:
            self._open.clear()

    def seal(self, number: int, content: bytes, bound: bytes) -> bytes:
        """The content sealed under an unwrapped key, and bound to what stands beside it."""
        nonce = os.urandom(NONCE)
        return nonce + self._open[number].encrypt(nonce, content, bound)

    def open(self, number: int, sealed: bytes, bound: bytes) -> bytes | None:
        """What `seal` sealed under an unwrapped key; None when it, or what it is bound to, was changed."""
        try:
            return self._open[number].decrypt(sealed[:NONCE], sealed[NONCE:], bound)
        except (InvalidTag, ValueError):
            return None

    def mac(self, digest: str) -> bytes:
        """What proves that a holder of the key file put this hash into the chain: 16 bytes."""
        return hmac.digest(self._chain, digest.encode(), "sha256")[:16]

    def head_mac(self, head: Head) -> bytes:
        """What proves that a holder of the key file moved the head of the log here: 16 bytes."""
        text = f"{head.sequence} {head.hash} {head.at} {head.keys} {head.erasures}"
        return hmac.digest(self._chain, text.encode(), "sha256")[:16]

    def seal_spooled(self, data: bytes, bound: bytes) -> bytes:
        """A frame of the spool, sealed."""
        nonce = os.urandom(NONCE)
        return nonce + self._spool.encrypt(nonce, data, bound)

    def open_spooled(self, sealed: bytes, bound: bytes) -> bytes | None:
        """What `seal_spooled` sealed; None when it was changed."""
        try:
            return self._spool.decrypt(sealed[:NONCE], sealed[NONCE:], bound)
        except (InvalidTag, ValueError):
            return None

    def _remember(self, number: int, key: AESGCM) -> None:
        self._open[number] = key
