"""What git says about a project: its commit, what that commit does not hold, who wrote what, its files.

It only reads the repository: no index is refreshed, no hook, signature check or file monitor runs. A file
counts as committed when its very bytes are in the commit; times and index flags count for nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path, PurePosixPath
from typing import Any

from clearance import yaml
from clearance.errors import ConfigurationError, IntegrityError
from clearance.versioning import digests, dvc_lock

PARAMS = "params.yaml"
ALWAYS = ("dvc.yaml", PARAMS, ".dvcignore", "policies")
"""What shapes a run or a release although no stage need name it as something it reads."""

_SECONDS = 120.0
_INERT = ("core.fsmonitor=", "core.hooksPath=/dev/null", "log.showSignature=false", "protocol.allow=never")
_POINTER = ".dvc"
_NAMED = 3
_HEADER = re.compile(rb"[0-9a-f]+ [a-z]+ [0-9]+")


@dataclass(frozen=True, kw_only=True)
class CommitState:
    """What the commit holds of that which the pipeline read.

    `commit` is None without git or a first commit. `changed` are files of which the commit holds other bytes;
    `params.yaml` is among them when a key differs that no recorded override explains. `unkept` are files
    that neither the commit nor DVC keeps.
    """

    commit: str | None
    changed: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Author:
    """Somebody whom a commit names as its author or co-author. It is a claim: git checks no identity."""

    email: str
    name: str


def reproducibility_fault(state: CommitState, allow_uncommitted: bool) -> str | None:
    """Why nobody could build this model again from git and DVC, in a sentence; None when they could.

    None as well where the policy allows what is not committed.
    """
    if allow_uncommitted:
        return None
    if state.commit is None:
        return "The project has no git commit: nothing holds the code that made this model."
    if state.changed:
        return f"Commit {state.commit[:12]} does not hold what was read: {_named(state.changed)}."
    if state.unkept:
        return f"Neither git nor DVC keeps what was read: {_named(state.unkept)}."
    return None


def _named(paths: Collection[str]) -> str:
    shown, more = sorted(paths)[:_NAMED], len(paths) - _NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def input_paths(*locks: str) -> tuple[str, ...]:
    """The paths that decide what a model is: all that these `dvc.lock` texts read, and `ALWAYS`."""
    read = {path for text in locks for path in dvc_lock.parse(text).sources}
    return tuple(sorted({*read, *ALWAYS}))


def checkout_of(root: Path) -> Path:
    """The checkout that `root` belongs to: a run with overrides works in a workspace below `.clearance`."""
    home = root.resolve().parent
    in_workspace = home.name == "workspaces" and home.parent.name == ".clearance"
    return home.parents[1] if in_workspace else root


def commit_state(root: Path, lock: str) -> CommitState:
    """What git holds of the project at `root`, whose run recorded this `dvc.lock` text.

    Raises ConfigurationError when git refuses to read the repository.
    """
    checkout = checkout_of(root)
    commit = head(checkout)
    if commit is None:
        return CommitState(commit=None)
    held = _blobs(checkout, commit)
    changed: set[str] = set()
    unkept: set[str] = set()
    for path in input_paths(lock):
        for name in _files(root, path, held):
            if name == PARAMS:
                odd = bool(unexplained(_yaml(read_file(checkout, commit, PARAMS)), _yaml_file(root / PARAMS)))
            else:
                odd = held.get(name) != _blob(root / name, len(commit))
            if odd and not _is_tracked(root, name):
                (changed if name in held else unkept).add(name)
    return CommitState(commit=commit, changed=tuple(sorted(changed)), unkept=tuple(sorted(unkept)))


def _files(root: Path, path: str, held: Collection[str]) -> Iterator[str]:
    """The files that reading `path` reads, and those that the commit has there and that are gone."""
    if not (root / path).is_dir():
        yield from [path] if path in held or (root / path).exists() or path not in ALWAYS else []
        return
    here = {f"{path}/{name}" for name in digests.listing(root, path)}
    there = {name for name in held if PurePosixPath(path) in PurePosixPath(name).parents}
    yield from sorted(here | there)


def _blob(file: Path, width: int) -> str | None:
    """The name git would give the bytes of a file, in a repository whose names have this width."""
    if file.is_symlink() or not file.is_file():
        return None
    kind = "sha1" if width == 40 else "sha256"
    name = hashlib.new(kind, b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            name.update(chunk)
    return name.hexdigest()


def _is_tracked(root: Path, name: str) -> bool:
    """Whether a `.dvc` file beside the file, or a folder around it, says that DVC keeps this content."""
    if Path(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return False
    for place in (PurePosixPath(name), *PurePosixPath(name).parents):
        pointer = root / f"{place}{_POINTER}"
        if str(place) != "." and pointer.is_file():
            now = digests.reader(root, {str(place)})(str(place))
            return now is not None and now.md5 in dvc_lock.objects(pointer.read_text(encoding="utf-8"))
    return False


def unexplained(base: Any, now: Any, overrides: Any = None) -> list[str]:
    """The keys in which the parameters `now` differ from `base` and no override recorded in `now` says so.

    What is no mapping where `base` is one differs as a whole.
    """
    if overrides is None:
        overrides = now.get("overrides") if isinstance(now, Mapping) else {}
        base, now = ({k: v for k, v in each.items() if k != "overrides"} for each in (base, now))
    found: list[str] = []
    for key in sorted({*base, *now}, key=str):
        before, after = base.get(key), now.get(key)
        asked = overrides.get(key) if isinstance(overrides, Mapping) else None
        if (before == after and (key in base) == (key in now)) or (asked is not None and asked == after):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += [f"{key}.{inner}" for inner in unexplained(before, after, asked or {})]
        else:
            found.append(str(key))
    return found


def _yaml(text: bytes | None) -> dict[str, Any]:
    try:
        value = yaml.loads((text or b"").decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return dict(value) if isinstance(value, Mapping) else {}


def _yaml_file(path: Path) -> dict[str, Any]:
    return _yaml(path.read_bytes() if path.is_file() else None)


def head(root: Path) -> str | None:
    """The commit that is checked out at `root`; None without git, a repository or a first commit."""
    if shutil.which("git") is None:
        return None
    told = _run(root, "rev-parse", "--is-inside-work-tree")
    if told.returncode:
        if b"not a git repository" in told.stderr:
            return None
        raise ConfigurationError(f"git: {_words(told)}", "mend what git names, then repeat this")
    told = _run(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return None if told.returncode else told.stdout.decode().strip()


def authors(root: Path, since: str | None, until: str, paths: Iterable[str]) -> tuple[Author, ...]:
    """Who authored or co-authored a commit up to `until` that touched one of `paths` (below `root`).

    `since`: only commits that this one does not have already, say the commit of the champion; None: all.
    Names are as the commits have them: a `.mailmap` could lend one person's work to another. Raises
    IntegrityError when a commit is not in the repository.
    """
    inside = [
        path for path in paths if not Path(path).is_absolute() and ".." not in PurePosixPath(path).parts
    ]
    span = [f"{until}^{{commit}}", *([f"^{since}^{{commit}}"] if since else [])]
    form = "tformat:%an%x00%ae%x00%(trailers:key=Co-authored-by,valueonly,separator=%x0a)"
    log = ("log", "-z", "--full-history", f"--format={form}", "--end-of-options", *span, "--", *inside)
    result = _run(root, *log)
    if result.returncode:
        for commit in (until, since):
            if commit:
                resolve_commit(root, commit)  # names the commit that is not there
        raise IntegrityError(f"git: {_words(result)}", "look with `git fsck`, then repeat this")
    fields = result.stdout.decode(errors="replace").split("\0")[:-1]
    found: set[Author] = set()
    for name, email, others in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        found.add(Author(email, name))
        found.update(Author(mail, who) for who, mail in map(parseaddr, others.splitlines()) if mail or who)
    return tuple(sorted(found))


def is_in_history(root: Path, commit: str) -> bool:
    """Whether `commit` is HEAD's or one before it; False without git, or where it is not known."""
    if head(root) is None:
        return False
    return not _run(root, "merge-base", "--is-ancestor", "--end-of-options", commit, "HEAD").returncode


def resolve_commit(root: Path, commit: str) -> str:
    """The full name of `commit`. Raises IntegrityError when the repository at `root` has no such commit."""
    told = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if told.returncode:
        raise IntegrityError(
            f"commit {commit[:12]} is not in the git repository at {root}", "fetch it: `git fetch --all`"
        )
    return told.stdout.decode().strip()


def read_file(root: Path, commit: str, path: str) -> bytes | None:
    """What `commit` holds of the file at `path` below `root`; None when it holds no such file."""
    told = _run(root, "cat-file", "blob", f"{resolve_commit(root, commit)}:./{path}")
    return None if told.returncode else told.stdout


def dvc_files(root: Path, commit: str) -> dict[str, str]:
    """The texts of the `.dvc` files that `commit` holds below `root`, by path."""
    names = [name for name in _blobs(root, resolve_commit(root, commit)) if name.endswith(_POINTER)]
    return {name: (read_file(root, commit, name) or b"").decode() for name in names}


def files_at_head(root: Path, paths: Collection[str]) -> tuple[str | None, dict[str, bytes | None]]:
    """The commit that is checked out at `root`, and what it holds of the files at `paths` below `root`.

    A file is None where the commit holds none; the commit is None without git, a repository or a first
    commit. Asks git once. Raises ConfigurationError when git refuses to read the repository.
    """
    contents: dict[str, bytes | None] = dict.fromkeys(paths)
    if shutil.which("git") is None:
        return None, contents
    asked = [path for path in paths if "\n" not in path]
    request = "".join(f"{name}\n" for name in ("HEAD^{commit}", *(f"HEAD:./{path}" for path in asked)))
    result = _run(root, "cat-file", "--batch", request=request.encode())
    if result.returncode:
        if b"not a git repository" in result.stderr:
            return None, contents
        raise ConfigurationError(f"git: {_words(result)}", "mend what git names, then repeat this")
    commit: str | None = None
    answers = result.stdout
    for path in (None, *asked):
        header, _, answers = answers.partition(b"\n")
        if not _HEADER.fullmatch(header):  # "... missing", "... ambiguous"
            if path is None:
                return None, contents
            continue
        name, kind, size = header.split()
        content, answers = answers[: int(size)], answers[int(size) + 1 :]
        if path is None:
            commit = name.decode()
        elif kind == b"blob":
            contents[path] = content
    return commit, contents


def export(root: Path, commit: str, folder: Path) -> None:
    """Write the files that `commit` holds below `root` into the new `folder`.

    Through an index of its own: the repository is only read, so that a kill leaves nothing behind in it.
    Filters that turn a file into another on checkout (Git LFS) do their work.
    Raises IntegrityError when the repository lacks the commit.
    """
    name = resolve_commit(root, commit)
    home = _git(root, "rev-parse", "--absolute-git-dir").decode().strip()
    folder.mkdir(parents=True)
    index = {"GIT_INDEX_FILE": str(folder.with_name(f"{folder.name}.index"))}
    place = (f"--git-dir={home}", f"--work-tree={folder}")
    _git(folder, *place, "read-tree", f"{name}:{_inside(root)}", variables=index)
    _git(folder, *place, "checkout-index", "--all", "--force", variables=index)


def _blobs(root: Path, commit: str) -> dict[str, str]:
    """The plain files that `commit` holds below `root`: path and name of the content."""
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", f"{commit}:{_inside(root)}")
    entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
    return {
        os.fsdecode(path): about.split()[2].decode() for about, _, path in entries if about.startswith(b"100")
    }


def _inside(root: Path) -> str:
    return os.fsdecode(_git(root, "rev-parse", "--show-prefix")).strip().rstrip("/")


def _git(root: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> bytes:
    told = _run(root, *arguments, variables=variables)
    if told.returncode:
        raise IntegrityError(f"git: {_words(told)}", "look with `git fsck`, then repeat this")
    return told.stdout


def _words(told: subprocess.CompletedProcess[bytes]) -> str:
    lines = told.stderr.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else f"exit status {told.returncode}"


def _run(
    root: Path, *arguments: str, variables: Mapping[str, str] | None = None, request: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git") or "git"
    settings = [word for setting in _INERT for word in ("-c", setting)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ours = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 - git, no shell
            [git, "--no-pager", "--no-replace-objects", "--literal-pathspecs", *settings, *arguments],
            cwd=root,
            env={**kept, **ours, **(variables or {})},
            input=request,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(
            f"git does not answer: {error}", "see that `git status` works here"
        ) from None
