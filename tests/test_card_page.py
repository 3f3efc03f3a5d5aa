"""The card's page in a real browser: accessible in light and dark, small and large, and inert."""

import re
from pathlib import Path

import pytest

from clearance import paths
from tests.support import browser, carded
from tests.support.browser import CHROMIUM, DARK

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/test_card.py checks the page as text"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The opened page of a card with gaps, statements and tables."""
    stated = carded.STATED | {"contacts": []}
    root = carded.write(tmp_path_factory.mktemp("page") / "p", stated=stated)
    path = root / paths.CARD_FORMATS / "card.html"
    path.write_text(path.read_text().replace("<details>", "<details open>"))
    return path


SIZES = {
    "light": (1280, ()),
    "dark": (1280, (DARK,)),
    "320 pixels": (320, (DARK,)),
    "200 percent": (640, ("--force-device-scale-factor=2",)),
}


@pytest.mark.skipif(not browser.AXE, reason="CLEARANCE_AXE does not name the file axe.min.js")
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(tmp_path: Path, page: Path, size: str) -> None:
    width, arguments = SIZES[size]
    assert browser.violations(tmp_path, page, width, *arguments) == []


def test_it_fits_a_small_telephone_and_loads_nothing(tmp_path: Path, page: Path) -> None:
    layout = browser.layout(tmp_path, page, 320, rows="section")
    assert (layout["overflow"], layout["width"], layout["loaded"]) == ("0", "320", "0")


def test_it_prints(tmp_path: Path, page: Path) -> None:
    paper = tmp_path / "card.pdf"
    browser.browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF-") and len(paper.read_bytes()) > 20_000


def test_nothing_in_it_runs_even_without_its_policy(tmp_path: Path) -> None:
    attack = "</p><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    stated = carded.STATED | {"limits": [{"text": attack, "by": attack[:150], "on": "2026-11-01"}]}
    root = carded.write(tmp_path / "p", stated=stated)
    path = root / paths.CARD_FORMATS / "card.html"
    path.write_text(re.sub("<meta http-equiv=[^>]*>", "", path.read_text()))
    dom = browser.browse(tmp_path, "--dump-dom", path.as_uri())
    assert "<title>Model card: loans</title>" in dom


def test_print_opens_what_is_folded(tmp_path: Path, page: Path) -> None:
    folded = tmp_path / "folded.html"
    folded.write_text(page.read_text().replace("<details open>", "<details>"))
    hidden = tmp_path / "hidden.html"
    hidden.write_text(folded.read_text().replace("details::details-content", "unknown"))
    sizes = []
    for path in (page, folded, hidden):
        paper = path.with_suffix(".pdf")
        browser.browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", path.as_uri())
        sizes.append(paper.read_bytes().count(b"/Type /Page\n"))
    assert sizes[0] == sizes[1] > sizes[2]
