"""`make clean` removes only what can be made again; `make reset` asks before it removes the record."""

import shutil
import subprocess
from pathlib import Path

import pytest

from clearance import paths
from tests.support.toys import ROOT

REMADE = (
    paths.RAW_TABLE,
    paths.VERDICT,
    paths.MODEL,
    paths.LOGS / "train.log",
    paths.DATA_DOCS / "index.html",
)
RECORD = (
    *(paths.LEDGER, paths.CHECKPOINTS, paths.KEYS / "vera.pem", paths.TRUST_ROOT),
    *(paths.EVIDENCE_BUNDLE / "1.json", paths.EXECUTIONS / "train", paths.MLFLOW_DATABASE),
    *(paths.MLFLOW_ARTIFACTS / "1/model", Path(".prefect/prefect.db")),
)
SOURCES = (paths.PARAMS, Path("data/source/table.csv"), Path(".dvc/cache/files/md5/00/1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "project"
    for path in (*REMADE, *RECORD, *SOURCES):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("x")
    shutil.copy(ROOT / "Makefile", home)
    return home


def make(folder: Path, target: str, answer: str = "") -> int:
    return subprocess.run(["make", "-s", target], cwd=folder, input=answer, text=True, check=False).returncode


def there(folder: Path, *paths: Path) -> set[Path]:
    return {path for path in paths if (folder / path).exists()}


def test_clean_removes_what_the_next_run_makes_again_and_nothing_else(folder: Path) -> None:
    assert make(folder, "clean") == 0
    assert there(folder, *REMADE, *RECORD, *SOURCES) == {*RECORD, *SOURCES}


@pytest.mark.parametrize("answer", ["", "y\n", "yes\n"], ids=["no terminal", "y", "yes"])
def test_reset_needs_the_name_of_the_folder(folder: Path, answer: str) -> None:
    assert make(folder, "reset", answer) != 0
    assert there(folder, *REMADE, *RECORD, *SOURCES) == {*REMADE, *RECORD, *SOURCES}


def test_reset_forgets_the_record_and_keeps_sources(folder: Path) -> None:
    assert make(folder, "reset", "project\n") == 0
    assert there(folder, *REMADE, *RECORD, *SOURCES) == {*SOURCES}
