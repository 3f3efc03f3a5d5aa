"""Twelve classes of tampering with a ledger, by one who owns its database and all but one place.

Each attack changes a copy of a sound ledger in a folder. It knows the code and recomputes digests as it
likes; what it lacks is the key that signs checkpoints, and one place where they are retained.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from clearance import ledger
from clearance.ledger import checkpoint, checkpoint_files, entry, times
from clearance.ledger.checkpoint import Checkpoint
from clearance.ledger.entry import Entry
from tests.support import ledger_samples as samples

TABLE = "clearance_ledger_entries"
COLUMNS = ("time", "kind", "model", "actor", "keyid", "salt", "text", "body_digest", "previous", "digest")


@dataclass(frozen=True)
class Base:
    """A sound ledger: its database, the place in the attacker's hands, the retained one, and its past.

    `past` are copies of the database with how many entries each had; `batches` the numbers that begin one.
    """

    folder: Path
    signer: samples.Signer
    id: str
    entries: tuple[Entry, ...]
    past: tuple[tuple[Path, int], ...]
    batches: tuple[int, ...]

    @property
    def places(self) -> tuple[Path, Path]:
        return self.folder / "owned.checkpoints", self.folder / "retained.checkpoints"


def base(folder: Path, seed: int, batches: int = 12) -> Base:
    """Write a ledger of so many batches, and keep a copy of its database after each."""
    random_, signer = random.Random(seed), samples.signer()  # noqa: S311
    seal = signer.seal(folder / "owned.checkpoints", folder / "retained.checkpoints")
    address, past, starts = samples.sqlite(folder), [], []
    for number, batch in enumerate(samples.story(batches, random_)):
        with ledger.open(address, seal=seal) as book:
            entries = ledger.append(book, batch)
        starts.append(entries[0].number)
        copy = folder / f"past-{number}.db"
        shutil.copy(folder / "ledger.db", copy)
        past.append((copy, entries[-1].number))
    with ledger.open(address) as book:
        rows, id_ = tuple(ledger.entries(book)), book.id
    return Base(folder, signer, id_, rows, tuple(past), tuple(starts))


Attack = Callable[[Base, Path, random.Random], int | None]
"""Tampers with the copy in a folder. Returns the number to be named where the rows do not tell it."""


def bit_flip(base: Base, folder: Path, random_: random.Random) -> int | None:
    """One bit of a stored value, through SQL or in the file itself."""
    row, column = random_.choice(base.entries), random_.choice(COLUMNS)
    if random_.random() < 0.3 and row.salt is not None:
        content = bytearray((folder / "ledger.db").read_bytes())
        at = content.index(row.salt.encode()) + random_.randrange(32)
        content[at] ^= 1 << random_.randrange(8)
        (folder / "ledger.db").write_bytes(content)
        return row.number
    value = bytearray(str(getattr(row, column)).encode())
    value[random_.randrange(len(value))] ^= 1 << random_.randrange(8)
    _sql(folder, f"UPDATE {TABLE} SET {column} = CAST(? AS TEXT) WHERE number = ?", bytes(value), row.number)  # noqa: S608
    return row.number


def edit(base: Base, folder: Path, random_: random.Random) -> int | None:
    """Other content in one entry, with as many digests made to fit as the attacker cares for."""
    rows, at = list(base.entries), random_.randrange(len(base.entries))
    changes = [
        {"text": entry.canonical({**rows[at].body, "version": 666})},
        {"actor": "mallory"},
        {"kind": "approval" if rows[at].kind != "approval" else "override"},
        {"model": "other-model"},
        {"keyid": "m" * 64},
    ]
    rows[at] = replace(rows[at], **random_.choice(changes))
    _replace(folder, _recomputed(rows, at, random_.choice((0, 1, 2)), at + 1))
    return None


def delete(base: Base, folder: Path, random_: random.Random) -> int | None:
    """An entry out of the middle; those that follow stay, move up, or are chained anew."""
    rows, at = list(base.entries), random_.randrange(len(base.entries) - 1)
    del rows[at]
    how = random_.choice(("stay", "move", "chain"))
    if how != "stay":
        rows = [replace(row, number=number) for number, row in enumerate(rows, 1)]
    _replace(folder, _recomputed(rows, at, 2) if how == "chain" else rows)
    return None


def insert(base: Base, folder: Path, random_: random.Random) -> int | None:
    """A forged entry, in the middle or at the end, chained as it should be or not."""
    rows, at = list(base.entries), random_.randrange(len(base.entries) + 1)
    forgery = replace(random_.choice(rows), actor="mallory", time=rows[max(0, at - 1)].time)
    rows = [replace(row, number=number) for number, row in enumerate([*rows[:at], forgery, *rows[at:]], 1)]
    _replace(folder, _recomputed(rows, at, random_.choice((0, 2))))
    return None


def reorder(base: Base, folder: Path, random_: random.Random) -> int | None:
    """Two entries in each other's place, chained anew or not."""
    rows = list(base.entries)
    one, two = sorted(random_.sample(range(len(rows)), 2))
    rows[one], rows[two] = replace(rows[two], number=one + 1), replace(rows[one], number=two + 1)
    _replace(folder, _recomputed(rows, one, random_.choice((0, 2))))
    return None


def duplicate(base: Base, folder: Path, random_: random.Random) -> int | None:
    """An entry twice: under its own number, or again at the end, chained."""
    rows, at = list(base.entries), random_.randrange(len(base.entries))
    if random_.random() < 0.5:
        _replace(folder, [*rows, rows[at]], keyed=False)
        return rows[at].number
    again = replace(rows[at], number=len(rows) + 1, time=rows[-1].time)
    _replace(folder, _recomputed([*rows, again], len(rows), 2))
    return None


def edit_time(base: Base, folder: Path, random_: random.Random) -> int | None:
    """The time of one entry, a little or much, earlier or later, its digest made to fit or not."""
    rows, at = list(base.entries), random_.randrange(len(base.entries))
    year = random_.choice(("2019", "2024", "2031"))
    micro = f"{(int(rows[at].time[20:26]) + 1) % 1_000_000:06}Z"
    time = random_.choice((year + rows[at].time[4:], rows[at].time[:20] + micro))
    rows[at] = replace(rows[at], time=time)
    _replace(folder, _recomputed(rows, at, random_.choice((0, 2)), at + 1))
    return None


def cut_tail(base: Base, folder: Path, random_: random.Random) -> int | None:
    """The newest entries gone."""
    keep = random_.randrange(len(base.entries))
    _sql(folder, f"DELETE FROM {TABLE} WHERE number > ?", keep)  # noqa: S608
    return keep + 1


def rewrite(base: Base, folder: Path, random_: random.Random) -> int | None:
    """History from some entry on told anew, with every digest recomputed."""
    rows, at = list(base.entries), random_.randrange(len(base.entries))
    rows = rows[:at] + [replace(row, actor="mallory") for row in rows[at:]]
    _replace(folder, _recomputed(rows, at, 2))
    return None


def older(base: Base, folder: Path, random_: random.Random) -> int | None:
    """The database of an earlier day, as it was or with another continuation."""
    copy, count = random_.choice(base.past[:-1])
    shutil.copy(copy, folder / "ledger.db")
    if random_.random() < 0.5:
        rows = list(base.entries[:count])
        more = [replace(row, actor="mallory") for row in base.entries[count:]]
        _replace(folder, _recomputed([*rows, *more], count, 2))
    return count + 1


def remove_checkpoint(base: Base, folder: Path, random_: random.Random) -> int | None:
    """Lines of the place in the attacker's hands: one, the newest ones, or all."""
    place = folder / base.places[0].name
    lines = list(checkpoint_files.lines(place))
    places = [at for at, line in enumerate(lines) if isinstance(checkpoint.read(line), Checkpoint)]
    at = random_.choice(places)
    first = _first(lines[at])
    how = random_.choice(("one", "newest", "file"))
    if how == "file":
        place.unlink()
        return 1
    place.write_text("".join(f"{line}\n" for line in (lines[:at] + lines[at + 1 :] * (how == "one"))))
    return first


def wrong_key(base: Base, folder: Path, random_: random.Random) -> int | None:
    """History from some batch on told anew, and all places with it, signed by a key of the attacker's own."""
    start = random_.choice(base.batches)
    rows = [replace(row, actor="mallory") if row.number >= start else row for row in base.entries]
    rows = _recomputed(rows, start - 1, 2)
    _replace(folder, rows)
    forger = samples.signer()
    lines: list[str] = []
    last: Checkpoint | None = None
    for text in checkpoint_files.lines(folder / base.places[0].name):
        line, record = text, checkpoint.read(text)
        if isinstance(record, Checkpoint) and record.after + 1 >= start:
            batch = rows[record.after : record.last]
            head = (record.after, rows[record.after - 1].digest if record.after else record.head)
            envelope = forger.sign(checkpoint.statement(base.id, last, head, batch, times.parse(record.at)))
            line = checkpoint.line(envelope)
            record = checkpoint.read(line)
        if isinstance(record, Checkpoint):
            last = record
        lines.append(line)
    for place in base.places:
        (folder / place.name).write_text("".join(f"{line}\n" for line in lines))
    return start


CLASSES: dict[str, Attack] = {
    "bit flip": bit_flip,
    "edit": edit,
    "delete": delete,
    "insert": insert,
    "reorder": reorder,
    "duplicate": duplicate,
    "time edit": edit_time,
    "tail cut": cut_tail,
    "whole rewrite": rewrite,
    "older database": older,
    "checkpoint removed": remove_checkpoint,
    "wrong key": wrong_key,
}


def first_difference(base: Base, folder: Path) -> int | None:
    """The first number under which the tampered database holds other rows than the sound one."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        rows = database.execute(f"SELECT * FROM {TABLE} ORDER BY number").fetchall()  # noqa: S608
    originals = [tuple(asdict(row).values()) for row in base.entries]
    for number in range(1, max(len(rows), len(originals)) + 1):
        if [row for row in rows if row[0] == number] != [row for row in originals if row[0] == number]:
            return number
    return None


def _recomputed(rows: Sequence[Entry], at: int, depth: int, until: int | None = None) -> list[Entry]:
    """The rows from `at` on with digests made to fit: 0 none, 1 of the body, 2 of the entry and its link."""
    result = list(rows)
    for place in range(at, len(result) if until is None else until) if depth else ():
        row = result[place]
        if row.text is not None:
            row = replace(row, body_digest=entry.body_digest(row.salt, row.text))
        if depth == 2:
            if place:
                row = replace(row, previous=result[place - 1].digest)
            row = replace(row, digest=entry.digest_of(row))
        result[place] = row
    return result


def _replace(folder: Path, rows: Sequence[Entry], *, keyed: bool = True) -> None:
    """Put these rows in place of all; not `keyed`: in a table that lets a number stand twice."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        if not keyed:
            database.execute(f"ALTER TABLE {TABLE} RENAME TO gone")
            database.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM gone")  # noqa: S608
        database.execute(f"DELETE FROM {TABLE}")  # noqa: S608
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        values = [tuple(asdict(row).values()) for row in rows]
        database.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", values)  # noqa: S608


def _sql(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        database.execute(statement, values)


def _first(line: str) -> int:
    record = checkpoint.read(line)
    assert isinstance(record, Checkpoint)  # noqa: S101
    return record.after + 1
