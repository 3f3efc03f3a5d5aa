"""DSSE envelopes: a statement, byte for byte, and the signatures that hold over it.

An envelope says who signed; whether that key counts, and when, is asked of `roles`. Nothing of a statement
is believed before a signature holds. Source: https://github.com/secure-systems-lab/dsse, protocol 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance import canonical_json, files, in_toto
from clearance.errors import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signature, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_SIGNATURES = 64
_KEYS = {"payload", "payloadType", "signatures"}
_BUNDLE = "bundle"  # what Sigstore needs to check a signature beside the signature itself


@dataclass(frozen=True, kw_only=True)
class VerifiedStatement:
    """A statement and the ids of the keys whose signatures hold over it; at least one."""

    statement: Mapping[str, Any]
    keyids: frozenset[str]

    @property
    def digest(self) -> str:
        """The SHA-256 of the statement in canonical JSON: the same whoever signed it, and how often."""
        return in_toto.content_digest(self.statement)


def sign(content: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """A DSSE envelope over the statement in canonical JSON, as a JSON value.

    Raises IntegrityError when `content` is no in-toto Statement, and ConfigurationError when the signer's
    signature does not hold under its own public key (a KMS that holds another key).
    """
    payload = canonical_json.dumps(in_toto.checked(content))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [_signature(payload, signer)],
    }


def countersign(envelope: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The envelope with one more signature over the same bytes; unchanged when this key has signed.

    What it says is not judged here. Raises IntegrityError when the envelope is malformed.
    """
    payload, signatures = _parts(envelope)
    if signer.public_key.keyid in {each.keyid for each in signatures}:
        return dict(envelope)
    return {**envelope, "signatures": [*envelope["signatures"], _signature(payload, signer)]}


def verify(envelope: Mapping[str, Any], keys: Mapping[str, Key]) -> VerifiedStatement:
    """What was signed, and by which of `keys` (key id: public key).

    A signature by another key, or one that does not hold, adds nothing. Raises IntegrityError when none
    holds, and when the envelope or the statement in it is malformed.
    """
    payload, signatures = _parts(envelope)
    encoded = pre_authentication_encoding(payload)
    faults = {each.keyid: _fault(each, keys.get(each.keyid), encoded) for each in signatures}
    holds = frozenset(keyid for keyid, fault in faults.items() if fault is None)
    if not holds:
        said = "; ".join(f"key {keyid[:12]}…: {fault}" for keyid, fault in faults.items())
        raise IntegrityError(
            f"no signature holds over this statement ({said})",
            "ask the signer to sign it again, with a key that is listed and valid",
        )
    return VerifiedStatement(statement=in_toto.framed(canonical_json.loads(payload)), keyids=holds)


def pre_authentication_encoding(payload: bytes) -> bytes:
    """The bytes that are signed: type and payload, each with its length, so that neither can grow a tail."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read(path: Path) -> dict[str, Any]:
    """The envelope in a file. Raises IntegrityError when it is missing or no envelope."""
    try:
        with path.open("rb") as file:
            found = canonical_json.loads(file.read(canonical_json.LIMIT + 1))
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read ({error.strerror})", "bring it back") from None
    _parts(found)
    return dict(found)


def write(path: Path, envelope: Mapping[str, Any]) -> None:
    """Write the envelope at `path` by rename, byte-stable and readable."""
    files.write_json(path, dict(envelope))


def _signature(payload: bytes, signer: Signer) -> dict[str, Any]:
    from securesystemslib.exceptions import Error

    encoded = pre_authentication_encoding(payload)
    try:
        made = signer.sign(encoded)
    except (OSError, RuntimeError, ValueError, Error) as error:
        raise ConfigurationError(
            f"the signer does not sign ({type(error).__name__})",
            "see that what CLEARANCE_SIGNER names can be reached, and that its PIN or token is right",
        ) from error
    if fault := _fault(made, signer.public_key, encoded):
        raise ConfigurationError(
            f"what the signer makes does not hold under its public key ({fault})",
            "let CLEARANCE_SIGNER name the private key that belongs to the public one in policies/roles.yaml",
        )
    sig = base64.b64encode(bytes.fromhex(made.signature)).decode()
    return {"keyid": made.keyid, "sig": sig, **made.unrecognized_fields}


def _fault(signature: Signature, key: Key | None, encoded: bytes) -> str | None:
    """Why this signature does not hold; None when it does."""
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError

    if key is None or key.keyid != signature.keyid:
        return "it is not known here"
    try:
        key.verify_signature(signature, encoded)
    except VerificationError as error:
        return f"its signature cannot be checked ({error.__cause__ or error})"
    except UnverifiedSignatureError:
        return "its signature is over other content"
    return None


def _parts(envelope: Any) -> tuple[bytes, list[Signature]]:
    """The payload and the signatures, none of them checked. Raises IntegrityError when malformed."""
    if not isinstance(envelope, Mapping) or set(envelope) != _KEYS:
        raise _faulty(f"it must have {', '.join(sorted(_KEYS))}")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise _faulty(f"its payloadType is not {PAYLOAD_TYPE}")
    listed = envelope["signatures"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_SIGNATURES:
        raise _faulty(f"it must have 1 to {MOST_SIGNATURES} signatures")
    signatures = [_parsed(each) for each in listed]
    if len({each.keyid for each in signatures}) < len(signatures):
        raise _faulty("a key signs it twice")
    return _decoded(envelope["payload"]), signatures


def _parsed(value: Any) -> Signature:
    from securesystemslib.signer import Signature

    match value:
        case {"keyid": str(keyid), "sig": sig, **more} if keyid and set(more) <= {_BUNDLE}:
            return Signature(keyid, _decoded(sig).hex(), {str(name): part for name, part in more.items()})
        case _:
            raise _faulty("a signature has keyid and sig, and nothing else")


def _decoded(text: Any) -> bytes:
    """Base64, standard or URL-safe; each content has one spelling in either. Raises IntegrityError."""
    if not isinstance(text, str) or not text or len(text) > 2 * canonical_json.LIMIT:
        raise _faulty("payload and sig must be text in base64, and not too long")
    standard = text.replace("-", "+").replace("_", "/") if set(text) & set("-_") else text
    try:
        data = base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _faulty(f"payload or sig is no base64 ({error})") from None
    if base64.b64encode(data).decode() != standard:
        raise _faulty("payload or sig is base64 with loose ends")
    return data


def _faulty(why: str) -> IntegrityError:
    return IntegrityError(
        f"this is no DSSE envelope with a statement: {why}", "take it from where it was signed; never edit it"
    )
