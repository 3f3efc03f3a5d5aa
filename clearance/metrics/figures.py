"""How figures look: one quiet style for all of them, and bytes that do not change from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

INK, LINE, QUIET = "#1f2933", "#1f5fa8", "#9aa5b1"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
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
METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
"""What `savefig` is given for each format so that it writes no time and no version."""


@contextmanager
def style(salt: str) -> Iterator[None]:
    """The house style; `salt` names the figure and keeps the ids in its SVG the same."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
        yield
