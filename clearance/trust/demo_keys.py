"""The demo's keyring: keys for the people of the demo's roles file, made where they are used.

All of them are in one folder, so they do not prove who agreed: what they sign is marked as the demo's, and
satisfies no other policy. No key is ever made for a project with its own root.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance import file_lock, files, paths, yaml
from clearance.errors import ClearanceError, IntegrityError
from clearance.trust import dsse, faults, key_files, keys, roles_file, root, signed_roles, signers
from clearance.trust.roles import Roles

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

FOLDER = paths.KEYS
DEFAULT_IDENTITY = "pipeline"
"""Who acts in the demo by default: the account that runs the pipeline."""
_ROOT_KEYS, _THRESHOLD = ("root-1", "root-2", "root-3"), 2
_KEYED, _SIGNED = "roles.yaml", "roles.signed.json"
_SINCE = "2020-01-01T00:00:00Z"  # fixed, so that the file is a function of the people and their keys


def uri(project: Path, identity: str) -> str:
    """The URI of the signer of one of the demo's people; it exists after `ensure`."""
    return f"{key_files.SCHEME}:{project.resolve() / FOLDER / identity}.pem"


def ensure(project: Path, seen: signed_roles.TrustedVersion | None = None) -> Roles:
    """Make what is missing of the demo's keyring and return its roles; their `demo` is True.

    Any number of processes may call it at once. If one dies, the next call completes the keyring. Raises
    ConfigurationError when the roles file or the pinned root is not the demo's.
    """
    data = roles_file.raw(roles_file.read(project))
    pinned = root.pinned_path(project)
    real = pinned.exists() and not root.load(pinned).demo
    if real or not data.get("demo") or os.environ.get(root.VARIABLE):
        raise faults.NOT_THE_DEMO(file=roles_file.FILE)
    newest = seen or signed_roles.TrustedVersion()
    keyed = [name for name, person in data["people"].items() if not person.get("keys")]
    if all((project / FOLDER / f"{name}.pem").exists() for name in (*keyed, *_ROOT_KEYS)):
        complete, holders = _with_keys(project / FOLDER, data), _root_holders(project / FOLDER)
        if roles := _existing(project, complete, _root(holders), newest):
            return roles  # nothing is missing, so nothing is written: reading needs no lock
    with _locked(project / FOLDER):
        return _complete(project, data, newest)


def _root_holders(folder: Path) -> list[Signer]:
    return [_signer(folder, name) for name in _ROOT_KEYS]


def _root(holders: list[Signer]) -> root.Root:
    return root.create([holder.public_key for holder in holders], _THRESHOLD, demo=True)


def source(project: Path) -> tuple[str, dict[str, Any]]:
    """The demo's roles file with its keys, and the envelope over it; they exist after `ensure`."""
    folder = project / FOLDER
    return (folder / _KEYED).read_bytes().decode(), dsse.read(folder / _SIGNED)


def _complete(project: Path, data: dict[str, Any], seen: signed_roles.TrustedVersion) -> Roles:
    folder = project / FOLDER
    complete, holders = _with_keys(folder, data), _root_holders(folder)
    own = _root(holders)
    if roles := _existing(project, complete, own, seen):
        return roles
    text = yaml.dumps(complete).encode()
    statement = signed_roles.statement_for(
        text, _last(folder, own, seen) + 1, dt.datetime.fromisoformat(_SINCE)
    )
    signed = dsse.sign(statement, holders[0])
    for holder in holders[1:_THRESHOLD]:
        signed = dsse.countersign(signed, holder)
    files.write_text(folder / _KEYED, text.decode())
    dsse.write(folder / _SIGNED, signed)
    root.write(root.pinned_path(project), own)
    return signed_roles.verify(text, signed, own, seen)


def _existing(
    project: Path, content: Mapping[str, Any], own: root.Root, seen: signed_roles.TrustedVersion
) -> Roles | None:
    """The roles of a complete keyring; None when it is not made yet, incomplete, or for other people."""
    try:
        text = (project / FOLDER / _KEYED).read_bytes()
        if root.load(root.pinned_path(project)) == own and yaml.loads(text.decode()) == content:
            return signed_roles.verify(text, dsse.read(project / FOLDER / _SIGNED), own, seen)
    except (ClearanceError, OSError, ValueError, yaml.YAMLError):
        return None
    return None


def _last(folder: Path, own: root.Root, seen: signed_roles.TrustedVersion) -> int:
    """The highest version so far; what another root signed does not count."""
    try:
        return max(seen.version, signed_roles.signed_version(dsse.read(folder / _SIGNED), own))
    except IntegrityError:
        return seen.version


def _with_keys(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the roles file with a key for everybody who has none listed."""
    people = {
        identity: person if person.get("keys") else person | {"keys": [_listed(folder, identity)]}
        for identity, person in data["people"].items()
    }
    return {**data, "people": people}


def _listed(folder: Path, identity: str) -> dict[str, Any]:
    return {**keys.entry(_signer(folder, identity).public_key), "from": _SINCE}


def _signer(folder: Path, name: str) -> Signer:
    path = folder / f"{name}.pem"
    if not path.exists():
        key_files.create(folder, name)
    return signers.signer(f"{key_files.SCHEME}:{path}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file_lock.hold(folder / ".lock", wait=True):
        yield
