"""Where the policy demands it, nothing is promoted that somebody else has not built again."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from pydantic import ValidationError

from clearance import ledger
from clearance.errors import ExitCode, ReleaseRefused
from clearance.ledger import EntryKind
from clearance.policy import policy_file, schema
from clearance.promotion import rebuilds
from tests.support import governed, judged
from tests.support.governed import Place

pytestmark = pytest.mark.slow
DEMANDING = governed.POLICY | {"promotion": governed.MANNER | {"rebuild": {"none": True}}}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """Version 1 with every approval, under a policy that demands a rebuild."""

    def propose(place: Place) -> None:
        place.release(policy=DEMANDING)
        place.agree(1)

    return governed.enter(monkeypatch).make("approved, not rebuilt", "judged", propose)


def attest(
    place: Place, by: str, *, signer: str = "", signed: dict[str, Any] | None = None, **changes: Any
) -> ledger.Entry:
    """An entry as `clearance reproduce --attest` records it; `signed` is what was signed instead."""
    body: dict[str, Any] = {
        "version": 1,
        "content": place.proposed(1).content,
        "conclusion": "identical",
        "outputs": 20,
        "same": 20,
        "environment": "fresh",
    } | changes
    with place.office(by) as office:
        envelope = place.signed(signer or by, rebuilds.statement_for(body | (signed or {})))
        return office.record(office.draft(EntryKind.REBUILD, governed.NAME, **body, envelope=envelope))[0]


def test_all_approvals_do_not_promote_without_a_rebuild(place: Place) -> None:
    assert place.told() is place.alias() is None
    result = place.promote(1, by="otto")
    assert result.code == ExitCode.REFUSED and "clearance reproduce 1 --attest" in result.said
    assert place.told() is None
    check = place.verify(1)["rebuild"]
    assert check.holds and check.says.startswith("none so far")


@pytest.mark.parametrize("conclusion", ["identical", "equivalent"])
def test_an_independent_rebuild_lets_it_be_promoted(place: Place, conclusion: str) -> None:
    entry = attest(place, "builder", conclusion=conclusion)
    assert place.promote(1, by="otto").code == ExitCode.PASS
    assert place.told() == place.alias() == 1
    checks = place.verify()
    assert all(check.holds for check in checks.values())
    assert (
        f"builder rebuilt it in a new environment: {conclusion} (entry {entry.number})"
        in checks["rebuild"].says
    )


@pytest.mark.parametrize(
    "forgery",
    [
        {"by": "tess"},  # the proposer, whatever her rights
        {"by": "vera"},  # without the right
        {"by": "builder", "signer": "vera"},
        {"by": "builder", "content": "c" * 64},
        {"by": "builder", "version": 2},
        {"by": "builder", "signed": {"conclusion": "different"}},
    ],
    ids=["proposer", "no right", "other signer", "other content", "other version", "other words"],
)
def test_what_is_not_an_independent_signed_rebuild_of_this_content_promotes_nothing(
    place: Place, forgery: dict[str, Any]
) -> None:
    def grant(roles: dict[str, Any]) -> None:
        roles["roles"]["data_scientist"].append("rebuild")

    if forgery["by"] == "tess":
        place.roles(grant)
    with contextlib.suppress(ReleaseRefused):  # what would be void is not even recorded
        attest(place, **forgery)
    assert place.promote(1, by="otto").code == ExitCode.REFUSED
    assert place.told() is None


def test_a_rebuild_that_differs_stops_it_and_breaks_a_champion(place: Place) -> None:
    attest(place, "builder", conclusion="different", reasons=["reports/fairness.json: value: 0.27"])
    result = place.promote(1, by="otto")
    assert result.code == ExitCode.REFUSED and "0.27" in result.said
    assert place.broken(1) == {"rebuild"}
    attest(place, "builder")  # the same person again, after the cause was found
    assert place.promote(1, by="otto").code == ExitCode.PASS
    attest(place, "builder", conclusion="different")
    assert place.broken() == {"rebuild"}


def test_only_who_has_the_right_may_attest(place: Place) -> None:
    result = place.command("reproduce", "1", "--attest", "--as", "vera")
    assert result.error == "promotion.right_missing"
    assert not place.entries("rebuild")


def test_a_policy_names_only_tiers_that_it_has() -> None:
    terms = DEMANDING["promotion"] | {"rebuild": {"other": True}}
    with pytest.raises(ValidationError, match="tier other"):
        schema.Policy.model_validate(judged.POLICY | {"promotion": terms})


def test_every_pack_demands_a_rebuild_in_every_tier() -> None:
    for path in sorted((judged.LOCK.parent / "policies/packs").glob("*.yaml")):
        terms = policy_file.load(path).promotion
        assert isinstance(terms, schema.PromotionTerms)
        assert terms.rebuild == dict.fromkeys(terms.approvals, True), path.name
