"""Builds a recorded version again: its commit's files, its data, every stage run, nothing taken from a cache.

It works in a folder of its own and only reads the checkout: no MLflow, no shared cache, no git worktree.
`clearance.reproduction.differences` decides what the result shows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import environment, file_lock, files, isolation, paths, sandbox, yaml
from clearance.reproduction import environment_check, faults, new_environment, source_rebuild
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import dvc_lock, dvc_objects, git

TIMEOUT = 4 * 3600.0
_PREFIX = "clearance-rebuild-"
_LAST_LINES = 12
_YOUNG = 60.0


@dataclass(frozen=True, kw_only=True)
class RebuiltProject:
    """A finished rebuild. `tree` is the rebuilt project, `checkout` the one it was built from.

    `notes` say which sources did not come from the commit, `environment` which installed packages are not the
    locked ones. `network`: the stages could reach a network, because the kernel did not let them be cut off.
    """

    tree: Path
    checkout: Path
    lock: dvc_lock.Lock
    notes: tuple[str, ...]
    environment: tuple[str, ...]
    network: bool = True


def rebuild(
    root: Path, record: RebuildRecord, folder: Path, timeout: float = TIMEOUT, *, fresh: bool = False
) -> RebuiltProject:
    """Run every stage of the version that `record` describes, in the empty `folder`.

    It may take `timeout` seconds. `fresh`: its stages run in an environment that is made from its lock.
    `root` is the checkout whose git repository and DVC stores are read. Raises IntegrityError when the record
    contradicts itself, or its commit or data are lost; ClearanceError when a stage fails; UnavailableError
    when the environment cannot be made.
    """
    checkout = git.checkout_of(root)
    tree = folder / "project"
    git.export(checkout, record.commit, tree)
    lock = record.checked(tree / paths.DVC_YAML)
    notes = _write_texts(tree, record)
    with dvc_objects.open_stores(checkout) as stores:
        notes += source_rebuild.restore_sources(tree, checkout, lock, stores)
    locks = _locked_environment(tree, record)
    packages = _python(record)
    python = sys.executable
    if fresh:
        python = new_environment.make(locks, folder / "environment")
    else:
        text = "\n".join(lock.read_text(encoding="utf-8") for lock in locks)
        packages = environment_check.find_differences(text) + packages
    _isolate(tree)
    network = not sandbox.can_cut_network()
    _reproduce(tree, timeout, (*notes, *packages), python=python, cut=not network)
    rebuilt = dvc_lock.read(tree / dvc_lock.NAME)
    return RebuiltProject(
        tree=tree, checkout=checkout, lock=rebuilt, notes=notes, environment=packages, network=network
    )


def _write_texts(tree: Path, record: RebuildRecord) -> tuple[str, ...]:
    """Write what the record carries verbatim over the commit's files; return a note for each that differs."""
    notes = []
    for path, text in {**record.files, git.PARAMS: record.params}.items():
        target = tree / path
        before = target.read_text(encoding="utf-8") if target.is_file() else None
        if before != text:
            notes.append(f"{path} is from the record")
            if path == git.PARAMS and (keys := _unexplained(before, text)):
                notes[-1] += f"; the commit has another {', '.join(keys)}, and no override explains it"
            files.write_text(target, text)
    return tuple(notes)


def _unexplained(before: str | None, text: str) -> list[str]:
    return git.unexplained(yaml.loads(before) if before else {}, yaml.loads(text))


def _locked_environment(tree: Path, record: RebuildRecord) -> list[Path]:
    """The lock of the commit, and those of the optional libraries that the parameters name in `train`."""
    file = tree / paths.REQUIREMENTS_LOCK
    if not file.is_file():
        raise faults.NO_LOCKED_ENVIRONMENT()
    named = {text.split(".", 1)[0] for text in _texts(yaml.loads(record.params).get("train"))}
    extras = [tree / lock for name, lock in paths.EXTRA_LOCKS.items() if name in named]
    return [file, *(lock for lock in extras if lock.is_file())]


def _texts(value: Any) -> Iterator[str]:
    """Every text among the values of a section."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _texts(part)


def _python(record: RebuildRecord) -> tuple[str, ...]:
    running = ".".join(map(str, sys.version_info[:3]))
    if record.python is None or running == record.python or running.startswith(f"{record.python}."):
        return ()
    return (f"Python {running} is running, {record.python} was recorded",)


def _isolate(tree: Path) -> None:
    """Give the tree its own cache, no git and no lock, so that it cannot reach what others computed."""
    (tree / paths.DVC_LOCK).unlink(missing_ok=True)
    local = f"[core]\n    no_scm = true\n[cache]\n    dir = {tree / '.dvc' / 'cache'}\n"
    files.write_text(tree / ".dvc" / "config.local", local)


def _reproduce(tree: Path, timeout: float, notes: tuple[str, ...], *, python: str, cut: bool) -> None:
    log = tree.with_name("repro.log")
    bytecode = ("-X", f"pycache_prefix={tree.with_name('bytecode')}")  # new, so it was compiled from source
    tools = isolation.write_python(tree.with_name("bin"), python, bytecode)
    command = isolation.command("-m", "dvc", "repro", "--force", "--no-run-cache", options=bytecode)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - DVC
            command,
            cwd=tree,
            env=_variables(tree, tools),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=sandbox.cut_network if cut else None,  # noqa: PLW1509 - a few system calls
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise faults.TOO_SLOW(seconds=timeout) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # itself, or what a stage left behind
            process.wait()
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        details = "".join(f"\n  {line}" for line in (*notes, *last))
        raise faults.STAGE_FAILED(status=status, details=details)


def _variables(tree: Path, tools: Path) -> Mapping[str, str]:
    """The short list that stages are given, without the home of the person who rebuilds."""
    path = os.pathsep.join(map(str, (tools, Path(sys.executable).parent, os.environ.get("PATH", os.defpath))))
    home = tree.with_name("home")
    home.mkdir(exist_ok=True)
    own = {**environment.TOOL_DEFAULTS, **environment.tool_locations(tree), "PATH": path, "HOME": str(home)}
    return {**isolation.variables(), **own}


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder outside every checkout, removed afterwards, as are the folders of killed rebuilds."""
    parent = Path(tempfile.gettempdir())
    for abandoned in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), file_lock.hold(abandoned, wait=False):
            if time.time() - abandoned.stat().st_mtime > _YOUNG:  # a younger one may not hold its lock yet
                shutil.rmtree(abandoned)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with file_lock.hold(folder, wait=False):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
