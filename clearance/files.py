"""Files that stages pass to each other: written whole or not at all, byte-stable, read by digest."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearance import canonical_json
from clearance.errors import (
    ClearanceError,
    ConfigurationError,
    ErrorKind,
    IntegrityError,
    UnavailableError,
)

MISSING = ErrorKind(
    "files.missing",
    IntegrityError,
    "{path} is missing",
    "run `clearance run`: the pipeline rebuilds what is missing",
)
CHANGED = ErrorKind(
    "files.changed",
    IntegrityError,
    "{path} is not what was recorded (SHA-256 {actual:.12}…, recorded {recorded:.12}…)",
    "run `clearance repair`, then run again: what does not match is rebuilt",
)
NOT_JSON = ErrorKind(
    "files.not_json",
    IntegrityError,
    "{path} is not readable JSON: {reason}",
    "run `clearance repair`, then run again",
)
NO_SPACE = ErrorKind(
    "files.no_space",
    UnavailableError,
    "there is no space left: {reason}",
    "free some disk space, in the temporary folder as well (TMPDIR names it), then repeat this",
)
TOO_MANY_FILES = ErrorKind(
    "files.too_many_open",
    UnavailableError,
    "too many files are open: {reason}",
    "wait until other processes end, or raise the limit (`ulimit -n`), then repeat this",
)
PATH_TOO_LONG = ErrorKind(
    "files.path_too_long",
    ConfigurationError,
    "a path is too long for this file system: {reason}",
    "move the project to a folder with a shorter path, or use a shorter name",
)
NOT_PERMITTED = ErrorKind(
    "files.not_permitted",
    ConfigurationError,
    "a file may not be read or written: {reason}",
    "fix its permissions; commands that only read also work on a read-only copy",
)

_CHUNK = 1 << 20
_PASSING = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EMFILE: TOO_MANY_FILES,
    errno.ENFILE: TOO_MANY_FILES,
}
_LASTING = {
    errno.ENAMETOOLONG: PATH_TOO_LONG,
    errno.EROFS: NOT_PERMITTED,
    errno.EACCES: NOT_PERMITTED,
    errno.EPERM: NOT_PERMITTED,
}
_NUMBER = re.compile(r"\[Errno (\d+)\]")


def passing_fault(error: BaseException) -> ClearanceError | None:
    """The error that a full disk, or too many open files, caused `error`; None for any other cause.

    Also where another library wrapped the operating system's error, or kept only its text.
    """
    return _fault(error, _PASSING)


def system_fault(error: BaseException) -> ClearanceError | None:
    """The clear error of what the operating system refused: space, files, a long path, a permission."""
    return _fault(error, _PASSING | _LASTING)


def _fault(error: BaseException, kinds: dict[int, ErrorKind]) -> ClearanceError | None:
    seen: BaseException | None = error
    while seen is not None:
        numbers = [seen.errno] if isinstance(seen, OSError) else map(int, _NUMBER.findall(str(seen)))
        for number in numbers:
            if number in kinds:
                return kinds[number](reason=_describe(seen, number))
        seen = seen.__cause__ or seen.__context__
    return None


def _describe(error: BaseException, number: int) -> str:
    name = getattr(error, "filename", None)
    text = str(name or "")
    shown = f"…{text[-100:]}" if len(text) > 200 else text
    return f"{os.strerror(number)} ({shown})" if shown else os.strerror(number)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content as 64 hex digits.

    A folder's digest covers the relative name and content of every file below it.
    Raises IntegrityError when there is nothing at `path`.
    """
    if path.is_dir():
        names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        return sha256_json({name: sha256(path / name) for name in names})
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        raise MISSING(path=path) from None
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """The SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_json(value: Any) -> str:
    """The SHA-256 of a JSON value in the canonical form of version 1, as 64 hex digits."""
    return sha256_text(canonical_json.text_v1(value))


def verify(path: Path, expected: str) -> Path:
    """Return `path` when its content has the recorded SHA-256, else raise IntegrityError."""
    actual = sha256(path)
    if actual != expected:
        raise CHANGED(path=path, actual=actual, recorded=expected)
    return path


def dumps(value: Any) -> str:
    """Byte-stable, readable JSON: sorted keys, two spaces, one final newline.

    Raises ValueError on NaN and infinities: evidence never carries them.
    """
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` at `path` by rename, creating the folder."""
    write_text(path, dumps(value))


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) at `path` by rename, creating the folder."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises IntegrityError when it is missing or not JSON."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise MISSING(path=path) from None
    except ValueError as error:
        raise NOT_JSON(path=path, reason=error) from None


def parse_json(content: bytes) -> Any:
    """The JSON value in `content`, which is UTF-8.

    Raises ValueError when it is not JSON, or holds NaN or an infinity.
    """
    return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`. On success it replaces `path`; otherwise nothing changes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`.

    On success it replaces `path`; otherwise nothing changes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
