"""The data contract: one value for the question a model answers, agreed to, and shown when it changed."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import params
from clearance.errors import ExitCode
from clearance.params import data_contract
from clearance.policy import authorised
from tests.support import governed, judged
from tests.support.governed import NAME, Place

ROOT = Path(__file__).parent.parent
RELABELLED = "SELECT *, CASE WHEN hash(id) % 2 = 0 THEN 'Black' END AS race FROM source"
"""What an attack made of `source.select`: groups at random."""


def change(key: str, value: Any) -> params.Params:
    """The demo's parameters with one key replaced."""
    content = copy.deepcopy(params.read_yaml(ROOT / "params.yaml"))
    *way, last = key.split(".")
    place = content
    for part in way:
        place = place[part]
    place[last] = value
    return params.parse(content, "params.yaml")


AGREED = data_contract.of(params.load(ROOT / "params.yaml"))


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("source.select", "SELECT 1", "derived"),
        ("source.path", "data/elsewhere", "source.path"),
        ("data.row_key", None, "row_key"),
        ("data.entity", "person", "entity"),
        ("data.target", "reject", "target"),
        ("data.favourable", 0, "favourable"),
        ("data.protected", ["sex"], "protected.race"),
        ("data.columns.race.values", ["Black", "White"], "protected.race"),
        ("data.protected_encodings", [], "encodings"),
        ("data.after_outcome", ["action"], "after_outcome"),
        ("data.weight", "w", "weight"),
        ("data.cluster", "branch", "cluster"),
        ("split", {"train": 0.6, "tune": 0.2, "test": 0.2}, "split.train"),
        ("split.time", {"column": "day", "test_from": "2026-01-01"}, "split.time.column"),
        ("evaluate.reference", {"race": "White"}, "reference"),
    ],
)
def test_every_part_of_the_question_changes_the_digest_and_is_named(key: str, value: Any, field: str) -> None:
    if key == "data.target":  # what was decided after the outcome cannot be the outcome
        question = dataclasses.replace(AGREED, target="reject")
    else:
        question = data_contract.of(change(key, value))
    assert question.digest != AGREED.digest
    lines = data_contract.differences(AGREED, question)
    assert lines and any(line.startswith((f"{field}:", f"{field},", f"{field}.")) for line in lines), lines
    assert all(" → " in line for line in lines)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 7),
        ("train.arguments", {"C": 3.0}),
        ("data.favourable", 1.0),
        ("data.protected", ["sex", "race"]),
        ("data.after_outcome", ["typur", "reject", "action"]),
        ("data.features", ["loanamt"]),
        ("data.entity", None),
        ("policy.as_of", "2026-11-23"),
    ],
)
def test_how_a_model_is_made_and_the_order_of_names_are_no_part_of_it(key: str, value: Any) -> None:
    question = data_contract.of(change(key, value))
    assert (question.digest, data_contract.differences(AGREED, question)) == (AGREED.digest, ())


def test_a_change_far_into_a_long_line_is_shown_and_nothing_acts_on_a_terminal() -> None:
    long = "SELECT " + ", ".join(f"column_{number}" for number in range(200))
    before = dataclasses.replace(AGREED, derived=f"{long}, race FROM source\n")
    after = dataclasses.replace(AGREED, derived=f"{long}, random() AS race\x1b[2K FROM source\n")
    (line,) = data_contract.differences(before, after)
    assert "random() AS race\\u001b[2K" in line and "\x1b" not in line and len(line) < 500


def test_overrides_are_named_one_by_one() -> None:
    lines = data_contract.describe_overrides(
        {"seed": 3, "train": {"threshold": {"fixed": 0.02}, "arguments": {}}}
    )
    assert lines == ("seed = 3", "train.threshold.fixed = 0.02", "train.arguments = none")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("judged")


def judge(place: Place, *, select: str | None = None, **policy: Any) -> None:
    """A judged project whose run replaced `source.select`, under a policy with these keys."""
    source = judged.PARAMS["source"] | ({"select": select} if select else {})
    overrides = {"source": {"select": select}} if select else {}
    place.judge(
        changes={"source": source, "overrides": overrides},
        policy=governed.POLICY | policy,
        model=bool(select),
    )


def pin(place: Place, *digests: str) -> None:
    """List these contracts as agreed to."""
    content = yaml.safe_load((place.root / authorised.FILE).read_text())
    content["models"][NAME]["contracts"] = list(digests)
    (place.root / authorised.FILE).write_text(yaml.safe_dump(content))


def digest(place: Place) -> str:
    return data_contract.of(params.load(place.root / "params.yaml")).digest


def release(place: Place) -> dict[str, Any]:
    from clearance.promotion import release as releases

    with place.as_("tess"):
        return releases.release(place.root, governed.today())


def test_relabelled_groups_are_not_promoted_where_the_contract_is_pinned(place: Place) -> None:
    judge(place)
    pin(place, digest(place))
    assert release(place)["status"] == "awaiting approval"
    assert place.agree(1).promote(1, by="pipeline").code == ExitCode.PASS
    assert place.broken(1) == set()
    agreed = digest(place)
    judge(place, select=RELABELLED)
    pin(place, agreed)
    ending = release(place)
    assert ending["status"] == "not promoted" and "data contract" in ending["reason"]
    assert any("derived: none → SELECT" in line for line in ending["request"])
    assert any("source.select = SELECT" in line for line in ending["request"])
    assert place.decide("approve", 2, "vera").code == ExitCode.PASS
    assert place.decide("approve", 2, "rita").code == ExitCode.REFUSED
    assert place.promote(2, by="pipeline").code == ExitCode.REFUSED
    assert place.told() == 1


def test_without_a_pin_a_changed_contract_is_named_wherever_people_decide(place: Place) -> None:
    judge(place)
    assert release(place)["status"] == "awaiting approval"
    place.agree(1)
    judge(place, select=RELABELLED)
    ending = release(place)
    assert ending["status"] == "awaiting approval"
    output = place.decide("approve", 2, "vera").said
    place.decide("approve", 2, "rita")
    for text in ("\n".join(ending["request"]), output, place.verify(2)["contract"].says):
        assert "derived: none → SELECT" in text and "source.select = SELECT" in text, text
        assert "not pinned" in text, text
    assert place.told() == 2


def test_a_policy_that_is_no_demonstration_requires_a_pin_unless_it_says_otherwise(place: Place) -> None:
    from clearance.policy import schema
    from clearance.promotion.authorised_policy import Authority

    for demo, pinned, refused in ((False, True, True), (False, False, False), (True, True, False)):
        content = governed.POLICY | {"demo": demo}
        policy = schema.Policy.model_validate(
            judged.POLICY | content | {"promotion": content["promotion"] | {"contract_pinned": pinned}}
        )
        authority = Authority(policy=policy, tier="none")
        assert (authority.objection(AGREED) is not None) == refused
        assert Authority(policy=policy, contracts=(AGREED.digest,)).objection(AGREED) is None
        assert Authority(policy=policy, contracts=("0" * 64,)).objection(AGREED) is not None


def test_the_command_prints_the_contract_and_what_to_commit(place: Place) -> None:
    judge(place)
    result = place.command("contract")
    assert result.code == ExitCode.REFUSED and "\\n" not in result.said
    assert result.said.splitlines()[-2] == "" and f"contracts: [{digest(place)}]" in result.said
    pin(place, digest(place))
    assert place.command("contract").code == ExitCode.PASS
    release(place)
    assert f"pinned in policies/authorised.yaml: {digest(place)}" in place.command("contract", "1").said


def test_a_promotion_holds_by_the_contract_that_was_agreed_to_then(place: Place) -> None:
    judge(place)
    pin(place, digest(place))
    place.commit_policies()
    release(place)
    place.agree(1).promote(1, by="pipeline")
    pin(place, "0" * 64)
    assert place.broken() == set()
    assert "now authorises another" in place.verify()["approvals"].says
