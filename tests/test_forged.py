"""What somebody with a key and the code writes past the commands is found by `verify`, and nobody goes on.

In each case dan, who may train and propose and nothing else, writes into ledger or MLflow by himself.
"""

from __future__ import annotations

from typing import Any

import pytest
from mlflow import MlflowClient

from clearance import in_toto, ledger, registry
from clearance.errors import ExitCode, IntegrityError
from clearance.ledger import Draft, Entry, EntryKind
from clearance.promotion import version_record
from tests.support import governed
from tests.support.governed import CANDIDATES, NAME, Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def about(place: Place, version: int = 1) -> dict[str, Any]:
    return {"version": version, "content": place.proposed(version).content}


def record(place: Place, kind: EntryKind, by: str = "dan", **body: Any) -> Entry:
    """An entry that somebody writes by hand, under their own name and key."""
    return place.forge(by, Draft(kind=kind, model=NAME, actor=by, body=body))[0]


def copied(place: Place, version: int = 1) -> None:
    """Somebody copies a candidate to the name that is served, and points the alias at it."""
    copy = MlflowClient().copy_model_version(f"models:/{CANDIDATES}/{version}", NAME)
    place.move_alias(int(copy.version))


def test_a_twin_of_the_copy_is_no_champion(place: Place, tmp_path: Any) -> None:
    place.put("champion")
    (tmp_path / "model.skops").write_bytes(b"other")
    client = MlflowClient()
    tags = client.get_model_version(NAME, "1").tags
    twin = client.create_model_version(NAME, str(tmp_path), tags=tags)
    place.move_alias(int(twin.version))
    check = place.verify()["alias"]
    assert (check.holds, check.code) == (False, "promotion.alias_moved")
    with pytest.raises(IntegrityError) as error:
        place.release()
    assert error.value.code == "promotion.alias_moved"
    assert error.value.values["position"] == "points at loan-approval version 2"


def test_a_champion_that_was_never_promoted_is_told(place: Place) -> None:
    place.put("waiting")
    intent = record(place, EntryKind.INTENT, step="rollback", **about(place))
    record(place, EntryKind.ROLLBACK, intent=intent.number, **about(place))
    copied(place)
    assert len(place.voids()) == 2 and place.told() is None
    assert place.verify()["alias"].code == "promotion.alias_moved"


@pytest.mark.parametrize("by", ["dan", "ada"])
def test_a_promotion_by_somebody_who_may_not_is_told(place: Place, by: str) -> None:
    place.put("waiting").hold("approve", 1, "vera").hold("approve", 1, "rita")
    intent = record(place, EntryKind.INTENT, by, step="promotion", **about(place))
    record(place, EntryKind.PROMOTION, by, intent=intent.number, **about(place))
    copied(place)
    assert list(place.voids()) == [intent.number, intent.number + 1] and place.told() is None
    assert place.verify()["alias"].code == "promotion.alias_moved"


def test_a_rollback_by_somebody_who_may_not_is_told(place: Place) -> None:
    place.put("successor")
    intent = record(place, EntryKind.INTENT, step="rollback", **about(place))
    record(place, EntryKind.ROLLBACK, intent=intent.number, **about(place))
    place.move_alias(1)
    assert place.told() == 2
    assert place.verify()["alias"].code == "promotion.alias_moved"


@pytest.mark.parametrize("intent", [10**6, None, 2])
def test_a_promotion_that_ends_no_intent_is_told(place: Place, intent: Any) -> None:
    place.put("waiting")
    record(place, EntryKind.PROMOTION, "pipeline", intent=intent, **about(place))
    place.hold("approve", 1, "vera").hold("approve", 1, "rita")
    assert len(place.voids()) == 1 and place.told() is None
    assert not place.broken(1)


def test_a_promotion_whose_body_is_malformed_stops_nobody(place: Place) -> None:
    place.put("half")
    record(place, EntryKind.PROMOTION, "ada", intent="first", **about(place))
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS
    assert place.told() == 1
    assert place.retire().code == ExitCode.PASS
    result = place.command("ledger", "verify")
    assert (result.code, len(place.voids())) == (ExitCode.PASS, 1)
    assert "void: entry" in result.said and "promotion by ada" in result.said


def test_who_signs_for_another_is_found(place: Place) -> None:
    place.put("half")
    with place.office("pipeline") as office:
        theirs = office.keyid
    body = {"reason": "so"} | about(place)
    draft = Draft(kind=EntryKind.REFUSAL, model=NAME, actor="pipeline", keyid=theirs, body=body)
    (forgery,) = place.forge("dan", draft)
    assert place.verify(1)["ledger"].says.startswith("void: ") or place.verify(1)["ledger"].holds
    assert place.voids() == {forgery.number: "it names a key of pipeline, and dan signed it"}
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS


def test_an_intent_of_somebody_who_may_not_is_given_up_and_the_alias_told(place: Place) -> None:
    place.put("waiting")
    record(place, EntryKind.INTENT, step="promotion", **about(place))
    copied(place)
    assert not place.verify()["alias"].holds
    with pytest.raises(IntegrityError) as error:
        place.release()
    assert error.value.code == "promotion.alias_moved"
    assert place.told() is None
    assert not place.entries("promotion")


def test_an_open_intent_hides_no_other_alias(place: Place) -> None:
    place.put("successor")
    record(place, EntryKind.INTENT, "pipeline", step="rollback", **about(place))
    assert place.verify()["alias"].holds  # nothing was done yet, and the alias is where it was
    place.move_alias(1)
    assert place.verify()["alias"].holds  # it was done, and the next command records it
    place.sql("DELETE FROM registered_model_aliases")
    assert not place.verify()["alias"].holds


def test_an_erasure_by_somebody_who_may_not_is_told(place: Place) -> None:
    place.put("half").hold("reject", 1, "rita")
    number = place.entries("rejection")[-1].number
    with place.office("dan") as office:
        draft = office.draft(EntryKind.REDACTION, NAME, entries=[number], reason="so", years={"others": 1})
        erasure = ledger.redact(office.book, draft)
    assert place.voids() == {erasure.number: "dan did not have the right erase"}
    for result in (place.decide("approve", 1, "rita"), place.promote(1, by="pipeline")):
        assert result.code == ExitCode.REFUSED and f"Entry {number}" in result.said
    assert place.told() is None


@pytest.mark.parametrize(
    ("by", "change", "counts"),
    [("tess", {}, True), ("ada", {}, False), ("tess", {"outcome": "pass"}, False), ("tess", None, False)],
)
def test_a_comparison_counts_only_as_somebody_signed_it_who_may_propose(
    place: Place, by: str, change: dict[str, Any] | None, counts: bool
) -> None:
    place.put("waiting")
    predicate = {
        "champion": None,
        "comparison": "c" * 64,
        "outcome": "fail",
        "approvals": 1,
        "reasons": ["worse"],
    }
    predicate |= about(place)
    with place.office(by) as office:
        envelope = office.sign(
            in_toto.statement({"comparison": "c" * 64}, version_record.COMPARISON, predicate)
        )
        attachment = {"envelope": envelope} if change is not None else {}
        draft = office.draft(EntryKind.COMPARISON, NAME, **(predicate | (change or {}) | attachment))
        ledger.append(office.book, [draft])
        comparison = version_record.newest_comparison(office.entries(NAME), 1, office.roles)
    assert bool(comparison) is counts
    if counts:
        check = place.verify(1)["comparison"]
        assert not check.holds and "MLflow has no evidence/comparison-" in check.says


def test_an_older_roles_file_is_not_made_the_newest_by_an_entry(place: Place) -> None:
    place.put("half")
    body = {"roles_version": 0, "sha256": "0" * 64, "demo": True}
    (forgery,) = place.forge("dan", Draft(kind=EntryKind.ROLES, model=None, actor="dan", body=body))
    assert place.voids() == {forgery.number: "it does not hold the roles file that the root signed"}
    assert place.decide("approve", 1, "rita").code == ExitCode.PASS


def test_who_objects_while_it_is_promoted_stops_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("half").hold("approve", 1, "rita")
    annotate = registry.annotate

    def object_first(*arguments: Any) -> None:
        place.hold("reject", 1, "rita")
        annotate(*arguments)

    monkeypatch.setattr(registry, "annotate", object_first)
    result = place.promote(1)
    assert result.code == ExitCode.ERROR and result.error == "promotion.review_outdated"
    assert place.told() is place.alias() is None
    assert [entry.kind for entry in place.entries()[-3:]] == ["intent", "repair", "refusal"]
    assert not place.broken(1)


def test_what_was_rejected_since_does_not_serve_again(place: Place) -> None:
    place.put("successor").hold("reject", 1, "rita")
    result = place.roll_back(1)
    assert result.code == ExitCode.ERROR and result.error == "promotion.rejected_since"
    assert place.told() == place.alias() == 2
    place.decide("revoke", 1, "rita")
    assert place.roll_back(1).code == ExitCode.PASS
