"""Keys: known by themselves, held in files for their owner alone, reached by URI, and never shown."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path
from typing import Any

import people
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib import signer as kinds
from securesystemslib.signer import CryptoSigner, Key, Signature, Signer, SSlibKey

from clearance import in_toto
from clearance.errors import ConfigurationError
from clearance.trust import dsse, key_files, keys, roles_file, signers

SECRET = "correct horse battery"  # noqa: S105
SAID = in_toto.statement({"a": "0" * 64}, "urn:x:y", {})
VERA = people.SIGNERS["vera"]


def signs(signer: Signer) -> bool:
    made = dsse.sign(SAID, signer)
    return dsse.verify(made, {signer.public_key.keyid: signer.public_key}).statement == SAID


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
    made = key_files.create(tmp_path / "keys", "vera")
    assert mode(tmp_path / "keys" / "vera.pem") == 0o600
    assert mode(tmp_path / "keys") == 0o700
    assert [each.name for each in (tmp_path / "keys").iterdir()] == ["vera.pem"]
    (entry,) = yaml.safe_load(str(made))
    assert entry == made.entry
    assert keys.public(entry) == signers.signer(made.uri).public_key
    assert signs(signers.signer(made.uri))
    listed = people.plain(vera={"keys": [{**entry, "from": "2026-01-01T00:00:00Z"}], "roles": ["validator"]})
    assert people.roles(listed).owner(entry["keyid"])


def test_two_keys_are_never_the_same_and_none_is_overwritten(tmp_path: Path) -> None:
    first = key_files.create(tmp_path, "vera")
    before = (tmp_path / "vera.pem").read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        key_files.create(tmp_path, "vera")
    assert (tmp_path / "vera.pem").read_bytes() == before
    assert key_files.create(tmp_path / "other", "vera").entry != first.entry


@pytest.mark.parametrize("identity", ["", "../vera", "a/b", ".hidden", "Vera", "vera\n", "v" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, identity: str) -> None:
    with pytest.raises(ConfigurationError, match="names no person"):
        key_files.create(tmp_path, identity)
    assert not list(tmp_path.iterdir())


def test_an_encrypted_key_asks_for_its_passphrase_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = key_files.create(tmp_path, "vera", SECRET)
    assert b"ENCRYPTED" in (tmp_path / "vera.pem").read_bytes()
    with pytest.raises(ConfigurationError, match="asks for its passphrase"):
        signers.signer(made.uri)
    monkeypatch.setenv(key_files.PASSPHRASE, SECRET)
    assert signs(signers.signer(made.uri))
    monkeypatch.delenv(key_files.PASSPHRASE)
    assert signs(signers.signer(made.uri, secret=lambda name: SECRET if name == "passphrase" else ""))
    monkeypatch.setenv(key_files.PASSPHRASE, SECRET + "!")
    with pytest.raises(ConfigurationError) as caught:
        signers.signer(made.uri)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("open_to", [0o604, 0o602, 0o601, 0o620, 0o644, 0o777])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, open_to: int) -> None:
    made = key_files.create(tmp_path, "vera")
    (tmp_path / "vera.pem").chmod(open_to)
    with pytest.raises(ConfigurationError, match=f"open to others.*0{open_to:o}"):
        signers.signer(made.uri)
    (tmp_path / "vera.pem").chmod(0o440)  # as a container mounts a secret for its group
    assert signs(signers.signer(made.uri))


def test_other_kinds_of_private_key_sign_as_well(tmp_path: Path) -> None:
    for made in (CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa(size=2048)):
        path = tmp_path / f"{made.public_key.keytype}.pem"
        path.write_bytes(made.private_bytes)
        path.chmod(0o600)
        signer = signers.signer(f"file2:{path}")
        assert signs(signer)
        assert keys.public(keys.entry(signer.public_key)) == signer.public_key


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    odd = tmp_path / "odd.pem"
    odd.write_text("no key")
    odd.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no private key in PEM"):
        signers.signer(f"file2:{odd}")
    with pytest.raises(ConfigurationError, match="signs nothing"):
        signers.signer(f"file2:{pem_of(X25519PrivateKey.generate(), odd)}")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signers.signer(f"file2:{tmp_path / 'none.pem'}")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signers.signer(f"file2:{tmp_path}")


@pytest.mark.parametrize(
    "uri", ["", "vera.pem", f"vault9:{SECRET}", f"file2:k.pem?passphrase={SECRET}", "file2:"]
)
def test_a_uri_that_names_no_signer_is_refused_without_showing_it(uri: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        signers.signer(uri)
    assert SECRET not in str(caught.value)
    assert "CLEARANCE_SIGNER" in caught.value.fault


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
        with pytest.raises(ConfigurationError, match="signer cannot be used"):
            signers.signer(uri, [VERA.public_key])
    with pytest.raises(ConfigurationError, match="needs the one public key"):
        signers.signer("hv:signing/1", [VERA.public_key, people.STRANGER.public_key])


class Remote(Signer):
    """A key service of the test's own, reached by a scheme of its own as any that somebody adds."""

    def __init__(self, public: Key, held: Signer) -> None:
        self._public, self._held = public, held

    @property
    def public_key(self) -> Key:
        return self._public

    def sign(self, payload: bytes) -> Signature:
        made = self._held.sign(payload)
        made.keyid = self._public.keyid
        return made

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
    with pytest.raises(ConfigurationError, match="does not hold under its public key"):
        signs(signers.signer("remote:rita", [VERA.public_key]))
    with pytest.raises(ConfigurationError) as caught:
        signers.signer("remote:vera", [VERA.public_key], lambda _: "0000")
    assert "remote:vera" not in str(caught.value)


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
    ("entry", "says"),
    [
        (respelt(ENTRY, keyid="0" * 64), "not what its key id says"),
        (respelt(ENTRY, keyval=keys.entry(people.STRANGER.public_key)["keyval"]), "not what its key id says"),
        (respelt(ENTRY, keyval={"public": HEX, "private": "x"}), "not what its key id says"),
        (own_id("ed25519", "ed25519", HEX.upper()), "not what its key id says"),
        (
            own_id("ed25519", "ed25519", " ".join(HEX[i : i + 2] for i in range(0, 64, 2))),
            "not what its key id",
        ),
        (own_id("ed25519", "ed25519", HEX[:-2]), "no public key"),
        (own_id("ed25519", "ed25519", "zz"), "no public key"),
        (own_id("ed25519", "rsassa-pss-sha256", HEX), "no public key"),
        (own_id("rsa", "rsassa-pss-sha256", "-----BEGIN PUBLIC KEY-----"), "no public key"),
        (respelt(ENTRY, keyval={}), "no public key"),
        (respelt(ENTRY, keyval="x"), "no public key"),
        (respelt(ENTRY, keytype=None), "no public key"),
        ({"keyid": ENTRY["keyid"]}, "no public key"),
    ],
)
def test_a_public_key_that_is_not_what_its_id_says_is_refused(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        keys.public(entry)


def test_one_key_under_two_schemes_is_one_key() -> None:
    made = CryptoSigner.generate_rsa(size=2048)
    crypto = made._private_key.public_key()
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
    with pytest.raises(ConfigurationError, match="not what its key id says"):
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
    assert len({keys.fingerprint(each) for each in (vera, rita, VERA.public_key)}) == 3


def test_a_path_with_a_colon_and_a_folder_that_is_not_there_yet_are_paths(tmp_path: Path) -> None:
    made = key_files.create(tmp_path / "new" / "at:home", "vera")
    assert signers.signer(made.uri).public_key.keyid == made.entry["keyid"]
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
    with pytest.raises(ConfigurationError, match="none of those that may sign"):
        signers.resolve_actor(people.ROLES, people.AT, "rita")


def test_who_cannot_be_told_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for identity, uri, says in [
        (None, None, "nobody is named"),
        ("mallory", "file2:x", "knows no mallory"),
        ("vera", None, "no signer is named for vera"),
    ]:
        settle(monkeypatch, identity, uri)
        with pytest.raises(ConfigurationError, match=says):
            signers.resolve_actor(people.ROLES, people.AT)
    settle(monkeypatch, "vera", "file2:x")
    with pytest.raises(ConfigurationError, match="no key that is valid now"):
        signers.resolve_actor(people.ROLES, dt.datetime(2025, 1, 1, tzinfo=dt.UTC))


def test_the_shipped_roles_file_holds_no_key() -> None:
    text = roles_file.read(Path(__file__).parent.parent)
    shipped = roles_file.parse(text, version=1)
    assert shipped.demo
    assert not shipped.keys
    assert b"PRIVATE" not in text
