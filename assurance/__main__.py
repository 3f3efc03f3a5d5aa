"""Run the studies: `python -m assurance [study ...] [--seed N] [--write]`. Fails if any broke a promise."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from assurance import (
    attempts,
    cluster_coverage,
    corruption,
    hostile,
    interval_coverage,
    monitoring_estimates,
    tampering,
    verdict_power,
)

ROOT = Path(__file__).resolve().parent.parent

STUDIES: dict[str, Callable[[Path, Sequence[int], bool], int]] = {
    "coverage": interval_coverage.run,
    "power": verdict_power.run,
    "corruption": corruption.run,
    "hostile": hostile.run,
    "tampering": tampering.run,
    "clusters": cluster_coverage.run,
    "attempts": attempts.run,
    "estimates": monitoring_estimates.run,
}
"""Each takes a scratch folder, seeds and whether to rewrite its record; returns how many promises broke."""
MODULES = (
    *("ledger_concurrency", "ledger_tampering", "unauthorised", "crashes", "paired_coverage"),
    *(
        "inference_log_crashes",
        "serving_load",
        "monitoring_false_alarms",
        "monitoring_detection",
        "documents",
    ),
)
"""Studies with options of their own: `python -m assurance.<module>`; the exit status says the same."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assurance", description=__doc__)
    names = [*STUDIES, *MODULES]
    parser.add_argument("studies", nargs="*", default=names, metavar="study", help=", ".join(names))
    parser.add_argument("--seed", type=int, action="append", default=[], help="may be repeated")
    parser.add_argument("--write", action="store_true", help="rewrite the record and the table in docs/")
    options = parser.parse_args()
    if unknown := set(options.studies) - set(names):
        parser.error(f"no such study: {', '.join(sorted(unknown))}")
    failures = [name for name in options.studies if not _holds(name, options.seed, options.write)]
    if failures:
        raise SystemExit(f"broken promises: {', '.join(failures)}")


def _holds(name: str, seeds: Sequence[int], write: bool) -> bool:
    print(f"\n== {name}", flush=True)
    if name in MODULES:
        command = [sys.executable, "-m", f"assurance.{name}"]
        return subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    with tempfile.TemporaryDirectory(prefix="clearance-assurance-") as scratch:
        return STUDIES[name](Path(scratch), seeds, write) == 0


if __name__ == "__main__":
    main()
