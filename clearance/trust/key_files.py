"""Private keys in files: readable by their owner only, and refused if others could read them.

securesystemslib checks no file mode and reads no encrypted file, so both happen here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance.trust import faults, keys, protected_files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from securesystemslib.signer import Key

SCHEME = "file2"
PASSPHRASE = "CLEARANCE_PASSPHRASE"  # noqa: S105 - the variable's name
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
"""Valid names of people, here and in `policies/roles.yaml`: each becomes the name of a file."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A new key pair: the URI of the private key, and the public key as `policies/roles.yaml` lists it."""

    uri: str
    entry: Mapping[str, Any]

    def __str__(self) -> str:
        public = self.entry["keyval"]["public"]
        return (
            f"- keyid: {self.entry['keyid']}\n  keytype: {self.entry['keytype']}\n"
            f'  scheme: {self.entry["scheme"]}\n  keyval: {{public: "{public}"}}\n'
        )


def create(folder: Path, identity: str, passphrase: str | None = None) -> KeyPair:
    """Make an Ed25519 key pair; the private key is written to `<folder>/<identity>.pem`, mode 0600.

    PKCS #8 in PEM, encrypted when a passphrase is given. The file is written completely or not at all.
    Raises ConfigurationError when it exists (a key is never overwritten), and when the name is invalid.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not NAME.fullmatch(identity):
        raise faults.INVALID_PERSON_NAME(name=identity)
    path, private = folder / f"{identity}.pem", Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        protected_files.write(path, pem)
    except FileExistsError:
        raise faults.KEY_EXISTS(path=path) from None
    return KeyPair(uri=f"{SCHEME}:{path}", entry=keys.entry(public_key(path, private)))


def load_private_key(path: Path, secret: Callable[[str], str]) -> PrivateKeyTypes:
    """The private key in a file; `secret` is called for the passphrase of an encrypted one.

    Raises ConfigurationError when the file is unreadable, accessible to others, or not a key in PEM, and
    when the passphrase is wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _read_protected(path)
    try:
        try:
            return load_pem_private_key(pem, None)
        except TypeError:  # it is encrypted
            return load_pem_private_key(pem, secret("passphrase").encode())
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise faults.NOT_A_PRIVATE_KEY(path=path) from None


def public_key(path: Path, private: PrivateKeyTypes) -> Key:
    """The public key of a private key from `path`. Raises ConfigurationError when it cannot sign."""
    from securesystemslib.signer import SSlibKey

    try:
        return SSlibKey.from_crypto(private.public_key())
    except ValueError as error:
        raise faults.UNUSABLE_KEY_TYPE(path=path, why=error) from None


def _read_protected(path: Path) -> bytes:
    """The content of a key file that no other user can access. Raises ConfigurationError."""
    try:
        return protected_files.read(path)
    except protected_files.Exposed as error:
        raise faults.PRIVATE_KEY_EXPOSED(path=path, mode=error.mode) from None
    except OSError as error:
        raise faults.PRIVATE_KEY_NOT_READABLE(path=path, why=error.strerror) from None
