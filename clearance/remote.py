"""The DVC remote: where data and models go so that somebody else can build a model again.

A release pushes there first. Whether a release needs a remote is not decided here.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.repo import Repo

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

    Raises UnavailableError when it does not take them, or lacks one afterwards.
    """
    mend = "see `dvc push -v`, then repeat this: nothing was promoted"
    level = logging.getLogger("dvc").level
    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    try:
        with contextlib.chdir(root), Repo(str(root)) as repo:
            repo.push()
            lacking = sorted(repo.status(cloud=True))
    except (DvcException, OSError) as error:
        raise UnavailableError(f"the outputs cannot be pushed to the DVC remote: {error}", mend) from error
    finally:
        logging.getLogger("dvc").setLevel(level)
    if lacking:
        raise UnavailableError(f"the DVC remote lacks {', '.join(lacking)} after the push", mend)
