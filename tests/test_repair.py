"""Only content is trusted: what differs from its record is removed, whatever its time and mode say."""

import os
from pathlib import Path

import pytest
import yaml

from clearance.versioning import digests, dvc_lock, repair
from tests.support import codes, toys


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toy = toys.build(tmp_path_factory.mktemp("repair") / "toy")
    result = toys.dvc(toy, "repro")
    assert result.returncode == 0, result.stderr
    return toy


@pytest.fixture
def toy(ran: Path, tmp_path: Path) -> Path:
    return toys.twin(ran, tmp_path / "toy")


def cache(toy: Path) -> Path:
    return toy / ".dvc/cache/files/md5"


def mend(toy: Path) -> list[Path]:
    return repair.remove_unsound(toy, cache(toy), dvc_lock.read(toy / "dvc.lock").outs)


def forge(path: Path) -> None:
    """Change one byte; size, time, inode and mode stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(bytes(content))
    path.chmod(status.st_mode & 0o777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_ino == status.st_ino


def test_the_digests_are_dvcs_own_for_files_and_folders(ran: Path) -> None:
    stages = yaml.safe_load((ran / "dvc.lock").read_text())["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}
    assert len(outs) == len(toys.ORDER)
    assert outs["reports/figures"].endswith(".dir")
    assert {path: digests.md5(ran / path) for path in outs} == outs


def test_a_sound_project_is_left_as_it_is(toy: Path) -> None:
    assert mend(toy) == []
    assert toys.dvc(toy, "status").stdout.strip() == "Data and pipelines are up to date."


@pytest.mark.parametrize("name", ["data/raw.txt", "reports/figures/a.svg"])
def test_a_forged_output_that_dvc_believes_in_is_removed_and_rebuilt(toy: Path, name: str) -> None:
    good = (toy / name).read_bytes()
    assert "up to date" in toys.dvc(toy, "status").stdout
    forge(toy / name)
    assert "up to date" in toys.dvc(toy, "status").stdout
    assert len(mend(toy)) == 1
    assert toys.dvc(toy, "repro").returncode == 0
    assert (toy / name).read_bytes() == good


@pytest.mark.parametrize("name", ["data/raw.txt", "reports/figures/a.svg", "reports/figures"])
def test_a_forged_object_in_the_cache_is_removed_and_rebuilt(toy: Path, name: str) -> None:
    digest = digests.md5(toy / name)
    item = cache(toy) / digest[:2] / digest[2:]
    good = item.read_bytes()
    forge(item)
    assert mend(toy) == [item]
    assert toys.dvc(toy, "repro").returncode == 0
    assert item.read_bytes() == good
    assert mend(toy) == []


def test_both_forged_alike_are_both_rebuilt(toy: Path) -> None:
    good, lock = (toy / "data/raw.txt").read_bytes(), (toy / "dvc.lock").read_bytes()
    digest = digests.md5(toy / "data/raw.txt")
    for path in (toy / "data/raw.txt", cache(toy) / digest[:2] / digest[2:]):
        forge(path)
    assert len(mend(toy)) == 2
    assert toys.dvc(toy, "repro").returncode == 0
    assert (toy / "data/raw.txt").read_bytes() == good
    assert (toy / "dvc.lock").read_bytes() == lock


def test_a_file_added_to_an_output_folder_is_unsound(toy: Path) -> None:
    (toy / "reports/figures/extra.svg").write_text("x")
    assert mend(toy) == [toy / "reports/figures"]


def test_inputs_are_never_touched(toy: Path) -> None:
    forge(toy / "data/source/rows.csv")
    forge(toy / "tasks/work.py")
    assert mend(toy) == []


def test_a_project_that_never_ran_needs_no_repair(tmp_path: Path) -> None:
    assert dvc_lock.read(tmp_path / "dvc.lock").outs == {}


@pytest.mark.parametrize(
    "text",
    [
        "schema: '2.0'\nstages: {a: {cmd: x, outs: [{path: x}]}}",
        "schema: '1.0'\nstages: {}",
        "stages: {}",
        "[",
        "schema: '2.0'\nstages: 5",
        "\x00",
    ],
)
def test_an_unreadable_lock_is_a_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "dvc.lock").write_text(text)
    with codes.raises("versioning.lock_unreadable", source="dvc.lock"):
        dvc_lock.read(tmp_path / "dvc.lock")


def test_the_sentence_names_the_file_from_the_project(tmp_path: Path) -> None:
    assert repair.describe_removed(tmp_path / "data/raw.txt", tmp_path).startswith(
        "data/raw.txt was not what"
    )
