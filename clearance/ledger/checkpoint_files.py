"""The files in which checkpoints are kept: lines are added at the end and synced, none is ever changed.

It decides when all places agree with each other, and nothing about the ledger. A line that a crash cut in
two says nothing; one that is missing is for the chain of checkpoints to miss.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearance.errors import IntegrityError, UnavailableError
from clearance.ledger import checkpoint, waiting
from clearance.ledger.checkpoint import Checkpoint, Confirmation

_BLOCK = 1 << 13


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The end of a place: its newest checkpoint, and whether that one was confirmed."""

    newest: Checkpoint | None
    confirmed: bool


@contextmanager
def held(places: Sequence[Path], patience: float) -> Iterator[None]:
    """Have the places to oneself, creating the files that are not there.

    Raises BusyError after `patience` seconds and UnavailableError when one cannot be written.
    """
    with ExitStack() as stack:
        for place in sorted(places):
            with _written(place):
                if not place.exists():
                    _create(place)
                file = stack.enter_context(place.open("rb"))
            waiting.flock(file, patience, f"the checkpoints in {place}")
        yield


def tail(place: Path) -> Tail:
    """Read the end of a place. Raises UnavailableError when it cannot be read."""
    confirmed: set[int] = set()
    for line in _backwards(place):
        found = checkpoint.read(line)
        if isinstance(found, Confirmation):
            confirmed.add(found.sequence)
        elif found is not None:
            return Tail(newest=found, confirmed=found.sequence in confirmed)
    return Tail(newest=None, confirmed=False)


def agreed(places: Sequence[Path]) -> Tail:
    """The newest checkpoint of all places; a place that a crash left without it is given it.

    To be called while the places are `held`. Raises IntegrityError when a place lacks more than that.
    """
    tails = {place: tail(place) for place in places}
    newest = max(
        (each.newest for each in tails.values() if each.newest), key=lambda each: each.sequence, default=None
    )
    if newest is None:
        return Tail(newest=None, confirmed=False)
    source = next(place for place, each in tails.items() if each.newest == newest)
    for place, each in tails.items():
        if each.newest == newest:
            continue
        if (each.newest.sha256 if each.newest else checkpoint.FIRST) != newest.previous:
            raise IntegrityError(
                f"{place} lacks checkpoints that {source} has",
                f"find out who took them out; then, or when the place is new, copy {source} to {place}",
            )
        write([place], newest.line)
    return Tail(newest=newest, confirmed=any(t.confirmed for t in tails.values() if t.newest == newest))


def write(places: Iterable[Path], line: str) -> None:
    """Add the line to every place, on disk when this returns. Raises UnavailableError when one cannot."""
    for place in places:
        with _written(place):
            handle = os.open(place, os.O_RDWR | os.O_APPEND)
            try:
                content = f"{line}\n".encode()
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":  # a crash cut the last line in two
                    content = b"\n" + content
                written = os.write(handle, content)
                if written < len(content):
                    raise OSError("the disk is full")
                os.fsync(handle)
            finally:
                os.close(handle)


def lines(place: Path, size: int | None = None) -> Iterator[str]:
    """The lines of a place from its beginning, of its first `size` bytes, one at a time.

    Raises UnavailableError when it cannot be read; a place that is not there has no lines.
    """
    try:
        if not place.exists():
            return
        left = place.stat().st_size if size is None else size
        with place.open("rb") as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                if text := line.decode("utf-8", "replace").rstrip("\n"):
                    yield text
    except OSError as error:
        raise _unreadable(place, error) from None


def sizes(places: Sequence[Path]) -> tuple[int, ...]:
    """How many bytes each place holds; 0 where there is none."""
    return tuple(place.stat().st_size if place.exists() else 0 for place in places)


def _backwards(place: Path) -> Iterator[str]:
    """The lines of a place, the last one first, without reading more of it than is asked for."""
    try:
        with place.open("rb") as file:
            at, rest = file.seek(0, os.SEEK_END), b""
            while at:
                step = min(at, _BLOCK)
                at -= step
                file.seek(at)
                first, *whole = (file.read(step) + rest).split(b"\n")
                for each in reversed(whole):
                    if each:
                        yield each.decode("utf-8", "replace")
                rest = first
            if rest:
                yield rest.decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(place, error) from None


def _create(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(place, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644))
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _written(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"checkpoints cannot be written to {place} ({error.strerror or error})",
            "mend the place or its rights, see with `clearance ledger show` what was recorded, then repeat",
        ) from None


def _unreadable(place: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"the checkpoints in {place} cannot be read ({error.strerror or error})",
        "mend the place, then repeat",
    )
