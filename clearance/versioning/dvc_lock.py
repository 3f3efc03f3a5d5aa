"""`dvc.lock` as a text: what each stage ran, with which parameters, what it read and what it wrote.

Nothing here reads a file or asks DVC: the lock of an old version is evidence, and arrives as a text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from clearance import yaml
from clearance.errors import IntegrityError

FOLDER = ".dir"
"""The end of the MD5 of a folder, which is that of its listing."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one stage ran. `deps` and `outs` map a path to DVC's MD5 of its content."""

    cmd: Any
    params: Mapping[str, Any]
    deps: Mapping[str, str]
    outs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A whole `dvc.lock`."""

    stages: Mapping[str, Stage]

    def only(self, names: Collection[str]) -> Lock:
        """Without the stages that `dvc.yaml` does not name any more, which DVC leaves in its lock."""
        return Lock(
            stages={name: stage for name, stage in self.stages.items() if name.partition("@")[0] in names}
        )

    @property
    def outs(self) -> dict[str, str]:
        """Everything a stage wrote, by path."""
        return {path: md5 for stage in self.stages.values() for path, md5 in stage.outs.items()}

    @property
    def sources(self) -> dict[str, str]:
        """Everything that was read and that no stage wrote: data, code, policy, the locked environment."""
        outs = self.outs
        read = {path: md5 for stage in self.stages.values() for path, md5 in stage.deps.items()}
        return {path: md5 for path, md5 in read.items() if not is_within(path, outs)}


def is_within(path: str, places: Mapping[str, Any]) -> bool:
    """Whether `path` is one of `places` or lies below one."""
    here = PurePosixPath(path)
    return any(str(place) in places for place in (here, *here.parents))


def parse(text: str) -> Lock:
    """The lock that `text` is. Raises IntegrityError when it is none, or names a file without its MD5."""
    with _readable("the recorded dvc.lock"):
        stages = yaml.loads(text)["stages"]
        return Lock(stages={str(name): _stage(stage) for name, stage in stages.items()})


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise IntegrityError(
            f"{what} is not readable ({type(error).__name__}: {reason})",
            "restore it from git or the evidence",
        ) from None


def _stage(stage: Mapping[str, Any]) -> Stage:
    deps, outs = (
        {str(entry["path"]): str(entry["md5"]) for entry in stage.get(kind) or []}
        for kind in ("deps", "outs")
    )
    return Stage(cmd=stage["cmd"], params=dict(stage.get("params") or {}), deps=deps, outs=outs)


def is_lock(text: str) -> bool:
    """Whether `text` is a `dvc.lock`, and not a `.dvc` file. Raises IntegrityError when it is neither."""
    try:
        content = yaml.loads(text)
        if isinstance(content, Mapping) and {"stages", "outs"} & content.keys():
            return "stages" in content
        why = "no stages and no outs"
    except yaml.YAMLError as error:
        why = type(error).__name__
    raise IntegrityError(f"this is no dvc.lock and no .dvc file ({why})", "restore it from git")


def objects(text: str) -> set[str]:
    """The MD5 of every out that a `dvc.lock` or a `.dvc` file names, which DVC keeps as an object.

    Raises IntegrityError when `text` is neither.
    """
    if is_lock(text):
        return set(parse(text).outs.values())
    with _readable("a .dvc file"):
        return {str(out["md5"]) for out in yaml.loads(text)["outs"]}
