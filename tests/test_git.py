"""What git is taken to say: by content, whatever its index, its configuration or the clock claim."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from clearance.errors import ConfigurationError
from clearance.versioning import digests, dvc_lock
from clearance.versioning import git as revision
from clearance.versioning.git import Author, CommitState
from tests.support import codes
from tests.support.versions import git

MD5 = "0" * 32
LOCK = yaml.safe_dump(
    {
        "schema": "2.0",
        "stages": {
            "train": {
                "cmd": "true",
                "deps": [
                    {"path": path, "md5": MD5}
                    for path in ("code/train.py", "data/source", "policies/one.yaml")
                ],
                "outs": [{"path": "models/trained", "md5": MD5 + ".dir"}],
            },
            "judge": {
                "cmd": "true",
                "deps": [{"path": "models/trained/model", "md5": MD5}],
                "outs": [{"path": "reports/verdict.json", "md5": MD5}],
            },
        },
    }
)
FILES = {
    "code/train.py": "train\n",
    "data/source/README.md": "put a table here\n",
    "policies/one.yaml": "id: one\n",
    "params.yaml": "seed: 1\ntrain: {c: 0.1, d: 2}\noverrides: {}\n",
    "dvc.yaml": "stages: {}\n",
    "dvc.lock": "",
    "notes.txt": "read by nobody\n",
    ".gitignore": "/data/source/*\n!/data/source/README.md\n!/data/source/*.dvc\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "project")


def lay_out(root: Path) -> Path:
    for name, text in FILES.items():
        write(root, name, text)
    git(root, "init", "--quiet", "--initial-branch=main")
    return commit(root)


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def commit(root: Path, who: str = "Ann <ann@example.org>", message: str = "work") -> Path:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message, who=who)
    return root


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD")


def test_a_clean_tree_is_what_its_commit_holds(project: Path) -> None:
    assert revision.commit_state(project, LOCK) == CommitState(commit=head(project))
    write(project, "notes.txt", "what no stage reads does not count")
    write(project, "dvc.lock", "nor does the lock: the run has just written it")
    assert revision.commit_state(project, LOCK) == CommitState(commit=head(project))


@pytest.mark.parametrize("name", ["code/train.py", "policies/one.yaml", "dvc.yaml", "data/source/README.md"])
def test_an_edited_or_deleted_file_that_is_read_is_named(project: Path, name: str) -> None:
    write(project, name, "edited")
    assert revision.commit_state(project, LOCK).changed == (name,)
    git(project, "add", name)  # staged is not committed
    assert revision.commit_state(project, LOCK).changed == (name,)
    (project / name).unlink()
    assert revision.commit_state(project, LOCK).changed == (name,)


def test_index_flags_times_and_sizes_hide_nothing(project: Path) -> None:
    file = project / "code/train.py"
    before = file.stat()
    git(project, "update-index", "--assume-unchanged", "code/train.py")
    git(project, "update-index", "--skip-worktree", "policies/one.yaml")
    file.write_text("TRAIN\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    write(project, "policies/one.yaml", "id: two\n")
    assert git(project, "status", "--porcelain") == ""
    assert revision.commit_state(project, LOCK).changed == ("code/train.py", "policies/one.yaml")


def test_a_replaced_commit_and_a_link_hide_nothing(project: Path, tmp_path: Path) -> None:
    true = head(project)
    write(project, "code/train.py", "another\n")
    commit(project)
    git(project, "replace", true, head(project))
    git(project, "reset", "--quiet", "--soft", true)
    assert revision.commit_state(project, LOCK).changed == ("code/train.py",)
    shutil.copy(project / "policies/one.yaml", tmp_path / "elsewhere")
    (project / "policies/one.yaml").unlink()
    (project / "policies/one.yaml").symlink_to(tmp_path / "elsewhere")
    assert "policies/one.yaml" in revision.commit_state(project, LOCK).changed


def test_nothing_that_the_repository_configures_is_run(project: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    hook = f"#!/bin/sh\necho ran >> {trap}\n"
    for name in ("post-checkout", "post-index-change", "fsmonitor-watchman"):
        write(project, f".git/hooks/{name}", hook)
        (project / f".git/hooks/{name}").chmod(0o755)
    git(project, "config", "core.fsmonitor", str(project / ".git/hooks/fsmonitor-watchman"))
    git(project, "config", "log.showSignature", "true")
    signer = "echo '[GNUPG:] SIG_CREATED ' >&2\nprintf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n'\n"
    # A signer that does not read what it signs closes git's pipe while git writes to it: sometimes an error.
    read = "cat >/dev/null\n"
    write(project, ".git/hooks/signer", hook + read + signer + "echo '-----END PGP SIGNATURE-----'\n")
    (project / ".git/hooks/signer").chmod(0o755)
    git(project, "config", "gpg.program", str(project / ".git/hooks/signer"))
    write(project, "code/train.py", "signed\n")
    git(project, "commit", "--all", "--quiet", "--gpg-sign", "--message", "signed")
    assert trap.exists()
    trap.unlink(missing_ok=True)
    revision.commit_state(project, LOCK)
    revision.authors(project, None, "HEAD", ["."])
    revision.export(project, head(project), tmp_path / "out")
    assert not trap.exists()


def test_a_variable_of_git_does_not_lead_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = lay_out(tmp_path / "other")
    write(other, "code/train.py", "elsewhere")
    commit(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert revision.head(project) != git(other, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["data/source/rows.csv", "policies/new.yaml"])
def test_a_file_that_is_read_and_kept_by_nobody_is_named_ignored_or_not(project: Path, name: str) -> None:
    write(project, name, "a,b\n1,2\n")
    assert revision.commit_state(project, LOCK) == CommitState(commit=head(project), unkept=(name,))


def test_what_a_dvc_file_says_is_kept_is_kept_while_it_says_the_truth(project: Path) -> None:
    write(project, "data/source/rows.csv", "a,b\n1,2\n")
    md5 = "6c6a3b6b3c1b8b3b8c1c3c1c3c1c3c1c"
    pointer = "outs: [{{md5: {}, path: rows.csv}}]\n"
    write(project, "data/source/rows.csv.dvc", pointer.format(md5))
    commit(project)
    assert revision.commit_state(project, LOCK).unkept == ("data/source/rows.csv",)
    write(project, "data/source/rows.csv.dvc", pointer.format(digests.md5(project / "data/source/rows.csv")))
    assert revision.commit_state(project, LOCK).changed == ("data/source/rows.csv.dvc",)
    commit(project)
    assert revision.commit_state(project, LOCK) == CommitState(commit=head(project))


def test_parameters_may_differ_by_recorded_overrides_and_by_nothing_else(project: Path) -> None:
    workspace = project / ".clearance/workspaces/0123"
    for name in FILES:
        write(workspace, name, (project / name).read_text())
    write(workspace, "params.yaml", "seed: 1\ntrain: {c: 0.5, d: 2}\noverrides: {train: {c: 0.5}}\n")
    assert revision.commit_state(workspace, LOCK) == CommitState(commit=head(project))
    write(workspace, "params.yaml", "seed: 1\ntrain: {c: 0.5, d: 3}\noverrides: {train: {c: 0.5}}\n")
    assert revision.commit_state(workspace, LOCK).changed == ("params.yaml",)


@pytest.mark.parametrize(
    ("now", "keys"),
    [
        ({"a": 1, "b": {"c": 2}}, []),
        ({"a": 2, "b": {"c": 2}}, ["a"]),
        ({"a": 2, "b": {"c": 2}, "overrides": {"a": 2}}, []),
        ({"a": 2, "b": {"c": 2}, "overrides": {"a": 3}}, ["a"]),
        ({"a": 1, "b": {"c": 3}, "overrides": {"b": {"c": 3}}}, []),
        ({"a": 1, "b": {"c": 3, "d": 1}, "overrides": {"b": {"c": 3}}}, ["b.d"]),
        ({"a": 1, "b": {"d": 1}, "overrides": {"b": {"d": 1}}}, []),
        ({"a": 1}, ["b"]),
        ({"a": 1, "b": None}, ["b"]),
        ({"a": 1, "b": {"c": 2}, "overrides": None}, []),
    ],
)
def test_unexplained_parameters(now: dict, keys: list[str]) -> None:
    assert revision.unexplained({"a": 1, "b": {"c": 2}, "overrides": {}}, now) == keys


def test_without_git_or_a_commit_that_is_what_it_says(tmp_path: Path, project: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(project, bare, ignore=shutil.ignore_patterns(".git"))
    assert revision.commit_state(bare, LOCK) == CommitState(commit=None)
    git(bare, "init", "--quiet")
    assert revision.commit_state(bare, LOCK) == CommitState(commit=None)
    fault = revision.reproducibility_fault(revision.commit_state(bare, LOCK), False)
    assert fault is not None
    assert fault.startswith("The project has no git commit")


def test_a_broken_repository_is_an_error_and_not_one_that_is_absent(project: Path) -> None:
    (project / ".git/config").write_text("[core\n")
    with codes.raises("versioning.git_refused"):
        revision.commit_state(project, LOCK)


def test_a_project_in_a_folder_of_a_repository(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "all")
    shutil.rmtree(root / ".git")
    (root.parent / "mono").mkdir()
    root.rename(root.parent / "mono/project")
    root = root.parent / "mono/project"
    git(root.parent, "init", "--quiet")
    commit(root.parent)
    assert revision.commit_state(root, LOCK) == CommitState(commit=head(root))
    assert revision.read_file(root, "HEAD", "code/train.py") == b"train\n"
    revision.export(root, "HEAD", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        {n.split("/")[0] for n in FILES}
    )
    assert [who.name for who in revision.authors(root, None, "HEAD", ["code"])] == ["Ann"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (CommitState(commit="a" * 40), None),
        (
            CommitState(commit="a" * 40, changed=("b.py", "a.py")),
            "Commit aaaaaaaaaaaa does not contain what was read: a.py, b.py.",
        ),
        (CommitState(commit="a" * 40, changed=tuple("edcba")), "a, b, c and 2 more."),
        (
            CommitState(commit="a" * 40, unkept=("data/rows.csv",)),
            "Neither git nor DVC keeps what was read: data/rows.csv.",
        ),
    ],
)
def test_release_refuses_what_is_not_committed_unless_the_policy_allows_it(
    state: CommitState, words: str | None
) -> None:
    fault = revision.reproducibility_fault(state, False)
    assert fault == words or (words is not None and fault is not None and fault.endswith(words))
    assert revision.reproducibility_fault(state, True) is None


def test_authors_are_all_who_touched_what_decides_since_the_champion(project: Path) -> None:
    champion = head(project)
    steps: list[tuple[str, str, str]] = [
        ("code/train.py", "Bob <bob@example.org>", "tuned"),
        ("notes.txt", "Cy <cy@example.org>", "notes"),
        ("params.yaml", "Di <di@example.org>", "seed\n\nCo-authored-by: Ed E. <ed@example.org>"),
        ("policies/one.yaml", "Fay <fay@example.org>", "limit"),
    ]
    for name, who, message in steps:
        write(project, name, f"seed: {who}\n")
        commit(project, who, message)
    paths = revision.input_paths(LOCK)
    contributors = revision.authors(project, champion, "HEAD", paths)
    assert [who.name for who in contributors] == ["Bob", "Di", "Ed E.", "Fay"]
    claims = {who.name: who.claim for who in contributors if who.claim}
    assert list(claims) == ["Ed E."] and claims["Ed E."].endswith("of di@example.org")
    assert Author("ann@example.org", "Ann") in revision.authors(project, None, "HEAD", paths)
    assert revision.authors(project, "HEAD", "HEAD", paths) == ()


def test_work_that_was_merged_and_undone_again_has_an_author(project: Path) -> None:
    champion = head(project)
    git(project, "switch", "--quiet", "--create", "side")
    write(project, "code/train.py", "side\n")
    commit(project, "Bob <bob@example.org>")
    write(project, "code/train.py", FILES["code/train.py"])
    commit(project, "Cy <cy@example.org>")
    git(project, "switch", "--quiet", "main")
    write(project, "notes.txt", "main\n")
    commit(project)
    git(project, "merge", "--quiet", "--no-edit", "side")
    assert [who.name for who in revision.authors(project, champion, "HEAD", ["code"])] == ["Bob", "Cy"]


def test_a_mailmap_lends_nobodys_work_to_another(project: Path) -> None:
    champion = head(project)
    write(project, ".mailmap", "Zoe <zoe@example.org> <mal@example.org>\n")
    write(project, "code/train.py", "mal\n")
    commit(project, "Mal <mal@example.org>")
    git(project, "config", "log.mailmap", "true")
    assert revision.authors(project, champion, "HEAD", ["code"]) == (Author("mal@example.org", "Mal"),)


@pytest.mark.parametrize("name", ["f" * 40, "--all", "HEAD~99"])
def test_a_commit_that_is_not_there_is_an_error_and_no_empty_answer(project: Path, name: str) -> None:
    questions: list[Callable[[], object]] = [
        lambda: revision.authors(project, name, "HEAD", ["code"]),
        lambda: revision.authors(project, None, name, ["code"]),
        lambda: revision.read_file(project, name, "dvc.yaml"),
        lambda: revision.dvc_files(project, name),
    ]
    for ask in questions:
        with codes.raises("versioning.commit_unknown", commit=name):
            ask()


def test_the_files_of_a_commit(project: Path, tmp_path: Path) -> None:
    old = head(project)
    write(project, "data/source.dvc", "outs: []\n")
    write(project, "code/train.py", "later\n")
    commit(project)
    assert revision.read_file(project, old, "code/train.py") == b"train\n"
    assert revision.read_file(project, old, "data/source.dvc") is None
    assert revision.dvc_files(project, "HEAD") == {"data/source.dvc": "outs: []\n"}
    before = git(project, "status", "--porcelain=v2", "--branch")
    index = (project / ".git/index").read_bytes()
    revision.export(project, old, tmp_path / "out")
    assert {
        f.relative_to(tmp_path / "out").as_posix(): f.read_text()
        for f in (tmp_path / "out").rglob("*")
        if f.is_file()
    } == FILES
    assert (project / ".git/index").read_bytes() == index
    assert git(project, "status", "--porcelain=v2", "--branch") == before
    assert not (project / ".git/worktrees").exists()


def test_watched_is_what_was_read_and_not_what_was_written() -> None:
    assert revision.input_paths(LOCK) == tuple(
        sorted({"code/train.py", "data/source", "policies/one.yaml", *revision.ALWAYS})
    )
    assert dvc_lock.parse(LOCK).sources.keys() == {"code/train.py", "data/source", "policies/one.yaml"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema: '2.0'\nstages: 5",
        "schema: '2.0'\nstages: {a: {}}",
        "schema: '2.0'\nstages: {a: {cmd: x, outs: [{path: a}]}}",
        "a: [",
        "schema: '2.0'\nstages: {a: 1}",
    ],
)
def test_a_lock_that_is_none_is_an_error(text: str) -> None:
    with codes.raises("versioning.lock_unreadable", source="the recorded dvc.lock"):
        dvc_lock.parse(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_checkout_of_another_user_is_named_with_the_way_out(project: Path) -> None:
    revision.refuse_unreadable(project)
    for path in (project, project / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(ConfigurationError) as excinfo:
        revision.refuse_unreadable(project)
    assert excinfo.value.code == "versioning.checkout_of_another_user"


def test_a_folder_without_git_is_readable(tmp_path: Path) -> None:
    revision.refuse_unreadable(tmp_path)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://user:s3cret@git.example.org/team/loans.git", "https://git.example.org/team/loans.git"),
        ("https://git.example.org/team/loans.git?token=s3cret", "https://git.example.org/team/loans.git"),
        ("git@git.example.org:team/loans.git", "ssh://git.example.org/team/loans.git"),
        ("ssh://git@git.example.org:2222/loans.git", "ssh://git.example.org:2222/loans.git"),
        ("/srv/s3cret/loans.git", None),
        ("file:///srv/s3cret/loans.git", None),
        ("../s3cret", None),
        (None, None),
    ],
)
def test_a_remote_is_told_without_credentials_and_only_where_it_means_something_elsewhere(
    tmp_path: Path, address: str | None, told: str | None
) -> None:
    git(tmp_path, "init", "-q")
    if address is not None:
        git(tmp_path, "remote", "add", "origin", address)
    assert revision.remote(tmp_path) == told
