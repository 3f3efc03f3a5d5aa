"""The drift of 12 columns between two Parquet files: `python -m tasks.monitor` against Evidently's presets.

    python -m benchmarks.drift [--rows 10000000] [--peers default psi]

Every figure is a whole process on this machine, in this run: seconds on the clock, CPU seconds, the largest
resident memory. Compare ratios. Evidently is an extra: `make setup EXTRAS="evidently"`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clearance.errors import ExitCode
from clearance.monitoring.batch import evidently_page

COLUMNS = 12
BARS = {"default": 50, "psi": 30}
"""How many times faster than a preset of Evidently it must be, by the name of its method."""
MEMORY_BAR = 10
_AT_ONCE = 1_000_000
_CELLS = 10


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the clock, CPU seconds, the largest resident memory in GiB."""

    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:7.1f} s wall {self.cpu:7.1f} s CPU {self.memory:6.2f} GiB"


def write_table(path: Path, rows: int, seed: int, shift: float) -> None:
    """A table of normal columns, of which the first is shifted, and a column of cells 0 to 9."""
    random = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, _AT_ONCE):
        size = min(_AT_ONCE, rows - start)
        columns = {
            f"x{index}": random.normal(0.0 if index else shift, 1.0, size) for index in range(COLUMNS - 1)
        }
        columns["cells"] = random.binomial(_CELLS - 1, 0.5 + shift / 4, size)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)  # with the defaults, as pandas does
        writer.write_table(table, row_group_size=122_880)
    if writer is not None:
        writer.close()


def measure(command: Sequence[str], folder: Path) -> tuple[Cost, dict[str, float]]:
    """Run the command, whose last line of output is a JSON object of values by column; what it took."""
    output = folder / "output"
    variables = os.environ | {"DO_NOT_TRACK": "1"}
    start = time.perf_counter()
    with output.open("wb") as file:
        pid = os.posix_spawn(
            sys.executable,
            command,
            variables,
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )
        _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (ExitCode.PASS, ExitCode.REFUSED):
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return (
        Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20),
        _values(output.read_text(encoding="utf-8")),
    )


def _values(output: str) -> dict[str, float]:
    content: dict[str, Any] = json.loads(output)
    if "findings" not in content:
        return content
    return {finding["subject"]: finding["value"] for finding in content["findings"] if finding["subject"]}


def peer(reference: str, current: str, method: str) -> None:
    """Print the values of Evidently's preset, computed in this process as its users' scripts do."""
    import pandas as pd

    now, before = pd.read_parquet(current), pd.read_parquet(reference)
    preset = {} if method == "default" else {"method": method}
    report = evidently_page.drift(now, before, [], **preset)
    print(json.dumps(evidently_page.values(report)))


def main() -> None:
    """Print what both took, the ratios beside their bars, and how far the values of the same cells differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peers", nargs="*", choices=list(BARS), default=list(BARS))
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(*options.peer)
        return
    if options.peers:
        evidently_page.check_installed()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        folder = Path(place)
        tables = [folder / "reference.parquet", folder / "current.parquet"]
        for seed, table in enumerate(tables):
            write_table(table, options.rows, seed, shift=0.1 * seed)
        paths = [str(table) for table in tables]
        words = ["--reference", paths[0], "--current", paths[1], "--threshold", "0.1", "--point", "--json"]
        ours, values = measure([sys.executable, "-m", "tasks.monitor", *words], folder)
        print(f"  ours              {ours}", flush=True)
        for method in options.peers:
            command = [sys.executable, "-m", "benchmarks.drift", "--peer", *paths, method]
            theirs, their_values = measure(command, folder)
            print(f"  evidently {method:7} {theirs}", flush=True)
            print(f"times faster than {method:7} {theirs.wall / ours.wall:6.1f}   (bar {BARS[method]})")
            print(f"  of CPU time             {theirs.cpu / ours.cpu:6.1f}")
            print(f"memory, part of {method:7} 1/{theirs.memory / ours.memory:4.1f}   (bar 1/{MEMORY_BAR})")
            if method == "psi":
                difference = abs(values["cells"] - their_values["cells"])
                print(f"PSI of the same cells   {difference:.1e} apart   (bar 1e-9)")


if __name__ == "__main__":
    main()
