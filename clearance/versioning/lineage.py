"""What the pipeline read and wrote, held by content against `dvc.yaml`, `dvc.lock` and the verdict.

Decides nothing about a model: whatever is missing or does not match is an IntegrityError.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from clearance import files, params
from clearance.errors import IntegrityError
from clearance.versioning import digests

VERDICT = "reports/verdict.json"
_RUN = "run the pipeline again (`make run`), then repeat this"
_REPAIR = "run `clearance repair`, then run the pipeline again: what does not match is rebuilt"
_ABSENT = object()


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """A project whose files are what its lock file and its verdict say.

    `fingerprint` is 64 hex digits over the content of everything named here, parameters and commands
    included: the same on every machine and in whatever order the lock file lists it. `outs` and `deps`
    map a path to the SHA-256 of its content (a folder's as `artifacts.sha256` defines it); `deps` are
    what came from outside the graph: sources, code, policy, the locked environment.
    """

    root: Path
    fingerprint: str
    outs: Mapping[str, str]
    deps: Mapping[str, str]

    def read_json(self, path: str) -> Any:
        """The content of the out at `path`, which must still be what was verified.

        Raises IntegrityError when the pipeline has no such out or the file has changed since.
        """
        if path not in self.outs:
            raise IntegrityError(f"{path} is no output of the pipeline", _RUN)
        place = self.root / path
        content = place.read_bytes() if place.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.outs[path]:
            files.verify(place, self.outs[path])
            raise IntegrityError(f"{path} changed while it was read", _RUN)
        try:
            return json.loads(content, parse_constant=_no_constant)
        except ValueError as error:
            raise IntegrityError(f"{path} is not readable JSON ({error})", _REPAIR) from None


class _Entry(BaseModel):
    """A file or folder as `dvc.lock` recorded it; `isexec` says how DVC restores it, not what it is."""

    model_config = ConfigDict(extra="forbid")

    path: str
    hash: Literal["md5"] = "md5"
    md5: str
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False

    def is_of(self, found: digests.Digest) -> bool:
        same = self.md5 == found.md5 and self.size in (None, found.size)
        return same and self.nfiles in (None, found.files)


class _Locked(BaseModel):
    """A stage as `dvc.lock` recorded it."""

    model_config = ConfigDict(extra="forbid")

    cmd: str | list[str]
    deps: list[_Entry] = []
    outs: list[_Entry] = []
    params: dict[str, dict[str, Any]] = {}


class _Declared(BaseModel):
    """A stage as `dvc.yaml` declares it, names from `params.yaml` filled in.

    Any further key (`wdir`, `frozen`) would change what paths mean, or when a stage runs.
    """

    model_config = ConfigDict(extra="forbid")

    desc: str | None = None
    meta: Any = None
    cmd: str | list[str]
    deps: list[str] = []
    outs: list[str | dict[str, Any]] = []
    metrics: list[str | dict[str, Any]] = []
    plots: list[str | dict[str, Any]] = []
    params: list[str | dict[str, list[str]]] = []

    def written(self) -> set[str]:
        entries = [*self.outs, *self.metrics, *self.plots]
        return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}

    def options(self) -> dict[str, Any]:
        """How DVC is told to keep an output (`cache`, `push`, `remote`), by its path."""
        told = [entry for entry in [*self.outs, *self.metrics, *self.plots] if isinstance(entry, dict)]
        return {path: options for entry in told for path, options in entry.items()}

    def reads(self) -> set[tuple[str, str]]:
        """The parameters it depends on, each as the file and the key."""
        files = [{"params.yaml": [item]} if isinstance(item, str) else item for item in self.params]
        return {(file, key) for item in files for file, keys in item.items() for key in keys}


_Stage = TypeVar("_Stage", _Locked, _Declared)
_Read = Callable[[str], digests.Digest]


def verify(root: Path) -> Lineage:
    """Read and hash all that the pipeline in `root` read and wrote, and hold it against its records.

    Raises IntegrityError that names the file or stage and the hint: a stage or a file is missing, content,
    command or a parameter differs from `dvc.lock`, or a digest that the verdict cites does not match.
    Raises ConfigurationError when one of the records is missing or no YAML.
    """
    values = params.read_yaml(root / "params.yaml")
    graph = params.read_yaml(root / "dvc.yaml")
    if "vars" in graph:
        raise IntegrityError("dvc.yaml has variables of its own", "write them in params.yaml, then " + _RUN)
    stages = _parsed(_fill(graph, values), _Declared, "dvc.yaml")
    if not (root / "dvc.lock").is_file():
        raise IntegrityError("dvc.lock is missing: the pipeline has not run here", _RUN)
    records = params.read_yaml(root / "dvc.lock")
    if records.get("schema") != "2.0":
        raise IntegrityError("dvc.lock is of another schema than 2.0", _RUN)
    locked = _parsed(records, _Locked, "dvc.lock")
    if absent := sorted(set(stages) - set(locked)):
        raise IntegrityError(f"dvc.lock has no stage {absent[0]}: it has not run", _RUN)
    written = {path for stage in stages.values() for path in stage.written()}
    foreign = {path for stage in stages.values() for path in stage.deps} - written
    read, settings = _reader(root, written, foreign), cache(lambda file: params.read_yaml(root / file))
    for name, stage in stages.items():
        _hold(name, stage, locked[name], read, settings)
    lineage = Lineage(
        root=root,
        fingerprint=_fingerprint(stages, locked, written | foreign, read),
        outs={path: read(path).sha256 for path in sorted(written)},
        deps={path: read(path).sha256 for path in sorted(foreign)},
    )
    _hold_verdict(lineage, read)
    return lineage


def _parsed(data: Mapping[str, Any], kind: type[_Stage], where: str) -> dict[str, _Stage]:
    stages = data.get("stages")
    if not isinstance(stages, Mapping) or not stages:
        raise IntegrityError(f"{where} names no stages", _RUN)
    try:
        return {str(name): kind.model_validate(stage) for name, stage in stages.items()}
    except ValidationError as error:
        raise IntegrityError(f"{where}: {params.describe(error, kind)}", _RUN) from None


def _reader(root: Path, written: set[str], foreign: set[str]) -> _Read:
    look = digests.reader(root, written)

    @cache
    def read(path: str) -> digests.Digest:
        if odd := digests.unseen(root, path) or (path in written and digests.link(root, path)):
            fault = f"{odd} is a link or no file: what is there may change unseen"
            raise IntegrityError(fault, f"put a copy in its place, or remove it and {_RUN}")
        if found := look(path):
            return found
        raise IntegrityError(
            f"{path} is missing", _REPAIR if path in written else f"bring it back, or {_RUN}"
        )

    with ThreadPoolExecutor(2) as beside:  # two at a time; whoever asks for one that is wrong is told so then
        wait([beside.submit(read, path) for path in sorted(written | foreign)])
    return read


def _hold(
    name: str, stage: _Declared, lock: _Locked, read: _Read, settings: Callable[[str], Mapping[str, Any]]
) -> None:
    """Raise IntegrityError unless the stage is what the lock recorded, and its files still are."""
    if lock.cmd != stage.cmd:
        raise IntegrityError(f"stage {name} was run by another command than dvc.yaml names", _RUN)
    for kind, recorded, paths, mend in (
        ("deps", lock.deps, set(stage.deps), _RUN),
        ("outs", lock.outs, stage.written(), _REPAIR),
    ):
        if odd := {entry.path for entry in recorded} ^ paths:
            raise IntegrityError(f"stage {name}: dvc.yaml and dvc.lock differ in {kind} {sorted(odd)}", _RUN)
        for entry in recorded:
            if not entry.is_of(read(entry.path)):
                raise IntegrityError(f"{entry.path} is not what stage {name} recorded in dvc.lock", mend)
    ran_with = {(file, key): value for file, keys in lock.params.items() for key, value in keys.items()}
    for file, key in sorted(stage.reads() | set(ran_with)):
        now = _at(settings(file), key) if (file, key) in stage.reads() else _ABSENT
        if not _same(now, ran_with.get((file, key), _ABSENT)):
            raise IntegrityError(f"{file}: `{key}` is not what stage {name} ran with", _RUN)


def _hold_verdict(lineage: Lineage, read: _Read) -> None:
    """Raise IntegrityError unless every digest that the verdict cites is that of the file it names."""
    verdict = lineage.read_json(VERDICT)
    try:
        cited = {**verdict["evidence"], verdict["policy"]["file"]: verdict["policy"]["sha256"]}
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{VERDICT} does not say what it rests on ({error})", _RUN) from None
    if not verdict["evidence"]:
        raise IntegrityError(f"{VERDICT} rests on no evidence", _RUN)
    known = {*lineage.outs, *lineage.deps}
    for path, sha256 in cited.items():
        if ".." in Path(path).parts or known.isdisjoint(map(str, (Path(path), *Path(path).parents))):
            raise IntegrityError(f"{VERDICT} cites {path}, which the pipeline neither reads nor writes", _RUN)
        if read(path).sha256 != sha256:
            raise IntegrityError(f"{path} is not the evidence that {VERDICT} cites", _REPAIR)


def _fingerprint(
    declared: Mapping[str, _Declared], locked: Mapping[str, _Locked], paths: Iterable[str], read: _Read
) -> str:
    stages = {
        name: {
            "cmd": stage.cmd,
            "deps": {entry.path: entry.md5 for entry in stage.deps},
            "params": _plain(stage.params),
            "outs": {entry.path: entry.md5 for entry in stage.outs},
            **({"options": _plain(options)} if (options := declared[name].options()) else {}),
        }
        for name, stage in ((name, locked[name]) for name in declared)
    }
    return files.sha256_json({"stages": stages, "sha256": {path: read(path).sha256 for path in paths}})


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no evidence")


def _plain(value: Any) -> Any:
    """A parameter as JSON can hold it: keys as text, infinities by name."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _fill(declared: Any, values: Mapping[str, Any]) -> Any:
    """`declared` with every `${key}` replaced by its value in `params.yaml`."""
    if isinstance(declared, Mapping):
        return {_fill(key, values): _fill(inner, values) for key, inner in declared.items()}
    if isinstance(declared, list):
        return [_fill(inner, values) for inner in declared]
    if not isinstance(declared, str):
        return declared
    return re.sub(r"\$\{\s*([^}\s]+)\s*\}", lambda found: _named(values, found[1]), declared)


def _named(values: Mapping[str, Any], key: str) -> str:
    if (value := _at(values, key)) is _ABSENT:
        raise IntegrityError(f"dvc.yaml names ${{{key}}}, which params.yaml lacks", "restore the key")
    return str(value)


def _at(values: Mapping[str, Any], key: str) -> Any:
    at: Any = values
    for part in key.split("."):
        if not isinstance(at, Mapping) or part not in at:
            return _ABSENT
        at = at[part]
    return at


def _same(now: Any, then: Any) -> bool:
    """Whether two parameters are equal; `1e-3`, a number to DVC and a text to PyYAML, equals 0.001."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        return set(now) == set(then) and all(_same(now[key], then[key]) for key in now)
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(_same, now, then))
    if isinstance(now, str) and isinstance(then, float) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", now):
        return float(now) == then
    return type(now) is type(then) and bool(now == then)
