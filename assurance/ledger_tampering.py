"""What verification says of tampered ledgers, with and without a retained checkpoint, and of clean ones.

    python -m assurance.ledger_tampering [--seed N]

Nothing is timed. A class that only checkpoints can show is shown without them as well.
"""

from __future__ import annotations

import argparse
import random
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assurance import ledger_attacks as attacks
from clearance import ledger
from clearance.ledger import LedgerFault, LedgerReport, audit, checkpoint_files, export, verification
from tests.support import ledger_samples as samples

SEEDS = (0,)
EACH = 100
CLEAN = 1000
BASES = 5


def run(scratch: Path, seeds: Sequence[int], each: int = EACH, clean: int = CLEAN) -> dict[str, Any]:
    """Inject `each` attacks of every class a seed, and verify `clean` sound ledgers; what was found."""
    classes = {
        name: dict.fromkeys(("injected", "detected", "named", "lost", "by_chain_alone"), 0)
        for name in attacks.CLASSES
    }
    misses: list[str] = []
    for seed in seeds:
        for name, result in _attacked(scratch, seed, each):
            row, (first, report, bare) = classes[name], result
            row["injected"] += 1
            row["detected"] += not report.ok
            row["lost"] += report.ok
            row["named"] += report.first == first
            row["by_chain_alone"] += any(finding.fault != LedgerFault.UNCOVERED for finding in bare.findings)
            if report.first != first:
                misses.append(f"seed {seed}, {name}: {first} meant, {report.first} named; {report}")
    alarms = [alarm for seed in seeds[:1] for alarm in _alarms(scratch, seed, clean)]
    return {"seeds": list(seeds), "classes": classes, "misses": misses, "clean": clean, "alarms": alarms}


def _attacked(
    scratch: Path, seed: int, each: int
) -> Iterator[tuple[str, tuple[int | None, LedgerReport, LedgerReport]]]:
    bases = []
    for number in range(BASES):
        folder = scratch / f"base-{seed}-{number}"
        folder.mkdir(parents=True)
        bases.append(attacks.base(folder, seed * BASES + number))
    for place, (name, attack) in enumerate(attacks.CLASSES.items()):
        for number in range(each):
            random_ = random.Random(f"{seed} {place} {number}")  # noqa: S311
            yield name, attacked(bases[number % BASES], attack, random_, scratch / "attacked")


def attacked(
    base: attacks.Base, attack: attacks.Attack, random_: random.Random, folder: Path
) -> tuple[int | None, LedgerReport, LedgerReport]:
    """The number that should be named; the report with checkpoints, and that of the chain alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (base.folder / "ledger.db", *base.places):
        shutil.copy(file, folder)
    first = attack(base, folder, random_)
    first = attacks.first_difference(base, folder) if first is None else first
    checkpoints = [folder / place.name for place in base.places]
    with ledger.open(samples.sqlite(folder)) as book:
        report = ledger.verify(book, checkpoints, base.signer.verify_envelope)
        bare = verification.verify(book.id, lambda: ledger.entries(book), (), base.signer.verify_envelope)
    return first, report, bare


def _alarms(scratch: Path, seed: int, count: int) -> Iterator[str]:
    """What was reported of sound ledgers, some of which a crash, an erasure or an export went through."""
    for number in range(count):
        folder = scratch / f"clean-{seed}-{number}"
        folder.mkdir()
        random_ = random.Random(f"clean {seed} {number}")  # noqa: S311
        signer = samples.signer()
        seal = signer.seal(*(folder / f"place-{at}" for at in range(random_.randint(1, 3))))
        report = clean_report(folder, signer, seal, random_)
        if not report.ok:
            yield f"clean ledger {number} of seed {seed}: {report}"
        shutil.rmtree(folder)


def clean_report(
    folder: Path, signer: samples.Signer, seal: ledger.Seal, random_: random.Random
) -> LedgerReport:
    """Write a ledger, let a crash or an erasure happen to it now and then, and verify it."""
    with ledger.open(samples.sqlite(folder), seal=seal) as book:
        for batch in samples.story(random_.randint(1, 12), random_):
            if random_.random() < 0.1:
                _crash(book, random_)
            entries = ledger.append(book, batch)
            if random_.random() < 0.1 and entries[0].kind in {"proposal", "verdict", "approval", "refusal"}:
                ledger.redact(book, samples.erasure(entries[0].number))
        if random_.random() < 0.2:
            _crash(book, random_)
        if random_.random() < 0.2:
            file = folder / "export.jsonl"
            file.write_text("".join(f"{line}\n" for line in export.lines(book, seal.places)))
            return export.verify(file, signer.verify_envelope)
        return audit.verify(book, seal.places, signer.verify_envelope)


class Crash(BaseException):
    """The process dies here."""


def _crash(book: ledger.Ledger, random_: random.Random) -> None:
    """Leave what a crash leaves: between two places, before the commit, or before the confirmation."""
    seal = book.seal
    assert seal is not None  # noqa: S101
    fatal = random_.randint(1, 2 * len(seal.places))
    write_whole, count = checkpoint_files.write, 0

    def write(where: Sequence[Path], line: str, *, alone: bool = False) -> None:
        nonlocal count
        for place in where:
            count += 1
            if count > fatal:
                raise Crash
            write_whole([place], line, alone=alone)
        if count == fatal:
            raise Crash

    checkpoint_files.write = write  # type: ignore[assignment]
    try:
        ledger.append(book, [samples.draft(1)])
    except Crash:
        pass
    finally:
        checkpoint_files.write = write_whole


def table(results: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"seeds {', '.join(map(str, results['seeds']))}"]
    heads = f"{'class':20}{'injected':>10}{'detected':>10}{'first named':>13}{'lost':>6}"
    lines.append(f"{heads}{'by the chain alone':>20}")
    totals = dict.fromkeys(("injected", "detected", "named", "lost", "by_chain_alone"), 0)
    for name, row in results["classes"].items():
        totals = {key: totals[key] + row[key] for key in totals}
        lines.append(_row(name, row))
    lines.append(_row("all", totals))
    lines.append(f"false alarms: {len(results['alarms'])} of {results['clean']} clean ledgers")
    return "\n".join([*lines, *results["misses"], *results["alarms"]])


def _row(name: str, row: dict[str, int]) -> str:
    return (
        f"{name:20}{row['injected']:>10}{row['detected']:>10}{row['named']:>13}{row['lost']:>6}"
        f"{row['by_chain_alone']:>20}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="in place of a fresh one")
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--clean", type=int, default=CLEAN)
    options = parser.parse_args()
    fresh = secrets.randbelow(2**31) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
        fixed = run(Path(scratch), SEEDS, options.each, options.clean)
        print(table(fixed))
        print(f"\na fresh seed (again: --seed {fresh})", flush=True)
        fresh_results = run(Path(scratch), [fresh], options.each, options.clean // 10)
        print(table(fresh_results))
    raise SystemExit(any(result["misses"] or result["alarms"] for result in (fixed, fresh_results)))


if __name__ == "__main__":
    main()
