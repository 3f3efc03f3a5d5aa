"""A project of one's own from a version of Clearance, and a newer version taken by a merge."""

import subprocess
from pathlib import Path

import pytest

from clearance.versioning import vendor_branch
from tests.support.codes import raises


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=dan", "-c", "user.email=dan@clearance.example"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def author(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "dan")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "dan@clearance.example")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A checkout of what stands for Clearance, with two commits."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("one\n", "two\n"):
        (folder / "code.py").write_text(text)
        (folder / "params.yaml").write_text("demo\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
    (folder / "uncommitted.txt").write_text("not part of a version")
    return folder


def test_a_project_holds_the_version_in_one_commit_of_its_own(upstream: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    vendor_branch.make_project(upstream, mine)
    assert (mine / "code.py").read_text() == "two\n"
    assert not (mine / "uncommitted.txt").exists()
    assert git(mine, "rev-list", "--count", "HEAD") == "1"
    assert git(mine, "status", "--porcelain") == ""
    assert git(mine, "branch", "--show-current") == "main"
    assert git(mine, "rev-parse", "HEAD") == git(mine, "rev-parse", "clearance")


def test_a_newer_version_is_merged_beside_what_is_mine(upstream: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    vendor_branch.make_project(upstream, mine)
    (mine / "params.yaml").write_text("mine\n")
    git(mine, "commit", "--quiet", "-am", "my table")
    assert "unchanged" in vendor_branch.make_project(upstream, mine)[0]
    (upstream / "code.py").write_text("three\n")
    git(upstream, "commit", "--quiet", "-am", "three")
    vendor_branch.make_project(upstream, mine)
    assert (mine / "code.py").read_text() == "two\n"
    git(mine, "merge", "--quiet", "--no-edit", "clearance")
    assert (mine / "code.py").read_text() == "three\n"
    assert (mine / "params.yaml").read_text() == "mine\n"


def test_a_folder_of_something_else_is_left_alone(upstream: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with raises("versioning.project_not_empty"):
        vendor_branch.make_project(upstream, other)
    with raises("versioning.no_commit"):
        vendor_branch.make_project(other, tmp_path / "mine")
