"""in-toto Statements: what is stated (`predicate`) about which content (`subject`, by SHA-256).

Only the frame is checked here; the reader of a predicate checks what it holds.
Source: https://github.com/in-toto/attestation, spec v1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from clearance import canonical_json
from clearance.errors import ErrorKind, IntegrityError

TYPE = "https://in-toto.io/Statement/v1"
_KEYS = {"_type", "subject", "predicateType", "predicate"}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")

NOT_A_STATEMENT = ErrorKind(
    "in_toto.not_a_statement",
    IntegrityError,
    "this is not an in-toto Statement v1: {why}",
    "sign it again with the command that made it",
)


def statement(
    subjects: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """An in-toto Statement v1 about `subjects` (name: SHA-256 of its content), sorted by name.

    Raises IntegrityError when there is no subject, a digest is malformed, or the predicate is not JSON.
    """
    return normalised(frame(sorted(subjects.items()), predicate_type, predicate))


def frame(
    subjects: list[tuple[str, str]], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """The frame of a statement about `subjects` (name, SHA-256) in this order; nothing is checked."""
    return {
        "_type": TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def canonical(statement: Mapping[str, Any]) -> bytes:
    """The statement as it is signed and hashed: RFC 8785, or the older form of a predicate of version 1.

    Raises IntegrityError when it is not JSON.
    """
    if str(statement.get("predicateType")).endswith(":v1"):
        return canonical_json.dumps_v1(statement)
    return canonical_json.dumps(statement)


def content_digest(statement: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical statement as 64 hex digits: what an approval binds to."""
    return hashlib.sha256(canonical(statement)).hexdigest()


def normalised(statement: Mapping[str, Any]) -> dict[str, Any]:
    """`statement` as it reads back. Raises IntegrityError unless it is an in-toto Statement v1."""
    return checked(canonical_json.loads(canonical(statement)))


def checked(value: Any) -> dict[str, Any]:
    """`value`, read from JSON, as a statement. Raises IntegrityError unless it is an in-toto Statement v1.

    A statement has at least one subject, each with a unique name and a SHA-256, and no unknown key: another
    reader could act on a key that this one ignores.
    """
    if not isinstance(value, dict) or set(value) != _KEYS or value["_type"] != TYPE:
        raise NOT_A_STATEMENT(why=f"it must have {', '.join(sorted(_KEYS))} and be a {TYPE}")
    if not isinstance(value["predicateType"], str) or not _URI.fullmatch(value["predicateType"]):
        raise NOT_A_STATEMENT(why="predicateType must be a URI")
    if not isinstance(value["predicate"], dict):
        raise NOT_A_STATEMENT(why="predicate must be an object")
    subjects(value)
    return value


def subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of each subject by name. Raises IntegrityError when there is none, or one is malformed."""
    listed, digests = statement["subject"], {}
    if not isinstance(listed, list) or not listed:
        raise NOT_A_STATEMENT(why="it has no subject")
    for subject in listed:
        match subject:
            case {"name": str(name), "digest": {"sha256": str(sha256), **others}, **more} if (
                name and not others and not more and _SHA256.fullmatch(sha256) and name not in digests
            ):
                digests[name] = sha256
            case _:
                raise NOT_A_STATEMENT(
                    why="a subject must have a unique name and a digest {sha256: 64 hex digits}"
                )
    return digests
