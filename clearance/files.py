"""Files that stages pass to each other: written whole or not at all, byte-stable, read by digest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearance import canonical_json
from clearance.errors import ErrorKind, IntegrityError

MISSING = ErrorKind(
    "files.missing",
    IntegrityError,
    "{path} is missing",
    "run `make run`: the pipeline rebuilds what is missing",
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

_CHUNK = 1 << 20


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
