"""What the report costs with many rows: `python -m benchmarks.report_page [PROJECT]`.

The page reads documents and no rows. So the stage `document` must take as long, and the page be about as
large, whatever the number of rows. PROJECT is a clone of this repository that may be changed; default: a new
one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks import million, stages
from clearance import paths

ROOT = Path(__file__).resolve().parent.parent
ROWS = (10_000, 1_000_000)
BEFORE = (*stages.STAGES, "reasons", "baseline", "judge")
REPEATED = 3
BAR = 3.0
"""CPU seconds that `document` may take with a million rows."""


def run(project: Path) -> None:
    """Print what `document` takes, and the size of the page, at each number of rows."""
    source = project / "data/source/rows.parquet"
    source.parent.mkdir(parents=True, exist_ok=True)
    (project / paths.PARAMS).write_text(yaml.safe_dump(million.params("data/source/rows.parquet")))
    seconds, sizes = {}, {}
    for rows in ROWS:
        million.write(source, rows)
        for stage in BEFORE:
            stages.measure(project, stage)
        seconds[rows] = min(stages.measure(project, "document")[0] for _ in range(REPEATED))
        sizes[rows] = (project / paths.REPORT_PAGE).stat().st_size
        print(
            f"  {rows:>10,} rows  document {seconds[rows]:5.2f} s CPU, {sizes[rows] / 1000:,.0f} kB",
            flush=True,
        )
    few, many = ROWS
    outcome = "met" if seconds[many] <= BAR else "missed"
    print(f"document, {many:,} rows / {few:,} rows: {seconds[many] / seconds[few]:.2f} by CPU")
    print(f"document / {BAR:g} s: {seconds[many] / BAR:.2f}   (bar 1.00: {outcome})")
    print(f"page, {many:,} rows / {few:,} rows: {sizes[many] / sizes[few]:.2f} by bytes")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
            run(Path(folder))
