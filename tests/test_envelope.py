"""DSSE envelopes and in-toto statements: what is signed holds byte for byte, and anything else is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from clearance import canonical_json, files, in_toto
from clearance.errors import IntegrityError
from clearance.trust import dsse
from clearance.trust.dsse import SignatureFault
from tests.support import people
from tests.support.codes import raises

GOLDEN = Path(__file__).parent / "golden" / "evidence.dsse.json"
VERA, RITA = people.SIGNERS["vera"], people.SIGNERS["rita"]
KEYS = {each.public_key.keyid: each.public_key for each in (VERA, RITA)}
SAID = in_toto.statement(
    {"models/model.skops": "ab" * 32, "dvc.lock": "cd" * 32},
    "urn:clearance:evidence:v1",
    {"verdict": "pass", "gap": 0.1, "rows": 1989, "title": "Kredit für Zoë", "none": None, "big": 2**70},
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def signed(signer: CryptoSigner = VERA) -> dict[str, Any]:
    return dsse.sign(SAID, signer)


def test_what_was_signed_comes_back_with_who_signed_it() -> None:
    verification = dsse.verify(dsse.countersign(signed(), RITA), KEYS)
    assert verification.statement == SAID
    assert verification.keyids == set(KEYS)
    assert verification.digest == in_toto.content_digest(SAID)


def test_the_envelope_is_the_golden_one_byte_for_byte() -> None:
    """A changed canonical form, type or PAE would void every signature that was ever made."""
    assert files.dumps(signed()) == GOLDEN.read_text(encoding="utf-8")
    assert dsse.verify(dsse.read(GOLDEN), KEYS).keyids == {VERA.public_key.keyid}


def test_pre_authentication_encoding_is_that_of_the_specification() -> None:
    encoded = Envelope(b"hello world", dsse.PAYLOAD_TYPE, {}).pae()
    assert encoded == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_cryptography_alone_verifies_it() -> None:
    envelope = signed()
    payload = base64.b64decode(envelope["payload"])
    text = b"DSSEv1 28 application/vnd.in-toto+json " + str(len(payload)).encode() + b" " + payload
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(VERA.public_key.keyval["public"]))
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), text)
    assert hashlib.sha256(payload).hexdigest() == in_toto.content_digest(SAID)


def test_securesystemslib_reads_ours_and_we_read_its() -> None:
    theirs = Envelope.from_dict(json.loads(json.dumps(signed())))
    assert theirs.verify([VERA.public_key], 1)
    envelope = Envelope(in_toto.canonical(SAID), dsse.PAYLOAD_TYPE, {})
    envelope.sign(RITA)
    assert dsse.verify(envelope.to_dict(), KEYS).keyids == {RITA.public_key.keyid}


def test_only_known_keys_that_hold_are_told() -> None:
    envelope = dsse.countersign(signed(people.STRANGER), VERA)
    assert dsse.verify(envelope, KEYS).keyids == {VERA.public_key.keyid}
    forgery = {**envelope["signatures"][1], "keyid": RITA.public_key.keyid}
    assert dsse.verify({**envelope, "signatures": [*envelope["signatures"], forgery]}, KEYS).keyids == {
        VERA.public_key.keyid
    }


def test_where_none_holds_the_message_says_of_each_why() -> None:
    unknown, other = signed(people.STRANGER), signed()
    other["payload"] = dsse.sign({**SAID, "predicate": {}}, RITA)["payload"]
    stranger, vera = people.STRANGER.public_key.keyid, VERA.public_key.keyid
    with raises("trust.no_valid_signature", faults={stranger: SignatureFault.UNKNOWN_KEY}):
        dsse.verify(unknown, KEYS)
    with raises("trust.no_valid_signature", faults={vera: SignatureFault.OTHER_CONTENT}):
        dsse.verify(other, KEYS)
    with raises("trust.no_valid_signature", faults={vera: SignatureFault.UNKNOWN_KEY}):
        dsse.verify(signed(), {vera: RITA.public_key})


@given(st.data())
def test_any_flipped_bit_of_payload_or_signature_is_seen(data: st.DataObject) -> None:
    envelope = signed()
    where = data.draw(st.sampled_from(["payload", "sig"]))
    text = envelope["payload"] if where == "payload" else envelope["signatures"][0]["sig"]
    raw = bytearray(base64.b64decode(text))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    replacement = base64.b64encode(raw).decode()
    if where == "payload":
        envelope["payload"] = replacement
    else:
        envelope["signatures"][0]["sig"] = replacement
    with pytest.raises(IntegrityError):
        dsse.verify(envelope, KEYS)


def with_payload(payload: bytes) -> dict[str, Any]:
    """A payload that we would never sign, under a signature that holds."""
    envelope = Envelope(payload, dsse.PAYLOAD_TYPE, {})
    envelope.sign(VERA)
    return envelope.to_dict()


def part(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**signed(), **changes}


def one(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**signed(), "signatures": [{**signed()["signatures"][0], **changes}]}


def repeated() -> dict[str, Any]:
    return {**signed(), "signatures": signed()["signatures"] * 2}


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (part(payloadType="application/json"), "payloadType"),
        (part(payload="$$$"), "base64"),
        (part(payload=signed()["payload"].rstrip("=") + "!"), "base64"),
        (part(payload=signed()["payload"] + "\n"), "base64"),
        (part(payload="é"), "base64"),
        (part(payload=""), "base64"),
        (part(payload=7), "base64"),
        (part(signatures=[]), "1 to 64"),
        (part(signatures=signed()["signatures"] * 65), "1 to 64"),
        (part(signatures={}), "1 to 64"),
        (part(signatures=["x"]), "keyid and sig"),
        (part(more=1), "it must have"),
        (repeated, "signs it twice"),
        (one(keyid=""), "keyid and sig"),
        (one(keyid=None), "keyid and sig"),
        (one(cert="x"), "keyid and sig"),
        (one(sig="AB=="), "unused bits"),
        (lambda: {"payload": "", "signatures": []}, "it must have"),
    ],
)
def test_a_malformed_envelope_is_refused(broken: Callable[[], dict[str, Any]], says: str) -> None:
    with raises("trust.not_an_envelope") as error:
        dsse.verify(broken(), KEYS)
    assert says in error.value.values["why"]


def test_url_safe_base64_is_read_and_means_the_same() -> None:
    envelope = signed()
    envelope["signatures"][0]["sig"] = envelope["signatures"][0]["sig"].replace("+", "-").replace("/", "_")
    envelope["payload"] = envelope["payload"].replace("+", "-").replace("/", "_")
    assert dsse.verify(envelope, KEYS).statement == SAID


GOOD = in_toto.canonical(SAID)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (GOOD[:-1], ""),
        (GOOD + b"{}", ""),
        (b"\xff" + GOOD, ""),
        (GOOD.replace(b'"rows":1989', b'"rows":NaN'), "NaN is not a JSON number"),
        (GOOD.replace(b'"rows":1989', b'"rows":-Infinity'), "not a JSON number"),
        (GOOD.replace(b'"rows":1989', b'"rows":1e999'), "not a finite number"),
        (GOOD.replace(b'"rows":1989', b'"rows":1,"rows":2'), "'rows' is repeated"),
        (GOOD.replace(b'"rows":1989', b'"rows":"\\ud800"'), ""),
        (b"[" * 100_000, ""),
        (b'{"a":' + b"9" * 5000 + b"}", ""),
        (GOOD.replace(b"Statement/v1", b"Statement/v0.1"), "be a https://in-toto.io/Statement/v1"),
        (GOOD.replace(b"urn:clearance:evidence:v1", b"evidence"), "predicateType must be a URI"),
        (GOOD.replace(b'"predicate":{', b'"extra":1,"predicate":{'), "it must have"),
        (GOOD.replace(b"cd" * 32, b"CD" * 32), "64 hex digits"),
        (GOOD.replace(b"cd" * 32, b"cd" * 31), "64 hex digits"),
        (GOOD.replace(b"dvc.lock", b"models/model.skops"), "unique name"),
        (GOOD.replace(b'"sha256":"cdcd', b'"md5":"cdcd'), "a digest"),
        (b"[]", "it must have"),
        (b"null", "it must have"),
    ],
)
def test_what_holds_and_says_two_things_or_nothing_is_refused(payload: bytes, says: str) -> None:
    with pytest.raises(IntegrityError) as error:
        dsse.verify(with_payload(payload), KEYS)
    assert error.value.code in ("canonical_json.not_readable", "in_toto.not_a_statement")
    assert says in str(error.value.values["why"])


def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(canonical_json, "LIMIT", 1000)
    with raises("canonical_json.too_long", limit=1000):
        dsse.verify(with_payload(GOOD + b" " * 1000), KEYS)
    (tmp_path / "long.json").write_text(" " * 2000)
    with raises("canonical_json.too_long", limit=1000):
        dsse.read(tmp_path / "long.json")


def test_up_to_the_limits_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(SAID, separators=(",", ":")).encode()
    monkeypatch.setattr(canonical_json, "LIMIT", len(text))
    assert canonical_json.loads(text) == SAID
    with raises("canonical_json.too_long", limit=len(text)):
        canonical_json.loads(text + b" ")
    envelope = dsse.countersign(signed(), RITA)
    monkeypatch.setattr(dsse, "MOST_SIGNATURES", 2)
    assert dsse.verify(envelope, KEYS).keyids == frozenset(KEYS)
    monkeypatch.setattr(dsse, "MOST_SIGNATURES", 1)
    with raises("trust.not_an_envelope"):
        dsse.verify(envelope, KEYS)
    monkeypatch.setattr(dsse, "MOST_SIGNATURES", 2)
    monkeypatch.setattr(canonical_json, "LIMIT", len(envelope["signatures"][0]["sig"]) // 2)
    with raises("trust.not_an_envelope"):
        dsse.countersign(envelope, VERA)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}, {1, 2}])
def test_what_is_no_number_has_no_text(value: Any) -> None:
    for write in (canonical_json.dumps, canonical_json.dumps_v1):
        with raises("canonical_json.not_writable"):
            write(value)


def test_a_sigstore_signature_keeps_its_bundle_and_nothing_else_is_taken_along() -> None:
    original = signed()
    (own,) = original["signatures"]
    more = own | {"keyid": "other", "bundle": {"media": 1}}
    envelope = dsse.countersign(original | {"signatures": [more]}, VERA)
    assert envelope["signatures"][0] == more
    assert dsse.verify(envelope, KEYS).keyids == {VERA.public_key.keyid}
    assert dsse._signature(more).unrecognized_fields == {"bundle": {"media": 1}}
    with raises("trust.not_an_envelope"):
        dsse.verify(original | {"signatures": [more | {"note": "x"}]}, KEYS)


def test_an_envelope_in_a_file_is_read_as_strictly(tmp_path: Path) -> None:
    place = tmp_path / "e.json"
    dsse.write(place, signed())
    assert dsse.read(place) == signed()
    place.write_text(place.read_text().replace('"payloadType"', '"payloadType": "x", "payloadType"'))
    with raises("canonical_json.not_readable"):
        dsse.read(place)
    with raises("trust.envelope_not_readable", path=tmp_path / "none.json"):
        dsse.read(tmp_path / "none.json")


@pytest.mark.parametrize("predicate", [{"a": float("nan")}, {"a": {1, 2}}, {1: "a", "1": "b"}])
def test_what_is_no_json_is_not_signed(predicate: dict[Any, Any]) -> None:
    with pytest.raises(IntegrityError):
        dsse.sign({**SAID, "predicate": predicate}, VERA)


def test_a_statement_about_nothing_is_not_signed() -> None:
    with raises("in_toto.not_a_statement"):
        in_toto.statement({}, "urn:x:y", {})


class Liar(CryptoSigner):
    """A signer that was given another private key than its public key says, as a KMS may be."""

    def sign(self, payload: bytes) -> Any:
        signature = RITA.sign(payload)
        signature.keyid = self.public_key.keyid
        return signature


def test_a_signer_that_holds_another_key_is_found_before_anybody_relies_on_it() -> None:
    with raises("trust.wrong_signer_key", why=SignatureFault.OTHER_CONTENT):
        dsse.sign(SAID, Liar(VERA._private_key))


@given(values)
def test_canonical_json_of_version_1_reads_back_and_has_one_text(value: Any) -> None:
    try:
        text = canonical_json.dumps_v1(value)
        back = canonical_json.loads(text)
    except IntegrityError:
        assert "\\ud" in json.dumps(value)  # half a character: text that is not Unicode
        return
    assert canonical_json.dumps_v1(back) == text
    assert hashlib.sha256(text).hexdigest() == files.sha256_json(value)


doubles = st.floats(-(2.0**53), 2.0**53, exclude_min=True, exclude_max=True)
interoperable = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | doubles | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(interoperable)
def test_canonical_json_is_that_of_rfc_8785_and_reads_back(value: Any) -> None:
    text = canonical_json.dumps(value)
    assert text == rfc8785.dumps(value)
    assert canonical_json.loads(text) == value
    assert canonical_json.dumps(canonical_json.loads(text)) == text


def test_a_number_that_reads_back_as_another_is_not_signed() -> None:
    for number in (2**53, 2.0**60):
        with raises("canonical_json.not_writable"):
            dsse.sign(in_toto.statement({"a": "ab" * 32}, "urn:x:y:v2", {"n": number}), VERA)


@pytest.mark.parametrize(
    ("value", "text"),
    [  # RFC 8785, appendix B and section 3.2
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (0.000000000000000000000000001, "1e-27"),
        (-0.0, "0"),
        (1.0, "1"),
        ({"\u20ac": "Euro Sign", "\r": "Carriage Return", "1": "One"}, None),
    ],
)
def test_canonical_json_has_the_texts_of_the_rfc(value: Any, text: str | None) -> None:
    expected = '{"\\r":"Carriage Return","1":"One","\u20ac":"Euro Sign"}' if text is None else text
    assert canonical_json.dumps(value).decode() == expected


@pytest.mark.parametrize("value", [{"a": 2**53}, {1: "a"}, {"a": "\ud800"}])
def test_what_other_languages_cannot_read_has_no_text(value: Any) -> None:
    with raises("canonical_json.not_writable"):
        canonical_json.dumps(value)


def test_a_predicate_of_version_1_keeps_its_form_and_the_next_one_is_rfc_8785() -> None:
    predicate = {"gap": 0.1, "title": "Zoë", "limit": 1.0}
    first, second = (in_toto.statement({"a": "ab" * 32}, f"urn:x:y:v{n}", predicate) for n in (1, 2))
    assert in_toto.canonical(first) == canonical_json.dumps_v1(first)
    assert b"Zo\\u00eb" in in_toto.canonical(first) and b'"limit":1.0' in in_toto.canonical(first)
    assert in_toto.canonical(second) == rfc8785.dumps(second)
    assert "Zoë".encode() in in_toto.canonical(second) and b'"limit":1,' in in_toto.canonical(second)
    verification = dsse.verify(dsse.sign(second, VERA), KEYS)
    payload = base64.b64decode(dsse.sign(second, VERA)["payload"])
    assert verification.digest == hashlib.sha256(payload).hexdigest() == in_toto.content_digest(second)


def test_signing_twice_with_one_key_changes_nothing() -> None:
    assert dsse.countersign(signed(), VERA) == signed()
