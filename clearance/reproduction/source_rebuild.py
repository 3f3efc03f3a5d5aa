"""Restores what the stages read and the commit does not contain, by digest, from wherever it is kept.

It never restores an output of a stage, and never replaces a file of the commit: uncommitted code stays out,
and the comparison says so.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path, PurePosixPath

from clearance.errors import IntegrityError
from clearance.reproduction import faults
from clearance.versioning import digests, dvc_lock
from clearance.versioning.dvc_objects import Stores


def restore_sources(tree: Path, checkout: Path, lock: dvc_lock.Lock, stores: Stores) -> tuple[str, ...]:
    """Restore the sources of `lock` in `tree`; return a sentence for each that did not come from the commit.

    Raises IntegrityError when one is not kept anywhere, or was read from outside the project.
    """
    sources = sorted(lock.sources.items())
    return tuple(
        _restore(tree, checkout, path, md5, stores) for path, md5 in sources if not _is_here(tree, path, md5)
    )


def _is_here(tree: Path, path: str, md5: str) -> bool:
    digest = digests.reader(tree, ())(path)
    return digest is not None and digest.md5 == md5


def _restore(tree: Path, checkout: Path, path: str, md5: str, stores: Stores) -> str:
    """Take it from the first that has it: DVC by its MD5, DVC by `.dvc` files, the checkout's own files."""
    target = tree / path
    if target.is_file() or Path(path).is_absolute():
        return f"{path} is not what was read"
    if ".." in PurePosixPath(path).parts or not target.resolve().is_relative_to(tree.resolve()):
        raise faults.SOURCE_OUTSIDE(path=path)
    if not target.exists():
        with contextlib.suppress(IntegrityError):
            stores.restore(md5, target)
            return f"{path} is from DVC"
    _follow_pointers(tree, target, stores)
    if _is_here(tree, path, md5):
        return f"{path} is from DVC"
    copies = _copy_missing(checkout / path, target)
    if _is_here(tree, path, md5):
        return f"{path} is from the checkout: the recorded content, which neither git nor DVC keeps"
    for file in copies:
        file.unlink()
    if not target.is_dir() or not any(target.iterdir()):
        raise faults.SOURCE_LOST(path=path)
    return f"{path} is not what was read"


def _follow_pointers(tree: Path, target: Path, stores: Stores) -> None:
    """Restore what the commit's `.dvc` files around and below `target` track."""
    folders = [folder for folder in (target, *target.parents) if tree in folder.parents]
    around = [folder.with_name(f"{folder.name}.dvc") for folder in folders]
    below = target.rglob("*.dvc") if target.is_dir() else ()
    for pointer in sorted({file for file in (*around, *below) if file.is_file()}):
        for path, md5 in dvc_lock.tracked_outputs(pointer.read_text(encoding="utf-8")).items():
            item = pointer.parent / path
            if not item.exists() and item.resolve().is_relative_to(tree.resolve()):
                with contextlib.suppress(IntegrityError):
                    stores.restore(md5, item)


def _copy_missing(source: Path, target: Path) -> list[Path]:
    """Copy the files at `source` that `target` lacks; return the new files."""
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    pairs = [(file, target / file.relative_to(source)) for file in files]
    missing = [(file, copy) for file, copy in pairs if not copy.exists()]
    for file, copy in missing:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return [copy for _, copy in missing]
