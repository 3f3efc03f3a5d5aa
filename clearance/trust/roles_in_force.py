"""The roles file in force in a project: the one in git, if the pinned root signed it.

The demo's file has no signature in git; its keyring is made on first use and is valid only in the demo.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clearance.errors import IntegrityError
from clearance.trust import demo_keys, dsse, faults, roles_file, root, signed_roles, signers
from clearance.trust.roles import Roles

SIGNED = "policies/roles.signed.json"


def load(project: Path, seen: signed_roles.TrustedVersion | None = None) -> Roles:
    """The roles of `project`; `seen` is the newest version that the ledger has recorded.

    Raises ConfigurationError when the roles file or the pinned root is missing or invalid, and IntegrityError
    when the file lacks signatures of the root, was changed after them, or is older than `seen`.
    """
    text = roles_file.read(project)
    if roles_file.raw(text).get("demo"):
        return demo_keys.ensure(project, seen)
    pinned = root.load(root.pinned_path(project))
    if pinned.demo:
        raise faults.DEMO_ROOT(file=roles_file.FILE)
    return signed_roles.verify(
        text, dsse.read(project / SIGNED), pinned, seen or signed_roles.TrustedVersion()
    )


def source(project: Path) -> tuple[str, dict[str, Any]]:
    """The text of the roles file in force, and the envelope that the root signed; call `load` before.

    Raises IntegrityError when the envelope cannot be read.
    """
    if roles_file.raw(roles_file.read(project)).get("demo"):
        return demo_keys.source(project)
    return roles_file.read(project).decode(), dsse.read(project / SIGNED)


def recorded(project: Path, text: str, signed: Any, root_version: int) -> Roles:
    """The roles file that a ledger recorded, with the envelope that the root signed.

    One envelope may hold enough signatures of two roots; the root of `root_version` is asked first.

    Raises ConfigurationError when the file is invalid, and IntegrityError unless the pinned root, or one that
    it followed, signed it.
    """
    pinned = root.load(root.pinned_path(project))
    envelope = signed if isinstance(signed, Mapping) else {}
    *others, last = sorted([*pinned.earlier, pinned], key=lambda candidate: candidate.version != root_version)
    for signer_root in others:
        with suppress(IntegrityError):
            return signed_roles.verify(text.encode(), envelope, signer_root, signed_roles.TrustedVersion())
    return signed_roles.verify(text.encode(), envelope, last, signed_roles.TrustedVersion())


def actor(project: Path, roles: Roles, at: dt.datetime, identity: str | None = None) -> signers.Actor:
    """Who acts, and their signer: from the environment, or in the demo from its keyring.

    Raises ConfigurationError as `signers.resolve_actor` does.
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
    """Add a signature with the root key at the URI `key` to the project's roles file; returns its path.

    `keyid` selects the key of the root where the URI does not hold it (a KMS). Starts the next version when
    the file has changed since it was signed. Raises ConfigurationError and IntegrityError as
    `signed_roles.add_signature` does.
    """
    path, pinned = project / SIGNED, root.load(root.pinned_path(project))
    previous = dsse.read(path) if path.exists() else None
    publics = [public for name, public in pinned.keys.items() if keyid in (None, name)]
    holder = signers.signer(key, publics)
    text = roles_file.read(project)
    dsse.write(path, signed_roles.add_signature(text, previous, pinned, holder, at=at, seen=seen))
    return path
