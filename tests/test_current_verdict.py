"""A verdict that is shown is about the files that lie here: once one changed it is stale, never a pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clearance import files, paths
from clearance.errors import ExitCode
from clearance.reporting import current_verdict
from tests.support import judged


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle(tmp_path / "project", monkeypatch, verdict="pass")


def _replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        files.write_text(root / path, text.replace(old, new, 1))

    return change


def _remove(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


CHANGES = {
    "a parameter": (_replace("params.yaml", "C: 0.1", "C: 0.2"), "versioning.parameter_differs"),
    "the day": (_replace("params.yaml", "2026-11-22", "2026-11-23"), "versioning.parameter_differs"),
    "the policy": (_replace("policies/test.yaml", "the test", "a test"), "versioning.input_differs"),
    "the data": (_replace("data/source/table.csv", "1,2", "1,3"), "versioning.input_differs"),
    "the lock of packages": (_remove("requirements.lock"), "versioning.input_missing"),
    "the code": (_replace("dvc.yaml", "true train", "true other"), "versioning.command_differs"),
    "evidence": (_replace("reports/fairness.json", "0.04", "0.03"), "versioning.output_differs"),
    "a run that failed": (_remove("models/trained/model.skops"), "versioning.output_differs"),
    "params.yaml is broken": (_replace("params.yaml", "name:", "name: ["), "params.not_yaml"),
}


def test_a_verdict_holds_for_the_files_it_judged(project: Path) -> None:
    current = current_verdict.read(project)
    assert (current.is_stale, current.change, current.exit_code) == (False, (), ExitCode.PASS)
    assert current.title.startswith("Pass: ")
    assert (current.to_json()["stale"], current.to_json()["verdict"]) == (False, "pass")


@pytest.mark.parametrize(("change", "code"), CHANGES.values(), ids=CHANGES)
def test_once_a_file_changed_a_pass_is_stale(
    project: Path, change: Callable[[Path], None], code: str
) -> None:
    change(project)
    current = current_verdict.read(project)
    assert current.fault is not None
    assert current.fault.code == code
    assert current.exit_code == ExitCode.NOT_EVALUATED
    assert current.title.startswith("Stale: ")
    assert current.to_json()["verdict"] is None and current.to_json()["last"]["verdict"] == "pass"
    text = current_verdict.markdown(current, project)
    assert text.startswith("## Stale: ") and current.fault.fault in text and "| gap |" not in text


def test_a_withdrawn_report_says_it_is_stale_and_no_page_appears_where_there_was_none(project: Path) -> None:
    page = project / paths.REPORT_PAGE
    current_verdict.withdraw_page(project)
    assert not page.exists()
    files.write_text(page, "<h2>Pass</h2>")
    current_verdict.withdraw_page(project)
    assert "Stale" in page.read_text(encoding="utf-8") and "Pass" not in page.read_text(encoding="utf-8")
    current_verdict.remove_withdrawn_page(project)
    assert not page.exists()
    files.write_text(page, "<h2>Pass</h2>")
    current_verdict.remove_withdrawn_page(project)
    assert page.exists()
