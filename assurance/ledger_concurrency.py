"""Many processes on one ledger: what each was told, held against what the log says afterwards.

    python -m assurance.ledger_concurrency [--processes 8] [--operations 500] [--starts 20]

A history is linearizable when every acknowledged entry is there once and in real-time order, and every read
of the champion fits between what had been answered before it and what had been begun.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clearance import ledger
from clearance.errors import ClearanceError
from clearance.ledger import Draft, Entry, EntryKind
from clearance.ledger.events import IntentEvent
from tests.support import ledger_samples as samples

MODELS = ("loan-approval", "mortgage")
_APPEND, _MOVE, _READ, _FAIL = "append", "move", "read", "fail"


@dataclass(frozen=True)
class Operation:
    """What one process did and was told: when it asked, when it had the answer, and the answer.

    `number` is that of the last entry it recorded; `version` the champion that it made or saw.
    """

    what: str
    model: str
    start: float
    end: float
    number: int
    version: int
    said: str = ""


def work(address: str, signer: samples.Signer, place: Path, operations: int, worker: int) -> list[Operation]:
    """Append, move the champion and read it, in a random order."""
    random_ = random.Random(worker)  # noqa: S311
    done = []
    with ledger.open(address, seal=signer.seal(place)) as book:
        for _ in range(operations):
            model = random_.choice(MODELS)
            what = random_.choices((_APPEND, _MOVE, _READ), (7, 2, 1))[0]
            start = time.monotonic()
            try:
                number, version = _DO[what](book, model)
                done.append(Operation(what, model, start, time.monotonic(), number, version))
            except ClearanceError as error:
                done.append(Operation(_FAIL, model, start, time.monotonic(), 0, 0, str(error)))
    return done


def _append(book: ledger.Ledger, _model: str) -> tuple[int, int]:
    return ledger.append(book, [samples.draft(1)])[0].number, 0


def _move(book: ledger.Ledger, model: str) -> tuple[int, int]:
    """Write the intent, then the promotion of the next version, alone."""
    with ledger.lock(book, model) as fence:
        version = _read(book, model)[1] + 1
        intent = IntentEvent(step=EntryKind.PROMOTION, version=version, content="c" * 64)
        begun = Draft.of(intent, model=model, actor="otto")
        number = ledger.append(book, [begun], fence=fence)[0].number
        done = Draft.of(intent.completed(number), model=model, actor="otto")
        return ledger.append(book, [done], fence=fence)[0].number, version


def _read(book: ledger.Ledger, model: str) -> tuple[int, int]:
    found = [each for each in ledger.tenures(ledger.entries(book, model=model), model) if each.until is None]
    if len(found) > 1:
        raise AssertionError(f"{len(found)} champions of {model}")
    return 0, found[0].version if found else 0


_DO: dict[str, Callable[[ledger.Ledger, str], tuple[int, int]]] = {
    _APPEND: _append,
    _MOVE: _move,
    _READ: _read,
}


def contradictions(done: Sequence[Operation], entries: Sequence[Entry]) -> Iterator[str]:
    """Where the answers and the log do not fit together."""
    yield from (f"an operation failed: {each.said}" for each in done if each.what == _FAIL)
    if [each.number for each in entries] != list(range(1, len(entries) + 1)):
        yield "the numbers have a gap"
    told = [each.number for each in done if each.number]
    if len(set(told)) < len(told) or not set(told) <= {each.number for each in entries}:
        yield "an acknowledged entry is there twice, or not at all"
    recorded = len(told) + sum(each.what == _MOVE for each in done)
    if recorded != len(entries):
        yield f"{recorded} entries were acknowledged, and the log has {len(entries)}"
    yield from _out_of_order([each for each in done if each.number])
    for model in MODELS:
        yield from _alternating([each for each in entries if each.model == model and each.kind != "proposal"])
        yield from _stale([each for each in done if each.model == model])


def _out_of_order(done: Sequence[Operation]) -> Iterator[str]:
    """Operations answered before another began must come before it in the log."""
    ended = sorted(done, key=lambda each: each.end)
    at = newest = 0
    for each in sorted(done, key=lambda each: each.start):
        while ended[at].end < each.start:
            newest = max(newest, ended[at].number)
            at += 1
        if each.number < newest:
            yield f"entry {each.number} was begun after {newest} had been answered"


def _alternating(entries: Iterable[Entry]) -> Iterator[str]:
    """Each intent is followed by its own promotion: nobody else acted between them."""
    waiting = None
    for each in entries:
        if (each.kind == EntryKind.INTENT) != (waiting is None) or (
            waiting and each.body["intent"] != waiting
        ):
            yield f"entry {each.number} came between an intent and its act"
        waiting = each.number if each.kind == EntryKind.INTENT else None


def _stale(done: Sequence[Operation]) -> Iterator[str]:
    """A read sees at least what was answered before it began, and at most what was begun before it ended."""
    moves = [each for each in done if each.what == _MOVE]
    for read in (each for each in done if each.what == _READ):
        least = max((each.version for each in moves if each.end < read.start), default=0)
        most = max((each.version for each in moves if each.start < read.end), default=0)
        if not least <= read.version <= most:
            yield f"version {read.version} was read, not one from {least} to {most}"


def together(address: str, place: Path, processes: int, operations: int) -> dict[str, Any]:
    """So many processes with so many operations each; what was done, and the contradictions found."""
    signer = samples.signer()
    start = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        each = pool.map(partial(work, address, signer, place, operations), range(processes))
        done = [operation for one in each for operation in one]
    seconds = time.perf_counter() - start
    with ledger.open(address) as book:
        entries, report = list(ledger.entries(book)), ledger.verify(book, [place], signer.verify_envelope)
    wrong = [*contradictions(done, entries), *(str(found) for found in report.findings)]
    count = {what: sum(one.what == what for one in done) for what in (_APPEND, _MOVE, _READ, _FAIL)}
    return count | {"entries": len(entries), "seconds": round(seconds, 1), "contradictions": wrong}


def fresh(address: str, place: Path, processes: int) -> list[str]:
    """Processes that all create the ledger at once; what went wrong."""
    signer = samples.signer()
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        gate = manager.Barrier(processes)
        said = list(pool.map(partial(_first, address, signer, place, gate), range(processes)))
    with ledger.open(address) as book:
        report = ledger.verify(book, [place], signer.verify_envelope)
    count = f"{report.entries} of {processes} entries are there"
    return [
        *filter(None, said),
        *map(str, report.findings),
        *([count] if report.entries != processes else []),
    ]


def _first(address: str, signer: samples.Signer, place: Path, gate: Any, worker: int) -> str:
    gate.wait(60)
    try:
        with ledger.open(address, seal=signer.seal(place)) as book:
            ledger.append(book, [samples.draft(worker + 1)])
    except ClearanceError as error:
        return str(error)
    return ""


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    folder.mkdir()
    yield samples.sqlite(folder)


def run(scratch: Path, processes: int = 8, operations: int = 500, starts: int = 20) -> dict[str, Any]:
    """Both databases, PostgreSQL where it runs; per database what was done, and what went wrong."""
    kinds = ["sqlite", *(["postgresql"] if samples.postgres_runs() else [])]
    found: dict[str, Any] = {}
    for kind in kinds:
        new = samples.postgres if kind == "postgresql" else partial(_sqlite, scratch / f"{kind}-together")
        with new() as address:
            found[kind] = together(address, scratch / f"{kind}.checkpoints", processes, operations)
        failures = []
        for start in range(starts):
            new = samples.postgres if kind == "postgresql" else partial(_sqlite, scratch / f"{kind}-{start}")
            with new() as address:
                failures += fresh(address, scratch / f"{kind}-{start}.checkpoints", processes)
        found[kind] |= {"starts": starts, "failures": failures}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("processes", 8), ("operations", 500), ("starts", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
        found = run(Path(scratch), chosen.processes, chosen.operations, chosen.starts)
    for kind, row in found.items():
        print(f"{kind}: {chosen.processes} processes x {chosen.operations} operations in {row['seconds']} s")
        print(f"  appends {row['append']}, moves {row['move']}, reads {row['read']}, failures {row['fail']}")
        print(f"  entries {row['entries']}, contradictions {len(row['contradictions'])}   (bar 0)")
        print(
            f"  {row['starts']} fresh starts x {chosen.processes}, failures {len(row['failures'])}   (bar 0)"
        )
        for line in [*row["contradictions"], *row["failures"]]:
            print(f"  {line}")
    raise SystemExit(any(row["contradictions"] or row["failures"] for row in found.values()))


if __name__ == "__main__":
    main()
