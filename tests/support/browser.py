"""Pages in a real Chromium: what a reader would see of them, asked of the browser itself."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

CHROMIUM = shutil.which("chromium")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DARK = "--blink-settings=preferredColorScheme=0"
PROBE = """<script>
const root = document.documentElement, seen = parent.document.documentElement.dataset;
const at = name => getComputedStyle(document.querySelector(name));
const loaded = performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:"));
seen.overflow = root.scrollWidth - root.clientWidth;
seen.width = root.clientWidth;
seen.ground = at("body").backgroundColor;
seen.loaded = loaded.length;
seen.pictures = [...document.images].filter(image => image.naturalWidth > 0).length;
seen.rules = at("%s").display;
</script>"""
"""Asks the browser what a reader would see. The page's own policy would not let it run: see `probed`."""


def browse(tmp_path: Path, *arguments: str) -> str:
    """What the browser prints when it is started with these arguments."""
    result = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments],
        capture_output=True,
        timeout=120,
        check=True,
    )
    return result.stdout.decode()


def probed(page: Path, width: int, probe: str) -> Path:
    """A page that frames another at this width, without its policy and with a script at its end."""
    text = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    framed = html.escape(text.replace("</body>", probe + "</body>"))
    path = page.with_name("probed.html")
    path.write_text(
        f'<!DOCTYPE html><html><title>frame</title><iframe srcdoc="{framed}" '
        f'style="border:0;width:{width}px;height:900px"></iframe></html>',
        encoding="utf-8",
    )
    return path


def layout(
    tmp_path: Path, page: Path, width: int, *arguments: str, rows: str = ".rules tr"
) -> dict[str, str]:
    """What `PROBE` saw: overflow, width, ground, loaded, pictures, and the display of `rows`."""
    return answers(tmp_path, probed(page, width, PROBE % rows), *arguments)


def answers(tmp_path: Path, page: Path, *arguments: str) -> dict[str, str]:
    """What the script of a `probed` page left for us."""
    dom = browse(tmp_path, *arguments, "--dump-dom", page.as_uri())
    head = dom[: dom.index(">", dom.index("<html")) + 1]
    return {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', head)}


def pixels(path: Path) -> bytes:
    """The decompressed pixel data of a PNG."""
    data, at, stream = path.read_bytes(), 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            stream += data[at + 8 : at + 8 + length]
        at += length + 12
    return zlib.decompress(stream)


AXE = os.environ.get("CLEARANCE_AXE", "")
"""The file axe.min.js of axe-core, where the machine has it."""

_RUN_AXE = """<script>axe.run(document).then(result => {
  const seen = parent.document.documentElement.dataset;
  seen.rules = result.passes.length;
  seen.violations = JSON.stringify(result.violations.map(it => [it.id, it.nodes.map(node => node.html)]));
})</script>"""


def violations(tmp_path: Path, page: Path, width: int, *arguments: str) -> list[tuple[str, list[str]]]:
    """The rules of accessibility that axe-core finds broken on the page at this width, with the elements.

    Raises AssertionError where axe checked next to nothing.
    """
    library = Path(AXE).read_text(encoding="utf-8").replace("</script", "<\\/script")
    framed = probed(page, width, f"<script>{library}</script>{_RUN_AXE}")
    seen = answers(tmp_path, framed, "--virtual-time-budget=60000", *arguments)
    assert int(seen["rules"]) > 15, seen
    return [(rule, nodes) for rule, nodes in json.loads(seen["violations"])]
