"""What git says about a project: its commit, what that commit lacks, who wrote what, its files.

It only reads the repository: it refreshes no index and runs no hook, signature check or file monitor. A file
counts as committed when the commit holds its exact bytes; times and index flags count for nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path, PurePosixPath
from typing import Any

from clearance import database_urls, isolation, paths, yaml
from clearance.versioning import digests, dvc_lock, faults

PARAMS = paths.PARAMS.as_posix()
ALWAYS = (paths.DVC_YAML.as_posix(), PARAMS, ".dvcignore", "policies")
"""Files that shape a run or a release even where no stage declares that it reads them."""

_SECONDS = 120.0
_INERT = (
    *("core.fsmonitor=", "core.hooksPath=/dev/null", "log.showSignature=false", "protocol.allow=never"),
    "core.commitGraph=false",  # a forged one could show other parents than the commits name
)
_POINTER = ".dvc"
_HEADER = re.compile(rb"[0-9a-f]+ [a-z]+ [0-9]+")
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class CommitState:
    """How much of what the pipeline read is in the commit.

    `commit` is None without git or a first commit. `changed` are files of which the commit holds other bytes;
    `params.yaml` is among them when a key differs that no recorded override explains. `unkept` are files
    that neither the commit nor DVC keeps.
    """

    commit: str | None
    changed: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Author:
    """A person that a commit names as author or co-author. It is a claim: git checks no identity.

    `claim` says who named the person, where only `Co-authored-by` lines do; else it is empty.
    """

    email: str
    name: str
    claim: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A commit and the time that its committer stated."""

    commit: str
    at: dt.datetime


def reproducibility_fault(state: CommitState, allow_uncommitted: bool) -> str | None:
    """Why nobody could build this model again from git and DVC, as a sentence; None when somebody could.

    Also None where the policy allows uncommitted inputs.
    """
    if allow_uncommitted:
        return None
    if state.commit is None:
        return "The project has no git commit, so nothing records the code that made this model."
    if state.changed:
        return f"Commit {state.commit[:12]} does not contain what was read: {_shown(state.changed)}."
    if state.unkept:
        return f"Neither git nor DVC keeps what was read: {_shown(state.unkept)}."
    return None


def _shown(paths: Collection[str]) -> str:
    shown, more = sorted(paths)[:_SHOWN], len(paths) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def input_paths(*locks: str) -> tuple[str, ...]:
    """The paths that decide what a model is: every source in these `dvc.lock` texts, and `ALWAYS`."""
    sources = {path for text in locks for path in dvc_lock.parse(text).sources}
    return tuple(sorted({*sources, *ALWAYS}))


def checkout_of(root: Path) -> Path:
    """The checkout that `root` belongs to: a run with overrides works in a workspace below `.clearance`."""
    parent = root.resolve().parent
    in_workspace = parent.name == "workspaces" and parent.parent.name == paths.STATE.name
    return parent.parents[1] if in_workspace else root


def commit_state(root: Path, lock: str) -> CommitState:
    """What git holds of the project at `root`, whose run recorded this `dvc.lock` text.

    Raises ConfigurationError when git refuses to read the repository.
    """
    checkout = checkout_of(root)
    commit = head(checkout)
    if commit is None:
        return CommitState(commit=None)
    blobs = _blobs(checkout, commit)
    changed: set[str] = set()
    unkept: set[str] = set()
    for path in input_paths(lock):
        for name in _files(root, path, blobs):
            if name == PARAMS:
                committed = _yaml(read_file(checkout, commit, PARAMS))
                differs = bool(unexplained(committed, _yaml_file(root / PARAMS)))
            else:
                differs = digests.first_link(root, name) is not None or (
                    blobs.get(name) != _blob(root / name, len(commit))
                )
            if differs and not _is_tracked(root, name):
                (changed if name in blobs else unkept).add(name)
    return CommitState(commit=commit, changed=tuple(sorted(changed)), unkept=tuple(sorted(unkept)))


def _files(root: Path, path: str, committed: Collection[str]) -> Iterator[str]:
    """The files that reading `path` reads, and those that the commit has there and that are gone."""
    if not (root / path).is_dir():
        yield from [path] if path in committed or (root / path).exists() or path not in ALWAYS else []
        return
    present = {f"{path}/{name}" for name in digests.list_files(root, path)}
    recorded = {name for name in committed if PurePosixPath(path) in PurePosixPath(name).parents}
    yield from sorted(present | recorded)


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
    if Path(name).is_absolute() or ".." in PurePosixPath(name).parts or digests.first_link(root, name):
        return False
    for path in (PurePosixPath(name), *PurePosixPath(name).parents):
        pointer = root / f"{path}{_POINTER}"
        if str(path) != "." and pointer.is_file():
            digest = digests.reader(root, {str(path)})(str(path))
            return digest is not None and digest.md5 in dvc_lock.objects(pointer.read_text(encoding="utf-8"))
    return False


def unexplained(base: Any, current: Any, overrides: Any = None) -> list[str]:
    """The keys in which the parameters `current` differ from `base` without an override that says so.

    `current` records its own overrides. A section that is no longer a mapping differs as a whole.
    """
    if overrides is None:
        overrides = current.get("overrides") if isinstance(current, Mapping) else {}
        base, current = ({k: v for k, v in tree.items() if k != "overrides"} for tree in (base, current))
    keys: list[str] = []
    for key in sorted({*base, *current}, key=str):
        before, after = base.get(key), current.get(key)
        override = overrides.get(key) if isinstance(overrides, Mapping) else None
        is_same = before == after and (key in base) == (key in current)
        if is_same or (override is not None and override == after):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            keys += [f"{key}.{inner}" for inner in unexplained(before, after, override or {})]
        else:
            keys.append(str(key))
    return keys


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
    result = _run(root, "rev-parse", "--is-inside-work-tree")
    if result.returncode:
        if b"not a git repository" in result.stderr:
            return None
        raise faults.GIT_REFUSED(reason=_first_line(result))
    result = _run(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return None if result.returncode else result.stdout.decode().strip()


def authors(root: Path, since: str | None, until: str, paths: Iterable[str]) -> tuple[Author, ...]:
    """Who authored or co-authored a commit up to `until` that touched one of `paths` (below `root`).

    `since` leaves out the commits that this one already contains, for example the champion's; None counts
    all. Names are as the commits have them: a `.mailmap` could credit one person's work to another. Raises
    IntegrityError when a commit is not in the repository.
    """
    inside = [
        path for path in paths if not Path(path).is_absolute() and ".." not in PurePosixPath(path).parts
    ]
    span = [f"{until}^{{commit}}", *([f"^{since}^{{commit}}"] if since else [])]
    form = "tformat:%H%x00%an%x00%ae%x00%(trailers:key=Co-authored-by,valueonly,separator=%x0a)"
    log = ("log", "-z", "--full-history", f"--format={form}", "--end-of-options", *span, "--", *inside)
    result = _run(root, *log)
    if result.returncode:
        for commit in (until, since):
            if commit:
                resolve_commit(root, commit)  # names the commit that is not there
        raise faults.GIT_FAILED(reason=_first_line(result))
    fields = result.stdout.decode(errors="replace").split("\0")[:-1]
    own: set[Author] = set()
    people: set[Author] = set()
    for commit, name, email, trailers in zip(*(fields[at::4] for at in range(4)), strict=True):
        own.add(Author(email, name))
        claim = f"by a Co-authored-by line in commit {commit[:12]} of {email}"
        for person, address in map(parseaddr, trailers.splitlines()):
            if address or person:
                people.add(Author(address, person, claim))
    emails = {author.email for author in own}
    return tuple(sorted(own | {author for author in people - own if author.email not in emails}))


def changes(root: Path, since: str | None, until: str, paths: Iterable[str]) -> tuple[Change, ...]:
    """The commits up to `until` that changed one of `paths`, oldest first, without those `since` contains.

    Raises IntegrityError when the repository at `root` has no such commit.
    """
    span = [resolve_commit(root, until), *([f"^{resolve_commit(root, since)}"] if since else [])]
    form = "tformat:%H%x00%cI"
    log = (
        "log",
        "-z",
        "--topo-order",
        "--reverse",
        "--full-history",
        f"--format={form}",
        *span,
        "--",
        *paths,
    )
    fields = _git(root, *log).decode().split("\0")[:-1]
    return tuple(
        Change(commit=commit, at=dt.datetime.fromisoformat(at).astimezone(dt.UTC))
        for commit, at in zip(fields[::2], fields[1::2], strict=True)
    )


def is_in_history(root: Path, commit: str) -> bool:
    """Whether `commit` is HEAD or one of its ancestors; False without git, or for an unknown commit."""
    if head(root) is None:
        return False
    return not _run(root, "merge-base", "--is-ancestor", "--end-of-options", commit, "HEAD").returncode


def resolve_commit(root: Path, commit: str) -> str:
    """The full name of `commit`. Raises IntegrityError when the repository at `root` has no such commit."""
    result = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if result.returncode:
        raise faults.COMMIT_UNKNOWN(commit=commit, root=root)
    return result.stdout.decode().strip()


def read_file(root: Path, commit: str, path: str) -> bytes | None:
    """What `commit` holds of the file at `path` below `root`; None when it has no such file."""
    result = _run(root, "cat-file", "blob", f"{resolve_commit(root, commit)}:./{path}")
    return None if result.returncode else result.stdout


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
    requested = [path for path in paths if "\n" not in path]
    request = "".join(f"{name}\n" for name in ("HEAD^{commit}", *(f"HEAD:./{path}" for path in requested)))
    result = _run(root, "cat-file", "--batch", request=request.encode())
    if result.returncode:
        if b"not a git repository" in result.stderr:
            return None, contents
        if b"dubious ownership" in result.stderr:
            raise faults.CHECKOUT_OF_ANOTHER_USER(folder=root)
        raise faults.GIT_REFUSED(reason=_first_line(result))
    commit: str | None = None
    answers = result.stdout
    for path in (None, *requested):
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


def refuse_unreadable(root: Path) -> None:
    """Raise ConfigurationError when git refuses to read the repository of `root`, if there is one."""
    files_at_head(root, ())


def export(root: Path, commit: str, folder: Path) -> None:
    """Write the files that `commit` holds below `root` into the new `folder`.

    It uses an index of its own and only reads the repository, so a kill leaves nothing behind there.
    Filters that replace a file on checkout (Git LFS) run.
    Raises IntegrityError when the repository lacks the commit.
    """
    name = resolve_commit(root, commit)
    git_folder = _git(root, "rev-parse", "--absolute-git-dir").decode().strip()
    folder.mkdir(parents=True)
    index = {"GIT_INDEX_FILE": str(folder.with_name(f"{folder.name}.index"))}
    options = (f"--git-dir={git_folder}", f"--work-tree={folder}")
    _git(folder, *options, "read-tree", f"{name}:{prefix(root)}", variables=index)
    _git(folder, *options, "checkout-index", "--all", "--force", variables=index)


def _blobs(root: Path, commit: str) -> dict[str, str]:
    """The plain files that `commit` holds below `root`: path and name of the content."""
    output = _git(root, "ls-tree", "-r", "-z", "--full-tree", f"{commit}:{prefix(root)}")
    entries = (entry.partition(b"\t") for entry in output.split(b"\0") if entry)
    return {
        os.fsdecode(path): about.split()[2].decode() for about, _, path in entries if about.startswith(b"100")
    }


def remote(root: Path) -> str | None:
    """The address of the remote `origin`, without user, password and query; None where there is none.

    An address of a file system is none: it means nothing on another machine.
    """
    result = _run(root, "remote", "get-url", "origin")
    address = result.stdout.decode(errors="replace").strip()
    if result.returncode or not address:
        return None
    if match := re.fullmatch(r"(?:[^@/\s]+@)?([\w.-]+):(?!//)([^\s?#]+)", address):  # user@host:path
        return f"ssh://{match[1]}/{match[2].removeprefix('/')}"
    plain = database_urls.safe(address)
    return plain if re.match(r"(?:https?|ssh|git)://[^/]", plain) else None


def prefix(root: Path) -> str:
    """Where `root` lies below the top of its repository."""
    return os.fsdecode(_git(root, "rev-parse", "--show-prefix")).strip().rstrip("/")


def output(root: Path, *arguments: str) -> str:
    """What git prints for `arguments` at `root`. Raises IntegrityError when it fails."""
    return os.fsdecode(_git(root, *arguments))


def _git(root: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> bytes:
    result = _run(root, *arguments, variables=variables)
    if result.returncode:
        raise faults.GIT_FAILED(reason=_first_line(result))
    return result.stdout


def _first_line(result: subprocess.CompletedProcess[bytes]) -> str:
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else f"exit status {result.returncode}"


def _run(
    root: Path, *arguments: str, variables: Mapping[str, str] | None = None, request: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git") or "git"
    settings = [word for setting in _INERT for word in ("-c", setting)]
    visible = isolation.effect_variables(os.environ, signs=False)  # a filter of the repository may run
    inherited = {name: value for name, value in visible.items() if not name.startswith("GIT_")}
    own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 - git, no shell
            [git, "--no-pager", "--no-replace-objects", "--literal-pathspecs", *settings, *arguments],
            cwd=root,
            env={**inherited, **own, **(variables or {})},
            input=request,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise faults.GIT_UNAVAILABLE(reason=error) from None
