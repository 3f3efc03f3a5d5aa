"""A recorded version made again: its commit's files, its data, every stage run, nothing taken from a cache.

It works in a folder of its own and only reads the checkout: no MLflow, no shared cache, no git worktree.
What the result is worth is decided in `clearance.reproduction.differences`.
"""

from __future__ import annotations

import contextlib
import fcntl
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

from clearance import environment, files, yaml
from clearance.errors import ClearanceError, IntegrityError
from clearance.reproduction import environment_check, source_rebuild
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import dvc_lock, dvc_objects, git

TIMEOUT = 4 * 3600.0
_PREFIX = "clearance-rebuild-"
_LAST = 12
_YOUNG = 60.0
_DROPPED = ("PYTHONSAFEPATH", "PYTHONHOME", "DVC_ROOT", "DVC_STAGE")


@dataclass(frozen=True, kw_only=True)
class RebuiltProject:
    """A finished rebuild. `tree` is the project as it was made again, `checkout` the one it was made from.

    `notes` say which sources did not come from the commit, `environment` what is installed otherwise than
    locked.
    """

    tree: Path
    checkout: Path
    lock: dvc_lock.Lock
    notes: tuple[str, ...]
    environment: tuple[str, ...]


def rebuild(root: Path, record: RebuildRecord, folder: Path, timeout: float = TIMEOUT) -> RebuiltProject:
    """Run every stage of the version that `record` describes, in the empty `folder`.

    It may take `timeout` seconds. `root` is the checkout whose git repository and DVC stores are read. Raises
    IntegrityError when the record contradicts itself, or its commit or data are kept nowhere; ClearanceError
    when a stage fails.
    """
    checkout = git.checkout_of(root)
    tree = folder / "project"
    git.export(checkout, record.commit, tree)
    lock = record.checked(tree / "dvc.yaml")
    notes = _write_texts(tree, record)
    with dvc_objects.opened(checkout) as kept:
        notes += source_rebuild.restore_sources(tree, checkout, lock, kept)
    odd = environment_check.find_differences(_locked_environment(tree)) + _python(record)
    _isolate(tree)
    _reproduce(tree, timeout, (*notes, *odd))
    fresh = dvc_lock.parse((tree / "dvc.lock").read_text(encoding="utf-8"))
    return RebuiltProject(tree=tree, checkout=checkout, lock=fresh, notes=notes, environment=odd)


def _write_texts(tree: Path, record: RebuildRecord) -> tuple[str, ...]:
    """Put what the record carries verbatim in the place of what the commit holds; say where that differs."""
    notes = []
    for path, text in {**record.files, git.PARAMS: record.params}.items():
        target = tree / path
        before = target.read_text(encoding="utf-8") if target.is_file() else None
        if before != text:
            notes.append(f"{path} is from the record")
            if path == git.PARAMS and (keys := _unexplained(before, text)):
                notes[-1] += f": the commit has another {', '.join(keys)}, and no override says so"
            files.write_text(target, text)
    return tuple(notes)


def _unexplained(before: str | None, text: str) -> list[str]:
    return git.unexplained(yaml.loads(before) if before else {}, yaml.loads(text))


def _locked_environment(tree: Path) -> str:
    file = tree / "requirements.lock"
    if not file.is_file():
        raise IntegrityError("the commit has no requirements.lock", "it never locked what it runs on")
    return file.read_text(encoding="utf-8")


def _python(record: RebuildRecord) -> tuple[str, ...]:
    now = ".".join(map(str, sys.version_info[:3]))
    return () if record.python in (None, now) else (f"Python {now} is running, {record.python} was recorded",)


def _isolate(tree: Path) -> None:
    """A cache of its own, no git and no lock: what others computed is out of reach."""
    (tree / "dvc.lock").unlink(missing_ok=True)
    local = f"[core]\n    no_scm = true\n[cache]\n    dir = {tree / '.dvc' / 'cache'}\n"
    files.write_text(tree / ".dvc" / "config.local", local)


def _reproduce(tree: Path, timeout: float, hints: tuple[str, ...]) -> None:
    log = tree.with_name("repro.log")
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - DVC
            command,
            cwd=tree,
            env=_variables(tree),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ClearanceError(
                f"the rebuild took longer than {timeout:g} s", "give it more time, or a faster machine"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # itself, or what a stage left behind
            process.wait()
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST:]
        raise ClearanceError(
            "\n  ".join([f"the rebuild failed: a stage ended with status {status}", *hints, *last]),
            "compare what is named here with the version's evidence",
        )


def _variables(tree: Path) -> Mapping[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ours = {**environment.TOOL_DEFAULTS, **environment.tool_locations(tree), "PATH": path}
    return {name: value for name, value in os.environ.items() if name not in _DROPPED} | ours


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder outside every checkout, gone afterwards; so is what killed rebuilds left of theirs."""
    home = Path(tempfile.gettempdir())
    for left in home.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _held(left):
            if time.time() - left.stat().st_mtime > _YOUNG:  # else it may be on the way to being held
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder itself. Raises BlockingIOError when another process does."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
