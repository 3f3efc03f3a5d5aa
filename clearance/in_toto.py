"""in-toto Statements: what is said (`predicate`) about which content (`subject`, by SHA-256).

Only the frame is checked here; what a predicate must hold is its reader's business.
Source: https://github.com/in-toto/attestation, spec v1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clearance import canonical_json, files
from clearance.errors import IntegrityError

TYPE = "https://in-toto.io/Statement/v1"
_KEYS = {"_type", "subject", "predicateType", "predicate"}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def statement(
    subjects: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """An in-toto Statement v1 about `subjects` (a name: the SHA-256 of its content), sorted by name.

    Raises IntegrityError when there is no subject, a digest is none, or the predicate is no JSON.
    """
    return checked(
        {
            "_type": TYPE,
            "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
            "predicateType": predicate_type,
            "predicate": dict(predicate),
        }
    )


def content_digest(statement: Mapping[str, Any]) -> str:
    """The SHA-256 of the statement in canonical JSON as 64 hex digits: what an approval binds to."""
    return files.sha256_json(statement)


def checked(value: Any) -> dict[str, Any]:
    """`value` as it reads back from JSON. Raises IntegrityError unless it is an in-toto Statement v1."""
    return framed(canonical_json.loads(canonical_json.dumps(value)))


def framed(read: Any) -> dict[str, Any]:
    """`read`, a value that came from JSON. Raises IntegrityError unless it is an in-toto Statement v1.

    A statement has at least one subject, each with a name of its own and a SHA-256, and nothing that we do
    not know: an unknown key could be what another reader goes by.
    """
    if not isinstance(read, dict) or set(read) != _KEYS or read["_type"] != TYPE:
        raise _faulty(f"it must have {', '.join(sorted(_KEYS))} and be a {TYPE}")
    if not isinstance(read["predicateType"], str) or not _URI.fullmatch(read["predicateType"]):
        raise _faulty("predicateType must be a URI")
    if not isinstance(read["predicate"], dict):
        raise _faulty("predicate must be an object")
    subjects(read)
    return read


def subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """Each subject's name and SHA-256. Raises IntegrityError when there is none, or one is malformed."""
    listed, found = statement["subject"], {}
    if not isinstance(listed, list) or not listed:
        raise _faulty("it is about no subject")
    for each in listed:
        match each:
            case {"name": str(name), "digest": {"sha256": str(sha256), **others}, **more} if (
                name and not others and not more and _SHA256.fullmatch(sha256) and name not in found
            ):
                found[name] = sha256
            case _:
                raise _faulty("a subject has a name of its own and a digest {sha256: 64 hex digits}")
    return found


def _faulty(why: str) -> IntegrityError:
    return IntegrityError(
        f"this is no in-toto Statement v1: {why}", "sign it again with the command that made it"
    )
