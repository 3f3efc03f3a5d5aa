"""A run that would repeat the last one is told again; whatever a run or its release reads makes it run."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearance import environment, files, paths
from clearance.promotion import unchanged
from clearance.promotion.session import open_session
from tasks import release, track
from tests.support import judged

DAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose model is champion, as its run left it."""
    root = tmp_path_factory.mktemp("unchanged") / "project"
    with pytest.MonkeyPatch.context() as patch:
        judged.settle_with_store(root, patch)
        track.main()
        release.main()
        unchanged.record(root, DAY, variables(root))
        yield root


def variables(root: Path, **more: str) -> dict[str, str]:
    return environment.TOOL_DEFAULTS | environment.tool_locations(root) | more


def test_what_nobody_touched_is_told_again(released: Path) -> None:
    assert unchanged.holds(released, DAY, variables(released))
    assert unchanged.holds(released, DAY, variables(released, SHLVL="7", COLUMNS="80"))


def append(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).write_bytes((root / path).read_bytes() + b"\n")


def record_entry(root: Path) -> None:
    with open_session(root) as session:
        session.record(session.draft("refusal", "loan-approval", reason="of somebody"))  # type: ignore[arg-type]


def write_to_registry(root: Path) -> None:
    with sqlite3.connect(root / paths.MLFLOW_DATABASE) as database:
        database.execute("UPDATE experiments SET name = name || '!' WHERE name = 'governance-demo'")


def remove(path: Path) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


CHANGES: dict[str, Callable[[Path], None]] = {
    "a parameter": lambda root: (root / paths.PARAMS).write_text(
        (root / paths.PARAMS).read_text().replace("seed: 1", "seed: 2")
    ),
    "a report": append("reports/fairness.json"),
    "the model": append("models/trained/model.skops"),
    "the policy": append("policies/test.yaml"),
    "another file of the policies": append("policies/authorised.yaml"),
    "a new file of the policies": lambda root: (root / "policies/new.yaml").touch(),
    "the graph": lambda root: (root / paths.DVC_YAML).unlink(),
    "the lock": lambda root: (root / paths.DVC_LOCK).unlink(),
    "an entry in the ledger": record_entry,
    "the registry": write_to_registry,
    "no registry": remove(paths.MLFLOW_DATABASE),
    "the receipt": append(paths.RELEASE_RECEIPT.as_posix()),
    "no receipt": remove(paths.RELEASE_RECEIPT),
    "the count of attempts": append(paths.ATTEMPTS.as_posix()),
    "the note": lambda root: (root / ".clearance/unchanged.json").write_text("[]"),
    "half a note": lambda root: (root / ".clearance/unchanged.json").write_text('{"state": '),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_run_reads_makes_it_run(released: Path, change: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    shutil.copytree(released, saved, symlinks=True)
    assert unchanged.holds(released, DAY, variables(released))
    try:
        CHANGES[change](released)
        assert not unchanged.holds(released, DAY, variables(released))
    finally:
        for path in released.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(saved, released, symlinks=True, dirs_exist_ok=True)
        unchanged.record(released, DAY, variables(released))


@pytest.mark.parametrize(
    "more",
    [
        {"PREFECT_API_URL": "http://127.0.0.1:4200/api"},
        {"MLFLOW_RUN_ID": "1"},
        {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"},
        {"CLEARANCE_LEDGER": "postgresql://127.0.0.1/ledger"},
        {"CLEARANCE_IDENTITY": "vera"},
        {"CI": "true"},
    ],
)
def test_another_day_or_environment_makes_it_run(released: Path, more: dict[str, str]) -> None:
    assert not unchanged.holds(released, DAY, variables(released, **more))
    assert not unchanged.holds(released, DAY + dt.timedelta(days=1), variables(released))
    unset = {name: value for name, value in variables(released).items() if name != "MLFLOW_TRACKING_URI"}
    assert not unchanged.holds(released, DAY, unset)


def test_nothing_is_noted_of_a_release_that_missed_an_entry_or_found_a_lapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    judged.settle_with_store(root, monkeypatch)
    track.main()
    release.main()
    receipt = files.read_json(root / paths.RELEASE_RECEIPT)
    files.write_json(root / paths.RELEASE_RECEIPT, receipt | {"lapsed": "somebody withdrew"})
    unchanged.record(root, DAY, variables(root))
    assert not (root / ".clearance/unchanged.json").exists()
    files.write_json(root / paths.RELEASE_RECEIPT, receipt)
    unchanged.record(root, DAY, variables(root))
    assert unchanged.holds(root, DAY, variables(root))
    record_entry(root)
    unchanged.record(root, DAY, variables(root))
    assert not (root / ".clearance/unchanged.json").exists()


def test_the_command_tells_the_verdict_and_starts_nothing(released: Path) -> None:
    command = [str(Path(sys.executable).with_name("clearance")), "run"]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "PYTHONPATH", "HOME", "LANG", "VIRTUAL_ENV")
    }
    result = subprocess.run(
        command, cwd=released, env=inherited, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "champion loan-approval version 1" in result.stdout
    assert not (released / ".prefect").exists()
    assert not (released / paths.LOGS).exists()
