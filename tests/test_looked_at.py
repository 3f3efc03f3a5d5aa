"""What somebody only claims promotes nothing: a comparison, a push, evidence under another's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from clearance import files, in_toto, registry
from clearance.errors import ExitCode
from clearance.ledger import EntryKind
from clearance.promotion import version_record
from tests.support import governed
from tests.support.codes import raises
from tests.support.governed import NAME, Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
]
TERMS = {"first_version": {"approvals": 0}, "kind": "engineering", "source": "the test"}
COMPARING = governed.POLICY | {"challenge": TERMS | {"valid_from": "2026-01-01"}}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def champion(place: Place) -> None:
    place.release(policy=COMPARING)
    place.agree(1)
    assert place.told() == 1


def challenger(place: Place) -> None:
    """A second version of which too few rows can be compared."""
    assert place.release(policy=COMPARING, model=1)["status"] == "not promoted"


def forge_comparison(place: Place, by: str) -> None:
    """Somebody who may propose writes a better comparison, stores it and records it under their signature."""
    (file,) = (place.run_folder(2) / "evidence").glob("comparison-*.json")
    forgery = json.loads(file.read_text()) | {"outcome": "pass", "findings": []}
    digest = files.sha256_json(forgery)
    copy = place.root / Path(version_record.comparison_file(digest)).name
    files.write_json(copy, forgery)
    registry.store_evidence(registry.connect(), registry.candidate_version(registry.connect(), NAME, 2), copy)
    body: dict[str, Any] = {
        "version": 2,
        "content": place.proposed(2).content,
        "champion": place.proposed(1).content,
        "comparison": digest,
        "outcome": "pass",
        "approvals": 0,
        "reasons": [],
    }
    with place.office(by) as office:
        statement = in_toto.statement({"comparison": digest}, version_record.COMPARISON, body)
        office.record(office.draft(EntryKind.COMPARISON, NAME, **body, envelope=office.sign(statement)))


def test_a_forged_comparison_promotes_nothing(place: Place) -> None:
    place.make("compared champion", "judged", champion)
    place.make("challenger", "compared champion", challenger)
    forge_comparison(place, "dan")
    for who in ("vera", "rita"):
        result = place.decide("approve", 2, who)
    assert result.error == "promotion.comparison_not_repeated"
    assert place.promote(2, by="otto").error == "promotion.comparison_not_repeated"
    assert place.told() == place.alias() == 1


def test_a_comparison_whose_rows_are_not_kept_promotes_nothing(place: Place) -> None:
    def propose(place: Place) -> None:
        place.release(policy=COMPARING)
        place.hold("approve", 1, "vera").hold("approve", 1, "rita")

    place.make("approved, compared", "judged", propose)
    for item in (place.root / ".dvc/cache").iterdir():
        shutil.rmtree(item)
    assert place.promote(1, by="otto").error == "versioning.object_lost"
    assert place.told() is None


def test_a_push_that_is_only_claimed_promotes_nothing(place: Place, tmp_path: Path) -> None:
    place.put("waiting").hold("approve", 1, "vera").hold("approve", 1, "rita")
    with Repo(str(place.root)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": str(tmp_path / "store")}
        config["core"]["remote"] = "store"
    proposal = place.proposed(1)
    with place.office("tess") as office:
        about = {"content": proposal.content, "fingerprint": proposal.fingerprint}
        office.record(office.draft(EntryKind.PROPOSAL, NAME, version=1, pushed=True, **about))
    assert place.promote(1, by="otto").error == "promotion.remote_lacks_outputs"
    assert place.told() is None
    assert place.release()["status"] == "promoted", "it pushes, and tess may promote"


def test_a_release_into_another_ledger_leaves_the_champions_evidence_as_it_is(place: Place) -> None:
    place.put("champion")
    before = place.bundle_file(1).read_bytes()
    folder = place.root / ".clearance"
    folder.rename(place.root / "kept")
    folder.mkdir()
    shutil.copy(place.root / "kept/executions", folder)
    with raises("promotion.alias_moved"):  # that ledger knows no champion; by then it has signed
        place.release("pipeline")
    assert len(list((place.run_folder(1) / "evidence").glob("bundle-*.json"))) == 2
    shutil.rmtree(folder)
    (place.root / "kept").rename(folder)
    assert all(check.holds for check in place.verify().values())
    assert before in {file.read_bytes() for file in (place.run_folder(1) / "evidence").iterdir()}


def test_a_checkout_that_hides_history_is_told_before_anything_is_signed(place: Place) -> None:
    place.put("judged")
    place.commit_policies()
    (place.root / ".git/info/grafts").write_text("0" * 40 + "\n")
    with raises("versioning.checkout_not_visible"):
        place.release()
    assert not place.entries("proposal")


def test_outputs_that_did_not_run_here_are_not_signed(place: Place) -> None:
    place.put("judged")
    (place.root / ".clearance/executions").unlink()
    with raises("versioning.not_executed_here"):
        place.release()
    assert not place.entries("proposal")


def test_nobody_decides_for_the_champion_where_authors_are_hidden(place: Place) -> None:
    place.put("judged")
    place.commit_policies()
    place.release()
    place.hold("approve", 1, "vera").hold("approve", 1, "rita")
    (place.root / ".git/info/grafts").write_text("0" * 40 + "\n")
    result = place.promote(1, by="otto")
    assert result.code == ExitCode.REFUSED and "grafts" in result.said
    assert place.decide("approve", 1, "vera").error == "versioning.checkout_not_visible"
    assert place.decide("reject", 1, "vera").code == ExitCode.PASS
