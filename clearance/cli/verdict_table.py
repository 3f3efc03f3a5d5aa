"""The findings of a verdict as a table for a terminal: the same rows as everywhere else."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from clearance import foreign_text
from clearance.reporting import summary


def table(rows: Iterable[summary.Row]) -> Table:
    """The table of these findings; nothing in a cell acts on a terminal, and long names wrap."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in summary.COLUMNS:
        drawn.add_column(name, overflow="fold", no_wrap=name not in {"rule", "by"})
    for row in rows:
        cells = [Text(foreign_text.inert(cell)) for cell in row.cells]
        drawn.add_row(*cells, style="" if row.holds else "bold")
    return drawn
