"""Every name of DVC's that DVC does not document, behind a few functions of our own; nobody else imports DVC.

DVC promises its command line and `dvc.api`. Anything named here may go in its next release, so this module
checks the installed DVC when it is imported and raises `UNSUPPORTED_DVC` before anything is read or written.
`dvc_repro` falls back to the command line then. Import it late: DVC takes half a second.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from clearance import paths
from clearance.versioning import digests, faults

try:
    from dvc.config import Config
    from dvc.dependency.param import MissingParamsError
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError, make_lock
    from dvc.repo import Repo, lock_repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, rwlock
    from dvc.stage import Stage as DvcStage
    from dvc.stage.cache import RunCacheNotFoundError, StageCache
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml
    from dvc_data.hashfile import _progress
    from dvc_objects.errors import ObjectFormatError
except ImportError as error:
    raise faults.UNSUPPORTED_DVC(version=importlib.metadata.version("dvc"), reason=error) from error

_METHODS = {
    Repo: ("add", "pull", "push"),
    DvcStage: ("changed", "commit", "dump", "reload", "remove_outs", "reproduce", "save_deps", "save_outs"),
    StageCache: ("restore", "save"),
}
for _owner, _names in _METHODS.items():
    for _name in _names:
        if not hasattr(_owner, _name):
            raise faults.UNSUPPORTED_DVC(
                version=importlib.metadata.version("dvc"), reason=f"{_owner.__name__} has no {_name}"
            )


class _Progress(_progress.QueryingProgress):  # type: ignore[misc,unused-ignore]
    """DVC's progress of a look into a cache, whose path may contain braces: DVC takes them for a format."""

    def __init__(self, iterable: Any = None, *, name: str | None = None, **options: Any) -> None:
        escaped = name and name.replace("{", "{{").replace("}", "}}")
        super().__init__(iterable, name=escaped, **options)  # type: ignore[no-untyped-call]


setattr(_progress, "QueryingProgress", _Progress)  # noqa: B010 - a class that mypy lets nobody replace

PushError = (DvcException, ObjectFormatError, OSError)
"""What DVC raises when a push does not succeed."""


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Raise what DVC raises as an error of this room."""
    try:
        yield
    except LockError as error:
        raise faults.DVC_BUSY(reason=error) from error
    except NotDvcRepoError as error:
        raise faults.NOT_A_DVC_PROJECT() from error
    except MissingParamsError as error:
        raise faults.PARAMETERS_MISSING(reason=error) from error
    except DvcException as error:
        raise faults.DVC_REFUSED(reason=error) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide DVC's warnings and progress bars: what matters is raised."""
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def remote_settings(root: Path) -> tuple[str, Mapping[str, Any] | None] | None:
    """The name of the default remote of the project at `root`, and its settings if it has any.

    None when the project has no default remote. Raises ConfigurationError when DVC cannot read its settings.
    """
    with translated_errors():
        config = Config(str(root / ".dvc"))
    name = config["core"].get("remote")
    return (name, config["remote"].get(name)) if name else None


@dataclass(frozen=True)
class ObjectStore:
    """DVC's cache or a remote: objects, each named by the MD5 of its content."""

    database: Any

    def exists(self, name: str) -> bool:
        """Whether there is an object under that name, sound or not."""
        return bool(self.database.exists(name))

    def size(self, name: str) -> int:
        """The size of the object in bytes, 0 when there is none."""
        try:
            return int(self.database.fs.size(self.database.oid_to_path(name)))
        except FileNotFoundError:
            return 0

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The object's content to read. Raises FileNotFoundError when there is none."""
        stream: AbstractContextManager[BinaryIO] = self.database.fs.open(
            self.database.oid_to_path(name), "rb"
        )
        return stream

    def is_sound(self, name: str) -> bool:
        """Whether there is an object under that name, and its content is what the name says."""
        try:
            with self.open(name) as stream:
                return digests.stream_md5(stream) == name.removesuffix(digests.FOLDER_SUFFIX)
        except FileNotFoundError:
            return False

    def download(self, name: str, target: Path) -> None:
        """Copy the object to the file `target`. Raises FileNotFoundError when there is none."""
        self.database.fs.get_file(self.database.oid_to_path(name), str(target))

    def replace_from(self, other: ObjectStore, name: str) -> bool:
        """Put the object of `other` in the place of this one, which DVC never does; is it sound then?"""
        path = other.database.oid_to_path(name)
        self.database.add(path, other.database.fs, name, check_exists=False)
        return self.is_sound(name)

    def names(self) -> set[str]:
        """The names of all objects. Raises NotImplementedError where the store cannot list them."""
        return set(self.database.all())

    def missing(self, names: Collection[str]) -> set[str]:
        """Those of `names` under which there is no object."""
        return set(names) - set(self.database.oids_exist(list(names)))

    def delete(self, name: str) -> None:
        """Remove the object."""
        self.database.delete(name)


@dataclass(frozen=True, kw_only=True)
class Output:
    """A file or folder that DVC keeps: `md5` is None when DVC has no record of it yet."""

    path: str
    md5: str | None
    pushed: bool


@dataclass(frozen=True)
class Stage:
    """One stage of the graph: of `dvc.yaml`, or a `.dvc` file, which has no command."""

    dvc_stage: Any

    @property
    def name(self) -> str:
        """The name by which `dvc repro` calls the stage."""
        return str(self.dvc_stage.addressing)

    @property
    def lock_name(self) -> str:
        """The stage's key in `dvc.lock`."""
        return str(self.dvc_stage.name)

    @property
    def file(self) -> Path:
        """The file that declares the stage."""
        return Path(self.dvc_stage.path)

    @property
    def folder(self) -> Path:
        """Where the stage's commands run."""
        return Path(self.dvc_stage.wdir)

    @property
    def commands(self) -> list[str]:
        """The stage's commands, none for a `.dvc` file."""
        command = self.dvc_stage.cmd or []
        return list(command) if isinstance(command, list) else command.splitlines()

    @property
    def is_data_source(self) -> bool:
        """Whether it is a `.dvc` file, which has no command."""
        return self.dvc_stage.cmd is None

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the stage declares under `meta`."""
        return dict(self.dvc_stage.meta or {})

    @property
    def is_frozen(self) -> bool:
        """Whether `dvc.yaml` says that the stage must not run."""
        return bool(self.dvc_stage.frozen)

    @property
    def is_cached(self) -> bool:
        """Whether DVC's cache holds every output."""
        return all(out.use_cache for out in self.dvc_stage.outs)

    @property
    def inputs(self) -> list[Path]:
        """The files and folders that the stage reads."""
        return [Path(dep.fs_path) for dep in self.dvc_stage.deps]

    @property
    def input_digests(self) -> list[Any]:
        """The digests of the inputs, as they were saved last."""
        return [dep.hash_info for dep in self.dvc_stage.deps]

    @property
    def output_paths(self) -> list[Path]:
        """The files and folders that the stage writes."""
        return [Path(out.fs_path) for out in self.dvc_stage.outs]

    @property
    def outputs(self) -> dict[str, str]:
        """The MD5 of each output by its absolute path, as it was saved last."""
        return {str(out.fs_path): str(out.hash_info.value) for out in self.dvc_stage.outs}

    @property
    def recorded_digests(self) -> tuple[dict[str, str | None], dict[str, str | None]]:
        """The MD5 of each input and of each output by its absolute path.

        None where none was saved, and of a file of parameters, of which the stage reads some values only.
        """
        reads, writes = (
            {str(item.fs_path): _md5(item.hash_info) for item in items}
            for items in (self.dvc_stage.deps, self.dvc_stage.outs)
        )
        return reads, writes

    def has_changed(self) -> bool:
        """Whether the stage has to run, by what DVC sees."""
        return bool(self.dvc_stage.changed())

    def reload(self) -> Stage:
        """The stage as its files declare it, without digests of an earlier try."""
        return Stage(self.dvc_stage.reload())

    def reproduce(self, *, force: bool) -> bool:
        """Let DVC bring a `.dvc` file or a frozen stage up to date; whether it changed."""
        return self.dvc_stage.reproduce(force=force) is not None

    def write_pointer(self) -> None:
        """Write the stage's `.dvc` file."""
        self.dvc_stage.dump(update_pipeline=False)

    def remove_outputs(self) -> None:
        """Remove what lies where the stage writes its outputs."""
        self.dvc_stage.remove_outs()

    def save_inputs(self) -> None:
        """Take the digests of the inputs."""
        self.dvc_stage.save_deps()

    def save_outputs(self) -> None:
        """Take the digests of the outputs."""
        self.dvc_stage.save_outs()

    def lock_entry(self) -> str:
        """The stage's part of `dvc.lock`."""
        return lock_entry(to_lockfile(self.dvc_stage))


def _md5(digest: Any) -> str | None:
    return str(digest.value) if digest and digest.name == "md5" else None


def lock_entry(stages: Mapping[str, Any]) -> str:
    """What DVC writes of `stages` into its lock, without the key above them."""
    text: str = dumps_yaml({"stages": dict(stages)})
    return text.removeprefix("stages:\n")


def lock_header(content: Mapping[str, Any]) -> str:
    """What DVC writes of the rest of its lock."""
    text: str = dumps_yaml(dict(content))
    return text


class Repository:
    """The DVC project at `root` (default: around the working folder)."""

    def __init__(self, root: Path | None = None) -> None:
        """Raises ConfigurationError when DVC cannot read it."""
        with translated_errors():
            self._repo = Repo(str(root) if root else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    @property
    def cache(self) -> ObjectStore:
        """DVC's cache on this machine."""
        return ObjectStore(self._repo.cache.local)

    @property
    def cache_folder(self) -> Path:
        """The folder that holds the objects of the cache."""
        return Path(self._repo.cache.local.path)

    @property
    def temporary_folder(self) -> Path:
        """Where DVC keeps its locks."""
        return Path(self._repo.tmp_dir)

    def remote(self) -> ObjectStore:
        """The default remote."""
        return ObjectStore(self._repo.cloud.get_remote_odb())

    def outputs(self) -> list[Output]:
        """What stages write and `.dvc` files track; `pushed` is False for what a push leaves out."""
        return [
            Output(
                path=str(out),
                md5=str(out.hash_info.value) if out.hash_info else None,
                pushed=bool(out.use_cache and out.can_push),
            )
            for out in self._repo.index.outs
        ]

    def stages(self) -> list[tuple[Stage, list[str]]]:
        """The stages in the order of `dvc repro`, each with the names of those that it waits for."""
        graph = get_active_graph(self._repo.index.graph)
        plan = plan_repro(graph, collect_stages(self._repo, [paths.DVC_YAML.as_posix()]))
        return [(Stage(stage), [needed.addressing for needed in graph.successors(stage)]) for stage in plan]

    def locked(self) -> AbstractContextManager[None]:
        """Hold DVC's lock of the project. Raises DVC's LockError when another command does."""
        lock: AbstractContextManager[None] = lock_repo(self._repo)
        return lock

    def claim(self, command: str, reads: Iterable[Path | str], writes: Iterable[Path | str]) -> ExitStack:
        """Until it is closed, other DVC commands find these files busy, as while `dvc repro` runs a stage.

        Raises DVC's LockError when they are busy already.
        """
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        claim = ExitStack()
        inputs, outputs = list(map(str, reads)), list(map(str, writes))
        claim.enter_context(rwlock(self._repo.tmp_dir, self._repo.fs, command, inputs, outputs, hardlink))
        return claim

    def restore(self, stage: Stage) -> bool:
        """Take the stage's outputs from its run cache; False when that holds no such run."""
        try:
            self._repo.stage_cache.restore(stage.dvc_stage)
        except RunCacheNotFoundError:
            return False
        return True

    def commit(self, stage: Stage) -> None:
        """Put the stage's outputs into the cache and its run into the run cache. Its files stay in place."""
        stage.dvc_stage.commit(relink=False)
        if all(out.use_cache or out.is_metric or out.is_plot for out in stage.dvc_stage.outs):
            self._repo.stage_cache.save(stage.dvc_stage)

    def push(self) -> None:
        """`dvc push` to the default remote."""
        self._repo.push()

    def pull(self, pointer: Path) -> bool:
        """`dvc pull` of what a `.dvc` file names; False when neither cache nor remote has it."""
        try:
            self._repo.pull([str(pointer)], force=True)
        except LockError:
            raise
        except DvcException:
            return False
        return True

    def add(self, folder: Path) -> None:
        """`dvc add`, without DVC's advice what to commit."""
        self._repo.scm_context.quiet = True
        self._repo.add(str(folder))

    def remove_torn_lock(self) -> None:
        """Remove DVC's list of busy files if a kill tore it while it was written."""
        folder = self.temporary_folder
        with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
            try:
                json.loads((folder / RWLOCK_FILE).read_text(encoding="utf-8"))
            except FileNotFoundError:
                pass
            except ValueError:
                (folder / RWLOCK_FILE).unlink()


def command_line() -> str:
    """How DVC's list of busy files names this process."""
    return " ".join(sys.argv)
