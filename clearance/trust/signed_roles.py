"""The roles file, signed by the root: verified, and never older than a version seen before.

Somebody who can write to the repository can change the roles file; it counts only with m signatures of the
pinned root's keys.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field, ValidationError

from clearance import canonical_json, in_toto, params
from clearance.errors import IntegrityError
from clearance.trust import dsse, faults, roles_file
from clearance.trust.roles import Roles, format_time
from clearance.trust.root import Root, verify_threshold

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

PREDICATE = "urn:clearance:roles:v1"


@dataclass(frozen=True, kw_only=True)
class TrustedVersion:
    """The newest roles file ever in force here: its version, its SHA-256, and the version of its root."""

    version: int = 0
    sha256: str | None = None
    root: int = 0


class _InForce(params.StrictSection):
    """The predicate of a signature of the roles file."""

    version: int = Field(ge=1)
    at: AwareDatetime


def statement_for(text: bytes, version: int, at: dt.datetime) -> dict[str, Any]:
    """The statement that the roles file `text` is in force as `version`.

    Raises ConfigurationError when the file is invalid: the root signs nothing that cannot be read.
    """
    roles_file.parse(text, version=version)
    return in_toto.statement(_subjects(text), PREDICATE, {"version": version, "at": format_time(at)})


def add_signature(
    text: bytes,
    previous: Mapping[str, Any] | None,
    root: Root,
    signer: Signer,
    *,
    at: dt.datetime,
    seen: TrustedVersion | None = None,
) -> dict[str, Any]:
    """The envelope to keep beside the roles file `text`, with the signature of one more root key.

    Signs `previous` too when it is about this text; otherwise starts the next version. Raises
    ConfigurationError when the file is invalid or the key is not one of the root's, and IntegrityError when
    no key of the root signed `previous` and `seen` names no version to continue from (after a new root, say).
    """
    if signer.public_key.keyid not in root.keys:
        raise faults.NOT_A_ROOT_KEY(keyid=signer.public_key.keyid[:12])
    last = seen.version if seen else 0
    if previous is not None:
        try:
            statement = dsse.verify(previous, root.keys).statement
        except IntegrityError:
            if not last:
                raise
        else:
            last = max(last, _predicate(statement).version)
            if in_toto.subjects(statement) == _subjects(text):
                return dsse.countersign(previous, signer)
    return dsse.sign(statement_for(text, last + 1, at), signer)


def signed_version(signed: Mapping[str, Any], root: Root) -> int:
    """The version that an envelope gives the roles file.

    Raises IntegrityError when no key of the root signed it, or it is about something else.
    """
    return _predicate(dsse.verify(signed, root.keys).statement).version


def verify(text: bytes, signed: Mapping[str, Any], root: Root, seen: TrustedVersion) -> Roles:
    """The roles file `text`, if the root signed it and nothing newer was ever in force.

    Raises IntegrityError when fewer than m root keys signed it, it is not what they signed, it is older
    than `seen`, or another file had the same version. Raises ConfigurationError as `roles_file.parse` does.
    """
    statement = verify_threshold(signed, root.keys, root.threshold, "root")
    version = _predicate(statement).version
    if in_toto.subjects(statement) != _subjects(text):
        raise faults.ROLES_CHANGED(file=roles_file.FILE)
    if version < seen.version:
        raise faults.ROLES_OUTDATED(file=roles_file.FILE, version=version, trusted=seen.version)
    if root.version < seen.root:
        raise faults.ROOT_OUTDATED(version=root.version, trusted=seen.root)
    roles = roles_file.parse(text, version=version, demo=root.demo)
    if version == seen.version and seen.sha256 not in (None, roles.sha256):
        raise faults.ROLES_FORKED(file=roles_file.FILE, version=version)
    return replace(roles, root=root.version, root_digest=root.digest)


def _predicate(statement: Mapping[str, Any]) -> _InForce:
    if statement["predicateType"] != PREDICATE:
        raise faults.NOT_A_ROLES_SIGNATURE()
    try:
        return _InForce.model_validate_json(canonical_json.dumps(statement["predicate"]))
    except ValidationError:
        raise faults.NOT_A_ROLES_SIGNATURE() from None


def _subjects(text: bytes) -> dict[str, str]:
    return {roles_file.FILE: hashlib.sha256(text).hexdigest()}
