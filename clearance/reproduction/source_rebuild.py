"""What the stages read and the commit does not hold: brought back by digest, wherever it is kept.

Never an output of a stage, and nothing in place of a file that the commit holds: code that was not
committed stays away, and the comparison says so.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path, PurePosixPath

from clearance import yaml
from clearance.errors import IntegrityError
from clearance.versioning import digests, dvc_lock
from clearance.versioning.dvc_objects import Stores


def restore_sources(tree: Path, checkout: Path, lock: dvc_lock.Lock, stores: Stores) -> tuple[str, ...]:
    """Bring the sources of `lock` into `tree`; one sentence for each that did not come from the commit.

    Raises IntegrityError when one is kept nowhere, or was read from beside the project.
    """
    sources = sorted(lock.sources.items())
    return tuple(
        _bring(tree, checkout, path, md5, stores) for path, md5 in sources if not _is_here(tree, path, md5)
    )


def _is_here(tree: Path, path: str, md5: str) -> bool:
    found = digests.reader(tree, ())(path)
    return found is not None and found.md5 == md5


def _bring(tree: Path, checkout: Path, path: str, md5: str, stores: Stores) -> str:
    """Take it from the first that has it: DVC by its name, DVC by `.dvc` files, the checkout's own files."""
    target = tree / path
    if target.is_file() or Path(path).is_absolute():
        return f"{path} is not what was read"
    if ".." in PurePosixPath(path).parts or not target.resolve().is_relative_to(tree.resolve()):
        mend = "give its absolute path in params.yaml, and run again"
        raise IntegrityError(f"{path} was read from outside the project", mend)
    if not target.exists():
        with contextlib.suppress(IntegrityError):
            stores.bring(md5, target)
            return f"{path} is from DVC"
    _follow_pointers(tree, target, stores)
    if _is_here(tree, path, md5):
        return f"{path} is from DVC"
    added = _copy_missing(checkout / path, target)
    if _is_here(tree, path, md5):
        return f"{path} is from the checkout: the very content, which neither git nor DVC keeps"
    for file in added:
        file.unlink()
    if not target.is_dir() or not any(target.iterdir()):
        raise IntegrityError(
            f"{path}, which the version was made from, is kept nowhere any more",
            "bring its content back from a copy; `dvc add` and `dvc push` keep the next one",
        )
    return f"{path} is not what was read"


def _follow_pointers(tree: Path, target: Path, stores: Stores) -> None:
    """Bring what the commit's `.dvc` files around and below `target` name."""
    places = [place for place in (target, *target.parents) if tree in place.parents]
    around = [place.with_name(f"{place.name}.dvc") for place in places]
    below = target.rglob("*.dvc") if target.is_dir() else ()
    for pointer in sorted({file for file in (*around, *below) if file.is_file()}):
        for out in yaml.loads(pointer.read_text(encoding="utf-8")).get("outs") or ():
            item = pointer.parent / str(out["path"])
            if not item.exists() and item.resolve().is_relative_to(tree.resolve()):
                with contextlib.suppress(IntegrityError):
                    stores.bring(str(out["md5"]), item)


def _copy_missing(source: Path, target: Path) -> list[Path]:
    """Copy what lies at `source` and not at `target`; return the new files."""
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    pairs = [(file, target / file.relative_to(source)) for file in files]
    new = [(file, place) for file, place in pairs if not place.exists()]
    for file, place in new:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return [place for _, place in new]
