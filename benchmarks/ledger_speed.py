"""How fast a ledger is verified and appended to: `python -m benchmarks.ledger_speed`.

SQLite with synchronous=FULL, one writer, every batch signed (Ed25519) and its checkpoint synced.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from clearance import ledger
from tests.support import ledger_samples as samples


def run(scratch: Path, entries: int = 100_000, group: int = 100, single: int = 3_000) -> dict[str, float]:
    """Entries a second: verified and appended, in groups of `group` and one by one; peak memory in MiB.

    `verify_cpu_*` is per second of this process's own CPU time: what a machine with nothing else to do gives.
    """
    results = {}
    for name, size, count in (("group", group, entries), ("single", 1, single)):
        folder = scratch / name
        folder.mkdir()
        signer = samples.signer()
        seal = signer.seal(folder / "checkpoints")
        with ledger.open(samples.sqlite(folder), seal=seal) as book:
            ledger.append(book, [samples.draft(1)])  # loads what signs
            start, spent = time.perf_counter(), time.process_time()
            for number in range(count // size):
                ledger.append(book, [samples.draft(number)] * size)
            results[f"append_{name}"] = count / (time.perf_counter() - start)
            results[f"append_cpu_{name}"] = count / (time.process_time() - spent)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seconds, cpu = [], []
            for _ in range(3):
                start, spent = time.perf_counter(), time.process_time()
                report = ledger.verify(book, seal.places, signer.verify_envelope)
                seconds.append(time.perf_counter() - start)
                cpu.append(time.process_time() - spent)
            if not report.ok:
                raise AssertionError(str(report))
            results[f"verify_{name}"] = report.entries / min(seconds)
            results[f"verify_cpu_{name}"] = report.entries / min(cpu)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            results[f"memory_{name}"] = (after - before) / 1024
    return results


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
        results = run(Path(scratch))
    for name, size in (("group", "batches of 100"), ("single", "one by one")):
        for what, bar in (("append", "500"), ("verify", "50,000")):
            wall, cpu = results[f"{what}_{name}"], results[f"{what}_cpu_{name}"]
            print(f"{what}, {size:15} {wall:>9,.0f} entries/s, {cpu:>9,.0f} a CPU second   (bar {bar})")
        print(f"  memory that verifying added {results[f'memory_{name}']:.1f} MiB")


if __name__ == "__main__":
    main()
