"""What does not hold is named: by `verify`, and by whoever would go on from it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import registry
from clearance.errors import ExitCode, IntegrityError
from clearance.policy import authorised
from clearance.promotion import verify
from clearance.promotion.session import open_read_only
from clearance.trust import dsse
from tests.support import disks, governed, judged
from tests.support.governed import Place

Harm = Callable[[Place], Any]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def bundle(place: Place, version: int = 1) -> Path:
    return place.bundle_file(version)


def edit_bundle(path: Path) -> None:
    """Let the bundle say something else under its old signature."""
    envelope = dsse.read(path)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["judged"]["outcome"] = "fail"
    path.write_text(
        json.dumps(envelope | {"payload": base64.b64encode(json.dumps(statement).encode()).decode()})
    )


EVIDENCE: dict[str, tuple[Harm, str]] = {
    "model swapped": (
        lambda place: (place.model_folder(1) / "model.skops").write_bytes(judged.trained(9)),
        "model.skops is not what was judged",
    ),
    "file added": (
        lambda place: (place.model_folder(1) / "loader.py").write_text("pass"),
        "loader.py is not what was judged",
    ),
    "bundle edited": (lambda place: edit_bundle(bundle(place)), "no signature of this statement is valid"),
    "bundle lost": (lambda place: bundle(place).unlink(), "MLflow has no evidence/bundle-"),
    "report edited": (
        lambda place: (place.run_folder(1) / "reports/fairness.json").write_text("{}"),
        "reports/fairness.json of its run is not what was judged",
    ),
}


@pytest.mark.parametrize("harm", EVIDENCE)
def test_evidence_that_was_tampered_with_is_named_and_nobody_goes_on_from_it(place: Place, harm: str) -> None:
    do, fault = EVIDENCE[harm]
    do(place.put("half"))
    check = place.verify(1)["evidence"]
    assert not check.holds and fault in check.says
    for result in (place.decide("approve", 1, "rita"), place.promote(1), place.decide("reject", 1, "rita")):
        assert result.code == ExitCode.ERROR and fault in result.said
        assert place.entries()[-1].kind == "refusal" and fault in place.entries()[-1].body["reason"]
    assert place.told() is place.alias() is None


def delete(place: Place) -> None:
    place.ledger_sql("DELETE FROM clearance_ledger_entries WHERE number = 3")


def cut(place: Place) -> None:
    place.ledger_sql("DELETE FROM clearance_ledger_entries WHERE number >= 4")


LEDGER: dict[str, tuple[Harm, str]] = {
    "row edited": (
        lambda place: place.ledger_sql("UPDATE clearance_ledger_entries SET actor = 'rita' WHERE number = 4"),
        "edited: entry 4",
    ),
    "row deleted": (delete, "entry 3"),
    "tail cut": (cut, "tail cut or older database: entry 4"),
    "checkpoints lost": (
        lambda place: (place.root / ".clearance/ledger.checkpoints").unlink(),
        "entry 1 has no checkpoint",
    ),
}


@pytest.mark.parametrize("harm", LEDGER)
def test_a_ledger_that_was_tampered_with_is_named_and_nobody_goes_on_from_it(place: Place, harm: str) -> None:
    do, fault = LEDGER[harm]
    do(place.put("half"))
    check = place.verify(1)["ledger"]
    assert not check.holds and fault in check.says
    for result in (place.decide("approve", 1, "rita"), place.promote(1), place.roll_back(), place.retire()):
        assert result.code == ExitCode.ERROR and result.error == "promotion.ledger_unsound"
    with pytest.raises(IntegrityError):
        place.release()
    assert place.alias() is None


def test_an_alias_moved_in_mlflows_database_is_found_by_verify_and_by_release(place: Place) -> None:
    place.put("successor").move_alias(1)
    check = place.verify()["alias"]
    assert (check.holds, check.code) == (False, "promotion.alias_moved")
    assert "`clearance rollback --to 2 --reason TEXT`" in check.says
    with pytest.raises(IntegrityError) as error:
        place.release()
    assert error.value.code == "promotion.alias_moved"
    assert error.value.values["position"] == "points at loan-approval version 1"
    assert str(error.value.values["champion"]).startswith("candidate 2 ")
    assert "could not promote" in place.entries("refusal")[-1].body["reason"]


def test_a_copy_that_differs_from_its_candidate_is_told(place: Place) -> None:
    place.put("champion")
    other = place.root / "other"
    other.mkdir()
    (other / "model.skops").write_bytes(judged.trained(9))
    place.sql(
        "UPDATE model_versions SET source = ?, storage_location = ? WHERE name = ?",
        str(other),
        str(other),
        governed.NAME,
    )
    assert place.broken() == {"copy"}


def test_a_promotion_that_nobody_agreed_to_is_told(place: Place) -> None:
    """Somebody with the code and the promoter's key writes the promotion into the ledger himself."""
    place.put("waiting")
    about = {"version": 1, "content": place.proposed(1).content}
    with place.office("pipeline") as office:
        intent = office.record(office.draft("intent", governed.NAME, step="promotion", **about))[0]
        office.record(office.draft("promotion", governed.NAME, **about, intent=intent.number))
    check = place.verify()["approvals"]
    assert (check.holds, check.code) == (False, "promotion.promoted_against_policy")


def test_a_bundle_in_a_file_is_verified_by_itself(place: Place) -> None:
    place.put("waiting")
    (file,) = (place.root / ".clearance/evidence").iterdir()
    with place.office() as office:
        server = registry.connect()
        checks = {check.name: check for check in verify.verify_file(office, server, governed.NAME, file)}
        assert [name for name, check in checks.items() if check.holds] == list(checks)
        assert list(checks) == [
            "ledger",
            "bundle",
            "evidence",
            "contract",
            "commands",
            "attempts",
            "approvals",
        ]
        assert "signed by tess, proposed as candidate 1 (signed with demo keys" in checks["bundle"].says
        edit_bundle(file)
        report = verify.verify_file(office, server, governed.NAME, file)
        assert [check.name for check in report if not check.holds] == ["bundle"]


def test_who_only_reads_needs_no_key_and_records_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("champion")
    monkeypatch.setenv("CLEARANCE_IDENTITY", "nobody-at-all")
    count = len(place.entries())
    assert place.command("verify", by="nobody-at-all").code == ExitCode.PASS
    with open_read_only(place.root) as reader:
        assert reader.audit().ok
    assert len(place.entries()) == count


def test_reading_needs_no_writing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("champion")
    with disks.read_only(place.root):
        monkeypatch.chdir(place.root)
        for words in (("verify",), ("verify", "1"), ("ledger", "verify"), ("ledger", "show"), ("history",)):
            assert place.command(*words).code == ExitCode.PASS, words
        refused = place.command("reject", "1", "--as", "vera", "--reason", "seen")
        assert (refused.code, refused.error) == (ExitCode.ERROR, "ledger.database_refuses")


def test_the_command_says_by_its_exit_code_whether_all_holds(place: Place) -> None:
    place.put("champion")
    assert place.command("verify").code == ExitCode.PASS
    assert place.command("verify", "1").code == ExitCode.PASS
    assert place.command("verify", "2").code == ExitCode.ERROR
    (place.model_folder(1) / "model.skops").unlink()
    assert place.command("verify").code == ExitCode.ERROR


HOSTILE = "fine\x1b[1A\x1b[2K\rholds   approvals: all\nholds   evidence: all\u202e\x9b2J"


def test_what_a_person_types_acts_on_nobodys_terminal(place: Place) -> None:
    place.put("champion")
    result = place.command("reject", "1", "--as", "vera", "--reason", HOSTILE)
    assert result.code == ExitCode.PASS
    assert place.entries("rejection")[-1].body["reason"] == HOSTILE, "stored as it was typed"
    before = place.command("ledger", "show").said.count("\n")
    for words in (("verify",), ("ledger", "show"), ("ledger", "show", "--json"), ("history",)):
        output = result.said + place.command(*words).said
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", output), words
        assert "\nholds   evidence: all" not in output
    assert before == len(place.command("ledger", "show").said.splitlines())


@pytest.mark.parametrize("command", ["approve", "rollback", "retire"])
def test_a_reason_that_shows_nothing_is_none(place: Place, command: str) -> None:
    place.put("champion")
    count, version = len(place.entries()), ["1"] if command == "approve" else []
    result = place.command(command, *version, "--as", "vera", "--reason", " \u200b\u2060\u3164")
    assert (result.code, result.error) == (ExitCode.ERROR, "promotion.no_reason")
    assert len(place.entries()) == count


def stricter(place: Place) -> None:
    """Let the policy be another file than the one that judged."""
    path = place.root / "policies/test.yaml"
    path.write_text(path.read_text() + "\n# reviewed again\n")


def other_tier(place: Place) -> None:
    """Let the model be in a tier that asks for more people."""
    path = place.root / authorised.FILE
    document = yaml.safe_load(path.read_text())
    document["models"][governed.NAME]["tier"] = "another"
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("change", [stricter, other_tier])
def test_a_champion_is_held_against_what_was_authorised_when_it_was_promoted(
    place: Place, change: Callable[[Place], None]
) -> None:
    place.put("waiting").commit_policies()
    place.agree(1)
    assert place.told() == 1
    change(place)
    check = place.verify()["approvals"]
    assert check.holds, check.says
    assert "now authorises another policy, tier or data contract for loan-approval" in check.says


def test_a_weaker_tier_that_was_committed_and_reverted_is_shown_with_its_life(place: Place) -> None:
    place.put("waiting").commit_policies()
    path = place.root / authorised.FILE
    strict = path.read_text()
    policy = place.root / "policies/test.yaml"
    content = yaml.safe_load(policy.read_text())
    assert "none" in content["promotion"]["approvals"]
    place.agree(1)
    assert "still so at HEAD" in place.verify()["approvals"].says
    other_tier(place)
    place.commit_policies()
    reverted = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=place.root, capture_output=True, text=True, check=True
    ).stdout.strip()
    message = place.verify()["approvals"].says
    assert "tier none, authorised since" in message and f"(commit {reverted[:12]})" in message, message
    path.write_text(strict)
    place.commit_policies()
    assert f"(commit {reverted[:12]})" in place.verify()["approvals"].says


@pytest.mark.parametrize("planted", ["version", "copy", "alias", "stage"])
def test_what_nobody_promoted_under_the_served_name_is_named(place: Place, planted: str) -> None:
    place.put("champion")
    check = place.verify()["versions"]
    assert check.holds and "1 under loan-approval" in check.says
    client = registry.connect().client
    (version,) = client.search_model_versions(f"name = '{governed.NAME}'")
    if planted == "stage":
        place.sql("UPDATE model_versions SET current_stage = 'Production' WHERE name = ?", governed.NAME)
        check = place.verify()["versions"]
        assert check.holds and "stage Production points at version 1" in check.says
        return
    tags = dict(version.tags) if planted == "copy" else {}
    fake = client.create_model_version(governed.NAME, version.source, version.run_id, tags=tags)
    if planted == "alias":
        client.set_registered_model_alias(governed.NAME, "production", fake.version)
    check = place.verify()["versions"]
    assert (check.holds, check.code) == (False, "promotion.versions_planted")
    assert "version 2 is not the copy of a candidate" in check.says
    assert ("alias production points at version 2" in check.says) == (planted == "alias")


@pytest.mark.parametrize("change", [stricter, other_tier])
def test_what_no_commit_ever_authorised_is_told(place: Place, change: Callable[[Place], None]) -> None:
    place.put("champion")
    change(place)
    place.commit_policies()
    check = place.verify()["approvals"]
    assert (check.holds, check.code) == (False, "promotion.promoted_against_policy")


def test_without_a_version_there_is_nothing_to_verify_and_it_is_no_pass(place: Place) -> None:
    with open_read_only(place.put("waiting").root) as office:
        checks = verify.verify(office, registry.connect(), "another", None)
        own = verify.verify(office, registry.connect(), governed.NAME, None)
    assert checks[-1].code == verify.NOTHING_YET
    assert verify.exit_code(checks) == ExitCode.NOT_EVALUATED
    assert verify.NOTHING_YET not in {check.code for check in own}
