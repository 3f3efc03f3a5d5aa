"""The page in a real browser: it shows, fits a telephone, follows the reader's theme, and stays inert."""

import re
from pathlib import Path

import pytest

from clearance import files
from tests.support import browser, reported
from tests.support.browser import CHROMIUM, DARK, browse, pixels

TELEPHONE, DESK = 390, 1280

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no chromium on this machine: tests/test_document.py checks the page as text only",
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    documents = reported.documents(reported.DIGITS["gap"])
    first = reported.candidate("none", 0.75)
    documents["training"]["candidates"].insert(0, first)
    root = reported.write(tmp_path, documents, points=reported.TWO_CANDIDATES)
    files.write_text(path, reported.page(root, reported.since()))
    return path


@pytest.mark.parametrize(
    ("width", "rows"), [(TELEPHONE, "block"), (DESK, "table-row")], ids=["telephone", "desk"]
)
def test_it_fits_the_window_and_shows_its_pictures(tmp_path: Path, page: Path, width: int, rows: str) -> None:
    layout = browser.layout(tmp_path, page, width)
    assert layout["overflow"] == "0", "the page scrolls sideways: only tables may, in their own boxes"
    assert layout["pictures"] == "2"
    assert layout["loaded"] == "0"
    assert layout["rules"] == rows
    assert layout["width"] == str(width)


def test_it_follows_the_readers_theme(tmp_path: Path, page: Path) -> None:
    light = browser.layout(tmp_path, page, DESK)["ground"]
    dark = browser.layout(tmp_path, page, DESK, DARK)["ground"]
    assert min(map(int, re.findall(r"\d+", light))) > 200
    assert max(map(int, re.findall(r"\d+", dark))) < 60


def test_it_is_drawn(tmp_path: Path, page: Path) -> None:
    image = tmp_path / "page.png"
    browse(tmp_path, "--window-size=1280,900", f"--screenshot={image}", page.as_uri())
    assert len(set(pixels(image)[100_000:2_000_000])) > 50, "the page is blank"


def opened(page: Path) -> Path:
    """The page with every folded part open."""
    path = page.with_name("opened.html")
    files.write_text(path, page.read_text(encoding="utf-8").replace("<details", "<details open"))
    return path


def sheets(tmp_path: Path, page: Path) -> int:
    """On how many sheets the page prints."""
    paper = tmp_path / "page.pdf"
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    return len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))


def test_print_opens_what_is_folded(tmp_path: Path, page: Path) -> None:
    folded = page.with_name("folded.html")
    text = page.read_text(encoding="utf-8")
    files.write_text(folded, re.sub(r"details::details-content \{[^}]*\}", "", text))
    assert sheets(tmp_path, folded) < sheets(tmp_path, page) == sheets(tmp_path, opened(page))


@pytest.mark.skipif(not browser.AXE, reason="CLEARANCE_AXE does not name the file axe.min.js")
@pytest.mark.parametrize(
    ("width", "arguments"),
    [(DESK, ()), (DESK, (DARK,)), (320, (DARK,)), (DESK // 2, ("--force-device-scale-factor=2",))],
    ids=["light", "dark", "320 pixels", "200 percent"],
)
def test_axe_finds_nothing_on_the_opened_page(
    tmp_path: Path, page: Path, width: int, arguments: tuple[str, ...]
) -> None:
    assert browser.violations(tmp_path, opened(page), width, *arguments) == []


def test_nothing_is_wider_than_a_small_telephone(tmp_path: Path, page: Path) -> None:
    layout = browser.layout(tmp_path, opened(page), 320)
    assert (layout["overflow"], layout["width"], layout["loaded"]) == ("0", "320", "0")


@pytest.mark.parametrize("policy", ["", "<meta http-equiv=[^>]*>"], ids=["as it is", "without its policy"])
def test_nothing_in_the_evidence_runs(tmp_path: Path, policy: str) -> None:
    attack = "</td></p><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    documents = reported.documents()
    documents["training"]["threshold_rule"] = attack
    documents["fairness"]["groups"]["race"][f"Elf{attack}"] = documents["fairness"]["groups"]["race"].pop(
        "Elf"
    )
    documents["validation_raw"]["expectations"][0]["examples"][0]["value"] = attack
    root = reported.write(tmp_path, documents)
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' onload=\"parent.document.title='owned'\">"
        "<script>parent.document.title='owned'</script></svg>"
    )
    files.write_text(root / "reports/figures/explain/beeswarm.svg", svg)
    files.write_json(root / "reports/figures/evaluate/score_distribution.json", {"race": {attack: [1, 2]}})
    page = root / "report.html"
    files.write_text(page, re.sub(policy, "", reported.page(root, reported.since(attack))))
    dom = browse(tmp_path, "--dump-dom", page.as_uri())
    assert "<title>Pass: loans, evidence report</title>" in dom
    assert "Elf&lt;/td&gt;&lt;/p&gt;&lt;script&gt;" in dom
