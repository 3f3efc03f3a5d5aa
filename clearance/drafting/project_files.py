"""Writes a draft into a project: a file that somebody changed is compared, and replaced only on request."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clearance import files, params, paths, yaml
from clearance.errors import ClearanceError

SOURCES = Path("data/source")

_WIDTH = 80
"""A longer value is cut in a comparison."""

_TEMPLATES = (paths.PARAMS, paths.CARD_TEXT)
"""The files that are the demo's own in a project that nobody has changed."""

State = Literal["new", "same", "template", "differs"]


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What a draft would do to one file: nothing where it is the `same`.

    `template`: the file is the demo's own, which git keeps. `differs`: somebody wrote it; `differences` are
    the keys that would change, each with both values.
    """

    path: Path
    text: str
    state: State
    differences: tuple[str, ...] = ()


def compare(root: Path, drafted: Mapping[Path, str]) -> list[FileChange]:
    """What each file of a draft would change in the project at `root`."""
    return [_compare(root, path, text) for path, text in drafted.items()]


def _compare(root: Path, path: Path, text: str) -> FileChange:
    if not (root / path).exists():
        return FileChange(path=path, text=text, state="new")
    present = (root / path).read_text(encoding="utf-8")
    if present == text:
        return FileChange(path=path, text=text, state="same")
    lines = differences(_content(present), _content(text))
    if not lines:
        return FileChange(path=path, text=present, state="same")
    template = path in _TEMPLATES and is_template(root) and _is_committed(root, path)
    adds = all(line.endswith("(new)") for line in lines) and path != paths.PARAMS
    state: State = "template" if template else "new" if adds else "differs"
    return FileChange(path=path, text=text, state=state, differences=lines)


def is_template(root: Path) -> bool:
    """Whether params.yaml is still the demo's, as the last commit holds it: then git keeps it."""
    try:
        settings = params.load(root / paths.PARAMS)
    except ClearanceError:
        return False
    return settings.source.kind == "demo" and _is_committed(root, paths.PARAMS)


def _is_committed(root: Path, path: Path) -> bool:
    """Whether the file is as the last commit holds it."""
    from clearance.versioning import git

    try:
        _, contents = git.files_at_head(root, [path.as_posix()])
    except ClearanceError:
        return False
    return contents.get(path.as_posix()) == (root / path).read_bytes()


def write(root: Path, changes: list[FileChange], *, replace: bool) -> list[Path]:
    """Write what is new or a template, and with `replace` what differs; returns the paths written.

    A replaced file stays beside the new one, with `.before` at the end of its name.
    """
    written = []
    for change in changes:
        if change.state == "same" or (change.state == "differs" and not replace):
            continue
        path = root / change.path
        if change.state == "differs":
            shutil.copy2(path, path.with_name(f"{path.name}.before"))
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, change.text)
        written.append(change.path)
    return written


def place(root: Path, table: Path) -> str:
    """The path that the table has, or will have, in the project: its own where it lies inside."""
    inside = table.resolve()
    if inside.is_relative_to(root.resolve()):
        return inside.relative_to(root.resolve()).as_posix()
    return (SOURCES / table.name).as_posix()


def adopt(root: Path, table: Path) -> None:
    """Copy the table to its place in the project, unless it is there.

    A copy of an earlier state of the table is replaced; DVC's cache keeps what a run has read.
    """
    target = root / place(root, table)
    if target.resolve() == table.resolve():
        return
    if table.is_dir():
        shutil.copytree(table, target, dirs_exist_ok=True)
    elif not target.exists() or files.sha256(target) != files.sha256(table):
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as new:
            shutil.copyfile(table, new)


def _content(text: str) -> Any:
    try:
        return yaml.loads(text)
    except yaml.YAMLError:
        return {"": text}


def differences(before: Any, after: Any) -> tuple[str, ...]:
    """One short line for each key that differs; a list of mappings is compared by their `id`."""
    return tuple(_differences(_by_id(before), _by_id(after)))


def _by_id(tree: Any) -> Any:
    """The tree with each list of mappings that have an `id` as a mapping of these."""
    if isinstance(tree, Mapping):
        return {key: _by_id(value) for key, value in tree.items()}
    if isinstance(tree, list) and tree and all(isinstance(item, Mapping) and "id" in item for item in tree):
        return {str(item["id"]): _by_id({k: v for k, v in item.items() if k != "id"}) for item in tree}
    return tree


def _differences(before: Any, after: Any, prefix: str = "") -> Iterator[str]:
    old = before if isinstance(before, Mapping) else {}
    new = after if isinstance(after, Mapping) else {}
    for key in dict.fromkeys((*old, *new)):
        name, was, is_ = f"{prefix}{key}", old.get(key), new.get(key)
        if key not in old:
            yield f"{name}{_shown(is_)} (new)"
        elif key not in new:
            yield f"{name}{_shown(was)} (gone)"
        elif isinstance(was, Mapping) and isinstance(is_, Mapping):
            yield from _differences(was, is_, f"{name}.")
        elif was != is_:
            yield f"{name}: {_short(was)} → {_short(is_)}"


def _shown(value: Any) -> str:
    """A value after its key; of a mapping the key is enough."""
    return "" if isinstance(value, Mapping) else f": {_short(value)}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
