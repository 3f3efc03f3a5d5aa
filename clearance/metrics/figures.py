"""How figures look: one quiet style for all of them, and bytes that do not change from run to run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

INK, LINE, QUIET = "#1f2933", "#1f5fa8", "#9aa5b1"
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "svg.fonttype": "none",  # text stays text: the reader's fonts have the letters that ours lack
    "text.parse_math": False,  # names appear as they are written, dollar signs too
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "savefig.dpi": 130,
}
METADATA = {"svg": {"Date": None, "Creator": None}}
"""What `savefig` is given for each format so that it writes no time and no version."""


@contextmanager
def style(salt: str) -> Iterator[None]:
    """The house style; `salt` names the figure and keeps the ids in its SVG the same.

    Letters that the font lacks are not warned of: only their widths are estimated here.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield
