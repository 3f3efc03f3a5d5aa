"""The documentation site: `make docs` builds it in site/, without a network, and a warning is an error.

Sphinx reads the repository itself, so a link that works between two files also works between two pages.
"""

import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

import reference  # noqa: E402 - it lies beside this file

project = "Clearance"
html_title = "Clearance"
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "policies/**.md"]
exclude_patterns = [".*", "site", "tests", "assurance", "benchmarks"]

extensions = ["myst_parser"]
myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # a block may show a command and what it prints

highlight_language = "none"  # a block without a language is a command or a transcript

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
add_module_names = False
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

FIRST_GUIDES = (
    "start",
    "configuration",
    "your-model",
    "data",
    "external-models",
    "report",
    "fairness",
    "reasons",
    "model-card",
    "technical-file",
    "governance",
    "approvals",
    "ledger",
    "reproduce",
    "errors",
)
# What a browser would fetch from another host while it shows a page.
REQUEST = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=\"(?:https?:)?//[^>]*>"
    r"|<link\b[^>]*\shref=\"(?:https?:)?//[^>]*>"
)


def write_reference(_: Sphinx) -> None:
    """Write the pages that come from the code, before Sphinx lists its sources."""
    reference.write(ROOT)


def add_navigation(app: Sphinx, page: str, text: list[str]) -> None:
    """Append the navigation to the README, which GitHub shows without it."""
    if page != root_doc:
        return
    pages = sorted(app.env.found_docs - {root_doc})
    guides = [f"docs/{name}" for name in FIRST_GUIDES]
    sections = {
        "Guides": guides
        + [name for name in pages if name.rpartition("/")[0] == "docs" and name not in guides],
        "Reference": [
            "docs/reference/commands",
            "docs/reference/code",
            "docs/reference/schemas",
            "policies/README",
        ],
        "Project": ["docs/reference/decisions", *(name for name in pages if "/" not in name)],
    }
    for title, names in sections.items():
        listing = "\n".join(names)
        text[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listing}\n```\n"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Remove the pages that came from the code, and make the README the front page.

    Raises SphinxError when a page would load anything from another host.
    """
    reference.remove(ROOT)
    if error or app.builder.format != "html":
        return
    shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")
    for path in sorted(app.outdir.rglob("*.html")):
        if request := REQUEST.search(path.read_text(encoding="utf-8")):
            raise SphinxError(f"{path.relative_to(app.outdir)} loads from another host: {request[0]}")


def setup(app: Sphinx) -> None:
    """Connect the steps above to Sphinx."""
    app.connect("builder-inited", write_reference)
    app.connect("source-read", add_navigation)
    app.connect("build-finished", finish)
