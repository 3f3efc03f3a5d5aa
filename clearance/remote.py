"""The DVC remote: where data and models go so that somebody else can build a model again.

A release pushes there first. Whether a release needs a remote is not decided here.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from clearance.errors import ConfigurationError, UnavailableError


@dataclass(frozen=True)
class Remote:
    """The default remote by its name in DVC's configuration; `inside`: it lies within the project folder."""

    name: str
    inside: bool


def default(root: Path) -> Remote | None:
    """The default DVC remote of the project at `root`, None when none is configured.

    Raises ConfigurationError when the default names a remote that is not configured, or DVC's
    configuration cannot be read.
    """
    if not (root / ".dvc").is_dir():
        return None
    try:
        config = Config(str(root / ".dvc"))
    except DvcException as error:
        raise ConfigurationError(f"DVC: {error}", "mend .dvc/config") from None
    name = config["core"].get("remote")
    if not name:
        return None
    if name not in config["remote"]:
        raise ConfigurationError(f"the DVC remote {name} is not configured", "add it: `dvc remote add`")
    return Remote(name, _is_inside(root, config["remote"][name]["url"]))


def _is_inside(root: Path, address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme not in {"", "file"}:
        return False
    return (root / ".dvc" / parts.path).resolve().is_relative_to(root.resolve())


def push(root: Path) -> None:
    """Push every output of the project at `root` to the default remote, and see that it has them.

    Raises UnavailableError when it does not take them, or lacks one afterwards: DVC pushes what its cache
    still holds and passes over the rest.
    """
    mend = "see `dvc push -v`, then repeat this: nothing was promoted"
    try:
        with _quiet("dvc", "dvc_data", "dvc_objects"), contextlib.chdir(root), Repo(str(root)) as repo:
            repo.push()
            lacking = sorted(_lacking(repo))
    except (DvcException, ObjectFormatError, OSError) as error:
        raise UnavailableError(f"the outputs cannot be pushed to the DVC remote: {error}", mend) from error
    if lacking:
        raise UnavailableError(f"the DVC remote lacks {', '.join(lacking)} after the push", mend)


def _lacking(repo: Repo) -> Iterator[str]:
    """The outputs of which the remote lacks the object, or that of a file in the folder."""
    there = repo.cloud.get_remote_odb()
    for out in repo.index.outs:
        if out.use_cache and out.can_push:
            names = [out.hash_info.value] if out.hash_info else []
            if out.hash_info and out.hash_info.isdir and there.exists(out.hash_info.value):
                names += [content.value for _, _, content in Tree.load(there, out.hash_info)]
            if not names or set(names) - set(there.oids_exist(names)):
                yield str(out)


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep the warnings and progress bars of these loggers' owners back: what matters is raised."""
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
