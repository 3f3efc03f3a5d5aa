"""Roles, root, keys and code: what a project of its own asks for before anything may ship."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from assurance import crashes, unauthorised
from clearance import ledger, params, registry
from clearance.errors import ExitCode
from clearance.params import data_contract
from clearance.promotion import release, review, version_record
from clearance.promotion.session import open_session
from clearance.trust import key_files, keys, roles_file, roles_in_force, root, signers
from tasks import track
from tests.support import governed, judged
from tests.support.codes import raises
from tests.support.governed import Place

SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


@dataclass(frozen=True)
class Own:
    """A project with a root of its own; `pairs` are the keys of its people and of the root's holders."""

    place: Place
    pairs: dict[str, key_files.KeyPair]
    patch: pytest.MonkeyPatch

    def sign(self, *holders: str) -> None:
        """Have holders of the root sign the roles file as it is."""
        for holder in holders:
            roles_in_force.sign(self.place.root, self.pairs[holder].uri, dt.datetime.now(dt.UTC))

    def act_as(self, who: str) -> None:
        """Take this person's name and key from the environment from here on."""
        self.patch.setenv(signers.IDENTITY, who)
        self.patch.setenv(signers.SIGNER, self.pairs[who].uri)

    def run(self, who: str, *words: str) -> governed.Done:
        """Somebody runs a command."""
        self.act_as(who)
        return self.place.command(*words, by=who)

    def decide(self, who: str, kind: str = "approve") -> governed.Done:
        """Somebody decides on version 1."""
        return self.run(who, kind, "1", "--as", who, "--reason", "so")

    def release(self) -> dict[str, Any]:
        """Dan releases what was judged."""
        self.act_as("dan")
        track.main()
        return release.release(self.place.root, governed.today())

    def change_roles(self, change: Any) -> None:
        """Edit the roles file by hand."""
        path = self.place.root / roles_file.FILE
        roles = yaml.safe_load(path.read_text())
        change(roles)
        path.write_text(yaml.safe_dump(roles, sort_keys=False))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Own:
    """The project under a policy that is no demo's, its people's keys listed, signed by two of three."""
    place = governed.enter(monkeypatch).put("judged")
    judged.put(place.root, policy=governed.POLICY | {"demo": False})
    people = {"dan": "data_scientist", "vera": "validator", "rita": "risk_officer", "otto": "operator"}
    folder = tmp_path / "keys"
    pairs = {who: key_files.create(folder, who) for who in (*people, "holder-1", "holder-2", "holder-3")}
    roles = yaml.safe_load((place.root / roles_file.FILE).read_text())
    del roles["demo"]
    roles["people"] = {
        who: {
            "emails": [f"{who}@bank.example"],
            "roles": [role],
            "keys": [{**pairs[who].entry, "from": SINCE}],
        }
        for who, role in people.items()
    }
    (place.root / roles_file.FILE).write_text(yaml.safe_dump(roles, sort_keys=False))
    shutil.rmtree(place.root / ".clearance", ignore_errors=True)
    judged.note_executions(place.root)
    holders = [keys.public(pairs[f"holder-{number}"].entry) for number in (1, 2, 3)]
    root.write(tmp_path / "root.json", root.create(holders, 2))
    monkeypatch.setenv(root.VARIABLE, str(tmp_path / "root.json"))
    project = Own(place=place, pairs=pairs, patch=monkeypatch)
    project.sign("holder-1", "holder-3")
    return project


def office_as(own: Own, who: str) -> Any:
    own.act_as(who)
    return open_session(own.place.root, who)


def test_with_a_root_of_its_own_the_listed_people_promote_and_go_by_their_keys(own: Own) -> None:
    assert own.release()["status"] == "awaiting approval"
    assert own.decide("vera").code == ExitCode.PASS
    assert own.decide("rita").code == ExitCode.PASS  # who approves need not be able to promote
    assert own.place.alias() is None and not own.place.entries("refusal")
    assert own.run("vera", "promote", "1").code == ExitCode.ERROR
    refusal = own.place.entries("refusal")[-1]
    assert refusal.actor == "vera" and "may not promote" in refusal.body["reason"]
    assert own.run("otto", "promote", "1").code == ExitCode.PASS
    assert own.place.told() == own.place.alias() == 1
    assert own.run("otto", "verify").code == ExitCode.PASS
    assert own.run("vera", "retire", "--reason", "so").code == ExitCode.ERROR


def test_a_policy_that_is_no_demos_promotes_nothing_until_the_data_contract_is_pinned(own: Own) -> None:
    root = own.place.root
    demands = governed.MANNER | {"contract_pinned": True}
    roles = (root / roles_file.FILE).read_bytes()
    judged.put(root, policy=governed.POLICY | {"demo": False, "promotion": demands})
    (root / roles_file.FILE).write_bytes(roles)
    ending = own.release()
    assert ending["status"] == "not promoted" and "does not pin the data contract" in ending["reason"]
    own.decide("vera")
    own.decide("rita")
    assert own.run("otto", "promote", "1").code == ExitCode.REFUSED and own.place.told() is None
    path = root / "policies/authorised.yaml"
    content = yaml.safe_load(path.read_text())
    content["models"][governed.NAME]["contracts"] = [
        data_contract.of(params.load(root / "params.yaml")).digest
    ]
    path.write_text(yaml.safe_dump(content))
    assert own.run("otto", "promote", "1").code == ExitCode.PASS
    assert own.place.told() == 1 and own.run("otto", "verify").code == ExitCode.PASS


def test_somebody_elses_key_opens_nothing(own: Own) -> None:
    own.release()
    own.act_as("vera")
    result = own.place.command("approve", "1", "--as", "rita", "--reason", "so", by="vera")
    assert result.code == ExitCode.ERROR and result.error == "trust.foreign_key"


def test_a_roles_file_changed_by_hand_is_refused_until_the_root_signs_it(own: Own) -> None:
    own.release()
    own.change_roles(lambda roles: roles["people"]["dan"]["roles"].extend(["validator", "risk_officer"]))
    for who, words in (
        ("dan", ("approve", "1", "--reason", "so")),
        ("otto", ("promote", "1")),
        ("otto", ("verify",)),
    ):
        result = own.run(who, *words)
        assert result.code == ExitCode.ERROR and result.error == "trust.roles_changed"
    own.sign("holder-2")
    assert own.decide("dan").error == "trust.too_few_signatures"
    own.sign("holder-1")
    assert own.decide("dan").code == ExitCode.REFUSED  # he may approve now, and made this model
    assert [record.kind for record in _all(own) if record.kind == "roles"] == ["roles", "roles"]


def missing(own: Own) -> Any:
    """Which approvals of version 1 are missing, by role."""
    own.act_as("otto")
    with own.place.office("otto") as session:
        return review.open_review(
            session, registry.connect(), governed.NAME, 1, governed.today()
        ).approvals.missing


def _all(own: Own) -> list[ledger.Entry]:
    with office_as(own, "otto") as office:
        return list(office.entries())


def test_an_older_roles_file_does_not_come_back(own: Own) -> None:
    before = {name: (own.place.root / name).read_bytes() for name in (roles_file.FILE, roles_in_force.SIGNED)}
    own.release()
    own.change_roles(lambda roles: roles["people"]["vera"].update(roles=[]))
    own.sign("holder-1", "holder-2")
    assert own.decide("vera").error == "promotion.right_missing"
    for name, content in before.items():
        (own.place.root / name).write_bytes(content)
    result = own.decide("vera")
    assert result.code == ExitCode.ERROR and result.error == "trust.roles_outdated"


def test_a_revoked_key_counts_from_then_on_no_more(own: Own) -> None:
    own.release()
    now = dt.datetime.now(dt.UTC)
    assert own.decide("vera").code == ExitCode.PASS

    def revoke(at: dt.datetime) -> None:
        def change(roles: dict[str, Any]) -> None:
            roles["people"]["vera"]["keys"][0]["revoked"] = {"at": at.isoformat(), "why": "lost"}

        own.change_roles(change)
        own.sign("holder-1", "holder-2")

    revoke(dt.datetime.now(dt.UTC))  # lost after she approved: that stands, and she signs nothing more
    assert own.decide("vera", "reject").error == "trust.no_valid_key"
    assert own.run("otto", "promote", "1").code == ExitCode.REFUSED
    assert missing(own) == {"risk_officer": 1}
    revoke(now)  # lost before she approved
    assert own.decide("rita").code == ExitCode.PASS
    assert own.run("otto", "promote", "1").code == ExitCode.REFUSED
    assert missing(own) == {"validator": 1}
    assert own.place.alias() is None


def test_the_demos_keys_satisfy_no_policy_but_a_demos(place: Place) -> None:
    place.put("judged")
    judged.put(place.root, policy=governed.POLICY | {"demo": False})
    governed.add_people(place.root)
    assert place.release()["status"] == "awaiting approval"
    assert place.decide("approve", 1, "vera").code == ExitCode.PASS
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.promote(1).code == ExitCode.REFUSED
    assert place.told() is place.alias() is None
    assert [obstacle.code for obstacle in place.standing(1).obstacles] == ["demo_roles"]


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=dan", "-c", "user.email=dan@clearance.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize("change", [None, "policies/more.yaml", "requirements.lock"])
def test_code_that_no_commit_holds_is_not_promoted(place: Place, change: str | None) -> None:
    place.put("judged")
    manner = governed.MANNER | {"approvals": {"none": {}}, "uncommitted": False}
    judged.put(place.root, policy=governed.POLICY | {"promotion": manner})
    governed.add_people(place.root)
    ignored = ("/data/prepared", "/data/scored", "/data/origin.json", "/models", "/reports", "/.clearance")
    (place.root / ".gitignore").write_text("\n".join([*ignored, "/mlflow.db*", "/mlruns", "/.dvc", ""]))
    if change == "requirements.lock":
        git(place.root, "init", "-q")
        lock = place.root / change
        read = lock.read_text()
        lock.write_text("another==1\n")
        git(place.root, "add", "-A")
        git(place.root, "commit", "-qm", "the lock of another day")
        lock.write_text(read)
    else:
        git(place.root, "init", "-q")
        git(place.root, "add", "-A")
        git(place.root, "commit", "-qm", "all of it")
        if change:
            (place.root / change).write_text("rules: []\n")
    result = place.release()
    if change is None:
        assert result["status"] == "promoted" and place.alias() == 1
        return
    assert (result["status"], place.alias()) == ("not promoted", None)
    assert change in result["reason"]
    assert place.entries("refusal")[-1].body["reason"] == result["reason"]


def test_whoever_may_not_propose_releases_nothing_and_that_is_recorded(place: Place) -> None:
    place.put("judged")
    with raises("promotion.right_missing", identity="ada"):
        place.release(by="ada")
    assert [(record.kind, record.actor) for record in place.entries()] == [("refusal", "ada")]
    assert place.release(by="dan")["status"] == "awaiting approval"


@pytest.mark.parametrize("who", ["dan", "vera", "rita", "ada"])
def test_whoever_may_not_promote_is_refused_and_recorded(place: Place, who: str) -> None:
    place.put("waiting").hold("approve", 1, "vera").hold("approve", 1, "rita")
    result = place.promote(1, who)
    assert result.code == ExitCode.ERROR and result.error == "promotion.right_missing"
    assert (place.entries()[-1].kind, place.entries()[-1].actor) == ("refusal", who)
    assert place.alias() is None
    assert place.promote(1, "otto").code == ExitCode.PASS
    assert place.told() == place.alias() == 1


def test_each_refused_attempt_to_promote_is_recorded(place: Place) -> None:
    place.put("failed")
    before = len(place.entries("refusal"))  # its release was refused for the same reason
    for count in (1, 2):
        assert place.promote(3, "tess").code == ExitCode.REFUSED
        assert len(place.entries("refusal")) == before + count


def test_two_proposals_of_one_version_that_differ_are_an_error() -> None:
    def proposal(number: int, content: str) -> ledger.Entry:
        at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
        body = {"version": 1, "content": content, "fingerprint": "f" * 64, "pushed": False}
        draft = ledger.Draft(
            kind=ledger.EntryKind.PROPOSAL, model="m", actor="dan", keyid=str(number), body=body
        )
        from clearance.ledger import entry

        return next(entry.chain([draft], after=number - 1, previous="0" * 64, at=at))

    record = version_record.find_proposal([proposal(1, "a" * 64), proposal(2, "a" * 64)], 1)
    assert record is not None and record.keyids == {"1", "2"}
    with raises("promotion.proposals_differ", entry=2):
        version_record.find_proposal([proposal(1, "a" * 64), proposal(2, "b" * 64)], 1)


def test_nobody_acts_without_a_name_outside_the_demo(own: Own) -> None:
    own.patch.delenv(signers.IDENTITY, raising=False)
    with raises("trust.no_identity"), open_session(own.place.root):
        pass


@pytest.mark.slow
def test_a_slice_of_the_matrix_of_unauthorised_acts(tmp_path: Path) -> None:
    report = unauthorised.run(14, 7, tmp_path)
    assert not report["wrong"]
    assert report["cases"] == 14 and report["blocked"] and report["recorded"]


@pytest.mark.slow
def test_a_slice_of_the_kills(tmp_path: Path) -> None:
    report = crashes.run([11], tmp_path, most=5)
    assert not report["wrong"]
    assert report["recovered"] == report["cases"] == 5
    assert report["kills"] >= 5
