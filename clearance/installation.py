"""What is installed here, held against what each package's installer recorded (its RECORD).

It finds an edited, missing or added module; it cannot find one whose RECORD was edited alike. Only a rebuild
in an environment made anew finds that. Python itself and its standard library are taken as they are.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import site
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clearance import files
from clearance.errors import ErrorKind, IntegrityError

ALTERED = ErrorKind(
    "installation.altered",
    IntegrityError,
    "the installed packages are not what their installer wrote: {faults}",
    "remove the environment and make it again from the lock: `rm -r .venv`, then `make setup`",
)

OWN = "clearance"
"""The project itself, whose files git keeps. Of its installation only start-up files count."""

_CODE = (".py", ".so", ".pth")
_KEPT = ".clearance-digests.json"
_SHOWN = 5
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The modules that Python can import here beside its own and the project's.

    `digest` is over name and content of each recorded one. `faults` are sentences, one for each module that
    was edited, removed or added since it was installed.
    """

    digest: str
    modules: int
    faults: tuple[str, ...]


@cache
def inspect() -> Installation:
    """What is installed in the environment that runs. Reads every module once, and later what has changed.

    What was read is kept in the environment itself, by inode, size and both times: whoever can change that
    file can change RECORD as well. It takes seconds, so a process does it once.
    """
    folders = [Path(name) for name in site.getsitepackages() if Path(name).is_dir()]
    recorded = {file: sha256 for folder in folders for file, sha256 in _recorded(folder)}
    digests = _digests(recorded)
    faults = [f"{_name(file, folders)} is missing" for file in recorded if file not in digests]
    faults += [
        f"{_name(file, folders)} was edited"
        for file, sha256 in recorded.items()
        if sha256 and digests.get(file, sha256) != sha256
    ]
    faults += [f"{_name(file, folders)} was added" for file in _unrecorded(folders, recorded)]
    faults += [f"{_name(file, folders)} runs code at the start of Python" for file in _own_start_up(folders)]
    by_name = {_name(file, folders): sha256 for file, sha256 in digests.items()}
    return Installation(digest=files.sha256_json(by_name), modules=len(by_name), faults=tuple(sorted(faults)))


def ensure_unaltered() -> Installation:
    """What is installed here. Raises IntegrityError that names what was edited, removed or added."""
    report = inspect()
    if report.faults:
        shown, more = report.faults[:_SHOWN], len(report.faults) - _SHOWN
        raise ALTERED(faults="; ".join(shown) + (f"; and {more} more" if more > 0 else ""))
    return report


def _recorded(folder: Path) -> Iterator[tuple[str, str]]:
    """Each module that a package in `folder` recorded, with its SHA-256 there; empty where it has none.

    Files are texts throughout: there are tens of thousands, and each `Path` would cost more than its test.
    """
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        if record.parent.name.split("-")[0] == OWN:
            continue
        with record.open(encoding="utf-8", newline="") as rows:
            for name, digest, *_ in csv.reader(rows):
                if name.endswith(_CODE) and not name.startswith(("..", "/")):
                    yield _file(folder, name), _hexadecimal(digest)


def _file(folder: Path, name: str) -> str:
    """The file of a package by its recorded name, as `os.walk` writes it."""
    return f"{folder}{os.sep}{os.path.normpath(name)}"


def _hexadecimal(digest: str) -> str:
    kind, _, text = digest.partition("=")
    if kind != "sha256":
        return ""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()


def _digests(recorded: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of each file that is there; what has not changed since the last reading is not read."""
    store = Path(sys.prefix) / _KEPT
    cache = _kept(store)
    stamps = {file: stamp for file in recorded if (stamp := _stamp(file)) is not None}
    changed = [file for file, stamp in stamps.items() if cache.get(file, (None,))[0] != stamp]
    with ThreadPoolExecutor(2) as pool:
        fresh = dict(zip(changed, pool.map(files.sha256, map(Path, changed), chunksize=64), strict=True))
    digests = {file: fresh.get(file) or cache[file][1] for file in stamps}
    if fresh:
        content = {file: [stamps[file], digests[file]] for file in stamps}
        with suppress(OSError):  # an environment that this account may not write to
            files.write_text(store, json.dumps(content))
    return digests


def _kept(store: Path) -> dict[str, tuple[_Stamp | None, str]]:
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
        return {str(name): (tuple(stamp), str(sha256)) for name, (stamp, sha256) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _stamp(file: str) -> _Stamp | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - see `_recorded`
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _unrecorded(folders: list[Path], recorded: Mapping[str, str]) -> Iterator[str]:
    """The modules in these folders that no package recorded; bytecode is not one."""
    own = {file for folder in folders for file in _own_files(folder)}
    for folder in folders:
        for name, inner, names in os.walk(folder):
            inner[:] = [item for item in inner if item != "__pycache__"]
            for file in (f"{name}{os.sep}{item}" for item in names if item.endswith((*_CODE, ".pyc"))):
                if file not in recorded and file not in own:
                    yield file


def _own_files(folder: Path) -> Iterator[str]:
    for record in folder.glob(f"{OWN}-*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as rows:
            yield from (_file(folder, row[0]) for row in csv.reader(rows) if row)


def _own_start_up(folders: list[Path]) -> Iterator[str]:
    """The start-up files of the project's own installation that hold more than the path of the project."""
    for file in (file for folder in folders for file in _own_files(folder)):
        if file.endswith(".pth") and Path(file).is_file():
            lines = Path(file).read_text(encoding="utf-8").splitlines()
            if any(line.startswith(("import ", "import\t")) for line in lines):
                yield file


def _name(file: str, folders: list[Path]) -> str:
    for folder in folders:
        if file.startswith(f"{folder}{os.sep}"):
            return file.removeprefix(f"{folder}{os.sep}")
    return Path(file).name
