"""The roles file in force in a project: the one in git, when the pinned root signed it.

A demo's file has no signature in git; its keyring is made on the spot and counts nowhere else.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from clearance.errors import ConfigurationError
from clearance.trust import demo_keys, dsse, roles_file, root, signed_roles, signers
from clearance.trust.roles import Roles

SIGNED = "policies/roles.signed.json"


def load(project: Path, seen: signed_roles.TrustedVersion | None = None) -> Roles:
    """Who may do what in `project`; `seen` is the highest version that the ledger knows.

    Raises ConfigurationError when the roles file or the pinned root is missing or faulty, and IntegrityError
    when the file lacks signatures of the root, was changed after them, or is older than `seen`.
    """
    text = roles_file.read(project)
    if roles_file.raw(text).get("demo"):
        return demo_keys.ensure(project, seen)
    pinned = root.load(root.pinned_path(project))
    if pinned.demo:
        raise ConfigurationError(
            f"{roles_file.FILE} is not the demo's, and the pinned root is",
            f"let {root.VARIABLE} name your own root, or put it at .clearance/root.json",
        )
    return signed_roles.verify(
        text, dsse.read(project / SIGNED), pinned, seen or signed_roles.TrustedVersion()
    )


def actor(project: Path, roles: Roles, at: dt.datetime, identity: str | None = None) -> signers.Actor:
    """Who acts, and their signer: the environment's, or in the demo the one in its keyring.

    Raises ConfigurationError as `signers.acting` does.
    """
    if not roles.demo:
        return signers.resolve_actor(roles, at, identity)
    name = identity or os.environ.get(signers.IDENTITY) or demo_keys.DEFAULT_IDENTITY
    return signers.resolve_actor(roles, at, name, demo_keys.uri(project, name))


def sign(
    project: Path,
    key: str,
    at: dt.datetime,
    *,
    keyid: str | None = None,
    seen: signed_roles.TrustedVersion | None = None,
) -> Path:
    """Add the signature of the root key at the URI `key` to the project's roles file; returns where it is.

    `keyid` says which key of the root it is, where the URI does not hold it (a KMS). Begins the next version
    when the file has changed since it was signed. Raises ConfigurationError and IntegrityError as
    `signed_roles.endorse` does.
    """
    path, pinned = project / SIGNED, root.load(root.pinned_path(project))
    previous = dsse.read(path) if path.exists() else None
    publics = [known for name, known in pinned.keys.items() if keyid in (None, name)]
    holder = signers.signer(key, publics)
    text = roles_file.read(project)
    dsse.write(path, signed_roles.add_signature(text, previous, pinned, holder, at=at, seen=seen))
    return path
