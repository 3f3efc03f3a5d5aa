"""Keys: known by themselves, held in files for their owner alone, reached by URI, and never shown."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib import signer as kinds
from securesystemslib.signer import CryptoSigner, Key, Signature, Signer, SSlibKey

from clearance import in_toto
from clearance.errors import ConfigurationError
from clearance.trust import dsse, key_files, keys, roles_file, signers
from tests.support import people
from tests.support.codes import raises

SECRET = "correct horse battery"  # noqa: S105
SAID = in_toto.statement({"a": "0" * 64}, "urn:x:y", {})
VERA = people.SIGNERS["vera"]


def signs(signer: Signer) -> bool:
    envelope = dsse.sign(SAID, signer)
    return dsse.verify(envelope, {signer.public_key.keyid: signer.public_key}).statement == SAID


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pem_of(private: Any, path: Path) -> Path:
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    return path


def test_a_new_pair_signs_and_its_public_half_goes_into_the_roles_file(tmp_path: Path) -> None:
    pair = key_files.create(tmp_path / "keys", "vera")
    assert mode(tmp_path / "keys" / "vera.pem") == 0o600
    assert mode(tmp_path / "keys") == 0o700
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["vera.pem"]
    (entry,) = yaml.safe_load(str(pair))
    assert entry == pair.entry
    assert keys.public(entry) == signers.signer(pair.uri).public_key
    assert signs(signers.signer(pair.uri))
    content = people.plain(vera={"keys": [{**entry, "from": "2026-01-01T00:00:00Z"}], "roles": ["validator"]})
    assert people.roles(content).owner(entry["keyid"])


def test_two_keys_are_never_the_same_and_none_is_overwritten(tmp_path: Path) -> None:
    first = key_files.create(tmp_path, "vera")
    before = (tmp_path / "vera.pem").read_bytes()
    with raises("trust.key_exists"):
        key_files.create(tmp_path, "vera")
    assert (tmp_path / "vera.pem").read_bytes() == before
    assert key_files.create(tmp_path / "other", "vera").entry != first.entry


@pytest.mark.parametrize("identity", ["", "../vera", "a/b", ".hidden", "Vera", "vera\n", "v" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, identity: str) -> None:
    with raises("trust.invalid_person_name"):
        key_files.create(tmp_path, identity)
    assert not list(tmp_path.iterdir())


def test_an_encrypted_key_asks_for_its_passphrase_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = key_files.create(tmp_path, "vera", SECRET)
    assert b"ENCRYPTED" in (tmp_path / "vera.pem").read_bytes()
    with raises("trust.no_passphrase", name="passphrase"):
        signers.signer(pair.uri)
    monkeypatch.setenv(key_files.PASSPHRASE, SECRET)
    assert signs(signers.signer(pair.uri))
    monkeypatch.delenv(key_files.PASSPHRASE)
    assert signs(signers.signer(pair.uri, secret=lambda name: SECRET if name == "passphrase" else ""))
    monkeypatch.setenv(key_files.PASSPHRASE, SECRET + "!")
    with pytest.raises(ConfigurationError) as excinfo:
        signers.signer(pair.uri)
    assert SECRET not in str(excinfo.value)


@pytest.mark.parametrize("open_to", [0o604, 0o602, 0o601, 0o620, 0o644, 0o777])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, open_to: int) -> None:
    pair = key_files.create(tmp_path, "vera")
    (tmp_path / "vera.pem").chmod(open_to)
    with raises("trust.private_key_exposed", mode=open_to):
        signers.signer(pair.uri)
    (tmp_path / "vera.pem").chmod(0o440)  # as a container mounts a secret for its group
    assert signs(signers.signer(pair.uri))


def test_other_kinds_of_private_key_sign_as_well(tmp_path: Path) -> None:
    for key in (CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa(size=2048)):
        path = tmp_path / f"{key.public_key.keytype}.pem"
        path.write_bytes(key.private_bytes)
        path.chmod(0o600)
        signer = signers.signer(f"file2:{path}")
        assert signs(signer)
        assert keys.public(keys.entry(signer.public_key)) == signer.public_key


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    odd = tmp_path / "odd.pem"
    odd.write_text("no key")
    odd.chmod(0o600)
    with raises("trust.not_a_private_key"):
        signers.signer(f"file2:{odd}")
    with raises("trust.unusable_key_type"):
        signers.signer(f"file2:{pem_of(X25519PrivateKey.generate(), odd)}")
    with raises("trust.private_key_not_readable"):
        signers.signer(f"file2:{tmp_path / 'none.pem'}")
    with raises("trust.private_key_not_readable"):
        signers.signer(f"file2:{tmp_path}")


@pytest.mark.parametrize(
    "uri", ["", "vera.pem", f"vault9:{SECRET}", f"file2:k.pem?passphrase={SECRET}", "file2:"]
)
def test_a_uri_that_names_no_signer_is_refused_without_showing_it(uri: str) -> None:
    with pytest.raises(ConfigurationError) as excinfo:
        signers.signer(uri)
    assert SECRET not in str(excinfo.value)
    assert "CLEARANCE_SIGNER" in excinfo.value.fault


def test_every_kind_of_signer_can_be_named_and_says_what_it_lacks() -> None:
    """None of these libraries is installed: each is reached, and each says so in one clear error."""
    for uri in (
        "hv:signing/1",
        "awskms:alias/x",
        "gcpkms:projects/x",
        "azurekms://a/b/c",
        "hsm:2",
        "sigstore:",
    ):
        with raises("trust.unusable_signer"):
            signers.signer(uri, [VERA.public_key])
    with raises("trust.ambiguous_key", count=2):
        signers.signer("hv:signing/1", [VERA.public_key, people.STRANGER.public_key])


class Remote(Signer):
    """A key service of the test's own, reached by a scheme of its own as any that somebody adds."""

    def __init__(self, public: Key, signer: Signer) -> None:
        self._public, self._held = public, signer

    @property
    def public_key(self) -> Key:
        return self._public

    def sign(self, payload: bytes) -> Signature:
        signature = self._held.sign(payload)
        signature.keyid = self._public.keyid
        return signature

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None) -> Remote:
        name = priv_key_uri.partition(":")[2]
        if secrets_handler("PIN") != "1234":
            raise ValueError(f"no entry to {priv_key_uri}")
        return cls(public_key, people.SIGNERS[name])


def test_a_scheme_that_somebody_registered_works_and_gets_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.SIGNER_FOR_URI_SCHEME, "remote", Remote)
    monkeypatch.setenv(key_files.PASSPHRASE, "1234")
    assert signs(signers.signer("remote:vera", [VERA.public_key]))
    with raises("trust.wrong_signer_key"):
        signs(signers.signer("remote:rita", [VERA.public_key]))
    with pytest.raises(ConfigurationError) as excinfo:
        signers.signer("remote:vera", [VERA.public_key], lambda _: "0000")
    assert "remote:vera" not in str(excinfo.value)


def respelt(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**entry, **changes}


def own_id(keytype: str, scheme: str, public: str) -> dict[str, Any]:
    from securesystemslib.signer._utils import compute_default_keyid

    keyval = {"public": public}
    keyid = compute_default_keyid(keytype, scheme, keyval)
    return {"keyid": keyid, "keytype": keytype, "scheme": scheme, "keyval": keyval}


ENTRY = keys.entry(VERA.public_key)
HEX = ENTRY["keyval"]["public"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (respelt(ENTRY, keyid="0" * 64), "wrong_keyid"),
        (respelt(ENTRY, keyval=keys.entry(people.STRANGER.public_key)["keyval"]), "wrong_keyid"),
        (respelt(ENTRY, keyval={"public": HEX, "private": "x"}), "wrong_keyid"),
        (own_id("ed25519", "ed25519", HEX.upper()), "wrong_keyid"),
        (
            own_id("ed25519", "ed25519", " ".join(HEX[i : i + 2] for i in range(0, 64, 2))),
            "wrong_keyid",
        ),
        (own_id("ed25519", "ed25519", HEX[:-2]), "not_a_public_key"),
        (own_id("ed25519", "ed25519", "zz"), "not_a_public_key"),
        (own_id("ed25519", "rsassa-pss-sha256", HEX), "not_a_public_key"),
        (own_id("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----"), "not_a_public_key"),
        (respelt(ENTRY, keyval={}), "not_a_public_key"),
        (respelt(ENTRY, keyval="x"), "not_a_public_key"),
        (respelt(ENTRY, keytype=None), "not_a_public_key"),
        ({"keyid": ENTRY["keyid"]}, "not_a_public_key"),
    ],
)
def test_a_public_key_that_is_not_what_its_id_says_is_refused(entry: dict[str, Any], code: str) -> None:
    with raises(f"trust.{code}"):
        keys.public(entry)


def test_one_key_under_two_schemes_is_one_key() -> None:
    key = CryptoSigner.generate_rsa(size=2048)
    crypto = key._private_key.public_key()
    first, second = (
        SSlibKey.from_crypto(crypto, scheme=scheme) for scheme in ("rsassa-pss-sha256", "rsa-pkcs1v15-sha256")
    )
    assert first.keyid != second.keyid
    assert keys.fingerprint(first) == keys.fingerprint(second)
    assert keys.fingerprint(first) != keys.fingerprint(VERA.public_key)


def test_a_person_at_an_identity_provider_is_a_key_as_well() -> None:
    keyval = {"identity": "vera@bank.example", "issuer": "https://login.bank.example"}
    from securesystemslib.signer._utils import compute_default_keyid

    entry = {"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": keyval}
    entry["keyid"] = compute_default_keyid("sigstore-oidc", "Fulcio", keyval)
    assert keys.public(entry).keyid == entry["keyid"]
    with raises("trust.wrong_keyid"):
        keys.public({**entry, "keyval": {**keyval, "identity": "mallory@bank.example"}})


def person(identity: str) -> Key:
    """Somebody known by their account at an identity provider."""
    from securesystemslib.signer._utils import compute_default_keyid

    keyval = {"identity": identity, "issuer": "https://login.bank.example"}
    entry = {"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": keyval}
    return keys.public(entry | {"keyid": compute_default_keyid("sigstore-oidc", "Fulcio", keyval)})


def test_two_people_at_one_provider_are_two_keys() -> None:
    vera, again, rita = (person(f"{name}@bank.example") for name in ("vera", "vera", "rita"))
    assert keys.fingerprint(vera) == keys.fingerprint(again)
    assert len({keys.fingerprint(key) for key in (vera, rita, VERA.public_key)}) == 3


def test_a_path_with_a_colon_and_a_folder_that_is_not_there_yet_are_paths(tmp_path: Path) -> None:
    pair = key_files.create(tmp_path / "new" / "at:home", "vera")
    assert signers.signer(pair.uri).public_key.keyid == pair.entry["keyid"]
    assert [path.name for path in (tmp_path / "new" / "at:home").iterdir()] == ["vera.pem"]


def settle(monkeypatch: pytest.MonkeyPatch, identity: str | None, uri: str | None) -> None:
    for name, value in ((signers.IDENTITY, identity), (signers.SIGNER, uri)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)


def test_who_acts_is_said_by_the_environment_and_proved_by_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = pem_of(Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32), tmp_path / "vera.pem")
    assert people.SIGNERS["vera"].public_key == signers.signer(f"file2:{mine}").public_key
    settle(monkeypatch, "vera", f"file2:{mine}")
    acting = signers.resolve_actor(people.ROLES, people.AT)
    assert (acting.person.identity, acting.signer.public_key) == ("vera", VERA.public_key)
    assert signers.resolve_actor(people.ROLES, people.AT, "vera").person.identity == "vera"
    with raises("trust.foreign_key"):
        signers.resolve_actor(people.ROLES, people.AT, "rita")


def test_who_cannot_be_told_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for identity, uri, code in [
        (None, None, "no_identity"),
        ("mallory", "file2:x", "unknown_identity"),
        ("vera", None, "no_signer"),
    ]:
        settle(monkeypatch, identity, uri)
        with raises(f"trust.{code}"):
            signers.resolve_actor(people.ROLES, people.AT)
    settle(monkeypatch, "vera", "file2:x")
    with raises("trust.no_valid_key", name="vera"):
        signers.resolve_actor(people.ROLES, dt.datetime(2025, 1, 1, tzinfo=dt.UTC))


def test_the_shipped_roles_file_holds_no_key() -> None:
    text = roles_file.read(Path(__file__).parent.parent)
    shipped = roles_file.parse(text, version=1)
    assert shipped.demo
    assert not shipped.keys
    assert b"PRIVATE" not in text
