"""The container image built without an engine, and its root file system run: mmdebstrap, buildah, chroot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import image

BASE = "python-base:test"
USER = "10001:10001"
PROGRAMS = ("buildah", "mmdebstrap", "newuidmap")


def missing() -> str | None:
    """Why no image can be built here; None where one can."""
    if os.geteuid() != 0:
        return "building an image without an engine needs root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return (
        f"not installed: {', '.join(absent)} (RUNLEVEL=1 apt-get install buildah mmdebstrap uidmap)"
        if absent
        else None
    )


@dataclass(frozen=True, kw_only=True)
class Store:
    """A folder that holds images and containers, and nothing that any other store knows."""

    folder: Path

    def environ(self) -> dict[str, str]:
        """The variables that keep buildah in this store; chroot is what works inside a container, too."""
        settings = self.folder / "storage.conf"
        if not settings.exists():
            root, running = self.folder / "root", self.folder / "run"
            settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{root}"\nrunroot = "{running}"\n')
        return os.environ | {
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(settings),
            "STORAGE_DRIVER": "vfs",
        }

    def buildah(self, *words: str, seconds: int = 3000) -> subprocess.CompletedProcess[str]:
        """What a buildah command printed; it may have failed."""
        command = ["nice", "-n", "19", "buildah", *words]
        return subprocess.run(
            command, env=self.environ(), capture_output=True, text=True, timeout=seconds, check=False
        )

    def make_base(self) -> None:
        """A base image of Debian's own packages, instead of one from a registry."""
        context = self.folder / "base"
        context.mkdir()
        packages = "--include=python3,python3-venv,ca-certificates"
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            packages,
            "bookworm",
            str(context / "base.tar"),
        ]
        environ = os.environ | {"SOURCE_DATE_EPOCH": "0"}
        subprocess.run(["nice", "-n", "19", *command], check=True, timeout=900, env=environ)
        (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        file = str(context / "Containerfile")
        made = self.buildah("build", "--timestamp", "0", "--file", file, "--tag", BASE, str(context))
        assert made.returncode == 0, made.stderr

    def build(self, tag: str, commit: str) -> str:
        """The id of the image of a commit, built anew. The certificates of this machine are lent to pip."""
        settings = self.folder / "pip.conf"
        settings.write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ndefault-timeout = 180\n")
        flags = [
            *("--network=host", "--no-cache", "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"),
            f"--volume={settings}:/etc/pip.conf:ro",
        ]
        words = ["-m", "tools.image", "--base", f"localhost/{BASE}", "--tag", tag, "--commit", commit]
        words += [f"--flag={flag}" for flag in flags]
        command = ["nice", "-n", "19", sys.executable, *words]
        done = subprocess.run(
            command,
            cwd=image.ROOT,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.split()[-1]


@dataclass(frozen=True, kw_only=True)
class Container:
    """The root file system of an image, run as the user of the image with two folders mounted."""

    store: Store
    name: str
    project: Path
    scratch: Path

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` in the container, through the image's entry point."""
        mounts = ["--volume", f"{self.project}:/project", "--volume", f"{self.scratch}:/tmp"]
        entry = "/opt/clearance/open-project"
        return [
            "buildah",
            "run",
            "--user",
            USER,
            "--network",
            "host",
            *mounts,
            self.name,
            "--",
            entry,
            *words,
        ]

    def run(self, *words: str, seconds: int = 600) -> subprocess.CompletedProcess[str]:
        """What a command in the container printed, and its exit status."""
        return subprocess.run(
            self.command(*words),
            env=self.store.environ(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
