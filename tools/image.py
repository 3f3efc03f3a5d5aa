"""Builds the container image of a commit, and writes its id: `make image`.

    python -m tools.image [--engine buildah|podman|docker] [--base IMAGE] [--commit REVISION] [--flag FLAG]

Only what the commit holds gets into the image, so an uncommitted change never does. The same commit and base
give the same layers: no file has a time of its own, and the history is packed the same way each time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = Path(".image")
ENGINES = ("buildah", "podman", "docker")
BASE = "python:3.11-slim-bookworm"
CONTAINERFILE = "deploy/Containerfile"
LOCK = "requirements.lock"
OPEN_PROJECT = "deploy/image/open-project"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A commit, its time in seconds since 1970, and the SHA-256 of its `requirements.lock`."""

    commit: str
    time: int
    lock: str


def git(*arguments: str) -> bytes:
    """What `git` prints for these arguments in this checkout. Raises CalledProcessError where it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603, S607


def source(revision: str) -> Source:
    """The commit that `revision` names."""
    commit, time = git("log", "-1", "--format=%H %ct", revision).decode().split()
    lock = git("show", f"{commit}:{LOCK}")
    return Source(commit=commit, time=int(time), lock=hashlib.sha256(lock).hexdigest())


def bundle(commit: str) -> bytes:
    """A git bundle of the commit and its history, as branch `main`.

    `git bundle` would reuse how this clone happens to be packed. Here one thread packs everything again.
    """
    objects = git("rev-list", "--objects", commit)
    pack = subprocess.run(
        ["git", "pack-objects", "--stdout", "--quiet", "--no-reuse-object", "--threads=1"],  # noqa: S607
        cwd=ROOT,
        check=True,
        input=objects,
        stdout=subprocess.PIPE,
    ).stdout
    heads = f"{commit} HEAD\n{commit} refs/heads/main\n"
    return f"# v2 git bundle\n{heads}\n".encode() + pack


def write_context(folder: Path, commit: str) -> None:
    """Write all that the build reads, taken from the commit, into `folder`."""
    folder.mkdir(exist_ok=True)
    for path in (CONTAINERFILE, LOCK, OPEN_PROJECT):
        (folder / Path(path).name).write_bytes(git("show", f"{commit}:{path}"))
    (folder / Path(OPEN_PROJECT).name).chmod(0o755)
    (folder / "project.bundle").write_bytes(bundle(commit))


def build_command(
    engine: str, folder: Path, origin: Source, *, base: str, tag: str, flags: Sequence[str] = ()
) -> list[str]:
    """The command line that builds the image with an engine."""
    timed = ["--timestamp", str(origin.time)] if engine in {"buildah", "podman"} else []
    arguments = {
        "PYTHON_IMAGE": base,
        "SOURCE_COMMIT": origin.commit,
        "LOCK_DIGEST": origin.lock,
        "SOURCE_DATE_EPOCH": str(origin.time),
    }
    options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    named = ["--file", str(folder / "Containerfile"), "--tag", tag, "--iidfile", str(folder / "digest")]
    return [engine, "build", *timed, *options, *named, *flags, str(folder)]


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.image")
    parser.add_argument("--engine", choices=ENGINES, default="buildah")
    parser.add_argument("--base", default=BASE, help="base image, best by digest")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--tag", help="default: clearance:COMMIT")
    parser.add_argument("--flag", action="append", default=[], help="one more flag of the engine; repeatable")
    return parser.parse_args(words)


def main() -> None:
    """Build the image, write its digest to .image/digest and print it."""
    options = parse(sys.argv[1:])
    origin = source(options.commit)
    write_context(ROOT / FOLDER, origin.commit)
    tag = options.tag or f"clearance:{origin.commit[:12]}"
    command = build_command(options.engine, FOLDER, origin, base=options.base, tag=tag, flags=options.flag)
    environ = os.environ | {"SOURCE_DATE_EPOCH": str(origin.time)}
    subprocess.run(command, cwd=ROOT, check=True, env=environ)  # noqa: S603
    sys.stdout.write(f"{tag} {(ROOT / FOLDER / 'digest').read_text().strip()}\n")


if __name__ == "__main__":
    main()
