"""Which policy may promote a model: what the list says today, and what a commit once said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import files
from clearance.errors import ConfigurationError
from clearance.policy import authorised
from clearance.policy.authorised import Authorisation
from clearance.promotion import authorised_policy
from clearance.versioning import git
from tests.support import judged

NAME, FILE = "loan-approval", "policies/strict.yaml"


def listing(*, name: str = NAME, policy: str = FILE, tier: str = "high") -> dict[str, Any]:
    return {"models": {name: {"policy": policy, "tier": tier}}}


def write(root: Path, content: Any, *, note: str = "") -> Path:
    """A project whose list says so, with a policy beside it; returns the policy."""
    (root / "policies").mkdir(exist_ok=True)
    (root / authorised.FILE).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    (root / FILE).write_text(yaml.safe_dump(judged.POLICY) + note)
    return root / FILE


def commit(root: Path) -> None:
    who = ["-c", "user.name=dan", "-c", "user.email=dan@clearance.example"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "so", "--allow-empty"]):
        subprocess.run(["git", *words], cwd=root, check=True)


def test_what_the_list_says_is_found_by_the_models_name(tmp_path: Path) -> None:
    write(tmp_path, listing())
    assert authorised.find(tmp_path, NAME) == Authorisation(policy=Path(FILE), tier="high")
    assert authorised.find(tmp_path, "another") is None


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"models": {NAME: {"policy": FILE}}}, r"models\.loan-approval\.tier"),
        ({"models": {NAME: {"policy": FILE, "tier": "high", "until": "ever"}}}, "until"),
        ({"model": {}}, "models"),
        (listing(policy="policies/none.yaml"), r"policies/none\.yaml, authorised for loan-approval, is miss"),
        ("[", "not readable YAML"),
    ],
)
def test_a_list_that_is_faulty_is_an_error_that_names_the_place(
    tmp_path: Path, said: Any, fault: str
) -> None:
    write(tmp_path, said)
    with pytest.raises(ConfigurationError, match=fault) as excinfo:
        authorised.find(tmp_path, NAME)
    assert "authorised.yaml" in excinfo.value.fault + excinfo.value.hint


@pytest.mark.parametrize("text", [b"[", b"\xff", b"models: 1", b"models: {a: {policy: 1}}", b""])
def test_a_list_that_was_once_faulty_authorised_nothing(text: bytes) -> None:
    assert authorised.parse(text) == {}
    assert authorised.parse(yaml.safe_dump(listing()).encode()) == {
        NAME: Authorisation(policy=Path(FILE), tier="high")
    }


def test_today_only_the_very_policy_that_judged_counts(tmp_path: Path) -> None:
    policy = write(tmp_path, listing())
    authority = authorised_policy.authorised_now(tmp_path, NAME, files.sha256(policy))
    assert (
        authority.policy is not None
        and authority.policy.id == judged.POLICY["id"]
        and authority.tier == "high"
    )
    for name, sha256 in ((NAME, "0" * 64), ("another", files.sha256(policy))):
        assert authorised_policy.authorised_now(tmp_path, name, sha256) == authorised_policy.Authority()


def head(root: Path) -> str:
    return str(git.head(root))


def test_what_is_authorised_names_the_commit_that_holds_it_as_it_is(tmp_path: Path) -> None:
    policy = write(tmp_path, listing())
    digest = files.sha256(policy)
    assert authorised_policy.authorised_now(tmp_path, NAME, digest).commit is None
    commit(tmp_path)
    assert authorised_policy.authorised_now(tmp_path, NAME, digest).commit == head(tmp_path)
    (tmp_path / authorised.FILE).write_text(yaml.safe_dump(listing(tier="low")))
    authority = authorised_policy.authorised_now(tmp_path, NAME, digest)
    assert (authority.tier, authority.commit) == ("low", None)


def test_only_the_commit_that_is_named_says_what_was_authorised_then(tmp_path: Path) -> None:
    policy = tmp_path / "kept.yaml"
    policy.write_bytes(write(tmp_path, listing()).read_bytes())
    commits = []
    for content, note in (
        (listing(), ""),
        (listing(tier="low"), ""),
        ("[", ""),
        (listing(tier="low"), "# reviewed again\n"),
    ):
        write(tmp_path, content, note=note)
        commit(tmp_path)
        commits.append(head(tmp_path))
    there = {
        (tier, at): authorised_policy.authorised_at(tmp_path, NAME, policy, tier, revision).policy is not None
        for tier in ("high", "low")
        for at, revision in enumerate(commits)
    }
    assert {key for key, authority in there.items() if authority} == {("high", 0), ("low", 1)}
    authority = authorised_policy.authorised_at(tmp_path, NAME, policy, "low", commits[1])
    assert (authority.tier, authority.commit) == ("low", commits[1])
    assert (
        authorised_policy.authorised_at(tmp_path, "another", policy, "high", commits[0])
        == authorised_policy.Authority()
    )


def test_a_commit_that_heads_history_does_not_hold_authorised_nothing(tmp_path: Path) -> None:
    policy = write(tmp_path, listing())
    assert authorised_policy.authorised_at(tmp_path, NAME, policy, "high", "HEAD").policy is None  # no git
    commit(tmp_path)
    first = head(tmp_path)
    write(tmp_path, listing(tier="low"))
    commit(tmp_path)
    aside = head(tmp_path)
    subprocess.run(["git", "reset", "-q", "--hard", first], cwd=tmp_path, check=True)
    assert authorised_policy.authorised_at(tmp_path, NAME, policy, "low", aside).policy is None
    assert authorised_policy.authorised_at(tmp_path, NAME, policy, "high", first).policy is not None
    assert authorised_policy.authorised_at(tmp_path, NAME, policy, "high", "0" * 40).policy is None
