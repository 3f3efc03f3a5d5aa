"""`kill -9` for the writers of an inference log, again and again, while they append.

    python -m assurance.inference_log_crashes [--kills 200] [--writers 4] [--records 50000] [--seed N]

Each writer is a process whose clients append decisions under idempotency keys and note every receipt. One of
them is killed at a random moment, and starts again with what has no receipt yet. In the end every receipt
must be in the log as it was given, every key once, and the chain whole. SQLite, and PostgreSQL where it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from clearance import inference_log
from clearance.errors import TransientError
from clearance.inference_log import InferenceLog
from tests.support import inferences
from tests.support import ledger_samples as samples

CLIENTS = 4
FORK = multiprocessing.get_context("forkserver")
"""Writers are forked from a process with nothing else in it: no thread, no event loop, no lock."""
FORK.set_forkserver_preload(["assurance.inference_log_crashes"])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was killed and acknowledged, and what went wrong: nothing, where every promise was kept."""

    kills: int
    acknowledged: int
    recorded: int
    faults: tuple[str, ...]
    seconds: float


class Gate:
    """Lets writers get only so far before the next kill: fast ones would be done before a slow killer."""

    def __init__(self, kills: int) -> None:
        self._kills = kills
        self._done = FORK.Value("i", 0)

    def limit(self, most: int) -> float:
        """Up to which of `most` decisions a writer may get now."""
        return most * (self._done.value + 1) / (self._kills + 1)

    def open(self, done: int) -> None:
        """So many writers have been killed."""
        self._done.value = done


def write(address: str, folder: Path, writer: int, most: int, gate: Gate) -> None:
    """Append decisions `0` to `most - 1` of this writer, those without a receipt, and note each receipt."""
    done = {number for number, *_ in receipts(folder, writer)}
    numbers = iter([number for number in range(most) if number not in done])
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    notes = os.open(folder / f"receipts-{writer}", flags, 0o600)

    async def client(log: InferenceLog) -> None:
        for number in numbers:
            while number >= gate.limit(most):
                await asyncio.sleep(0.005)
            record = inferences.inference(
                subject=f"{writer}-{number % 50}",
                caller=f"writer-{writer}",
                idempotency_key=str(number),
                body_digest=str(number),
            )
            (receipt,) = await _until_recorded(log, record)
            os.write(notes, f"{number} {receipt.id} {receipt.sequence} {receipt.hash}\n".encode())

    async def clients(log: InferenceLog) -> None:
        await asyncio.gather(*(client(log) for _ in range(CLIENTS)))

    with inference_log.open(address, folder / "inference.key", patience=30) as log:
        asyncio.run(clients(log))


async def _until_recorded(
    log: InferenceLog, record: inference_log.Inference
) -> tuple[inference_log.Receipt, ...]:
    while True:
        try:
            return await log.aio.append(record)
        except TransientError:
            await asyncio.sleep(0.05)


def receipts(folder: Path, writer: int) -> list[tuple[int, str, int, str]]:
    """What a writer noted; the last line may be cut."""
    path = folder / f"receipts-{writer}"
    text = path.read_text() if path.exists() else ""
    lines = [line.split() for line in text.split("\n")[:-1]]
    return [(int(number), id_, int(sequence), digest) for number, id_, sequence, digest in lines]


def run(address: str, folder: Path, *, kills: int, records: int, writers: int = 4, seed: int = 0) -> Outcome:
    """Kill so many writers while they append so many decisions in all."""
    random_ = random.Random(seed)  # noqa: S311
    start, most = time.perf_counter(), -(-records // writers)
    with inference_log.open(address, folder / "inference.key"):
        pass
    gate, done = Gate(kills), 0
    processes = [_start(address, folder, writer, most, gate) for writer in range(writers)]
    try:
        while done < kills:
            target = records * (done + random_.random()) / (kills + 1)
            while _count(folder, writers) < target and not any(p.exitcode for p in processes):
                time.sleep(0.002)
            time.sleep(random_.random() * 0.01)
            alive = [writer for writer in range(writers) if processes[writer].is_alive()]
            victim = random_.choice(alive)
            os.kill(processes[victim].pid or 0, signal.SIGKILL)
            processes[victim].join()
            done += 1
            gate.open(done)
            processes[victim] = _start(address, folder, victim, most, gate)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
            process.join()
    acknowledged = {receipt[1]: receipt for writer in range(writers) for receipt in receipts(folder, writer)}
    failed = [f"a writer ended with {p.exitcode}" for p in processes if p.exitcode]
    recorded, faults = _faults(address, folder, acknowledged)
    return Outcome(
        kills=done,
        acknowledged=len(acknowledged),
        recorded=recorded,
        faults=(*failed, *faults),
        seconds=time.perf_counter() - start,
    )


def _start(address: str, folder: Path, writer: int, most: int, gate: Gate) -> BaseProcess:
    process = FORK.Process(target=write, args=(address, folder, writer, most, gate))
    process.start()
    return process


def _count(folder: Path, writers: int) -> int:
    return sum(
        (folder / f"receipts-{writer}").read_bytes().count(b"\n")
        for writer in range(writers)
        if (folder / f"receipts-{writer}").exists()
    )


def _faults(
    address: str, folder: Path, acknowledged: dict[str, tuple[int, str, int, str]]
) -> tuple[int, list[str]]:
    """How many decisions are recorded; receipts that the log does not keep, and findings of verification."""
    with inference_log.open(address, folder / "inference.key") as log:
        report = log.verify()
        with log.store.opened() as opened, opened.connection.snapshot():
            query = "SELECT id, sequence, hash, kind FROM clearance_inference_records"
            stored = {row[0]: row[1:] for row in opened.connection.stream(query)}
    lost = [
        f"receipt {id_} of record {sequence} is not kept"
        for id_, (_, _, sequence, digest) in acknowledged.items()
        if stored.get(id_, ())[:2] != (sequence, digest)
    ]
    decisions = sum(row[2] == "inference" for row in stored.values())
    if decisions != len(acknowledged):
        lost.append(f"{decisions} decisions are recorded, and {len(acknowledged)} have a receipt")
    return decisions, [*map(str, report.findings), *lost]


@contextmanager
def addresses(folder: Path) -> Iterator[dict[str, str]]:
    """A database of each kind that is here."""
    found = {"SQLite": f"sqlite:///{folder / 'log.db'}"}
    if not samples.postgres_runs():
        yield found
        return
    with samples.postgres() as url:
        yield found | {"PostgreSQL": url}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("kills", 200), ("writers", 4), ("records", 50_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    broken = 0
    with (
        tempfile.TemporaryDirectory(prefix="clearance-assurance-") as scratch,
        addresses(Path(scratch)) as found,
    ):
        for kind, address in found.items():
            folder = Path(scratch) / kind
            folder.mkdir()
            outcome = run(
                address,
                folder,
                kills=options.kills,
                records=options.records,
                writers=options.writers,
                seed=options.seed,
            )
            print(
                f"{kind}: {outcome.kills} kills, {options.writers} writers, {outcome.acknowledged:,} "
                f"receipts in {outcome.seconds:.0f} s; {len(outcome.faults)} lost or broken   (bar 0)"
            )
            for fault in outcome.faults[:20]:
                print(f"  {fault}")
            broken += len(outcome.faults)
    raise SystemExit(broken > 0)


if __name__ == "__main__":
    main()
