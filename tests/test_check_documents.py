"""check-documents: true documents hold, and every planted lie is named with its document and place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from assurance import documents as study
from clearance import files, paths
from clearance.documentation import checking, recorded_copies
from clearance.documentation.checking import DocumentCheck
from clearance.documentation.recorded_copies import Copies
from clearance.versioning import digests, git
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
    "evidence": (paths.FAIRNESS, "0.02", "0.01", "reports/fairness.json"),
    "what a person wrote": (paths.CARD_TEXT, "alone", "and more", "card.yaml"),
    "the reasons": (paths.REASONS, "17", "18", "reports/reasons.json"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_one_file_is_named(root: Path, lie: str) -> None:
    file, before, after, document = LIES[lie]
    replace(root / file, before, after)
    assert named(checked(root)) == {document}


def named(result: DocumentCheck) -> set[str]:
    """The files that are wrong by the check."""
    return {finding.document for finding in result.findings} | {change.path for change in result.artefacts}


GONE: list[Path] = [
    *(paths.CARD, paths.CARD_FORMATS / "card.html", paths.REPORT_PAGE, paths.IMPACT_TABLE),
    *(paths.FAIRNESS, paths.PERFORMANCE, paths.REASONS, paths.ORIGIN, paths.TRAINING, paths.MODEL),
]


@pytest.mark.parametrize("file", GONE, ids=str)
def test_a_file_that_is_gone_is_named(root: Path, file: Path) -> None:
    (root / file).unlink()
    result = checked(root)
    assert list(result.missing) == [file.as_posix()]
    assert named(result) == set()
    assert not result.holds


def test_a_changed_number_is_named_with_pointer_and_both_values(root: Path) -> None:
    replace(root / paths.REASONS, "17", "18")
    (change,) = checked(root).artefacts
    assert change.path == "reports/reasons.json"
    assert [(p.pointer, p.stated, p.actual) for p in change.changes] == [("/denials", "17", "18")]
    assert change.resting


def copies_of(true: Path) -> Copies:
    """What a cache would bring back: the files of the true project."""
    return lambda recorded: {path: (true / path).read_bytes() for path in recorded}


def test_with_copies_each_file_is_named_once_by_its_own_change(true: Path, root: Path) -> None:
    replace(root / paths.FAIRNESS, "0.02", "0.01")
    replace(root / paths.CARD_FORMATS / "card.md", "0.812", "0.912")
    replace(root / paths.REPORT_PAGE, "Pass", "Great")
    result = checking.check_folder(root, carded.settings(root), copies_of(true))
    assert {change.path for change in result.artefacts} == {"reports/fairness.json"}
    assert all(p.stated.startswith("0.02") for change in result.artefacts for p in change.changes)
    assert [finding.document for finding in result.findings] == [
        "reports/card/card.md",
        "reports/report.html",
    ]
    assert result.unchecked == ()


def test_without_copies_what_cannot_be_derived_again_is_said(root: Path) -> None:
    replace(root / paths.FAIRNESS, "0.02", "0.01")
    replace(root / paths.CARD_FORMATS / "card.md", "0.812", "0.912")
    result = checked(root)
    assert named(result) == {"reports/fairness.json", "reports/card/card.md"}
    assert {"reports/verdict.json", "reports/report.html", "reports/impact.csv"} <= set(result.unchecked)


@pytest.mark.parametrize("file", [paths.FAIRNESS, paths.VERDICT, paths.MODEL, paths.CARD_TEXT], ids=str)
def test_a_missing_artefact_is_one_line(true: Path, root: Path, file: Path) -> None:
    (root / file).unlink()
    result = checking.check_folder(root, carded.settings(root), copies_of(true))
    assert [line.split(" is missing")[0] for line in checking.lines(result)] == [file.as_posix()]


def test_a_verdict_that_was_changed_is_named_and_accuses_no_artefact(true: Path, root: Path) -> None:
    recorded = json.loads((root / paths.VERDICT).read_text())["evidence"]["reports/split.json"]
    replace(root / paths.VERDICT, recorded, "0" * 64)
    result = checking.check_folder(root, carded.settings(root), copies_of(true))
    assert named(result) == {"reports/verdict.json"}


def test_without_a_run_there_is_nothing_to_check(root: Path) -> None:
    shutil.rmtree(root / paths.REPORTS)
    result = checking.check_project(root)
    assert result.documents == () and not result.holds
    (line,) = checking.lines(result)
    assert "clearance run" in line


def test_a_copy_counts_only_with_the_recorded_digest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"a.json": b"right", "b.json": b"wrong", "c.json": None}
    monkeypatch.setattr(git, "files_at_head", lambda *_: ("commit", held))
    recorded = dict.fromkeys(held, files.sha256_text("right"))
    assert recorded_copies.of_project(root)(recorded) == {"a.json": b"right"}


def test_a_copy_comes_from_the_cache(root: Path) -> None:
    content = b'{"value": 1}'
    name = digests.bytes_md5(content)
    Repo.init(str(root), no_scm=True)
    kept = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    stage = {"cmd": "python -m tasks.a", "outs": [{"path": "reports/a.json", "md5": name}]}
    (root / paths.DVC_LOCK).write_text(json.dumps({"schema": "2.0", "stages": {"a": stage}}))
    recorded = {"reports/a.json": files.sha256_text(content.decode()), "reports/b.json": "0" * 64}
    assert recorded_copies.of_project(root)(recorded) == {"reports/a.json": content}


def test_the_wording_of_a_signed_version_is_shown_with_its_places(root: Path) -> None:
    replace(root / paths.CARD_FORMATS / "card.md", "Model card", "Card")
    signed = checking._signed(checked(root))
    assert signed.holds and signed.findings == ()
    shown = list(checking.lines(signed))
    assert any("reports/card/card.md" in line for line in shown)
    assert any(line.startswith("  line 1:") for line in shown)


def test_a_long_line_is_shown_around_its_change(root: Path) -> None:
    page = root / paths.REPORT_PAGE
    page.write_text(page.read_text().replace("<body", f"<!-- {'x' * 5_000} --><body", 1))
    assert max(map(len, checking.lines(checked(root)))) < 300


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
