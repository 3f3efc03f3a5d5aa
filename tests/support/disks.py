"""Disks that are full or read-only: real ones, where this machine lets us mount them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def full(folder: Path) -> Iterator[Path]:
    """A file system without any space left, at the new `folder`. Skips where nothing can be mounted."""
    folder.mkdir()
    with _mounted(folder, "-t", "tmpfs", "-o", "size=4k", "tmpfs"):
        (folder / "filler").write_bytes(b"x" * 4096)
        yield folder


@contextmanager
def small(folder: Path, kilobytes: int) -> Iterator[Path]:
    """An empty file system of that size at the new `folder`. Skips as `full` does."""
    folder.mkdir()
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"):
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder, in which nobody can write meanwhile, not even root. Skips as `full` does."""
    with _mounted(folder, "--bind", str(folder)):
        _mount("-o", "remount,bind,ro", str(folder))
        yield folder


@contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[None]:
    if _mount(*options, str(folder)):
        pytest.skip("this account may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
