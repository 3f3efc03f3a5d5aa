"""Who signs in this process: an identity and the URI of a private key, both from the environment.

The URI is securesystemslib's: `file2:PATH` for a PEM file, or a KMS, an HSM, Vault or Sigstore, so that no
secret needs to be stored on this machine. No message shows a secret, or a URI that could contain one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearance import isolation
from clearance.trust import faults, key_files, keys

if TYPE_CHECKING:
    import datetime as dt

    from securesystemslib.signer import Key, Signer

    from clearance.trust.roles import Person, Roles

IDENTITY = "CLEARANCE_IDENTITY"
SIGNER = "CLEARANCE_SIGNER"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person of the roles file, and a signer with one of their keys that is valid now."""

    person: Person
    signer: Signer


def resolve_actor(
    roles: Roles, at: dt.datetime, identity: str | None = None, uri: str | None = None
) -> Actor:
    """The person who acts: `identity` or `CLEARANCE_IDENTITY`, signing with `uri` or `CLEARANCE_SIGNER`.

    Raises ConfigurationError when either is missing, the roles file does not list the person, or the signer
    holds none of their keys that are valid at `at`.
    """
    name, location = identity or os.environ.get(IDENTITY), uri or os.environ.get(SIGNER)
    if not name:
        raise faults.NO_IDENTITY()
    person = roles.people.get(name)
    if person is None:
        raise faults.UNKNOWN_IDENTITY(name=name)
    if not location:
        raise faults.NO_SIGNER(name=name)
    valid = [assignment.key for assignment in person.keys if assignment.fault(at) is None]
    if not valid:
        raise faults.NO_VALID_KEY(name=name)
    return Actor(person=person, signer=signer(location, valid))


def signer(uri: str, publics: Sequence[Key] = (), secret: Callable[[str], str] | None = None) -> Signer:
    """The signer at `uri`; it holds one of `publics`, where those are given.

    The public key of a file is derived from it; every other kind takes the only key in `publics`. `secret` is
    called with the name of a PIN or passphrase; without it, `CLEARANCE_PASSPHRASE` is used. Raises
    ConfigurationError: unknown scheme, missing library, unreadable file, wrong passphrase, foreign key.
    """
    from securesystemslib import exceptions
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signer

    isolation.seal_process()  # from here on it holds a key
    keys.register_sigstore()
    scheme, separator, rest = uri.partition(":")
    if not separator or scheme not in SIGNER_FOR_URI_SCHEME:
        raise faults.UNKNOWN_SCHEME(schemes=", ".join(sorted(SIGNER_FOR_URI_SCHEME)))
    if scheme == key_files.SCHEME:
        return _of_file(rest, publics, secret or _from_environment)
    if len(publics) != 1:
        raise faults.AMBIGUOUS_KEY(scheme=scheme, count=len(publics))
    try:
        return Signer.from_priv_key_uri(uri, publics[0], secret or _from_environment)
    except (OSError, RuntimeError, ValueError, exceptions.Error) as error:
        why = str(error).replace(uri, f"{scheme}:…").replace(rest or uri, "…")
        raise faults.UNUSABLE_SIGNER(scheme=scheme, why=why) from None


def _of_file(location: str, publics: Sequence[Key], secret: Callable[[str], str]) -> Signer:
    from securesystemslib.signer import CryptoSigner, SSlibKey

    path = Path(os.environ.get(CryptoSigner.PREFIX_ENV_VAR, "")) / location
    if not location or ("?" in location and not path.exists()):  # an option of other signers
        raise faults.NOT_A_KEY_PATH(scheme=key_files.SCHEME)
    private = key_files.load_private_key(path, secret)
    derived = key_files.public_key(path, private)
    fingerprint = keys.fingerprint(derived)
    for key in publics or (derived,):
        if isinstance(key, SSlibKey) and keys.fingerprint(key) == fingerprint:
            return CryptoSigner(private, key)
    raise faults.FOREIGN_KEY(path=path, keyid=derived.keyid[:12])


def _from_environment(name: str) -> str:
    if value := os.environ.get(key_files.PASSPHRASE):
        return value
    raise faults.NO_PASSPHRASE(name=name)
