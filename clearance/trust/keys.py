"""Public keys: each is known by the digest of itself, and two spellings of one key are one key.

Which person a key stands for, and from when to when, is said in `roles`; no private key comes here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clearance.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from securesystemslib.signer import Key

_SIGSTORE = ("sigstore-oidc", "Fulcio")


def entry(key: Key) -> dict[str, Any]:
    """The key as `policies/roles.yaml` lists it: keyid, keytype, scheme, keyval."""
    return {"keyid": key.keyid, "keytype": key.keytype, "scheme": key.scheme, "keyval": dict(key.keyval)}


def public(listed: Mapping[str, Any]) -> Key:
    """The public key that `{keyid, keytype, scheme, keyval}` says.

    Raises ConfigurationError when it is no key we can check by, or its key id is not the digest of the key:
    SHA-256 over type, scheme and value as securesystemslib derives it, the value in its one spelling.
    """
    from securesystemslib import exceptions
    from securesystemslib.signer import Key

    know_sigstore()
    keyid = str(listed.get("keyid"))
    try:
        body = {name: listed[name] for name in ("keytype", "scheme", "keyval")}
        key = Key.from_dict(keyid, body | {"keyval": dict(body["keyval"])})
        own = _respelt(key)
    except (KeyError, TypeError, ValueError, exceptions.Error) as error:
        fault = f"key {keyid[:12]}… is no public key that we can check by ({error})"
        raise ConfigurationError(fault, "copy the entry as it was printed when the key was made") from None
    if key != own:
        raise ConfigurationError(
            f"key {keyid[:12]}… is not what its key id says: the id of this public key is {own.keyid}",
            "copy the entry as it was printed when the key was made; find out who changed it if you did not",
        )
    return key


def fingerprint(key: Key) -> str:
    """The SHA-256 of the public key alone: equal for one key under two schemes, unlike the key id."""
    from cryptography.hazmat.primitives import serialization

    crypto = _crypto(key)
    if crypto is None:  # Sigstore: the person at the identity provider is the key
        return hashlib.sha256(repr(sorted(key.keyval.items())).encode()).hexdigest()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(crypto.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def know_sigstore() -> None:
    """securesystemslib has Sigstore and leaves it out of its registries, for its format may still change."""
    from securesystemslib import signer as kinds

    kinds.SIGNER_FOR_URI_SCHEME.setdefault(kinds.SigstoreSigner.SCHEME, kinds.SigstoreSigner)
    kinds.KEY_FOR_TYPE_AND_SCHEME.setdefault(_SIGSTORE, kinds.SigstoreKey)


def _respelt(key: Key) -> Key:
    """The same key, spelt and named by nothing but itself. Raises ValueError where that cannot be."""
    from securesystemslib.signer import Key as AnyKey
    from securesystemslib.signer import SSlibKey
    from securesystemslib.signer._utils import compute_default_keyid

    crypto = _crypto(key)
    if crypto is not None:
        return SSlibKey.from_crypto(crypto, scheme=key.scheme)
    keyid = compute_default_keyid(key.keytype, key.scheme, key.keyval)
    return AnyKey.from_dict(keyid, key.to_dict())


def _crypto(key: Key) -> PublicKeyTypes | None:
    """The key for `cryptography`; None for Sigstore. Raises ValueError when it is neither."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SigstoreKey, SSlibKey

    if isinstance(key, SigstoreKey):
        return None
    if not isinstance(key, SSlibKey):
        raise ValueError(f"a key of type {key.keytype} is known by no digest of itself")
    text = key.keyval["public"]
    if key.keytype == "ed25519":
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    return load_pem_public_key(text.encode())
