"""A collection of unused objects keeps what a registered version needs, and takes the rest."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from clearance import run_lock
from clearance.errors import BusyError
from clearance.versioning import cache_gc as collection
from clearance.versioning import digests, dvc_lock, dvc_remote, repair
from tests.support import codes, judged
from tests.test_dvc_remote import flip, kept, objects

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project that made three models, and the lock of the first."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        root = judged.settle(folder / "project", patch)
        remote_settings(root, folder)
        dvc_remote.push(root)
        first = (root / "dvc.lock").read_text()
        for model in (1, 2):
            judged.put(root, model=model)
            remote_settings(root, folder)
            dvc_remote.push(root)
    return folder, first


@pytest.fixture
def three(made: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A copy of it, its remote beside it; the first model is the one that was registered."""
    folder, first = made
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    judged.move_in(tmp_path / "project", monkeypatch)
    remote_settings(tmp_path / "project", tmp_path)
    return tmp_path / "project", first


def remote_settings(root: Path, folder: Path) -> None:
    with Repo(str(root)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": str(folder / "store")}
        config["core"]["remote"] = "store"


def models(place: Path) -> list[int]:
    """Which of the three models are there."""
    files = set(objects(place).values())
    return [number for number in range(3) if judged.trained(number) in files]


def test_a_dry_run_says_what_would_go_and_takes_nothing(three: tuple[Path, str]) -> None:
    root, first = three
    before = objects(root / ".dvc/cache")
    (swept,) = collection.collect_garbage(root, [first])
    assert objects(root / ".dvc/cache") == before
    spare = {f"files/md5/{name[:2]}/{name[2:]}" for name in swept.objects}
    assert swept.size == sum(len(before[name]) for name in spare)
    assert judged.trained(1) in {before[name] for name in spare}
    everything = {name for name in before if name.startswith("files/md5/")}
    assert (swept.place, swept.remaining) == ("cache", len(everything - spare))


def test_a_registered_version_and_the_workspace_keep_all_of_theirs(
    three: tuple[Path, str], tmp_path: Path
) -> None:
    root, first = three
    collection.collect_garbage(root, [first], dry=False)
    assert models(root / ".dvc/cache") == [0, 2]
    assert models(tmp_path / "store") == [0, 1, 2]
    for text in (first, (root / "dvc.lock").read_text()):
        for name in dvc_lock.objects(text):
            assert kept(root / ".dvc/cache", name).is_file()
    assert (
        repair.remove_unsound(root, root / ".dvc/cache/files/md5", dvc_lock.read(root / "dvc.lock").outs)
        == []
    )
    assert collection.collect_garbage(root, [first], dry=False)[0].objects == ()


def test_the_remote_only_when_asked_and_dvc_learns_of_it(three: tuple[Path, str], tmp_path: Path) -> None:
    root, first = three
    collection.collect_garbage(root, [first], at_remote=True, dry=False)
    assert models(tmp_path / "store") == [0, 2]
    judged.put(root, model=1)
    remote_settings(root, tmp_path)
    assert dvc_remote.push(root).resent == ()
    assert models(tmp_path / "store") == [0, 1, 2]


def test_what_dvc_gc_would_have_done(three: tuple[Path, str]) -> None:
    """Why there is one of our own."""
    root, _ = three
    with contextlib.chdir(root), Repo(str(root)) as repo:
        repo.gc(workspace=True)
    assert models(root / ".dvc/cache") == [2]


def test_a_run_with_overrides_keeps_its_outputs(three: tuple[Path, str]) -> None:
    root, first = three
    space = root / ".clearance/workspaces/0123"
    space.mkdir(parents=True)
    (space / "dvc.lock").write_text(first)
    collection.collect_garbage(root, [], dry=False)
    assert models(root / ".dvc/cache") == [0, 2]


def test_data_behind_an_old_pointer_or_an_old_lock_stays(three: tuple[Path, str]) -> None:
    root, _ = three
    names = {}
    for word in ("pointer", "lock", "spare"):
        item = root / word
        item.write_text(word)
        names[word] = digests.md5(item)
        place = kept(root / ".dvc/cache", names[word])
        place.parent.mkdir(exist_ok=True)
        item.rename(place)
    pointer = f"outs: [{{md5: {names['pointer']}, path: rows.csv}}]\n"
    lock = f"schema: '2.0'\nstages: {{a: {{cmd: x, deps: [{{path: data/source, md5: {names['lock']}}}]}}}}\n"
    collection.collect_garbage(root, [pointer, lock], dry=False)
    assert {word for word, name in names.items() if kept(root / ".dvc/cache", name).exists()} == {
        "pointer",
        "lock",
    }


@pytest.mark.parametrize("way", ["written", "read"])
def test_nothing_goes_while_a_folder_that_must_stay_cannot_be_listed(
    three: tuple[Path, str], tmp_path: Path, way: str
) -> None:
    root, first = three
    name = dvc_lock.parse(first).outs["models/trained"]
    read = f"schema: '2.0'\nstages: {{a: {{cmd: x, deps: [{{path: data/source, md5: {name}}}]}}}}\n"
    text = first if way == "written" else read
    flip(kept(root / ".dvc/cache", name))
    kept(tmp_path / "store", name).unlink()
    before = objects(root / ".dvc/cache")
    with codes.raises("versioning.object_lost", name=name):
        collection.collect_garbage(root, [text], dry=False)
    assert objects(root / ".dvc/cache") == before


def test_a_listing_that_the_cache_lost_is_read_at_the_remote(three: tuple[Path, str]) -> None:
    root, first = three
    flip(kept(root / ".dvc/cache", dvc_lock.parse(first).outs["models/trained"]))
    collection.collect_garbage(root, [first], dry=False)
    assert models(root / ".dvc/cache") == [0, 2]


def test_a_folder_of_code_that_was_read_is_no_object_and_no_hindrance(three: tuple[Path, str]) -> None:
    root, first = three
    code = f"path: clearance/reporting/templates, md5: {'0' * 32}.dir"
    read = f"schema: '2.0'\nstages: {{a: {{cmd: x, deps: [{{{code}}}]}}}}\n"
    collection.collect_garbage(root, [first, read], dry=False)
    assert models(root / ".dvc/cache") == [0, 2]


@pytest.mark.parametrize("text", ["", "a: 1", "[]", "stages: [", "stages: 5", "outs: 5", "outs: [{path: x}]"])
def test_a_text_that_is_neither_lock_nor_pointer_stops_all(text: str) -> None:
    with codes.raises("versioning.lock_unreadable"):
        collection.referenced_objects([text])


def test_not_beside_a_run(three: tuple[Path, str]) -> None:
    root, first = three
    with run_lock.hold(root), pytest.raises(BusyError):
        collection.collect_garbage(root, [first], dry=False)
    assert models(root / ".dvc/cache") == [0, 1, 2]
