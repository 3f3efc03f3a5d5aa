"""Measure the pipeline against its peers: `python -m benchmarks [cold unchanged tax million fairness ...]`.

Every figure is a whole process on this machine, in this run; compare ratios, not seconds. Studies that
count and are not timed are in `assurance/`.

A peer runs with what its libraries set by themselves, a pipeline with what it sets for them as well, which
`main` prints.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks import deciding, evidence, million, stages
from clearance import environment
from flows.runner import child_processes

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
FOR_BOTH = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MPLBACKEND": "Agg",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""What is set for pipelines and peers, besides a fresh home."""
RUN = [PYTHON, "-m", "flows.terminal", "--any-verdict"]


@dataclass(frozen=True)
class Cost:
    """What one whole process tree took: seconds on the clock, CPU seconds, peak memory in GiB."""

    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:6.1f} s wall {self.cpu:6.1f} s CPU {self.memory:5.2f} GiB"


def measure(command: Sequence[str], folder: Path, home: Path) -> Cost:
    """Run `command` in `folder` with a fresh home. Raises CalledProcessError when it fails."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "MLFLOW"))
    }
    variables |= FOR_BOTH | {"HOME": str(home)}
    home.mkdir(parents=True, exist_ok=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    log = home / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peak))
        watcher.start()
        code = process.wait()
        watcher.join()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        sys.stderr.write(log.read_text(errors="replace")[-3000:])
        raise subprocess.CalledProcessError(code, command)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak[0] / 2**30)


def _watch(pid: int, peak: list[float]) -> None:
    while True:
        try:
            tree = psutil.Process(pid)
            peak[0] = max(peak[0], sum(_private(p) for p in [tree, *tree.children(recursive=True)]))
        except psutil.NoSuchProcess:
            return
        time.sleep(1)


def _private(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0


def clone(folder: Path) -> Path:
    """A bare clone of this repository, without any output or state."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def cold(scratch: Path, repeats: int) -> None:
    """A first run after set-up against the naive and the tuned peer, taken in turns."""
    rows: dict[str, list[Cost]] = {"ours": [], "naive": [], "tuned": []}
    for index in range(repeats):
        ours = clone(scratch / f"ours{index}")
        rows["ours"].append(measure(RUN, ours, scratch / f"ours{index}-home"))
        for name, extra in {"naive": [], "tuned": ["--tuned"]}.items():
            folder = scratch / f"{name}{index}"
            folder.mkdir()
            shutil.copy(ROOT / "params.yaml", folder)
            command = [PYTHON, str(ROOT / "benchmarks/peer.py"), *extra]
            rows[name].append(measure(command, folder, scratch / f"{name}{index}-home"))
        for name, costs in rows.items():
            print(f"  cold {name:6} {costs[-1]}")
    wall = {name: statistics.median(cost.wall for cost in costs) for name, costs in rows.items()}
    print(f"cold run / naive peer  {wall['ours'] / wall['naive']:.2f}   (bar 1.00)")
    print(f"cold run / tuned peer  {wall['ours'] / wall['tuned']:.2f}   (bar 1.50)")


def unchanged(scratch: Path, repeats: int) -> None:
    """An unchanged rerun, which is told and not run; `dvc repro`; import."""
    project = clone(scratch / "unchanged")
    home = scratch / "unchanged-home"
    first = measure(RUN, project, home)
    again = [measure(RUN, project, home) for _ in range(repeats)]
    for cost in (first, *again):
        print(f"  {'first' if cost is first else 'unchanged'} {cost}")
    print(f"unchanged rerun                 {statistics.median(cost.wall for cost in again):.2f} s   (bar 2)")
    dvc = [measure([PYTHON, "-m", "dvc", "repro"], project, home).wall for _ in range(repeats)]
    print(f"dvc repro, unchanged            {statistics.median(dvc):.2f} s   (bar 3)")
    load = [measure([PYTHON, "-c", "import clearance"], project, home).wall for _ in range(repeats)]
    bare = [measure([PYTHON, "-c", "pass"], project, home).wall for _ in range(repeats)]
    cost = statistics.median(load) - statistics.median(bare)
    print(f"import clearance                {cost:.2f} s   (bar 0.3)")


def large(scratch: Path, _repeats: int) -> None:
    """One million rows: the whole pipeline against a hand-written script over the same file.

    Twice: as the first run of a bare clone, and on other rows in a checkout that has run before, where the
    databases of Prefect and MLflow exist. Beside the first, the tuned peer: what the same libraries take in
    one process without governance.
    """
    project = clone(scratch / "million")
    source = project / "data/source/million.csv"
    million.table().to_csv(source, index=False)
    (project / "params.yaml").write_text(yaml.safe_dump(million.params("data/source/million.csv")))
    policy = yaml.safe_load((project / "policies/authorised.yaml").read_text())
    policy["models"]["million"] = policy["models"]["loan-approval"]
    (project / "policies/authorised.yaml").write_text(yaml.safe_dump(policy))
    for run in ("first", "second"):
        if run == "second":
            million.table(seed=1).to_csv(source, index=False)
        command = [PYTHON, "-m", "benchmarks.script", str(source), str(scratch / "script")]
        theirs = measure(command, ROOT, scratch / "script-home")
        ours = measure(RUN, project, scratch / "million-home")
        print(f"  script   {theirs}\n{(scratch / 'script-home/output.log').read_text()}")
        print(f"  pipeline {ours}\n{(scratch / 'million-home/output.log').read_text()}")
        print(f"1 million rows / script, {run} run, CPU   {ours.cpu / theirs.cpu:.2f}   (bar 2.00)")
        print(f"1 million rows / script, {run} run, wall  {ours.wall / theirs.wall:.2f}   (bar 1.70)")
        if run == "first":
            print(f"  tuned peer {_peer(project, source, scratch)}", flush=True)


def _peer(project: Path, source: Path, scratch: Path) -> Cost:
    """What the tuned peer takes over the same file, in a folder of its own."""
    folder = scratch / "peer"
    place = folder / source.relative_to(project)
    place.parent.mkdir(parents=True)
    place.hardlink_to(source)
    shutil.copy(project / "params.yaml", folder)
    command = [PYTHON, str(ROOT / "benchmarks/peer.py"), "--tuned"]
    return measure(command, folder, scratch / "peer-home")


def tax(scratch: Path, _repeats: int) -> None:
    """What a stage costs beyond its own work; see `benchmarks.tax`."""
    project = clone(scratch / "tax")
    home = scratch / "tax-home"
    measure(RUN, project, home)
    measure([PYTHON, "-m", "benchmarks.tax"], project, home)
    print((home / "output.log").read_text(), end="")


def proof(scratch: Path, repeats: int) -> None:
    """What verifying a version costs, and evidence and signature in a run; see `benchmarks.deciding`."""
    project = clone(scratch / "proof")
    measure(RUN, project, scratch / "proof-home")
    timings = deciding.speed(project, repeats)
    print(f"verify of one version beyond imports  {timings['verify']:.2f} s   (bar 1.0)")
    print(f"evidence and signature in a release   {timings['sign']:.2f} s   (bar 0.5)")


def all_stages(scratch: Path, _repeats: int) -> None:
    """CPU and memory of the stages that read all rows, to ten million of them; see `benchmarks.stages`."""
    stages.run(clone(scratch / "stages"))


PARTS: dict[str, Callable[[Path, int], None]] = {
    "cold": cold,
    "unchanged": unchanged,
    "tax": tax,
    "million": large,
    "stages": all_stages,
    "fairness": evidence.speed,
    "growth": evidence.growth,
    "parquet": evidence.parquet,
    "proof": proof,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each measurement")
    parser.epilog = (
        "The speed of the ledger, of the log of decisions, of one row and its reasons, of drift between two "
        "tables: python -m benchmarks.ledger_speed, python -m benchmarks.inference_log_speed, "
        "python -m benchmarks.reasons, python -m benchmarks.drift."
    )
    options = parser.parse_args()
    every = environment.TOOL_DEFAULTS | child_processes.MEMORY
    ours = {name: value for name, value in every.items() if name not in FOR_BOTH}
    print("set for the pipeline alone: " + " ".join(f"{name}={value}" for name, value in ours.items()))
    for part in options.parts:
        with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
            PARTS[part](Path(scratch), options.repeats)


if __name__ == "__main__":
    main()
