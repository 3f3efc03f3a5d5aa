"""The files that keep checkpoints: lines are appended and synced, and never changed.

This module decides whether all files agree with each other, and nothing about the ledger. A line that a crash
cut in two is ignored; a missing line is found by the chain of checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearance import file_lock
from clearance.errors import ClearanceError
from clearance.ledger import checkpoint, faults, waiting
from clearance.ledger.checkpoint import Checkpoint, Confirmation

_BLOCK = 1 << 13


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The end of a checkpoint file: its newest checkpoint, and whether that one was confirmed."""

    newest: Checkpoint | None
    confirmed: bool


@contextmanager
def locked(paths: Sequence[Path], patience: float) -> Iterator[None]:
    """Lock the files, creating those that do not exist. Everybody may read them, so a file beside is locked.

    Raises BusyError after `patience` seconds, UnavailableError when a file cannot be written, and
    ConfigurationError when two of the paths are one file.
    """
    with ExitStack() as stack:
        files = {}
        for path in sorted(paths):
            with _written(path):
                if not path.exists():
                    _create(path)
                lock = file_lock.opened(path.with_name(f"{path.name}.lock"), guarded=path)
                files[path] = stack.enter_context(lock)
        ensure_distinct(paths)
        for path, file in files.items():
            waiting.flock(file, patience, f"the checkpoint file {path}")
        yield


def ensure_distinct(paths: Sequence[Path]) -> None:
    """Raise ConfigurationError when two of the paths are one file: two names are not two places."""
    names: dict[tuple[int, int], Path] = {}
    for path in paths:
        if path.exists():
            status = path.stat()
            other = names.setdefault((status.st_dev, status.st_ino), path)
            if other is not path:
                raise faults.SAME_CHECKPOINT_FILE(first=other, second=path)


def tail(path: Path) -> Tail:
    """The end of a checkpoint file. Raises UnavailableError when it cannot be read."""
    confirmed: set[int] = set()
    for line in _backwards(path):
        content = checkpoint.read(line)
        if isinstance(content, Confirmation):
            confirmed.add(content.sequence)
        elif content is not None:
            return Tail(newest=content, confirmed=content.sequence in confirmed)
    return Tail(newest=None, confirmed=False)


def agreed(paths: Sequence[Path], witness: Path | None = None) -> Tail:
    """The newest checkpoint in any of the files; a file that a crash left without it gets it now.

    The `witness` gets all that it lacks. Call it while the files are `locked`. Raises IntegrityError when
    another file lacks more than one, or the witness has one that differs.
    """
    if witness is not None:
        _catch_up(witness, paths[0])
    tails = {path: tail(path) for path in (*paths, *([witness] if witness else []))}
    checkpoints = [end.newest for end in tails.values() if end.newest]
    newest = max(checkpoints, key=lambda candidate: candidate.sequence, default=None)
    if newest is None:
        return Tail(newest=None, confirmed=False)
    source = next(path for path, end in tails.items() if end.newest == newest)
    for path, end in tails.items():
        if end.newest == newest:
            continue
        if (end.newest.sha256 if end.newest else checkpoint.FIRST) != newest.previous:
            raise faults.CHECKPOINTS_MISSING(file=path, source=source)
        write([path], newest.line)
    return Tail(newest=newest, confirmed=any(end.confirmed for end in tails.values() if end.newest == newest))


def _catch_up(witness: Path, source: Path) -> None:
    """Copy to the witness the lines of the source after its newest checkpoint."""
    newest = tail(witness).newest
    if newest is not None and newest == tail(source).newest:
        return
    missing: list[str] | None = [] if newest is None else None
    for line in lines(source):
        if missing is not None:
            missing.append(line)
        elif newest is not None and line == newest.line:
            missing = []
    if missing is None:
        return  # it has one that the source lacks: `agreed` judges that
    if missing:
        write([witness], "\n".join(missing))


def write(paths: Sequence[Path], line: str, *, alone: bool = False) -> None:
    """Append the line to every file; it is on disk when this returns.

    Raises UnavailableError if not. `alone`: the files are locked, so that one that grows with another is the
    same file under two names; raises ConfigurationError then.
    """
    before = sizes(paths) if alone else ()
    for index, path in enumerate(paths):
        if alone and sizes([path]) != before[index : index + 1]:
            raise faults.SAME_CHECKPOINT_FILE(first=paths[index - 1], second=path)
        with _written(path):
            handle = os.open(path, os.O_RDWR | os.O_APPEND)
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


def lines(path: Path, size: int | None = None) -> Iterator[str]:
    """The lines in the first `size` bytes of a file (None: in all of it), in order, read one at a time.

    A file that does not exist has no lines. Raises UnavailableError when it cannot be read.
    """
    try:
        if not path.exists():
            return
        left = path.stat().st_size if size is None else size
        with path.open("rb") as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                if text := line.decode("utf-8", "replace").rstrip("\n"):
                    yield text
    except OSError as error:
        raise _unreadable(path, error) from None


def sizes(paths: Sequence[Path]) -> tuple[int, ...]:
    """The size of each file in bytes; 0 where it does not exist."""
    return tuple(path.stat().st_size if path.exists() else 0 for path in paths)


def _backwards(path: Path) -> Iterator[str]:
    """The lines of a file, last line first; only as much of it is read as the caller asks for."""
    try:
        with path.open("rb") as file:
            at, rest = file.seek(0, os.SEEK_END), b""
            while at:
                step = min(at, _BLOCK)
                at -= step
                file.seek(at)
                first, *complete = (file.read(step) + rest).split(b"\n")
                for line in reversed(complete):
                    if line:
                        yield line.decode("utf-8", "replace")
                rest = first
            if rest:
                yield rest.decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from None


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise faults.CHECKPOINTS_NOT_WRITABLE(file=path, why=error.strerror or error) from None


def _unreadable(path: Path, error: OSError) -> ClearanceError:
    return faults.CHECKPOINTS_NOT_READABLE(file=path, why=error.strerror or error)
