"""A bounded file on this machine for records that the store cannot take, when the policy allows it.

A frame is what one call appends: its length, then the records sealed under a key of the log's key file and
bound to their place in the file. It is synced before anybody gets a receipt. Once the store is back, the
frames are appended in order before anything newer, and the file is removed after that commit. A process that
dies leaves its file, which the next one to open the log on this machine takes over.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from clearance.inference_log import faults
from clearance.inference_log.keyring import Keyring
from clearance.inference_log.records import EncodedRecord

_LENGTH = struct.Struct(">I")
_SUFFIX = ".spool"


@dataclass(frozen=True, kw_only=True)
class SpoolSettings:
    """The folder of this machine's spools, and the most bytes that one process keeps there."""

    folder: Path
    limit: int


@dataclass(frozen=True, kw_only=True)
class SpoolContent:
    """The frames of a file, in order, and how many bytes of an unfinished frame stand at its end.

    Nobody has a receipt for an unfinished frame: it was never synced.
    """

    frames: Sequence[Sequence[EncodedRecord]]
    torn: int


class Spool:
    """The spool of this process. One thread uses it."""

    def __init__(self, settings: SpoolSettings, keyring: Keyring, log: str) -> None:
        self._settings = settings
        self._keyring = keyring
        self._log = log
        self._path = settings.folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        self._descriptor: int | None = None
        self._size = self._frames = 0

    @property
    def empty(self) -> bool:
        """Whether nothing waits in it."""
        return not self._frames

    def write(self, calls: Sequence[Sequence[EncodedRecord]]) -> None:
        """Write what several calls append, and sync it.

        Raises UnavailableError when the limit is reached or the file cannot be written; then nothing was.
        """
        data = b""
        for number, call in enumerate(calls, self._frames):
            text = json.dumps([_fields(record) for record in call], separators=(",", ":")).encode()
            sealed = self._keyring.seal_spooled(text, _bound(self._log, self._path.stem, number))
            data += _LENGTH.pack(len(sealed)) + sealed
        if self._size + len(data) > self._settings.limit:
            raise faults.SPOOL_FULL(limit=self._settings.limit)
        try:
            descriptor = self._open()
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                raise
        except OSError as error:
            raise faults.SPOOL_NOT_WRITABLE(path=self._path, why=error.strerror) from None
        self._size += len(data)
        self._frames += len(calls)

    def _open(self) -> int:
        if self._descriptor is None:
            folder = self._settings.folder
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            _sync_folder(folder)
        return self._descriptor

    def content(self) -> SpoolContent:
        """What waits in it. Raises IntegrityError when it was changed."""
        return _content(self._path, self._keyring, self._log) if self._frames else _NOTHING

    def clear(self) -> None:
        """Remove what was appended to the log."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            _sync_folder(self._settings.folder)
        self._path = self._settings.folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        self._descriptor, self._size, self._frames = None, 0, 0

    def close(self) -> None:
        """Leave what waits to the next process; an empty file is removed."""
        if self.empty:
            self.clear()
        elif self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def abandoned(self) -> Iterator[tuple[Path, SpoolContent]]:
        """The files that no process uses any more; each is locked until the next is asked for."""
        for path in sorted(self._settings.folder.glob(f"*{_SUFFIX}")):
            if path == self._path:
                continue
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists():
                    yield path, _content(path, self._keyring, self._log)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


_NOTHING = SpoolContent(frames=(), torn=0)


def _content(path: Path, keyring: Keyring, log: str) -> SpoolContent:
    frames: list[list[EncodedRecord]] = []
    data, place = path.read_bytes(), 0
    while place < len(data):
        end = place + _LENGTH.size
        length = _LENGTH.unpack(data[place:end])[0] if end <= len(data) else 0
        if not length or end + length > len(data):
            break
        text = keyring.open_spooled(data[end : end + length], _bound(log, path.stem, len(frames)))
        if text is None:
            if not any(data[end : end + length]):  # a file system may lengthen a file before its content
                break
            raise faults.SPOOL_DAMAGED(path=path, frame=len(frames) + 1)
        frames.append([_record(fields) for fields in json.loads(text)])
        place = end + length
    return SpoolContent(frames=frames, torn=len(data) - place)


def _bound(log: str, name: str, number: int) -> bytes:
    return f"{log} {name} {number}".encode()


def _fields(record: EncodedRecord) -> list[str | None]:
    return [value.decode() if isinstance(value, bytes) else value for value in astuple(record)]


def _record(fields: Sequence[str | None]) -> EncodedRecord:
    id_, kind, header, content, subject, about, idempotency, body_digest = fields
    return EncodedRecord(
        id=str(id_),
        kind=str(kind),
        header=str(header).encode(),
        content=str(content).encode(),
        subject=subject,
        about=about,
        idempotency=idempotency,
        body_digest=body_digest,
    )


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
