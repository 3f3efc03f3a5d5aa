"""What hides history or files from git is named, each kind by itself; a plain checkout hides nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clearance.versioning import git as revision
from clearance.versioning import visibility
from tests.support import codes
from tests.support.versions import git


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "seed: 1\n",
        "tasks/work.py": "work\n",
        "data/source/README.md": "a table\n",
        ".gitignore": "/.venv\n/data/source/*\n__pycache__/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "--quiet", "--initial-branch=main")
    for author in ("Dan <dan@example.org>", "Ann <ann@example.org>"):
        git(root, "add", "--all", "--force", who=author)
        git(root, "commit", "--quiet", "--allow-empty", "--message", "work", who=author)
    return root


def test_a_plain_checkout_hides_nothing(project: Path) -> None:
    (project / "scratch.py").write_text("untracked, and git shows it\n")
    (project / ".venv/lib").mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").write_text("")
    (project / ".venv/lib/module.py").write_text("")
    (project / "tasks/__pycache__").mkdir()
    (project / "tasks/__pycache__/work.cpython-311.pyc").write_text("")
    (project / "data/source/inside").symlink_to(project / "params.yaml")
    assert visibility.hidden(project) == ()
    visibility.ensure_visible(project)


def test_a_folder_without_git_or_commit_hides_nothing(tmp_path: Path) -> None:
    assert visibility.hidden(tmp_path) == ()
    git(tmp_path, "init", "--quiet")
    assert visibility.hidden(tmp_path) == ()


def graft(root: Path) -> None:
    head = git(root, "rev-parse", "HEAD")
    (root / ".git/info/grafts").write_text(f"{head}\n")
    assert {author.name for author in revision.authors(root, None, head, ["."])} == {"Ann"}, "it does hide"


def replace(root: Path) -> None:
    git(root, "replace", "HEAD", "HEAD~1")


@pytest.mark.parametrize(("hide", "name"), [(graft, "grafts"), (replace, "git replace")])
def test_another_history_is_named(project: Path, hide: Callable[[Path], None], name: str) -> None:
    hide(project)
    (reason,) = visibility.hidden_history(project)
    assert name in reason
    with codes.raises("versioning.checkout_not_visible"):
        visibility.ensure_visible(project)


def test_a_packed_replacement_and_another_worktree_are_named_too(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "--quiet", str(tmp_path / "other"))
    assert visibility.hidden(tmp_path / "other") == ()
    replace(project)
    git(project, "pack-refs", "--all")
    assert "git replace" in visibility.hidden_history(project)[0]
    assert "git replace" in visibility.hidden_history(tmp_path / "other")[0]


def test_a_shallow_clone_is_named(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", project.as_uri(), clone], check=True)
    (reason,) = visibility.hidden(clone)
    assert "--unshallow" in reason
    git(clone, "-c", "protocol.file.allow=always", "fetch", "--quiet", "--unshallow")
    assert visibility.hidden(clone) == ()


def skip_worktree(root: Path, _: Path) -> None:
    git(root, "update-index", "--skip-worktree", "tasks/work.py")


def assume_unchanged(root: Path, _: Path) -> None:
    git(root, "update-index", "--assume-unchanged", "tasks/work.py")


def tracked_link(root: Path, outside: Path) -> None:
    (root / "tasks/work.py").unlink()
    (root / "tasks/work.py").symlink_to(outside / "work.py")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "link")


def linked_folder(root: Path, outside: Path) -> None:
    (root / "data/source/deeper").symlink_to(outside)


def shadow(root: Path, _: Path) -> None:
    (root / ".git/info/exclude").write_text("/numpy.py\n/pandas/\n")
    (root / "numpy.py").write_text("evil\n")
    (root / "pandas").mkdir()
    (root / "pandas/__init__.py").write_text("evil\n")


@pytest.mark.parametrize(
    ("hide", "names"),
    [
        (skip_worktree, ["tasks/work.py"]),
        (assume_unchanged, ["tasks/work.py"]),
        (tracked_link, ["tasks/work.py"]),
        (linked_folder, ["data/source/deeper"]),
        (shadow, ["numpy.py", "pandas/__init__.py"]),
    ],
)
def test_a_hidden_file_is_named(
    project: Path, tmp_path: Path, hide: Callable[[Path, Path], None], names: list[str]
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/work.py").write_text("evil\n")
    hide(project, tmp_path / "outside")
    (reason,) = visibility.hidden_files(project)
    assert all(name in reason for name in names)


def test_a_link_counts_neither_as_committed_nor_as_kept(project: Path, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("evil\n")
    (project / "tasks/work.py").unlink()
    (project / "tasks/work.py").symlink_to(tmp_path / "work.py")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "link")
    deps = "deps: [{path: tasks/work.py, md5: a}]"
    lock = f"schema: '2.0'\nstages: {{a: {{cmd: a, {deps}, outs: [{{path: o, md5: b}}]}}}}\n"
    state = revision.commit_state(project, lock)
    assert (*state.changed, *state.unkept) == ("tasks/work.py",)
