"""The roles file under the signatures of the root: signed, checked, and never older than what was seen.

Whoever can write to the repository can change the roles file; only m of the pinned root's keys make it count.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from clearance import canonical_json, in_toto, params
from clearance.errors import ConfigurationError, IntegrityError
from clearance.trust import dsse, roles_file
from clearance.trust.roles import Roles, format_time
from clearance.trust.root import Root, verify_threshold

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

PREDICATE = "urn:clearance:roles:v1"


@dataclass(frozen=True, kw_only=True)
class TrustedVersion:
    """The highest version of the roles file ever in force here, its SHA-256, and its root's version."""

    version: int = 0
    sha256: str | None = None
    root: int = 0


class _InForce(params.Section):
    """The predicate of a signature over the roles file."""

    model_config = ConfigDict(strict=True)

    version: int = Field(ge=1)
    at: AwareDatetime


def statement_for(text: bytes, version: int, at: dt.datetime) -> dict[str, Any]:
    """The statement that the roles file `text` is in force as `version`.

    Raises ConfigurationError when the file is faulty: the root signs nothing that cannot be read.
    """
    roles_file.parse(text, version=version)
    return in_toto.statement(_about(text), PREDICATE, {"version": version, "at": format_time(at)})


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

    Signs `previous` as well when it is about this very text, else begins the next version. Raises
    ConfigurationError when the file is faulty or the key is none of the root's; IntegrityError when no key
    of the root signed `previous` and nothing `seen` says where to go on (after a new root, say).
    """
    if signer.public_key.keyid not in root.keys:
        raise ConfigurationError(
            f"key {signer.public_key.keyid[:12]}… is not of the root", "sign with a key that root.json lists"
        )
    last = seen.version if seen else 0
    if previous is not None:
        try:
            said = dsse.verify(previous, root.keys).statement
        except IntegrityError:
            if not last:
                raise
        else:
            last = max(last, _predicate(said).version)
            if in_toto.subjects(said) == _about(text):
                return dsse.countersign(previous, signer)
    return dsse.sign(statement_for(text, last + 1, at), signer)


def version(signed: Mapping[str, Any], root: Root) -> int:
    """The version that an envelope gives the roles file.

    Raises IntegrityError when no key of the root signed it, or it is about something else.
    """
    return _predicate(dsse.verify(signed, root.keys).statement).version


def verify(text: bytes, signed: Mapping[str, Any], root: Root, seen: TrustedVersion) -> Roles:
    """The roles file `text`, when the root signed it and nothing newer was ever in force.

    Raises IntegrityError when fewer than m root keys signed it, it is not what they signed, it is older
    than `seen`, or another file with that same version was seen. Raises ConfigurationError as `parse` does.
    """
    said = verify_threshold(signed, root.keys, root.threshold, "root")
    number = _predicate(said).version
    if in_toto.subjects(said) != _about(text):
        raise IntegrityError(
            f"{roles_file.FILE} is not what the root signed", "undo the change, or have the root sign it"
        )
    if number < seen.version:
        raise IntegrityError(
            f"{roles_file.FILE} is version {number}, and version {seen.version} was in force already",
            "bring back the newest file and its signature: an old one could give back what was taken away",
        )
    if root.version < seen.root:
        raise IntegrityError(
            f"root version {root.version} is pinned here, and version {seen.root} was in force already",
            "adopt the newer root here: `clearance root adopt FILE`",
        )
    roles = roles_file.parse(text, version=number, demo=root.demo)
    if number == seen.version and seen.sha256 not in (None, roles.sha256):
        raise IntegrityError(
            f"another {roles_file.FILE} was in force as version {number}",
            "have the root sign this one as the next version, and ask its holders why there are two",
        )
    return replace(roles, root=root.version)


def _predicate(said: Mapping[str, Any]) -> _InForce:
    fault = IntegrityError(
        "this envelope holds no signature over the roles file", "have the root sign it again"
    )
    if said["predicateType"] != PREDICATE:
        raise fault
    try:
        return _InForce.model_validate_json(canonical_json.dumps(said["predicate"]))
    except ValidationError:
        raise fault from None


def _about(text: bytes) -> dict[str, str]:
    return {roles_file.FILE: hashlib.sha256(text).hexdigest()}
