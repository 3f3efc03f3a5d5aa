"""DSSE envelopes: a statement, byte for byte, and its valid signatures.

An envelope says who signed; whether that key counts, and when, is decided in `roles`. Nothing in a statement
is used before a signature is verified. securesystemslib encodes, signs and verifies; envelopes are read here,
strictly. Source: https://github.com/secure-systems-lab/dsse, protocol 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance import canonical_json, files, in_toto
from clearance.errors import ClearanceError
from clearance.trust import faults

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import Key, Signature, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_SIGNATURES = 64
_KEYS = {"payload", "payloadType", "signatures"}
_BUNDLE = "bundle"  # Sigstore keeps here what it needs to verify a signature


class SignatureFault(StrEnum):
    """Why a signature is not valid."""

    UNKNOWN_KEY = "the key is not known here"
    UNVERIFIABLE = "the signature cannot be verified"
    OTHER_CONTENT = "the signature is over other content"


@dataclass(frozen=True, kw_only=True)
class VerifiedStatement:
    """A statement and the ids of the keys whose signatures of it are valid; at least one."""

    statement: Mapping[str, Any]
    keyids: frozenset[str]

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical statement, the same for any number of signatures by anybody."""
        return in_toto.content_digest(self.statement)


def sign(statement: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """A DSSE envelope over the canonical statement, as a JSON value.

    Raises IntegrityError when `statement` is not an in-toto Statement, and ConfigurationError when the
    signature does not match the signer's public key (a KMS that holds another key).
    """
    from securesystemslib.dsse import Envelope

    envelope = Envelope(in_toto.canonical(in_toto.normalised(statement)), PAYLOAD_TYPE, {})
    return _signed(envelope, signer)


def countersign(envelope: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The envelope with one more signature over the same bytes; unchanged when this key has signed it.

    The statement is not checked. Raises IntegrityError when the envelope is malformed.
    """
    parsed = _parse(envelope)
    if signer.public_key.keyid in parsed.signatures:
        return dict(envelope)
    return _signed(parsed, signer)


def verify(envelope: Mapping[str, Any], keys: Mapping[str, Key]) -> VerifiedStatement:
    """The statement that was signed, and which of `keys` (key id: public key) signed it.

    Signatures that are invalid or by other keys are ignored. Raises IntegrityError when none is valid, and
    when the envelope or its statement is malformed.
    """
    parsed = _parse(envelope)
    encoded = parsed.pae()
    results = {
        keyid: _fault(signature, keys.get(keyid), encoded) for keyid, signature in parsed.signatures.items()
    }
    valid = frozenset(keyid for keyid, fault in results.items() if fault is None)
    if not valid:
        why = "; ".join(f"key {keyid[:12]}…: {fault}" for keyid, fault in results.items())
        raise faults.NO_VALID_SIGNATURE(why=why, faults=results)
    return VerifiedStatement(statement=in_toto.checked(canonical_json.loads(parsed.payload)), keyids=valid)


def read(path: Path) -> dict[str, Any]:
    """The envelope in a file. Raises IntegrityError when it is missing or not an envelope."""
    try:
        with path.open("rb") as file:
            envelope = canonical_json.loads(file.read(canonical_json.LIMIT + 1))
    except OSError as error:
        raise faults.ENVELOPE_NOT_READABLE(path=path, why=error.strerror) from None
    _parse(envelope)
    return dict(envelope)


def write(path: Path, envelope: Mapping[str, Any]) -> None:
    """Write the envelope at `path` by rename, byte-stable and readable."""
    files.write_json(path, dict(envelope))


def _signed(envelope: Envelope, signer: Signer) -> dict[str, Any]:
    """The envelope with a signature by `signer`, as a JSON value."""
    from securesystemslib.exceptions import Error

    try:
        signature = envelope.sign(signer)
    except (OSError, RuntimeError, ValueError, Error) as error:
        raise faults.SIGNER_FAILED(why=type(error).__name__) from error
    if fault := _fault(signature, signer.public_key, envelope.pae()):
        raise faults.WRONG_SIGNER_KEY(why=fault)
    return dict(envelope.to_dict())


def _fault(signature: Signature, key: Key | None, encoded: bytes) -> SignatureFault | None:
    """Why this signature is not valid; None when it is."""
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError

    if key is None or key.keyid != signature.keyid:
        return SignatureFault.UNKNOWN_KEY
    try:
        key.verify_signature(signature, encoded)
    except VerificationError:
        return SignatureFault.UNVERIFIABLE
    except UnverifiedSignatureError:
        return SignatureFault.OTHER_CONTENT
    return None


def _parse(value: Any) -> Envelope:
    """The envelope in a JSON value, its signatures not verified. Raises IntegrityError when malformed."""
    from securesystemslib.dsse import Envelope

    if not isinstance(value, Mapping) or set(value) != _KEYS:
        raise _malformed(f"it must have {', '.join(sorted(_KEYS))}")
    if value["payloadType"] != PAYLOAD_TYPE:
        raise _malformed(f"its payloadType is not {PAYLOAD_TYPE}")
    listed = value["signatures"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_SIGNATURES:
        raise _malformed(f"it must have 1 to {MOST_SIGNATURES} signatures")
    signatures = {signature.keyid: signature for signature in map(_signature, listed)}
    if len(signatures) < len(listed):
        raise _malformed("a key signs it twice")
    return Envelope(_decode(value["payload"]), PAYLOAD_TYPE, signatures)


def _signature(value: Any) -> Signature:
    from securesystemslib.signer import Signature

    match value:
        case {"keyid": str(keyid), "sig": sig, **more} if keyid and set(more) <= {_BUNDLE}:
            return Signature(keyid, _decode(sig).hex(), {str(name): part for name, part in more.items()})
        case _:
            raise _malformed("a signature has keyid and sig, and nothing else")


def _decode(text: Any) -> bytes:
    """Base64, standard or URL-safe; each content has one spelling in either. Raises IntegrityError."""
    if not isinstance(text, str) or not text or len(text) > 2 * canonical_json.LIMIT:
        raise _malformed("payload and sig must be base64 text, and not too long")
    standard = text.replace("-", "+").replace("_", "/") if set(text) & set("-_") else text
    try:
        data = base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(f"payload or sig is not base64 ({error})") from None
    if base64.b64encode(data).decode() != standard:
        raise _malformed("payload or sig is base64 with unused bits set")
    return data


def _malformed(why: str) -> ClearanceError:
    return faults.NOT_AN_ENVELOPE(why=why)
