"""What a durable inference log costs beyond the commit: `python -m benchmarks.inference_log_speed`.

In turns, in one run and on one store: one commit of the same bytes by the bare driver, and one durable
append; then one client that appends decisions one after another, and eight at once. SQLite with WAL and
synchronous=FULL, PostgreSQL with synchronous_commit=on where it runs. Compare the figures of one run:
the disk sets their size.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from clearance import inference_log
from clearance.inference_log import Inference, InferenceLog, records
from tests.support import inferences
from tests.support import ledger_samples as samples

CLIENTS = 8


@dataclass
class Figures:
    """Seconds of each bare commit, each append of one client, and each round of eight clients."""

    bare: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    rate_of_one: list[float] = field(default_factory=list)
    rate_of_eight: list[float] = field(default_factory=list)
    bare_rate: list[float] = field(default_factory=list)

    def lines(self, store: str) -> Iterator[str]:
        """The figures as they are printed."""
        bare, one = statistics.median(self.bare) * 1e3, statistics.median(self.one) * 1e3
        yield f"{store}: commit of the same bytes p50 {bare:.2f} ms, durable append p50 {one:.2f} ms"
        yield f"{store}: append beyond the commit     {one - bare:+.2f} ms   (bar 1.00)"
        ratios = [eight / one for eight, one in zip(self.rate_of_eight, self.rate_of_one, strict=True)]
        eight = statistics.median(self.rate_of_eight)
        yield f"{store}: 8 clients / 1 client         {statistics.median(ratios):.2f}   (bar 2.50)"
        over_bare = [a / b for a, b in zip(self.rate_of_eight, self.bare_rate, strict=True)]
        rate = f"({eight:,.0f} a second)"
        yield f"{store}: 8 clients / bare commits     {statistics.median(over_bare):.2f}   {rate}"

    @property
    def beyond(self) -> float:
        """Milliseconds of an append beyond a commit."""
        return (statistics.median(self.one) - statistics.median(self.bare)) * 1e3


@contextmanager
def _bare_sqlite(folder: Path) -> Iterator[Callable[[bytes], None]]:
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (number INTEGER PRIMARY KEY, data BLOB)")

        def commit(data: bytes) -> None:
            connection.execute("INSERT INTO bare (data) VALUES (?)", (data,))

        yield commit


@contextmanager
def _bare_postgresql(address: str) -> Iterator[Callable[[bytes], None]]:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (number BIGSERIAL PRIMARY KEY, data BYTEA)")

        def commit(data: bytes) -> None:
            connection.execute("INSERT INTO bare (data) VALUES (%s)", (data,))

        yield commit


def measure(log: InferenceLog, commit: Callable[[bytes], None], rounds: int, count: int) -> Figures:
    """A bare commit and an append in turns, then bare commits, one client and eight, round after round."""
    figures = Figures()
    for round_ in range(rounds + 1):
        if round_ == 1:  # the round before warmed up
            figures = Figures()
        new = [_fresh(record) for record in inferences.decisions(count * 3)]
        asyncio.run(_in_turns(log, commit, new[:count], figures))
        data, start = _bytes(new[0]), time.perf_counter()
        for _ in range(count):
            commit(data)
        figures.bare_rate.append(count / (time.perf_counter() - start))
        asyncio.run(_clients(log, new[count : 2 * count], 1, figures.rate_of_one))
        asyncio.run(_clients(log, new[2 * count :], CLIENTS, figures.rate_of_eight))
    return figures


def _fresh(record: Inference) -> Inference:
    id_ = records.new_id()
    return inferences.inference(
        id=id_, subject=f"applicant {id_}", input=record.input, score=record.score, reasons=record.reasons
    )


def _bytes(record: Inference) -> bytes:
    encoded = records.encode(record)
    return encoded.header + encoded.content + bytes(28)


async def _in_turns(
    log: InferenceLog, commit: Callable[[bytes], None], new: list[Inference], figures: Figures
) -> None:
    for record in new:
        data = _bytes(record)
        start = time.perf_counter()
        commit(data)
        between = time.perf_counter()
        await log.aio.append(record)
        figures.bare.append(between - start)
        figures.one.append(time.perf_counter() - between)


async def _clients(log: InferenceLog, new: list[Inference], clients: int, rates: list[float]) -> None:
    rest = iter(new)

    async def client() -> None:
        for record in rest:
            await log.aio.append(record)

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    rates.append(len(new) / (time.perf_counter() - start))


def run(folder: Path, rounds: int = 10, count: int = 200) -> dict[str, Figures]:
    """The figures of each store that is here."""
    results = {}
    address = f"sqlite:///{folder / 'log.db'}"
    with inference_log.open(address, folder / "key") as log, _bare_sqlite(folder) as commit:
        results["SQLite"] = measure(log, commit, rounds, count)
    if samples.postgres_runs():
        with (
            samples.postgres() as address,
            inference_log.open(address, folder / "key2") as log,
            _bare_postgresql(address) as commit,
        ):
            results["PostgreSQL"] = measure(log, commit, rounds, count)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--count", type=int, default=200, help="appends of one client in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
        for store, figures in run(Path(scratch), options.rounds, options.count).items():
            print("\n".join(figures.lines(store)))


if __name__ == "__main__":
    main()
