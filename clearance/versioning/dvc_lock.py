"""The one reader of `dvc.lock`: what each stage ran, with which parameters, what it read and what it wrote.

Reads text only and never asks DVC, because the lock of an old version is evidence and arrives as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from clearance import paths, validation_messages, yaml
from clearance.versioning import faults
from clearance.versioning.digests import Digest

NAME = paths.DVC_LOCK.as_posix()
_ONE_MODULE = re.compile(r"python -m tasks\.[a-z_]+( [a-z_]+)*")


class LockedPath(BaseModel):
    """A file or folder as a stage recorded it. `isexec` says how DVC restores it, not what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    hash: Literal["md5"] = "md5"
    md5: str
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False

    def matches(self, digest: Digest) -> bool:
        """Whether content with this digest is what was recorded."""
        same = self.md5 == digest.md5 and self.size in (None, digest.size)
        return same and self.nfiles in (None, digest.files)


class LockedStage(BaseModel):
    """One stage as it ran."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cmd: str | list[str]
    deps: tuple[LockedPath, ...] = ()
    outs: tuple[LockedPath, ...] = ()
    params: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A whole `dvc.lock`: its stages by name."""

    stages: Mapping[str, LockedStage]

    def only(self, names: Collection[str]) -> Lock:
        """Without the stages that `dvc.yaml` no longer names, which DVC leaves in its lock."""
        return Lock(
            stages={name: stage for name, stage in self.stages.items() if name.partition("@")[0] in names}
        )

    @property
    def outs(self) -> dict[str, str]:
        """The MD5 of everything that a stage wrote, by path."""
        return {entry.path: entry.md5 for stage in self.stages.values() for entry in stage.outs}

    @property
    def sources(self) -> dict[str, str]:
        """The MD5 of everything that was read and that no stage wrote: data, code, policy, environment."""
        outs = self.outs
        deps = {entry.path: entry.md5 for stage in self.stages.values() for entry in stage.deps}
        return {path: md5 for path, md5 in deps.items() if not is_within(path, outs)}


def unusual_commands(lock: Lock, committed: Lock | None = None) -> list[str]:
    """The stages that run anything but one module of `tasks`, or another command than `committed` has.

    A sentence for each; `committed` holds the commands of the judged commit, None without one.
    """
    sentences = []
    for name, stage in sorted(lock.stages.items()):
        command = stage.cmd if isinstance(stage.cmd, str) else " && ".join(stage.cmd)
        declared = committed.stages.get(name) if committed else None
        if committed is not None and (declared is None or declared.cmd != stage.cmd):
            sentences.append(f"stage {name} ran `{command}`, which is not what the commit declares")
        elif not _ONE_MODULE.fullmatch(command):
            sentences.append(f"stage {name} runs `{command}`")
    return sentences


def declared_commands(graph: str) -> Lock:
    """The commands in the text of a `dvc.yaml`, as a lock without files. Empty where it cannot be read."""
    try:
        stages = yaml.loads(graph)["stages"]
        return Lock(stages={str(name): LockedStage(cmd=stage["cmd"]) for name, stage in stages.items()})
    except (yaml.YAMLError, ValidationError, KeyError, TypeError, AttributeError):
        return Lock(stages={})


def is_within(path: str, folders: Collection[str]) -> bool:
    """Whether `path` is one of `folders` or lies below one."""
    item = PurePosixPath(path)
    return any(str(place) in folders for place in (item, *item.parents))


@lru_cache(maxsize=16)
def parse(text: str, source: str = "the recorded dvc.lock") -> Lock:
    """The lock that `text` holds, read once; `source` is its name in an error.

    Raises IntegrityError when `text` is not a lock, or holds a key that this reader does not know.
    """
    stages = document(text, source)["stages"]
    return Lock(stages={str(name): _stage(str(name), entry, source) for name, entry in stages.items()})


def _stage(name: str, entry: Any, source: str) -> LockedStage:
    try:
        return LockedStage.model_validate(entry)
    except ValidationError as error:
        reason = f"stage {name}: {validation_messages.describe(error, LockedStage)}"
        raise faults.LOCK_UNREADABLE(source=source, reason=reason) from None


def document(text: str, source: str = NAME) -> dict[str, Any]:
    """The YAML of a lock as it stands, to be written again. Raises IntegrityError unless it holds stages."""
    content = _mapping(text, source)
    if not isinstance(content.get("stages"), Mapping):
        raise faults.LOCK_UNREADABLE(source=source, reason="it has no stages")
    if content.get("schema") != "2.0":
        raise faults.LOCK_UNREADABLE(source=source, reason="its schema is not 2.0")
    return content


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        content = yaml.loads(text)
    except yaml.YAMLError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise faults.LOCK_UNREADABLE(source=source, reason=reason) from None
    if not isinstance(content, Mapping):
        raise faults.LOCK_UNREADABLE(source=source, reason="it is not a mapping")
    return dict(content)


def read(file: Path) -> Lock:
    """The lock in a file; without stages when there is no file. Raises IntegrityError when unreadable."""
    if not file.exists():
        return Lock(stages={})
    return parse(read_text(file), file.name)


def read_text(file: Path) -> str:
    """The text of a lock file. Raises IntegrityError when it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise faults.LOCK_UNREADABLE(source=file.name, reason=error) from None


class _TrackedOutput(BaseModel):
    """What a `.dvc` file says of a file or folder, as far as it is read here."""

    path: str
    md5: str


def is_lock(text: str) -> bool:
    """Whether `text` is a `dvc.lock` rather than a `.dvc` file. Raises IntegrityError when it is neither."""
    content = _mapping(text, "dvc.lock or .dvc file")
    if not {"stages", "outs"} & content.keys():
        raise faults.LOCK_UNREADABLE(source="dvc.lock or .dvc file", reason="it has no stages and no outs")
    return "stages" in content


def tracked_outputs(text: str) -> dict[str, str]:
    """The MD5 of each file or folder that a `.dvc` file tracks, by path relative to it.

    Raises IntegrityError when `text` is not a `.dvc` file.
    """
    outs = _mapping(text, ".dvc file").get("outs")
    try:
        entries = [_TrackedOutput.model_validate(out) for out in outs or ()]
    except (TypeError, ValidationError) as error:
        raise faults.LOCK_UNREADABLE(source=".dvc file", reason=next(iter(str(error).splitlines()))) from None
    return {entry.path: entry.md5 for entry in entries}


def objects(text: str) -> set[str]:
    """The MD5 of every output that a `dvc.lock` or a `.dvc` file names, which DVC keeps as an object.

    Raises IntegrityError when `text` is neither.
    """
    outs = parse(text).outs if is_lock(text) else tracked_outputs(text)
    return set(outs.values())


def parse_listing(content: bytes) -> dict[str, str]:
    """The MD5 of each file of a folder by its path in it, from the object that lists the folder.

    Raises ValueError when `content` is not a listing, or a path leads out of the folder.
    """
    try:
        md5s = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
    except (TypeError, KeyError) as error:
        raise ValueError(f"not the listing of a folder ({error!r})") from None
    for path in md5s:
        if PurePosixPath(path).is_absolute() or ".." in path.split("/"):
            raise ValueError(f"{path} leads out of the folder")
    return md5s
