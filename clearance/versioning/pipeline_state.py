"""What the pipeline read and wrote, checked by content against `dvc.yaml`, `dvc.lock` and the verdict.

It decides nothing about a model: whatever is missing or does not match is an IntegrityError.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clearance import files, params, paths, validation_messages
from clearance.versioning import digests, dvc_lock, faults

VERDICT = paths.VERDICT.as_posix()
_ABSENT = object()


@dataclass(frozen=True, kw_only=True)
class PipelineState:
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
            raise faults.NOT_AN_OUTPUT(path=path)
        file = self.root / path
        content = file.read_bytes() if file.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.outs[path]:
            files.verify(file, self.outs[path])
            raise faults.CHANGED_DURING_READING(path=path)
        try:
            return files.parse_json(content)
        except ValueError as error:
            raise files.NOT_JSON(path=path, reason=error) from None


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
        """How DVC keeps an output (`cache`, `push`, `remote`), by its path."""
        entries = [entry for entry in [*self.outs, *self.metrics, *self.plots] if isinstance(entry, dict)]
        return {path: options for entry in entries for path, options in entry.items()}

    def reads(self) -> set[tuple[str, str]]:
        """The parameters it depends on, each as the file and the key."""
        files = [{paths.PARAMS.as_posix(): [item]} if isinstance(item, str) else item for item in self.params]
        return {(file, key) for item in files for file, keys in item.items() for key in keys}


_Read = Callable[[str], digests.Digest]


def verify(root: Path) -> PipelineState:
    """Read and hash all that the pipeline in `root` read and wrote, and check it against its records.

    Raises IntegrityError that names the file or stage: a stage or a file is missing, content, command or a
    parameter differs from `dvc.lock`, or a digest that the verdict cites does not match. Raises
    ConfigurationError when `params.yaml` or `dvc.yaml` is missing or not YAML.
    """
    values = params.read_yaml(root / paths.PARAMS)
    declared = _declared_stages(root, values)
    if not (root / dvc_lock.NAME).is_file():
        raise faults.NEVER_RUN()
    locked = dvc_lock.read(root / dvc_lock.NAME).stages
    if absent := sorted(set(declared) - set(locked)):
        raise faults.STAGE_NOT_RUN(stage=absent[0])
    outs = {path for stage in declared.values() for path in stage.written()}
    deps = {path for stage in declared.values() for path in stage.deps} - outs
    read, settings = _reader(root, outs, deps), cache(lambda file: params.read_yaml(root / file))
    for name, stage in declared.items():
        _check_stage(name, stage, locked[name], read, settings)
    state = PipelineState(
        root=root,
        fingerprint=_fingerprint(declared, locked, outs | deps, read),
        outs={path: read(path).sha256 for path in sorted(outs)},
        deps={path: read(path).sha256 for path in sorted(deps)},
    )
    _check_verdict(state, read)
    return state


def locked(root: Path) -> dvc_lock.Lock:
    """What `dvc.lock` records of the stages that `dvc.yaml` declares. Raises as `verify` does."""
    declared = _declared_stages(root, params.read_yaml(root / paths.PARAMS))
    return dvc_lock.read(root / dvc_lock.NAME).only(declared)


def _declared_stages(root: Path, values: Mapping[str, Any]) -> dict[str, _Declared]:
    """The stages of `dvc.yaml`, names from `params.yaml` filled in."""
    graph = params.read_yaml(root / paths.DVC_YAML)
    if "vars" in graph:
        raise faults.GRAPH_HAS_VARIABLES()
    stages = _fill(graph, values).get("stages")
    if not isinstance(stages, Mapping) or not stages:
        raise faults.GRAPH_INVALID(reason="it has no stages")
    return {str(name): _declared_stage(str(name), stage) for name, stage in stages.items()}


def _declared_stage(name: str, stage: Any) -> _Declared:
    try:
        return _Declared.model_validate(stage)
    except ValidationError as error:
        raise faults.GRAPH_INVALID(
            reason=f"stage {name}: {validation_messages.describe(error, _Declared)}"
        ) from None


def _reader(root: Path, outs: set[str], deps: set[str]) -> _Read:
    find = digests.reader(root, outs)

    @cache
    def read(path: str) -> digests.Digest:
        if item := digests.first_irregular(root, path) or (path in outs and digests.first_link(root, path)):
            raise faults.IRREGULAR_FILE(path=item)
        if digest := find(path):
            return digest
        raise (faults.OUTPUT_MISSING if path in outs else faults.INPUT_MISSING)(path=path)

    with ThreadPoolExecutor(2) as pool:  # two at a time; a fault is raised where the path is read below
        wait([pool.submit(read, path) for path in sorted(outs | deps)])
    return read


def _check_stage(
    name: str,
    declared: _Declared,
    locked: dvc_lock.LockedStage,
    read: _Read,
    settings: Callable[[str], Mapping[str, Any]],
) -> None:
    """Raise IntegrityError unless the stage is what the lock recorded, and its files still are."""
    if locked.cmd != declared.cmd:
        raise faults.COMMAND_DIFFERS(stage=name)
    for kind, entries, declared_paths, fault in (
        ("deps", locked.deps, set(declared.deps), faults.INPUT_DIFFERS),
        ("outs", locked.outs, declared.written(), faults.OUTPUT_DIFFERS),
    ):
        if differing := {entry.path for entry in entries} ^ declared_paths:
            raise faults.FILES_DIFFER(stage=name, kind=kind, paths=", ".join(sorted(differing)))
        for entry in entries:
            if not entry.matches(read(entry.path)):
                raise fault(path=entry.path, stage=name)
    ran_with = {(file, key): value for file, keys in locked.params.items() for key, value in keys.items()}
    for file, key in sorted(declared.reads() | set(ran_with)):
        current = _value_at(settings(file), key) if (file, key) in declared.reads() else _ABSENT
        if not _same(current, ran_with.get((file, key), _ABSENT)):
            raise faults.PARAMETER_DIFFERS(file=file, key=key, stage=name)


def _check_verdict(state: PipelineState, read: _Read) -> None:
    """Raise IntegrityError unless every digest that the verdict cites is that of the file it names."""
    verdict = state.read_json(VERDICT)
    try:
        cited = {**verdict["evidence"], verdict["policy"]["file"]: verdict["policy"]["sha256"]}
    except (KeyError, TypeError) as error:
        raise faults.VERDICT_INCOMPLETE(path=VERDICT, reason=error) from None
    if not verdict["evidence"]:
        raise faults.VERDICT_INCOMPLETE(path=VERDICT, reason="there is none")
    recorded_paths = {*state.outs, *state.deps}
    for path, sha256 in cited.items():
        if ".." in Path(path).parts or recorded_paths.isdisjoint(map(str, (Path(path), *Path(path).parents))):
            raise faults.FOREIGN_EVIDENCE(verdict=VERDICT, path=path)
        if read(path).sha256 != sha256:
            raise faults.EVIDENCE_DIFFERS(verdict=VERDICT, path=path)


def _fingerprint(
    declared: Mapping[str, _Declared],
    locked: Mapping[str, dvc_lock.LockedStage],
    paths: Iterable[str],
    read: _Read,
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
    return re.sub(r"\$\{\s*([^}\s]+)\s*\}", lambda match: _parameter(values, match[1]), declared)


def _parameter(values: Mapping[str, Any], key: str) -> str:
    if (value := _value_at(values, key)) is _ABSENT:
        raise faults.PARAMETER_UNKNOWN(key=key)
    return str(value)


def _value_at(values: Mapping[str, Any], key: str) -> Any:
    value: Any = values
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _same(current: Any, recorded: Any) -> bool:
    """Whether two parameters are equal; `1e-3`, a number to DVC and a text to PyYAML, equals 0.001."""
    if isinstance(current, Mapping) and isinstance(recorded, Mapping):
        return set(current) == set(recorded) and all(_same(current[key], recorded[key]) for key in current)
    if isinstance(current, list) and isinstance(recorded, list):
        return len(current) == len(recorded) and all(map(_same, current, recorded))
    is_number = isinstance(current, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", current)
    if is_number and isinstance(recorded, float):
        return float(current) == recorded
    return type(current) is type(recorded) and bool(current == recorded)
