"""Public keys: each is identified by its own digest, and two spellings of one key are one key.

`roles` says whose key it is, and when it is valid. No private key is handled here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clearance.trust import faults

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from securesystemslib.signer import Key

_SIGSTORE = ("sigstore-oidc", "Fulcio")


def entry(key: Key) -> dict[str, Any]:
    """The key as `policies/roles.yaml` lists it: keyid, keytype, scheme, keyval."""
    return {"keyid": key.keyid, "keytype": key.keytype, "scheme": key.scheme, "keyval": dict(key.keyval)}


def public(listed: Mapping[str, Any]) -> Key:
    """The public key in `{keyid, keytype, scheme, keyval}`.

    Raises ConfigurationError when it cannot be used, or its key id is not the digest of the key: SHA-256 over
    type, scheme and value as securesystemslib derives it, with the value in its one canonical spelling.
    """
    from securesystemslib import exceptions
    from securesystemslib.signer import Key

    register_sigstore()
    keyid = str(listed.get("keyid"))
    try:
        body = {name: listed[name] for name in ("keytype", "scheme", "keyval")}
        key = Key.from_dict(keyid, body | {"keyval": dict(body["keyval"])})
        own = _canonical(key)
    except (KeyError, TypeError, ValueError, exceptions.Error) as error:
        raise faults.NOT_A_PUBLIC_KEY(keyid=keyid[:12], why=error) from None
    if key != own:
        raise faults.WRONG_KEYID(keyid=keyid[:12], expected=own.keyid)
    return key


def fingerprint(key: Key) -> str:
    """The SHA-256 of the public key alone. Unlike the key id, it is the same under every scheme."""
    from cryptography.hazmat.primitives import serialization

    crypto = _crypto(key)
    if crypto is None:  # Sigstore: the identity at the provider is the key
        return hashlib.sha256(repr(sorted(key.keyval.items())).encode()).hexdigest()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(crypto.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def register_sigstore() -> None:
    """Add Sigstore to the registries of securesystemslib, which omit it while its format may change."""
    from securesystemslib import signer as kinds

    kinds.SIGNER_FOR_URI_SCHEME.setdefault(kinds.SigstoreSigner.SCHEME, kinds.SigstoreSigner)
    kinds.KEY_FOR_TYPE_AND_SCHEME.setdefault(_SIGSTORE, kinds.SigstoreKey)


def _canonical(key: Key) -> Key:
    """The same key in its canonical spelling, with its own id. Raises ValueError when there is none."""
    from securesystemslib.signer import Key as AnyKey
    from securesystemslib.signer import SSlibKey
    from securesystemslib.signer._utils import compute_default_keyid

    crypto = _crypto(key)
    if crypto is not None:
        return SSlibKey.from_crypto(crypto, scheme=key.scheme)
    keyid = compute_default_keyid(key.keytype, key.scheme, key.keyval)
    return AnyKey.from_dict(keyid, key.to_dict())


def _crypto(key: Key) -> PublicKeyTypes | None:
    """The key as an object of `cryptography`; None for Sigstore. Raises ValueError for any other kind."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SigstoreKey, SSlibKey

    if isinstance(key, SigstoreKey):
        return None
    if not isinstance(key, SSlibKey):
        raise ValueError(f"keys of type {key.keytype} are not supported")
    text = key.keyval["public"]
    if key.keytype == "ed25519":
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    return load_pem_public_key(text.encode())
