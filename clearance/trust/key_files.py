"""Private keys in files: made for their owner alone, refused when others could have read them.

securesystemslib looks at no file mode and reads no encrypted file; so both is done here.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance.errors import ConfigurationError
from clearance.trust import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from securesystemslib.signer import Key

SCHEME = "file2"
PASSPHRASE = "CLEARANCE_PASSPHRASE"  # noqa: S105 - the variable's name
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
"""What a person may be called, here and in `policies/roles.yaml`: it becomes the name of a file."""
_LONGEST = 1 << 16


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A new key pair: the URI of the private half, and the public half as `policies/roles.yaml` lists it."""

    uri: str
    entry: Mapping[str, Any]

    def __str__(self) -> str:
        public = self.entry["keyval"]["public"]
        return (
            f"- keyid: {self.entry['keyid']}\n  keytype: {self.entry['keytype']}\n"
            f'  scheme: {self.entry["scheme"]}\n  keyval: {{public: "{public}"}}\n'
        )


def create(folder: Path, identity: str, passphrase: str | None = None) -> KeyPair:
    """Make an Ed25519 key pair; the private half goes to `<folder>/<identity>.pem`, mode 0600.

    PKCS #8 in PEM, encrypted when a passphrase is given. The file is there whole or not at all. Raises
    ConfigurationError when it exists, for a key is never overwritten, and when the name is no file's name.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not NAME.fullmatch(identity):
        raise ConfigurationError(
            f"{identity!r} names no person", "use small letters, digits, `.`, `_`, `@`, `-`"
        )
    path, private = folder / f"{identity}.pem", Ed25519PrivateKey.generate()
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        lock = serialization.BestAvailableEncryption(passphrase.encode())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    _keep(path, pem)
    return KeyPair(uri=f"{SCHEME}:{path}", entry=keys.entry(public_half(path, private)))


def private(path: Path, secret: Callable[[str], str]) -> PrivateKeyTypes:
    """The private key in a file; `secret` is asked for the passphrase of an encrypted one.

    Raises ConfigurationError: unreadable, open to others, no key in PEM, a wrong passphrase.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _guarded(path)
    try:
        try:
            return load_pem_private_key(pem, None)
        except TypeError:  # it is encrypted
            return load_pem_private_key(pem, secret("passphrase").encode())
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{path} is no private key in PEM, or the passphrase is another",
            f"check {PASSPHRASE}, and that the file is PKCS #8 in PEM",
        ) from None


def public_half(path: Path, private: PrivateKeyTypes) -> Key:
    """The public key of a private one from `path`. Raises ConfigurationError when its kind signs nothing."""
    from securesystemslib.signer import SSlibKey

    try:
        return SSlibKey.from_crypto(private.public_key())
    except ValueError as error:
        raise ConfigurationError(f"{path} signs nothing here ({error})", "make an Ed25519 key") from None


def _guarded(path: Path) -> bytes:
    """The content of a key file that nobody else can read or change.

    Its group may read it, for a container's secrets are mounted so. Raises ConfigurationError.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LONGEST)
    except OSError as error:
        raise ConfigurationError(
            f"the private key {path} cannot be read ({error.strerror})",
            "let CLEARANCE_SIGNER name your key file, or make a key",
        ) from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        raise ConfigurationError(
            f"the private key {path} is open to others (mode {stat.S_IMODE(mode):04o})",
            f"`chmod 600 {path}`; if others could have read it, have the key revoked and make a new one",
        )
    return data


def _keep(path: Path, pem: bytes) -> None:
    """Write a private key for its owner alone, by link: whole, and never over another."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(name)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists, and a key is never overwritten", "choose another folder"
        ) from None
    finally:
        Path(name).unlink(missing_ok=True)
