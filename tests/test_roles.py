"""The roles file: who may do what and when, in force only under the root that was pinned elsewhere."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from clearance import files, in_toto
from clearance.errors import ConfigurationError
from clearance.trust import (
    demo_keys,
    dsse,
    key_files,
    keys,
    roles_file,
    roles_in_force,
    root,
    signed_roles,
    signers,
)
from clearance.trust.roles import Right
from clearance.trust.signed_roles import TrustedVersion
from tests.support import people
from tests.support.codes import raises

ROOT = Path(__file__).parent.parent
AT, DAY = people.AT, people.DAY
VERA, RITA = people.SIGNERS["vera"].public_key.keyid, people.SIGNERS["rita"].public_key.keyid
HOLDERS = [people.signer(number) for number in (51, 52, 53)]
OTHERS = [people.signer(number) for number in (61, 62, 63)]
PINNED = root.create([each.public_key for each in HOLDERS], 2)
TEXT = people.text(people.plain())


def vera(**more: Any) -> dict[str, Any]:
    """The roles file with another Vera."""
    usual = {"emails": ["vera@bank.example"], "roles": ["validator"], "keys": [listed()]}
    return people.plain(vera={**usual, **more})


def listed(**more: Any) -> dict[str, Any]:
    return people.key_entry(people.SIGNERS["vera"], **more)


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def test_each_role_gives_its_rights_and_no_others() -> None:
    may = {
        who: {right for right in Right if people.ROLES.may(signer.public_key.keyid, right, AT)}
        for who, signer in people.SIGNERS.items()
    }
    assert may == {
        "dan": {Right.TRAIN, Right.PROPOSE, Right.APPROVE},
        "vera": {Right.APPROVE},
        "viktor": {Right.APPROVE},
        "rita": {Right.APPROVE, Right.OVERRIDE},
        "both": {Right.APPROVE, Right.OVERRIDE},
        "otto": {Right.PROMOTE, Right.ROLL_BACK, Right.WATCH},  # who may promote may watch
        "ada": {Right.READ},
    }
    assert not any(people.ROLES.may(people.STRANGER.public_key.keyid, right, AT) for right in Right)


@pytest.mark.parametrize(
    ("key", "at", "fault"),
    [
        ({}, "2025-12-31T23:59:59Z", "is valid only from 2026-01-01T00:00:00Z"),
        ({}, "2026-01-01T00:00:00Z", None),
        ({}, "2026-01-01T00:30:00+01:00", "is valid only from"),
        ({"until": "2027-01-01T00:00:00Z"}, "2026-12-31T23:59:59Z", None),
        ({"until": "2027-01-01T00:00:00Z"}, "2027-01-01T00:00:00Z", "expired at 2027-01-01T00:00:00Z"),
        ({"revoked": {"at": "2026-03-01T00:00:00Z", "why": "lost"}}, "2026-02-28T23:59:59Z", None),
        ({"revoked": {"at": "2026-03-01T00:00:00Z", "why": "lost"}}, "2026-03-01T00:00:00Z", "was revoked"),
        (
            {"revoked": {"at": "2025-01-01T00:00:00Z", "why": "never hers"}},
            "2026-06-01T00:00:00Z",
            "was revoked",
        ),
    ],
)
def test_a_key_counts_as_of_the_time_of_recording(key: dict[str, Any], at: str, fault: str | None) -> None:
    roles = people.roles(vera(keys=[listed(**key)]))
    error = roles.key_fault(VERA, moment(at))
    assert (error is None) == (fault is None)
    assert fault is None or fault in str(error)
    assert (roles.person(VERA, moment(at)) is None) == (fault is not None)
    assert roles.may(VERA, Right.APPROVE, moment(at)) == (fault is None)
    assert roles.owner(VERA) == roles.people["vera"]


def test_a_time_without_a_zone_says_no_moment() -> None:
    with pytest.raises(ValueError, match="time zone"):
        people.ROLES.may(VERA, Right.APPROVE, dt.datetime(2026, 6, 1))


def test_roles_are_held_from_when_to_when_too() -> None:
    dated = {"role": "validator", "from": "2026-02-01T00:00:00Z", "until": "2026-05-01T00:00:00Z"}
    roles = people.roles(vera(roles=[dated, "auditor"]))
    validity = {
        at: roles.may(VERA, Right.APPROVE, moment(f"2026-{at}T00:00:00Z"))
        for at in ("01-31", "02-01", "05-01")
    }
    assert validity == {"01-31": False, "02-01": True, "05-01": False}
    assert roles.may(VERA, Right.READ, moment("2026-05-01T00:00:00Z"))


def test_a_rotated_key_leaves_what_the_old_one_signed_standing() -> None:
    new = people.signer(70)
    since = "2026-05-01T00:00:00Z"
    roles = people.roles(vera(keys=[listed(until=since), people.key_entry(new, since)]))
    assert roles.person(VERA, moment("2026-04-01T00:00:00Z")) == roles.people["vera"]
    assert roles.person(VERA, AT) is None
    assert roles.person(new.public_key.keyid, AT) == roles.people["vera"]


def test_authors_are_found_by_their_address_in_any_letter_case() -> None:
    assert people.ROLES.author(" Vera@Bank.example ") == people.ROLES.people["vera"]
    assert people.ROLES.author("vera@elsewhere.example") is None


def shared_key() -> dict[str, Any]:
    return people.plain(eve={"roles": ["risk_officer"], "keys": [listed()]})


def shared_under_two_schemes() -> dict[str, Any]:
    signer = CryptoSigner.generate_rsa(size=2048)
    entries = [
        people.key_entry(CryptoSigner(signer._private_key, key))
        for key in (
            type(signer.public_key).from_crypto(signer._private_key.public_key(), scheme=scheme)
            for scheme in ("rsassa-pss-sha256", "rsa-pkcs1v15-sha256")
        )
    ]
    return people.plain(vera={"keys": [entries[0]]}, eve={"keys": [entries[1]]})


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (lambda: people.plain() | {"peoples": {}}, "invalid_roles", "`peoples` (did you mean `people`?)"),
        (lambda: {"people": people.plain()["people"]}, "invalid_roles", "`roles`"),
        (lambda: people.plain() | {"people": {}}, "invalid_roles", "`people`"),
        (lambda: people.plain() | {"roles": {}}, "invalid_roles", "`roles`"),
        (
            lambda: people.plain() | {"roles": {**people.RIGHTS, "validator": ["aprove"]}},
            "invalid_roles",
            "roles.validator.0",
        ),
        (lambda: vera(rolls=["validator"]), "invalid_roles", "`people.vera.rolls` (did you mean `roles`?)"),
        (lambda: vera(roles=["validater"]), "invalid_roles", "validater"),
        (lambda: vera(emails=["vera"]), "invalid_roles", "people.vera.emails"),
        (lambda: vera(emails=["Dan@bank.example"]), "invalid_roles", "dan@bank.example"),
        (lambda: people.plain(**{"../vera": {}}), "invalid_roles", "people"),
        (lambda: vera(keys=[listed(until="2025-01-01T00:00:00Z")]), "invalid_roles", "2025-01-01"),
        (lambda: vera(keys=[listed(until="2027-01-01")]), "invalid_roles", "people.vera.keys.0.until"),
        (
            lambda: vera(keys=[listed(until="2027-01-01T00:00:00")]),
            "invalid_roles",
            "people.vera.keys.0.until",
        ),
        (lambda: vera(keys=[listed(revoked=True)]), "invalid_roles", "people.vera.keys.0.revoked"),
        (
            lambda: vera(keys=[listed(revoked={"at": "2026-03-01T00:00:00Z"})]),
            "invalid_roles",
            "revoked.why`",
        ),
        (
            lambda: vera(keys=[{k: v for k, v in listed().items() if k != "from"}]),
            "invalid_roles",
            "keys.0.from`",
        ),
        (lambda: vera(keys=[listed(keyid="0" * 64)]), "wrong_keyid", "0" * 12),
        (lambda: vera(keys=[listed(keyid="mine")]), "invalid_roles", "people.vera.keys.0.keyid"),
        (lambda: vera(keys=[listed(), listed()]), "shared_key", "'second': 'vera'"),
        (shared_key, "shared_key", "'second': 'eve'"),
        (shared_under_two_schemes, "shared_key", "'second': 'eve'"),
    ],
)
def test_a_faulty_file_is_refused_and_the_fault_named(
    data: Callable[[], dict[str, Any]], code: str, why: str
) -> None:
    with raises(f"trust.{code}") as error:
        people.roles(data())
    assert why in str(error.value.values)


@pytest.mark.parametrize("text", [b"\xff", b"a: [", b"roles: {}\nroles: {}", b"", b"[]"])
def test_what_is_no_yaml_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigurationError) as error:
        roles_file.parse(text, version=1)
    assert error.value.code in ("trust.roles_not_yaml", "trust.invalid_roles")


def endorsed(text: bytes = TEXT, *holders: CryptoSigner, previous: Any = None) -> dict[str, Any]:
    for holder in holders or HOLDERS[:2]:
        previous = signed_roles.add_signature(text, previous, PINNED, holder, at=AT)
    return dict(previous)


def test_m_of_n_root_keys_put_the_file_in_force() -> None:
    roles = signed_roles.verify(TEXT, endorsed(), PINNED, TrustedVersion())
    assert (roles.version, roles.demo) == (1, False)
    assert roles.people == people.ROLES.people
    assert signed_roles.verify(
        TEXT, endorsed(TEXT, *HOLDERS), PINNED, TrustedVersion(version=1, sha256=roles.sha256)
    )


def test_less_than_m_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one = endorsed(TEXT, HOLDERS[0])
    with raises("trust.too_few_signatures", whose="root"):
        signed_roles.verify(TEXT, one, PINNED, TrustedVersion())
    with raises("trust.too_few_signatures"):  # a stranger's does not count
        signed_roles.verify(TEXT, dsse.countersign(one, people.STRANGER), PINNED, TrustedVersion())
    with raises("trust.no_valid_signature"):
        signed_roles.verify(
            TEXT, one, root.create([signer.public_key for signer in OTHERS], 1), TrustedVersion()
        )


def test_a_changed_file_is_not_what_they_signed() -> None:
    with raises("trust.roles_changed"):
        signed_roles.verify(TEXT.replace(b"auditor", b"operator"), endorsed(), PINNED, TrustedVersion())
    with raises("trust.roles_changed"):
        signed_roles.verify(TEXT + b"\n", endorsed(), PINNED, TrustedVersion())


def test_an_older_file_and_another_one_with_the_same_number_are_refused() -> None:
    first, later = endorsed(), people.text(vera(roles=["auditor"]))
    second = endorsed(later, previous=first)
    roles = signed_roles.verify(later, second, PINNED, TrustedVersion(version=1))
    assert roles.version == 2
    with raises("trust.roles_outdated", version=1, trusted=2):
        signed_roles.verify(TEXT, first, PINNED, TrustedVersion(version=2))
    with raises("trust.roles_forked", version=2):
        signed_roles.verify(later, second, PINNED, TrustedVersion(version=2, sha256="0" * 64))


def test_the_root_signs_only_with_its_own_keys_and_nothing_faulty() -> None:
    with raises("trust.not_a_root_key"):
        signed_roles.add_signature(TEXT, None, PINNED, people.STRANGER, at=AT)
    with raises("trust.invalid_roles"):
        signed_roles.add_signature(b"people: {}", None, PINNED, HOLDERS[0], at=AT)
    with raises("trust.not_a_roles_signature"):
        signed_roles.add_signature(TEXT, root.propose(PINNED, HOLDERS[0]), PINNED, HOLDERS[1], at=AT)


def rotated(new: root.Root, *holders: CryptoSigner) -> dict[str, Any]:
    envelope = root.propose(new, holders[0])
    for holder in holders[1:]:
        envelope = dsse.countersign(envelope, holder)
    return envelope


NEXT = root.create([OTHERS[0].public_key, OTHERS[1].public_key, HOLDERS[0].public_key], 2, version=2)


def test_a_new_root_is_taken_when_m_of_the_old_and_m_of_the_new_sign_it(tmp_path: Path) -> None:
    successor = root.successor(PINNED, rotated(NEXT, HOLDERS[0], HOLDERS[1], OTHERS[0]))
    assert successor == dataclasses.replace(NEXT, earlier=(PINNED,))
    root.write(tmp_path / "root.json", successor)
    assert root.load(tmp_path / "root.json") == successor
    after = signed_roles.add_signature(
        TEXT, endorsed(), NEXT, OTHERS[0], at=AT, seen=TrustedVersion(version=1)
    )
    after = signed_roles.add_signature(TEXT, after, NEXT, HOLDERS[0], at=AT)
    assert signed_roles.verify(TEXT, after, NEXT, TrustedVersion(version=1)).people == people.ROLES.people


@pytest.mark.parametrize(
    ("new", "holders", "code", "values"),
    [
        (NEXT, [HOLDERS[0], OTHERS[0], OTHERS[1]], "too_few_signatures", {"whose": "old root"}),
        (NEXT, [HOLDERS[1], HOLDERS[2]], "no_valid_signature", {}),
        (NEXT, [HOLDERS[0], HOLDERS[1]], "too_few_signatures", {"whose": "new root"}),
        (
            root.create([each.public_key for each in OTHERS], 1, version=3),
            [*HOLDERS, *OTHERS],
            "root_out_of_order",
            {"current": 1},
        ),
        (
            root.create([each.public_key for each in OTHERS], 1, version=1),
            [*HOLDERS, *OTHERS],
            "root_out_of_order",
            {"current": 1},
        ),
        (
            root.create([OTHERS[0].public_key], 1, version=2, demo=True),
            [*HOLDERS, *OTHERS],
            "root_out_of_order",
            {"current": 1},
        ),
    ],
)
def test_any_other_new_root_is_refused(
    new: root.Root, holders: list[CryptoSigner], code: str, values: dict[str, Any]
) -> None:
    with raises(f"trust.{code}", **values):
        root.successor(PINNED, rotated(new, *holders))


def test_a_signed_roles_file_is_no_new_root_and_the_other_way_round() -> None:
    with raises("trust.not_a_root"):
        root.successor(PINNED, endorsed())
    with raises("trust.not_a_roles_signature"):
        signed_roles.verify(TEXT, rotated(NEXT, *HOLDERS), PINNED, TrustedVersion())


def test_after_a_wholly_new_root_the_version_goes_on_from_what_was_seen() -> None:
    new = root.create([signer.public_key for signer in OTHERS], 1, version=2)
    with raises("trust.no_valid_signature"):
        signed_roles.add_signature(TEXT, endorsed(), new, OTHERS[0], at=AT)
    after = signed_roles.add_signature(
        TEXT, endorsed(), new, OTHERS[0], at=AT, seen=TrustedVersion(version=7)
    )
    assert signed_roles.verify(TEXT, after, new, TrustedVersion(version=7)).version == 8


def test_an_older_root_does_not_come_back() -> None:
    """The holders of a root that was replaced sign a file of their own, on a machine that still pins it."""
    for version, counts in (
        (TrustedVersion(version=1, root=1), True),
        (TrustedVersion(version=1, root=2), False),
    ):
        if counts:
            assert signed_roles.verify(TEXT, endorsed(), PINNED, version).root == 1
            continue
        with raises("trust.root_outdated", trusted=2):
            signed_roles.verify(TEXT, endorsed(), PINNED, version)


def test_the_kind_of_a_statement_and_what_it_is_about_both_count() -> None:
    holders = [*HOLDERS, *OTHERS]
    about, predicate = {"root": files.sha256_json(NEXT.to_json())}, NEXT.to_json()
    for odd in (
        in_toto.statement({"root": "0" * 64}, root.PREDICATE, predicate),
        in_toto.statement({"roots": about["root"]}, root.PREDICATE, predicate),
        in_toto.statement(about, "urn:clearance:other:v1", predicate),
    ):
        envelope = dsse.sign(odd, holders[0])
        for holder in holders[1:]:
            envelope = dsse.countersign(envelope, holder)
        with raises("trust.not_a_root"):
            root.successor(PINNED, envelope)
    in_force = signed_roles.statement_for(TEXT, 1, AT) | {"predicateType": "urn:clearance:other:v1"}
    envelope = dsse.countersign(dsse.sign(in_force, HOLDERS[0]), HOLDERS[1])
    with raises("trust.not_a_roles_signature"):
        signed_roles.verify(TEXT, envelope, PINNED, TrustedVersion())


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ({"threshold": 0}, "invalid_root", "`threshold`"),
        ({"threshold": 4}, "impossible_threshold", "'count': 3"),
        ({"threshold": True}, "invalid_root", "threshold"),
        ({"version": "1"}, "invalid_root", "version"),
        ({"more": 1}, "invalid_root", "`more`"),
        ({"keys": []}, "impossible_threshold", "'count': 0"),
        ({"keys": [keys.entry(HOLDERS[0].public_key)] * 2}, "repeated_root_key", ""),
        ({"keys": [{**keys.entry(HOLDERS[0].public_key), "keyid": "0" * 64}]}, "wrong_keyid", "0" * 12),
    ],
)
def test_a_faulty_root_is_refused(tmp_path: Path, change: dict[str, Any], code: str, why: str) -> None:
    files.write_json(tmp_path / "root.json", PINNED.to_json() | change)
    with raises(f"trust.{code}") as error:
        root.load(tmp_path / "root.json")
    assert why in str(error.value.values)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (root.VARIABLE, signers.IDENTITY, signers.SIGNER):
        monkeypatch.delenv(name, raising=False)
    files.write_text(tmp_path / roles_file.FILE, roles_file.read(ROOT).decode())
    return tmp_path


def own(project: Path, pinned: root.Root = PINNED) -> Path:
    """Make it a project with people of its own; returns where the root is pinned."""
    files.write_text(project / roles_file.FILE, TEXT.decode())
    dsse.write(project / roles_in_force.SIGNED, endorsed())
    root.write(root.pinned_path(project), pinned)
    return root.pinned_path(project)


def test_a_project_of_its_own_is_in_force_under_the_pinned_root(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(project)
    assert roles_in_force.load(project).people == people.ROLES.people
    elsewhere = tmp_path_factory.mktemp("etc") / "root.json"
    root.write(elsewhere, root.create([signer.public_key for signer in OTHERS], 2))
    monkeypatch.setenv(root.VARIABLE, str(elsewhere))
    with raises("trust.no_valid_signature"):
        roles_in_force.load(project)
    monkeypatch.setenv(root.VARIABLE, str(elsewhere.parent / "none.json"))
    with raises("trust.root_not_readable"):
        roles_in_force.load(project)


def test_the_root_signs_a_project_from_its_key_files(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("holders")
    pairs = [key_files.create(folder, f"holder-{number}") for number in range(3)]
    pinned = root.create([keys.public(pair.entry) for pair in pairs], 2)
    own(project, pinned)
    (project / roles_in_force.SIGNED).unlink()
    roles_in_force.sign(project, pairs[0].uri, AT)
    with raises("trust.too_few_signatures", count=1, threshold=2):
        roles_in_force.load(project)
    roles_in_force.sign(project, pairs[2].uri, AT)
    assert roles_in_force.load(project).version == 1
    files.write_text(project / roles_file.FILE, people.text(vera(roles=[])).decode())
    with raises("trust.roles_changed"):
        roles_in_force.load(project)
    roles_in_force.sign(project, pairs[1].uri, AT)
    roles_in_force.sign(project, pairs[2].uri, AT)
    assert roles_in_force.load(project, TrustedVersion(version=1)).version == 2
    with raises("trust.foreign_key"):
        roles_in_force.sign(project, key_files.create(folder, "mallory").uri, AT)


def test_missing_files_are_named(project: Path) -> None:
    own(project)
    (project / roles_in_force.SIGNED).unlink()
    with raises("trust.envelope_not_readable"):
        roles_in_force.load(project)
    (project / roles_file.FILE).unlink()
    with raises("trust.roles_not_readable"):
        roles_in_force.load(project)


def test_the_demo_has_a_keyring_that_marks_all_it_signs(project: Path) -> None:
    roles = roles_in_force.load(project)
    assert roles.demo
    assert {who: len(person.keys) for who, person in roles.people.items()} == dict.fromkeys(
        ("pipeline", "builder", "dan", "vera", "rita", "otto", "ada"), 1
    )
    private = sorted((project / demo_keys.FOLDER).glob("*.pem"))
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert len(private) == len(roles.people) + 3
    acting = roles_in_force.actor(project, roles, AT)
    assert acting.person.identity == demo_keys.DEFAULT_IDENTITY
    assert (
        roles.person(roles_in_force.actor(project, roles, AT, "vera").signer.public_key.keyid, AT)
        == roles.people["vera"]
    )
    assert not roles.may(acting.signer.public_key.keyid, Right.APPROVE, AT)
    assert roles.may(acting.signer.public_key.keyid, Right.PROMOTE, AT)
    assert roles.may(acting.signer.public_key.keyid, Right.PROPOSE, AT)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_second_time_nothing_is_written_and_a_new_person_gets_a_key(project: Path) -> None:
    first = roles_in_force.load(project)
    before = contents(project / demo_keys.FOLDER)
    assert roles_in_force.load(project, TrustedVersion(version=1, sha256=first.sha256)) == first
    assert contents(project / demo_keys.FOLDER) == before
    text = (project / roles_file.FILE).read_text()
    files.write_text(project / roles_file.FILE, text + "  zoe: {roles: [validator]}\n")
    later = roles_in_force.load(project, TrustedVersion(version=1, sha256=first.sha256))
    assert later.version == 2
    assert {who: later.people[who] for who in first.people} == first.people
    assert len(later.people["zoe"].keys) == 1


def test_a_demo_keyring_that_lost_a_file_is_completed(project: Path) -> None:
    first = roles_in_force.load(project)
    version = TrustedVersion(version=1, sha256=first.sha256)
    for name in ("roles.yaml", "roles.signed.json", "../root.json"):
        (project / demo_keys.FOLDER / name).unlink()
        assert roles_in_force.load(project, version).people == first.people
    (project / demo_keys.FOLDER / "roles.signed.json").write_text("{")
    assert roles_in_force.load(project, version).people == first.people


def test_the_demo_never_takes_the_place_of_a_root_of_your_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(project)
    files.write_text(project / roles_file.FILE, roles_file.read(ROOT).decode())
    with raises("trust.not_the_demo"):
        roles_in_force.load(project)
    assert root.load(root.pinned_path(project)) == PINNED
    root.pinned_path(project).unlink()
    monkeypatch.setenv(root.VARIABLE, str(project / "elsewhere.json"))
    with raises("trust.not_the_demo"):
        roles_in_force.load(project)
    assert not list(project.rglob("*.pem"))


def test_people_of_your_own_are_not_put_in_force_by_the_demos_root(project: Path) -> None:
    roles_in_force.load(project)
    holders = [signers.signer(demo_keys.uri(project, f"root-{number}")) for number in (1, 2)]
    pinned = root.load(root.pinned_path(project))
    files.write_text(project / roles_file.FILE, TEXT.decode())
    envelope = None
    for holder in holders:
        envelope = signed_roles.add_signature(TEXT, envelope, pinned, holder, at=AT)
    assert envelope is not None
    dsse.write(project / roles_in_force.SIGNED, envelope)
    with raises("trust.demo_root"):
        roles_in_force.load(project)
    assert signed_roles.verify(TEXT, envelope, pinned, TrustedVersion()).demo


LOAD = (
    "import pathlib, sys; from clearance.trust import roles_in_force;"
    "r = roles_in_force.load(pathlib.Path(sys.argv[1]))"
)
TELL = "; import json; print(json.dumps([r.version, r.sha256, sorted(r.keys)]))"


@pytest.mark.slow
def test_many_processes_at_once_make_one_keyring(project: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", LOAD + TELL, str(project)], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    outputs = {each.communicate(timeout=300)[0] for each in processes}
    assert [each.returncode for each in processes] == [0] * 8
    roles = roles_in_force.load(project)
    assert [json.loads(each) for each in outputs] == [[1, roles.sha256, sorted(roles.keys)]]
    assert not list((project / demo_keys.FOLDER).glob(".*.part"))


@pytest.mark.slow
def test_a_killed_setup_is_completed_by_the_next(project: Path) -> None:
    """SIGKILL as soon as the n-th file is there, for every n: the next call ends as if nothing had been."""
    for count in range(1, 13):
        child = subprocess.Popen([sys.executable, "-c", LOAD, str(project)])
        while child.poll() is None and len(list((project / ".clearance").rglob("*.*"))) < count:
            time.sleep(0.0005)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=60)
    roles = roles_in_force.load(project)
    assert roles.demo
    assert all(len(person.keys) == 1 for person in roles.people.values())
    assert roles_in_force.load(project) == roles


def test_asking_for_roles_changes_no_argument() -> None:
    data = people.plain()
    before = copy.deepcopy(data)
    people.roles(data)
    assert data == before
