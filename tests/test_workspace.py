"""A run with overrides works in a copy: the user's files stay, the cache is shared, secrets stay behind."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.runner import overrides as request
from flows.runner import workspace
from tests.support import codes, toys


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toys.build(tmp_path / "toy")


def settings(toy: Path, **overrides: Any) -> dict[str, Any]:
    return request.merge(yaml.safe_load((toy / "params.yaml").read_text()), request.check(overrides))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_the_projects_own_files_and_the_merged_parameters(toy: Path) -> None:
    (toy / "notes.py").write_text("new, not yet in git")
    before = {name: (toy / name).read_bytes() for name in files(toy)}
    folder = workspace.prepare(toy, settings(toy, seed=7))
    assert folder.parent == toy / ".clearance/workspaces"
    for name in ("dvc.yaml", "tasks/work.py", "policies/demo.yaml", "notes.py", ".dvc/config", ".dvcignore"):
        assert (folder / name).read_bytes() == (toy / name).read_bytes()
    parameters = yaml.safe_load((folder / "params.yaml").read_text())
    assert (parameters["seed"], parameters["overrides"]) == (7, {"seed": 7})
    assert {name: (toy / name).read_bytes() for name in before} == before


def test_a_source_that_git_ignores_is_there_without_a_copy(toy: Path) -> None:
    folder = workspace.prepare(toy, settings(toy, seed=7))
    assert (folder / "data/source/rows.csv").samefile(toy / "data/source/rows.csv")


def test_where_files_cannot_be_linked_they_are_copied(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    folder = workspace.prepare(toy, settings(toy, seed=7))
    assert (folder / "data/source/rows.csv").read_text() == (toy / "data/source/rows.csv").read_text()


def test_outputs_state_and_secrets_stay_behind(toy: Path) -> None:
    (toy / ".dvc/config.local").write_text("[core]\n    remote = hush\n")
    (toy / "reports").mkdir()
    (toy / "reports/verdict.json").write_text("{}")
    folder = workspace.prepare(toy, settings(toy, seed=7))
    assert not (folder / "reports").exists()
    assert "hush" not in (folder / ".dvc/config.local").read_text()
    assert not any(name.startswith((".git/", ".clearance/")) for name in files(folder))


def test_without_git_too(toy: Path) -> None:
    names = files(workspace.prepare(toy, settings(toy, seed=7)))
    shutil.rmtree(toy / ".git")
    (toy / "models").mkdir()
    (toy / "models/model.txt").write_text("an output")
    (toy / ".dvc/tmp").mkdir(exist_ok=True)
    (toy / ".dvc/tmp/lock").write_text("")
    (toy / ".dvc/config.local").write_text("[core]\n    no_scm = true\n    remote = hush\n")
    folder = workspace.prepare(toy, settings(toy, seed=8))
    assert "hush" not in (folder / ".dvc/config.local").read_text()
    assert {name for name in files(folder) if "tmp/" not in name} == {
        name for name in names if "tmp/" not in name
    }


def test_stages_run_there_with_the_projects_cache(toy: Path) -> None:
    assert toys.dvc(toy, "repro").returncode == 0
    lock = (toy / "dvc.lock").read_bytes()
    folder = workspace.prepare(toy, settings(toy, seed=7))
    result = toys.dvc(folder, "repro")
    assert result.returncode == 0, result.stderr
    assert "Stage 'ingest' is cached" in result.stdout
    assert "Running stage 'train'" in result.stdout
    assert (toy / "models/model.txt").read_text().endswith("20260101")
    assert (folder / "models/model.txt").read_text().endswith(" 7")
    assert not (folder / ".dvc/cache").exists()
    assert (toy / "dvc.lock").read_bytes() == lock


def test_the_same_overrides_get_the_same_folder_built_anew(toy: Path) -> None:
    first = workspace.prepare(toy, settings(toy, seed=7))
    (first / "left-over").write_text("")
    (toy / "tasks/work.py").write_text("edited")
    assert workspace.prepare(toy, settings(toy, seed=7)) == first
    assert not (first / "left-over").exists()
    assert (first / "tasks/work.py").read_text() == "edited"
    assert workspace.prepare(toy, settings(toy, seed=8)) != first


def test_only_the_latest_are_kept(toy: Path) -> None:
    folders = []
    for seed in range(workspace.MAX_WORKSPACES + 2):
        folders.append(workspace.prepare(toy, settings(toy, seed=seed)))
        os.utime(folders[-1], (seed, seed))
    last = workspace.prepare(toy, settings(toy, seed=99))
    survivors = {folder for folder in [*folders, last] if folder.exists()}
    assert survivors == {*folders[-workspace.MAX_WORKSPACES + 1 :], last}


def test_an_untracked_policy_chosen_at_run_time_is_there(toy: Path) -> None:
    (toy / ".gitignore").write_text("/private/\n")
    (toy / "private").mkdir()
    (toy / "private/strict.yaml").write_text("id: strict\n")
    folder = workspace.prepare(toy, settings(toy, policy={"file": "private/strict.yaml"}))
    assert (folder / "private/strict.yaml").read_text() == "id: strict\n"


def test_a_relative_path_out_of_the_project_is_a_fault(toy: Path) -> None:
    with codes.raises("runner.outside_project", path=Path("../elsewhere.csv")):
        workspace.prepare(toy, settings(toy, source={"kind": "file", "path": "../elsewhere.csv"}))


def test_an_absolute_path_is_used_where_it_is(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    source = {"kind": "file", "path": str(tmp_path / "rows.csv")}
    folder = workspace.prepare(toy, settings(toy, source=source))
    assert "rows.csv" not in {Path(name).name for name in files(folder)}


def test_what_dvc_cannot_read_is_a_fault(toy: Path) -> None:
    (toy / ".dvc/config.local").write_text("no section\n")
    with codes.raises("versioning.dvc_refused"):
        workspace.prepare(toy, settings(toy, seed=7))
