"""Who signs in this process: an identity and the URI of a private key, both from the environment.

The URI is securesystemslib's: `file2:PATH` for a PEM file, or a KMS, an HSM, Vault, Sigstore, so that no
secret has to lie on this machine. No message here shows a secret, nor a URI that could hold one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearance.errors import ConfigurationError
from clearance.trust import key_files, keys

if TYPE_CHECKING:
    import datetime as dt

    from securesystemslib.signer import Key, Signer

    from clearance.trust.roles import Person, Roles

IDENTITY = "CLEARANCE_IDENTITY"
SIGNER = "CLEARANCE_SIGNER"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person of the roles file and the signer with a key of theirs that is valid now."""

    person: Person
    signer: Signer


def resolve_actor(
    roles: Roles, at: dt.datetime, identity: str | None = None, uri: str | None = None
) -> Actor:
    """Who acts: `identity` or `CLEARANCE_IDENTITY`, signing with `uri` or `CLEARANCE_SIGNER`.

    Raises ConfigurationError when either is missing, the roles file knows no such person, or the signer
    holds no key of theirs that is valid at `at`.
    """
    name, place = identity or os.environ.get(IDENTITY), uri or os.environ.get(SIGNER)
    if not name:
        raise ConfigurationError(
            "nobody is named who acts", f"set {IDENTITY} to your name in policies/roles.yaml"
        )
    person = roles.people.get(name)
    if person is None:
        raise ConfigurationError(
            f"policies/roles.yaml knows no {name}", f"set {IDENTITY} to a name that it lists"
        )
    if not place:
        raise ConfigurationError(
            f"no signer is named for {name}", f"set {SIGNER}, say to file2:/path/{name}.pem"
        )
    valid = [held.key for held in person.keys if held.fault(at) is None]
    if not valid:
        raise ConfigurationError(
            f"{name} has no key that is valid now",
            "make one, and have the root sign it into policies/roles.yaml",
        )
    return Actor(person=person, signer=signer(place, valid))


def signer(uri: str, publics: Sequence[Key] = (), secret: Callable[[str], str] | None = None) -> Signer:
    """The signer that `uri` names; it holds one of `publics`, where those are given.

    A file's public key is derived from it; every other kind takes the only key in `publics`. `secret` is
    asked for a PIN or passphrase by its name; without it, the environment's `CLEARANCE_PASSPHRASE` is. Raises
    ConfigurationError: unknown scheme, missing library, unreadable file, wrong passphrase, foreign key.
    """
    from securesystemslib import exceptions
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signer

    keys.know_sigstore()
    scheme, separator, rest = uri.partition(":")
    if not separator or scheme not in SIGNER_FOR_URI_SCHEME:
        known = ", ".join(sorted(SIGNER_FOR_URI_SCHEME))
        raise ConfigurationError(f"{SIGNER} names no signer", f"write <scheme>:<place>; schemes are {known}")
    if scheme == key_files.SCHEME:
        return _of_file(rest, publics, secret or _from_environment)
    if len(publics) != 1:
        raise ConfigurationError(
            f"a {scheme}: signer needs the one public key it signs for, and {len(publics)} are valid now",
            "list it in policies/roles.yaml, and end the older one with `until`",
        )
    try:
        return Signer.from_priv_key_uri(uri, publics[0], secret or _from_environment)
    except (OSError, RuntimeError, ValueError, exceptions.Error) as error:
        told = str(error).replace(uri, f"{scheme}:…").replace(rest or uri, "…")
        raise ConfigurationError(
            f"the {scheme}: signer cannot be used ({told})", "install its library, and check the URI"
        ) from None


def _of_file(place: str, publics: Sequence[Key], secret: Callable[[str], str]) -> Signer:
    from securesystemslib.signer import CryptoSigner, SSlibKey

    if not place or "?" in place:
        mend = f"write {key_files.SCHEME}:PATH, and put a passphrase into {key_files.PASSPHRASE}"
        raise ConfigurationError(f"{SIGNER}: {key_files.SCHEME}: takes a path and nothing else", mend)
    path = Path(os.environ.get(CryptoSigner.PREFIX_ENV_VAR, "")) / place
    private = key_files.private(path, secret)
    derived = key_files.public_half(path, private)
    own = keys.fingerprint(derived)
    for key in publics or (derived,):
        if isinstance(key, SSlibKey) and keys.fingerprint(key) == own:
            return CryptoSigner(private, key)
    raise ConfigurationError(
        f"{path} holds key {derived.keyid[:12]}…, which is none of those that may sign here now",
        "name a key of your own that policies/roles.yaml lists, or for the root one of its own",
    )


def _from_environment(name: str) -> str:
    if value := os.environ.get(key_files.PASSPHRASE):
        return value
    raise ConfigurationError(
        f"the signer asks for its {name}", f"set {key_files.PASSPHRASE} in the environment"
    )
