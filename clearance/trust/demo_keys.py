"""The demo's keyring: keys for the people of the demo's roles file, made where they are used.

All of them lie in one folder, so they prove nothing about who agreed: whatever they sign is marked as the
demo's, and no other policy is satisfied by it. Never makes a key for a project with a root of its own.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance import files, yaml
from clearance.errors import ClearanceError, ConfigurationError, IntegrityError
from clearance.trust import dsse, key_files, keys, roles_file, root, signed_roles, signers
from clearance.trust.roles import Roles

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

FOLDER = Path(".clearance/keys")
DEFAULT_IDENTITY = "pipeline"
"""Who acts in the demo when nobody is named: the account that runs the pipeline."""
_ROOT_KEYS, _THRESHOLD = ("root-1", "root-2", "root-3"), 2
_KEYED, _SIGNED = "roles.yaml", "roles.signed.json"
_SINCE = "2020-01-01T00:00:00Z"  # fixed, so that the file is a function of the people and their keys


def uri(project: Path, identity: str) -> str:
    """The signer of one of the demo's people, after `ensure`."""
    return f"{key_files.SCHEME}:{project.resolve() / FOLDER / identity}.pem"


def ensure(project: Path, seen: signed_roles.TrustedVersion | None = None) -> Roles:
    """Make what is missing of the demo's keyring and return its roles; `demo` is True.

    Any number of processes may call it at once, and any may die: the next call completes it. Raises
    ConfigurationError when the roles file is not the demo's or the pinned root is not.
    """
    data = roles_file.raw(roles_file.read(project))
    pinned = root.pinned_path(project)
    real = pinned.exists() and not root.load(pinned).demo
    if real or not data.get("demo") or os.environ.get(root.VARIABLE):
        raise ConfigurationError(
            "the demo's keyring goes with the demo's roles file and without a root of your own",
            f"have your root sign a {roles_file.FILE} without `demo: true`, or take {root.VARIABLE} away",
        )
    with _alone(project / FOLDER):
        return _complete(project, data, seen or signed_roles.TrustedVersion())


def _complete(project: Path, data: dict[str, Any], seen: signed_roles.TrustedVersion) -> Roles:
    folder = project / FOLDER
    text = _with_keys(folder, data)
    holders = [_signer(folder, name) for name in _ROOT_KEYS]
    own = root.create([holder.public_key for holder in holders], _THRESHOLD, demo=True)
    if roles := _already(project, text, own, seen):
        return roles
    said = signed_roles.statement_for(text, _last(folder, own, seen) + 1, dt.datetime.fromisoformat(_SINCE))
    signed = dsse.sign(said, holders[0])
    for holder in holders[1:_THRESHOLD]:
        signed = dsse.countersign(signed, holder)
    files.write_text(folder / _KEYED, text.decode())
    dsse.write(folder / _SIGNED, signed)
    root.write(root.pinned_path(project), own)
    return signed_roles.verify(text, signed, own, seen)


def _already(project: Path, text: bytes, own: root.Root, seen: signed_roles.TrustedVersion) -> Roles | None:
    """The roles, when nothing is to be made; None: not made yet, other people, or cut short."""
    try:
        if root.load(root.pinned_path(project)) == own and (project / FOLDER / _KEYED).read_bytes() == text:
            return signed_roles.verify(text, dsse.read(project / FOLDER / _SIGNED), own, seen)
    except (ClearanceError, OSError):
        return None
    return None


def _last(folder: Path, own: root.Root, seen: signed_roles.TrustedVersion) -> int:
    """The highest version known; what another root signed does not count."""
    try:
        return max(seen.version, signed_roles.version(dsse.read(folder / _SIGNED), own))
    except IntegrityError:
        return seen.version


def _with_keys(folder: Path, data: dict[str, Any]) -> bytes:
    """The roles file with the key of everybody who has none listed."""
    people = {
        identity: said if said.get("keys") else said | {"keys": [_listed(folder, identity)]}
        for identity, said in data["people"].items()
    }
    return yaml.dumps(data | {"people": people}).encode()


def _listed(folder: Path, identity: str) -> dict[str, Any]:
    return {**keys.entry(_signer(folder, identity).public_key), "from": _SINCE}


def _signer(folder: Path, name: str) -> Signer:
    path = folder / f"{name}.pem"
    if not path.exists():
        key_files.create(folder, name)
    return signers.signer(f"{key_files.SCHEME}:{path}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
