"""The tables of metrics in docs/fairness.md, written from the catalogue of metrics by `make metrics`.

python -m tools.metric_table [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from clearance.documents import metric_catalogue

PAGE = Path(__file__).parent.parent / "docs/fairness.md"
TABLES = {"fairness metrics": "fairness", "bias metrics": "bias in the data"}
"""The marker of each table in the page, and the family of metrics it lists."""


def table(rows: Iterable[metric_catalogue.Metric]) -> str:
    """A Markdown table with one line a metric."""
    lines = ["| metric | is | range | parity at | interval |", "|---|---|---|---|---|"]
    for metric in rows:
        parity = "" if metric.parity is None else f"{metric.parity:g}"
        cells = (f"`{metric.measurement}`", metric.meaning, metric.range, parity, metric.interval or "none")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def written(text: str) -> str:
    """The page `text` with each table between its markers replaced. Raises ValueError without the markers."""
    for marker, family in TABLES.items():
        start = f"<!-- {marker}: written by `make metrics` -->"
        end = f"<!-- {marker} end -->"
        rows = table(metric for metric in metric_catalogue.METRICS.values() if metric.family == family)
        before, start_found, rest = text.partition(start)
        _, end_found, after = rest.partition(end)
        if not (start_found and end_found):
            raise ValueError(f"{PAGE} has no markers for the table of {marker}")
        text = f"{before}{start}\n{rows}\n{end}{after}"
    return text


def main() -> None:
    """Write the tables; with `--check`, fail instead if they would change."""
    text = PAGE.read_text(encoding="utf-8")
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(written(text), encoding="utf-8")
    elif written(text) != text:
        raise SystemExit("docs/fairness.md is not what the catalogue of metrics gives: run `make metrics`")


if __name__ == "__main__":
    main()
