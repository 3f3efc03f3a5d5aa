"""What hides from a reader of this checkout: history, authors, or files that git does not show.

A release, an approval and a comparison of authors rest on what git says, so whatever makes git say less is
named here. It only reads, and decides nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from clearance import paths
from clearance.versioning import digests, faults, git

_STATE = frozenset(
    {
        ".git",
        ".prefect",
        paths.STATE.name,
        paths.MLFLOW_ARTIFACTS.name,
        "mlartifacts",
        "__pycache__",  # no stage reads it: Python keeps its bytecode elsewhere (clearance.isolation)
    }
)
_IMPORTABLE = (".py", ".pyc", ".so")
_SHOWN = 3
_SHALLOW = "its history is shallow, so older authors are hidden: run `git fetch --unshallow`"
_GRAFTS = ".git/info/grafts changes who came before whom: remove it"
_REPLACED = "`git replace` shows other commits than were made: remove what `git replace --list` names"


def hidden_history(root: Path) -> tuple[str, ...]:
    """Why git does not tell all commits and authors of the project at `root`: sentences, empty when it does.

    Also empty outside a repository. Starts no process, except where references are kept in tables.
    """
    checkout = git.checkout_of(root)
    folder = _git_folder(checkout)
    if folder is None:
        return ()
    hidden = {
        _SHALLOW: _has_content(folder / "shallow"),
        _GRAFTS: _has_content(folder / "info" / "grafts"),
        _REPLACED: _has_replacements(checkout, folder),
    }
    return tuple(sentence for sentence, applies in hidden.items() if applies)


def _git_folder(root: Path) -> Path | None:
    """Where git keeps what all worktrees of the repository around `root` share; None outside of one."""
    for folder in (root.resolve(), *root.resolve().parents):
        item = folder / ".git"
        if item.is_file():  # a worktree, a submodule
            item = folder / item.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        if item.is_dir():
            common = item / "commondir"
            return item / common.read_text(encoding="utf-8").strip() if common.is_file() else item
    return None


def _has_content(file: Path) -> bool:
    return file.is_file() and bool(file.read_bytes().strip())


def _has_replacements(root: Path, folder: Path) -> bool:
    if (folder / "reftable").is_dir():
        return bool(git.output(root, "for-each-ref", "--count=1", "refs/replace/"))
    packed = folder / "packed-refs"
    is_packed = packed.is_file() and b" refs/replace/" in packed.read_bytes()
    return is_packed or any(item.is_file() for item in (folder / "refs" / "replace").rglob("*"))


def hidden_files(root: Path) -> tuple[str, ...]:
    """What git does not show of the files at `root`: sentences, empty when it shows all that matters.

    Index flags, links that leave the checkout, and ignored files that Python could import. Empty without git,
    a repository or a first commit.
    """
    checkout = git.checkout_of(root)
    if git.head(checkout) is None:
        return ()
    flagged = [
        entry[2:]
        for entry in git.output(checkout, "ls-files", "-v", "-z").split("\0")
        if entry and (entry[0].islower() or entry[0] == "S")
    ]
    leaving, importable = _walk(checkout)
    return tuple(
        f"{fault}: {_shown(names)}"
        for fault, names in (
            ("git is told not to look at changes of these files (`git update-index`)", flagged),
            ("these links leave the checkout, so nothing keeps what they show", leaving),
            ("git ignores these files, and Python can import them", _ignored(checkout, importable)),
        )
        if names
    )


def hidden(root: Path) -> tuple[str, ...]:
    """Every reason why the checkout at `root` cannot be seen whole: `hidden_history`, then `hidden_files`."""
    return (*hidden_history(root), *hidden_files(root))


def ensure_visible(root: Path) -> None:
    """Raise IntegrityError that names every reason why the checkout at `root` cannot be seen whole."""
    _ensure_none(hidden(root))


def ensure_history(root: Path) -> None:
    """Raise IntegrityError that names every reason why git does not tell all commits and authors here."""
    _ensure_none(hidden_history(root))


def _ensure_none(reasons: tuple[str, ...]) -> None:
    if reasons:
        raise faults.CHECKOUT_NOT_VISIBLE(reasons="; ".join(reasons))


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """The links below `root` that leave it, and the files that Python could import from there, by name."""
    leaving: list[str] = []
    importable: list[str] = []
    home = root.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not _is_state(here / name, root)]
        for name in (*folders, *names):
            item = here / name
            leaves = item.is_symlink() and not item.resolve().is_relative_to(home)
            if leaves and not digests.is_object(item):  # DVC may link an output into a shared cache
                leaving.append(item.relative_to(root).as_posix())
        modules = here.relative_to(root).parts
        if all(part.isidentifier() for part in modules):
            importable += [
                (here / name).relative_to(root).as_posix() for name in names if name.endswith(_IMPORTABLE)
            ]
    return sorted(leaving), sorted(importable)


def _is_state(folder: Path, root: Path) -> bool:
    """Whether a folder holds the state of a tool: an environment, a cache, what MLflow or DVC keep."""
    if folder.parent == root and folder.name in _STATE:
        return True
    dvc_state = folder.parent == root / ".dvc" and folder.name in {"cache", "tmp"}
    return dvc_state or folder.name == "__pycache__" or (folder / "pyvenv.cfg").is_file()


def _ignored(root: Path, names: list[str]) -> list[str]:
    """Those of the files that git neither tracks nor shows as new."""
    tracked = set(git.output(root, "ls-files", "-z").split("\0"))
    untracked = [name for name in names if name not in tracked]
    if not untracked:
        return []
    tops = sorted({name.split("/")[0] for name in untracked})
    listed = git.output(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *tops)
    return [name for name in untracked if name not in set(listed.split("\0"))]


def _shown(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
