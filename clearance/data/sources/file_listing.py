"""Which files below `source.path` belong to the table, and which columns their folders name.

It decides what counts as hidden or temporary and what a folder such as `city=north` says. It opens no file.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearance.data import faults
from clearance.params import Source

Format = Literal["csv", "parquet", "json"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
PACKED: Mapping[str, Literal["gzip", "zstd"]] = {".gz": "gzip", ".zst": "zstd"}
"""How a text file is compressed, by the end of its name."""

_SPREADSHEETS = {".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"}
_HIDDEN = (".", "_", "~$")
"""How names of hidden and temporary files and folders begin: of editors, notebooks, Spark, macOS, Excel."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a source in the order of their names, so that the order of rows is fixed.

    `left_out` are the files beside them that are not read: hidden and temporary tables, and visible files
    whose ending is of no format that is read, or not of the one that is.
    """

    root: Path
    files: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()

    def below(self, paths: Sequence[Path]) -> list[str]:
        """The paths as texts below the root; none where the root is the file itself."""
        return [] if self.root.is_file() else [path.relative_to(self.root).as_posix() for path in paths]


def find(source: Source) -> Listing:
    """The files of the source.

    Raises SourceError when there is none, and ConfigurationError on a pattern that leaves the folder.
    """
    root = Path(source.path)
    if not root.exists():
        raise faults.SOURCE_MISSING(path=root)
    if root.is_file():
        listing = Listing(root=root, files=(root,))
    elif source.glob is not None and (Path(source.glob).is_absolute() or ".." in Path(source.glob).parts):
        raise faults.GLOB_LEAVES_FOLDER(glob=source.glob, folder=root)
    else:
        listing = _listing(root, source.glob)
    if not listing.files and source.glob:
        raise faults.NO_MATCHING_FILE(folder=root, glob=source.glob)
    if not listing.files:
        raise faults.NO_KNOWN_FILE(folder=root, suffixes=", ".join(SUFFIXES))
    for path in listing.files:
        if _is_spreadsheet(path):
            raise faults.SPREADSHEET(path=path)
        if any(mark in str(path) for mark in "*?["):
            raise faults.WILDCARD_IN_FILE_NAME(path=path)
    return listing


def _listing(root: Path, glob: str | None) -> Listing:
    paths = sorted(path for path in root.glob(glob or "**/*") if path.is_file())
    visible = [path for path in paths if not _is_hidden(path.relative_to(root))]
    files = visible
    if glob is None:
        files = list(filter(format_of_name, visible)) or list(filter(_is_spreadsheet, visible))
        paths = [path for path in paths if path in visible or format_of_name(path) or _is_spreadsheet(path)]
    return Listing(root=root, files=tuple(files), left_out=tuple(path for path in paths if path not in files))


def _is_spreadsheet(path: Path) -> bool:
    return path.suffix.lower() in _SPREADSHEETS


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(_HIDDEN) and "=" not in part for part in path.parts)


def format_of_name(path: Path) -> Format | None:
    """The format that the file's name shows, compressed or not; None when it shows none."""
    name = path.name.lower()
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    return SUFFIXES.get(Path(name).suffix)


def common_format(source: Source, files: Sequence[Path]) -> Format:
    """The one format of the files. Raises ConfigurationError when they have none, or several."""
    if source.format is not None:
        return source.format
    formats = {format_of_name(path) for path in files}
    common = formats.pop() if len(formats) == 1 else None
    if common is None:
        raise faults.NO_COMMON_FORMAT(path=source.path)
    return common


def partitions(listing: Listing) -> tuple[str, ...]:
    """The columns that folders name as Hive does, such as `city` in `city=north/part-0.parquet`.

    Raises DataError when two files are in folders that name different columns.
    """
    first: Path | None = None
    names: tuple[str, ...] = ()
    for path, below in zip(listing.files, listing.below(listing.files), strict=False):
        folders = [part.partition("=") for part in Path(below).parent.parts]
        own = tuple(urllib.parse.unquote(name) for name, sign, _ in folders if sign and name)
        if first is None:
            first, names = path, own
        elif own != names:
            raise faults.FILES_DIFFER_IN_FOLDERS(path=path, first=first)
    return names
