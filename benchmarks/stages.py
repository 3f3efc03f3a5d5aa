"""What the stages that read all rows cost, each a process of its own: `python -m benchmarks stages`.

From a hundred thousand rows to ten million, of 25 columns: CPU seconds and peak memory. Each runs with the
settings of a pipeline's children. Nothing here judges a result.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks import million
from clearance import environment
from flows.runner import child_processes

STAGES = (
    *("ingest", "validate raw", "prepare", "validate prepared"),
    *("train", "score", "explain", "assess", "evaluate"),
)
ROWS = (100_000, 1_000_000, 10_000_000)
LIMIT = 3.0
"""GiB that no stage may take, at any of these sizes."""


def measure(project: Path, stage: str) -> tuple[float, float]:
    """CPU seconds and peak resident memory in GiB of one stage. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", *f"tasks.{stage}".split()]
    settings = os.environ | environment.TOOL_DEFAULTS | child_processes.MEMORY
    log = project / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=project, env=settings | {"OMP_NUM_THREADS": "1"}, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(log.read_text(errors="replace")[-3000:])
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def run(project: Path) -> None:
    """Print the table, and the largest memory beside its bar. `project` is a clone of this repository."""
    source = project / "data/source/rows.parquet"
    (project / "params.yaml").write_text(yaml.safe_dump(million.params("data/source/rows.parquet")))
    peaks = {}
    for rows in ROWS:
        million.write(source, rows)
        for stage in STAGES:
            cpu, memory = measure(project, stage)
            peaks[stage, rows] = memory
            print(f"  {rows:>10,} rows  {stage:17} {cpu:6.1f} s CPU {memory:5.2f} GiB", flush=True)
    largest = max(peaks, key=lambda place: peaks[place])
    outcome = "met" if peaks[largest] <= LIMIT else "missed"
    place = f"{largest[0]}, {largest[1]:,} rows"
    print(f"largest stage / {LIMIT:g} GiB   {peaks[largest] / LIMIT:.2f}   (bar 1.00: {outcome}; {place})")
