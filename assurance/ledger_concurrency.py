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
    error: str = ""


def work(address: str, signer: samples.Signer, place: Path, operations: int, worker: int) -> list[Operation]:
    """Append, move the champion and read it, in a random order."""
    random_ = random.Random(worker)  # noqa: S311
    history = []
    with ledger.open(address, seal=signer.seal(place)) as book:
        for _ in range(operations):
            model = random_.choice(MODELS)
            what = random_.choices((_APPEND, _MOVE, _READ), (7, 2, 1))[0]
            start = time.monotonic()
            try:
                number, version = _DO[what](book, model)
                history.append(Operation(what, model, start, time.monotonic(), number, version))
            except ClearanceError as error:
                history.append(Operation(_FAIL, model, start, time.monotonic(), 0, 0, str(error)))
    return history


def _append(book: ledger.Ledger, _model: str) -> tuple[int, int]:
    return ledger.append(book, [samples.draft(1)])[0].number, 0


def _move(book: ledger.Ledger, model: str) -> tuple[int, int]:
    """Write the intent, then the promotion of the next version, alone."""
    with ledger.lock(book, model) as fence:
        version = _read(book, model)[1] + 1
        intent = IntentEvent(step=EntryKind.PROMOTION, version=version, content="c" * 64)
        start = Draft.of(intent, model=model, actor="otto")
        number = ledger.append(book, [start], fence=fence)[0].number
        end = Draft.of(intent.completed(number), model=model, actor="otto")
        return ledger.append(book, [end], fence=fence)[0].number, version


def _read(book: ledger.Ledger, model: str) -> tuple[int, int]:
    current = [
        tenure for tenure in ledger.tenures(ledger.entries(book, model=model), model) if tenure.until is None
    ]
    if len(current) > 1:
        raise AssertionError(f"{len(current)} champions of {model}")
    return 0, current[0].version if current else 0


_DO: dict[str, Callable[[ledger.Ledger, str], tuple[int, int]]] = {
    _APPEND: _append,
    _MOVE: _move,
    _READ: _read,
}


def contradictions(operations: Sequence[Operation], entries: Sequence[Entry]) -> Iterator[str]:
    """Where the answers and the log do not fit together."""
    yield from (
        f"an operation failed: {operation.error}" for operation in operations if operation.what == _FAIL
    )
    if [entry.number for entry in entries] != list(range(1, len(entries) + 1)):
        yield "the numbers have a gap"
    numbers = [operation.number for operation in operations if operation.number]
    if len(set(numbers)) < len(numbers) or not set(numbers) <= {entry.number for entry in entries}:
        yield "an acknowledged entry is there twice, or not at all"
    count = len(numbers) + sum(operation.what == _MOVE for operation in operations)
    if count != len(entries):
        yield f"{count} entries were acknowledged, and the log has {len(entries)}"
    yield from _out_of_order([operation for operation in operations if operation.number])
    for model in MODELS:
        yield from _alternating(
            [entry for entry in entries if entry.model == model and entry.kind != "proposal"]
        )
        yield from _stale([operation for operation in operations if operation.model == model])


def _out_of_order(operations: Sequence[Operation]) -> Iterator[str]:
    """Operations answered before another began must come before it in the log."""
    by_end = sorted(operations, key=lambda operation: operation.end)
    at = newest = 0
    for operation in sorted(operations, key=lambda operation: operation.start):
        while by_end[at].end < operation.start:
            newest = max(newest, by_end[at].number)
            at += 1
        if operation.number < newest:
            yield f"entry {operation.number} was begun after {newest} had been answered"


def _alternating(entries: Iterable[Entry]) -> Iterator[str]:
    """Each intent is followed by its own promotion: nobody else acted between them."""
    waiting = None
    for entry in entries:
        if (entry.kind == EntryKind.INTENT) != (waiting is None) or (
            waiting and entry.body["intent"] != waiting
        ):
            yield f"entry {entry.number} came between an intent and its act"
        waiting = entry.number if entry.kind == EntryKind.INTENT else None


def _stale(operations: Sequence[Operation]) -> Iterator[str]:
    """A read sees at least what was answered before it began, and at most what was begun before it ended."""
    moves = [operation for operation in operations if operation.what == _MOVE]
    for read in (operation for operation in operations if operation.what == _READ):
        least = max((operation.version for operation in moves if operation.end < read.start), default=0)
        most = max((operation.version for operation in moves if operation.start < read.end), default=0)
        if not least <= read.version <= most:
            yield f"version {read.version} was read, not one from {least} to {most}"


def together(address: str, place: Path, processes: int, operations: int) -> dict[str, Any]:
    """So many processes with so many operations each; what was done, and the contradictions found."""
    signer = samples.signer()
    start = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        histories = pool.map(partial(work, address, signer, place, operations), range(processes))
        history = [operation for one in histories for operation in one]
    seconds = time.perf_counter() - start
    with ledger.open(address) as book:
        entries, report = list(ledger.entries(book)), ledger.verify(book, [place], signer.verify_envelope)
    wrong = [*contradictions(history, entries), *(str(finding) for finding in report.findings)]
    count = {what: sum(one.what == what for one in history) for what in (_APPEND, _MOVE, _READ, _FAIL)}
    return count | {"entries": len(entries), "seconds": round(seconds, 1), "contradictions": wrong}


def fresh(address: str, place: Path, processes: int) -> list[str]:
    """Processes that all create the ledger at once; what went wrong."""
    signer = samples.signer()
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        gate = manager.Barrier(processes)
        replies = list(pool.map(partial(_first, address, signer, place, gate), range(processes)))
    with ledger.open(address) as book:
        report = ledger.verify(book, [place], signer.verify_envelope)
    count = f"{report.entries} of {processes} entries are there"
    return [
        *filter(None, replies),
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
    results: dict[str, Any] = {}
    for kind in kinds:
        new = samples.postgres if kind == "postgresql" else partial(_sqlite, scratch / f"{kind}-together")
        with new() as address:
            results[kind] = together(address, scratch / f"{kind}.checkpoints", processes, operations)
        failures = []
        for start in range(starts):
            new = samples.postgres if kind == "postgresql" else partial(_sqlite, scratch / f"{kind}-{start}")
            with new() as address:
                failures += fresh(address, scratch / f"{kind}-{start}.checkpoints", processes)
        results[kind] |= {"starts": starts, "failures": failures}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("processes", 8), ("operations", 500), ("starts", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
        results = run(Path(scratch), options.processes, options.operations, options.starts)
    for kind, row in results.items():
        print(
            f"{kind}: {options.processes} processes x {options.operations} operations in {row['seconds']} s"
        )
        print(f"  appends {row['append']}, moves {row['move']}, reads {row['read']}, failures {row['fail']}")
        print(f"  entries {row['entries']}, contradictions {len(row['contradictions'])}   (bar 0)")
        print(
            f"  {row['starts']} fresh starts x {options.processes}, failures {len(row['failures'])}   (bar 0)"
        )
        for line in [*row["contradictions"], *row["failures"]]:
            print(f"  {line}")
    raise SystemExit(any(row["contradictions"] or row["failures"] for row in results.values()))


if __name__ == "__main__":
    main()
