"""check-documents: true documents hold, and every planted lie is named with its document and place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assurance import documents as study
from clearance import paths
from clearance.documentation import checking
from clearance.documentation.checking import DocumentCheck
from tests.support import carded, nightly

STEP = 1 if nightly.NIGHTLY else 11


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return carded.write(tmp_path_factory.mktemp("true") / "p")


@pytest.fixture
def root(true: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(true, tmp_path / "p"))


def checked(root: Path) -> DocumentCheck:
    return checking.check_folder(root, carded.settings(root))


def replace(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_true_documents_hold(true: Path) -> None:
    result = checked(true)
    assert result.findings == () == result.reworded
    assert {"reports/card.json", "reports/verdict.json", "reports/report.html", "reports/impact.csv"} <= set(
        result.documents
    )
    assert len(result.documents) == 9


LIES: dict[str, tuple[Path, str, str, str]] = {
    "a number of the card": (paths.CARD, "0.812 (0.750", "0.912 (0.750", "reports/card.json"),
    "a statement": (paths.CARD, "For practice alone.", "For everything.", "reports/card.json"),
    "who stated it": (paths.CARD, "A. Person", "B. Person", "reports/card.json"),
    "the page": (paths.CARD_FORMATS / "card.html", "0.812", "0.912", "reports/card/card.html"),
    "the Markdown": (paths.CARD_FORMATS / "card.md", "0.812", "0.912", "reports/card/card.md"),
    "the README": (paths.CARD_FORMATS / "huggingface.md", "0.81234", "0.9", "reports/card/huggingface.md"),
    "the bill": (paths.CARD_FORMATS / "cyclonedx.json", "0.81234", "0.9", "reports/card/cyclonedx.json"),
    "the content": (paths.CARD_FORMATS / "sagemaker.json", "0.81234", "0.9", "reports/card/sagemaker.json"),
    "the report": (paths.REPORT_PAGE, "Pass", "Great", "reports/report.html"),
    "the impact table": (paths.IMPACT_TABLE, "Elf", "Orc", "reports/impact.csv"),
    "a finding of the verdict": (paths.VERDICT, "the", "thy", "reports/verdict.json"),
    "evidence": (paths.FAIRNESS, "0.02", "0.01", "reports/card.json"),
    "what a person wrote": (paths.CARD_TEXT, "alone", "and more", "reports/card.json"),
    "the reasons": (paths.REASONS, "17", "18", "reports/card.json"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_one_file_is_named(root: Path, lie: str) -> None:
    file, before, after, document = LIES[lie]
    replace(root / file, before, after)
    assert document in {finding.document for finding in checked(root).findings}


GONE: list[Path] = [
    *(paths.CARD, paths.CARD_FORMATS / "card.html", paths.REPORT_PAGE, paths.IMPACT_TABLE),
    *(paths.FAIRNESS, paths.PERFORMANCE, paths.REASONS, paths.ORIGIN, paths.TRAINING, paths.MODEL),
]


@pytest.mark.parametrize("file", GONE, ids=str)
def test_a_file_that_is_gone_is_named(root: Path, file: Path) -> None:
    (root / file).unlink()
    named = {(finding.document, finding.problem.artefact) for finding in checked(root).findings}
    assert any(file.as_posix() in pair for pair in named)


def test_a_changed_number_is_named_with_pointer_and_both_values(root: Path) -> None:
    replace(root / paths.REASONS, "17", "18")
    problems = [finding.problem for finding in checked(root).findings]
    assert ("/denials", "17", "18") in {(p.pointer, p.stated, p.actual) for p in problems}


def test_the_first_differing_line_of_a_page_is_named(root: Path) -> None:
    page = root / paths.CARD_FORMATS / "card.md"
    lines = page.read_text().split("\n")
    lines[8] += " really"
    page.write_text("\n".join(lines))
    (finding,) = checked(root).findings
    assert finding.problem.place == "line 9"
    assert finding.problem.stated == lines[8] and finding.problem.actual == lines[8].removesuffix(" really")


def test_findings_are_one_json_value(root: Path) -> None:
    replace(root / paths.CARD, "0.812 (0.750", "0.912 (0.750")
    content = checking.to_json(checked(root))
    assert json.loads(json.dumps(content)) == content
    assert content["findings"]


SPOILED: dict[str, Callable[[Path], object]] = {
    "not JSON": lambda root: (root / paths.CARD).write_text("{"),
    "another shape": lambda root: (root / paths.CARD).write_text('{"schema_version": 1}'),
    "verdict": lambda root: (root / paths.VERDICT).write_text("[]"),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_document_that_cannot_be_read_is_a_finding_and_no_crash(root: Path, spoil: str) -> None:
    SPOILED[spoil](root)
    assert checked(root).findings


def test_planted_lies_are_named_and_clean_sets_are_not(tmp_path: Path) -> None:
    tally, alarms = study.study(tmp_path, seed=7, clean=100 if nightly.NIGHTLY else 2, step=STEP)
    assert tally.misses == []
    assert alarms == []
    assert tally.planted["numbers"] * STEP >= study.BARS["numbers"]
    assert tally.planted["sentences"] * STEP >= study.BARS["sentences"]


def test_the_study_sees_a_check_that_looks_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = carded.write(tmp_path / "p")
    true, tally = study.case(root), study.Tally()
    monkeypatch.setattr(checking, "compare", lambda *_: [])
    study.lie_in_sentences(true, tally, step=40)
    assert tally.misses
