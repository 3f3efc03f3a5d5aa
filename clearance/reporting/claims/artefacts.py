"""Artefacts as claims read them: parsed JSON with the digest of the file, and JSON Pointers into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, yaml
from clearance.errors import ClearanceError

_INDEX = re.compile("0|[1-9][0-9]*")


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """What a file holds, and the SHA-256 of the file."""

    content: Any
    sha256: str


Artefacts = Mapping[str, Artefact]
"""Artefacts by their path below the project; one that is missing or unreadable is not there."""


class NothingThere(LookupError):
    """A JSON Pointer that leads nowhere."""


def read(root: Path, names: Iterable[Path]) -> dict[str, Artefact]:
    """The artefacts of the project at `root`; unreadable ones are left out."""
    artefacts = {}
    for name in names:
        if (root / name).is_file():
            sha256 = files.sha256(root / name)
            try:
                content = _parse(root / name)
            except (ClearanceError, yaml.YAMLError, ValueError):
                continue
            artefacts[name.as_posix()] = Artefact(content=content, sha256=sha256)
    return artefacts


def _parse(path: Path) -> Any:
    if path.suffix == ".json":
        return files.read_json(path)
    return json.loads(json.dumps(yaml.loads(path.read_text(encoding="utf-8")), default=str))


def pointer(*keys: str | int) -> str:
    """The JSON Pointer that leads through `keys`."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)


def last_key(where: str) -> str:
    """The last key of a JSON Pointer; empty for the pointer to the whole content."""
    return _unescaped(where.rpartition("/")[2])


def at(content: Any, where: str) -> Any:
    """The value at the JSON Pointer `where`. Raises NothingThere when it leads nowhere."""
    value = content
    for part in where.split("/")[1:]:
        key = _unescaped(part)
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise NothingThere(where)
    return value


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
