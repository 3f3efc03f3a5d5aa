"""The page in a real browser: it shows, fits a telephone, follows the reader's theme, and stays inert."""

import html
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from clearance import files
from tests.support import reported

CHROMIUM = shutil.which("chromium")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DARK = "--blink-settings=preferredColorScheme=0"
TELEPHONE, DESK = 390, 1280
PROBE = """<script>
const root = document.documentElement, seen = parent.document.documentElement.dataset;
const at = name => getComputedStyle(document.querySelector(name));
const loaded = performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:"));
seen.overflow = root.scrollWidth - root.clientWidth;
seen.width = root.clientWidth;
seen.ground = at("body").backgroundColor;
seen.loaded = loaded.length;
seen.pictures = [...document.images].filter(image => image.naturalWidth > 0).length;
seen.rules = at(".rules tr").display;
</script>"""
"""Asks the browser what a reader would see. The page's own policy would not let it run: see `probed`."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no chromium on this machine: tests/test_document.py checks the page as text only",
)


def browse(tmp_path: Path, *arguments: str) -> str:
    result = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments],
        capture_output=True,
        timeout=120,
        check=True,
    )
    return result.stdout.decode()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    documents = reported.documents(reported.DIGITS["gap"])
    first = reported.candidate("none", 0.75)
    documents["training"]["candidates"].insert(0, first)
    files.write_text(path, reported.page(reported.write(tmp_path, documents, pareto=True)))
    return path


def probed(page: Path, width: int) -> Path:
    """A page that frames the report at this width, without its policy and with the probe at its end."""
    report = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    framed = html.escape(report.replace("</body>", PROBE + "</body>"))
    path = page.with_name("probed.html")
    path.write_text(
        f'<!DOCTYPE html><html><title>frame</title><iframe srcdoc="{framed}" '
        f'style="border:0;width:{width}px;height:900px"></iframe></html>',
        encoding="utf-8",
    )
    return path


def seen(tmp_path: Path, page: Path, width: int, *arguments: str) -> dict[str, str]:
    dom = browse(tmp_path, *arguments, "--dump-dom", probed(page, width).as_uri())
    return dict(re.findall(r'data-(\w+)="([^"]*)"', dom[: dom.index(">", dom.index("<html")) + 1]))


def pixels(path: Path) -> bytes:
    """The decompressed pixel data of a PNG."""
    data, at, stream = path.read_bytes(), 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            stream += data[at + 8 : at + 8 + length]
        at += length + 12
    return zlib.decompress(stream)


@pytest.mark.parametrize(
    ("width", "rows"), [(TELEPHONE, "block"), (DESK, "table-row")], ids=["telephone", "desk"]
)
def test_it_fits_the_window_and_shows_its_pictures(tmp_path: Path, page: Path, width: int, rows: str) -> None:
    layout = seen(tmp_path, page, width)
    assert layout["overflow"] == "0", "the page scrolls sideways: only tables may, in their own boxes"
    assert layout["pictures"] == "4"
    assert layout["loaded"] == "0"
    assert layout["rules"] == rows
    assert layout["width"] == str(width)


def test_it_follows_the_readers_theme(tmp_path: Path, page: Path) -> None:
    light = seen(tmp_path, page, DESK)["ground"]
    dark = seen(tmp_path, page, DESK, DARK)["ground"]
    assert min(map(int, re.findall(r"\d+", light))) > 200
    assert max(map(int, re.findall(r"\d+", dark))) < 60


def test_it_is_drawn(tmp_path: Path, page: Path) -> None:
    image = tmp_path / "page.png"
    browse(tmp_path, "--window-size=1280,900", f"--screenshot={image}", page.as_uri())
    assert len(set(pixels(image)[100_000:2_000_000])) > 50, "the page is blank"


def test_it_prints(tmp_path: Path, page: Path) -> None:
    paper = tmp_path / "page.pdf"
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF-")
    assert len(paper.read_bytes()) > 20_000


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
    files.write_text(root / "reports/figures/evaluate/roc.svg", svg)
    page = root / "report.html"
    files.write_text(page, re.sub(policy, "", reported.page(root)))
    dom = browse(tmp_path, "--dump-dom", page.as_uri())
    assert "<title>Pass: loans, evidence report</title>" in dom
    assert "Elf&lt;/td&gt;&lt;/p&gt;&lt;script&gt;" in dom
