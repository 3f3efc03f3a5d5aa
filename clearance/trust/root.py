"""The root of trust: the m of n keys that sign the roles file, pinned outside the repository.

Somebody who can change the repository cannot change the root. A new root needs the signatures of m old and
m new keys, as in The Update Framework (https://theupdateframework.github.io/specification, 5.3).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from clearance import canonical_json, files, in_toto, params, paths, validation_messages, yaml
from clearance.errors import ClearanceError, IntegrityError
from clearance.trust import dsse, faults, keys, roles_file

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

VARIABLE = "CLEARANCE_ROOT"
PREDICATE = "urn:clearance:root:v1"
_SUBJECT = "root"


@dataclass(frozen=True, kw_only=True)
class Root:
    """The keys of the organisation, and how many of them must sign (1 to all of them).

    `earlier` are the roots that it followed, oldest first: what they signed while they were pinned stays so.
    """

    version: int
    threshold: int
    keys: Mapping[str, Key]
    demo: bool
    earlier: tuple[Root, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of the root itself, without those that it followed."""
        return files.sha256_json(replace(self, earlier=()).to_json())

    def to_json(self) -> dict[str, Any]:
        """The root as a JSON value, as in its file."""
        listed = [keys.entry(self.keys[keyid]) for keyid in sorted(self.keys)]
        own = {"version": self.version, "threshold": self.threshold, "demo": self.demo, "keys": listed}
        return own | ({"earlier": [root.to_json() for root in self.earlier]} if self.earlier else {})


class _Root(params.StrictSection):
    """A root file, and the predicate of a statement about a new one."""

    version: int = Field(ge=1)
    threshold: int = Field(ge=1)
    demo: bool
    keys: list[roles_file.ListedKey]


class _Pinned(_Root):
    """A root file with the roots that it followed."""

    earlier: list[_Root] = Field(default_factory=list)


def pinned_path(project: Path) -> Path:
    """The file of the pinned root: `CLEARANCE_ROOT`, or `.clearance/root.json` in the project."""
    path = os.environ.get(VARIABLE)
    return Path(path) if path else project / paths.TRUST_ROOT


def create(publics: Sequence[Key], threshold: int, *, version: int = 1, demo: bool = False) -> Root:
    """A root of these keys. Raises ConfigurationError when a key is repeated or m is not within 1 … n."""
    entries = [keys.entry(key) for key in publics]
    return _checked({"version": version, "threshold": threshold, "demo": demo, "keys": entries})


def load(path: Path) -> Root:
    """The pinned root. Raises ConfigurationError when it is missing or invalid."""
    try:
        data = canonical_json.loads(path.read_bytes())
    except (OSError, IntegrityError) as error:
        why = getattr(error, "strerror", None) or error
        raise faults.ROOT_NOT_READABLE(path=path, why=why) from None
    return _checked(data)


def write(path: Path, root: Root) -> None:
    """Pin the root at `path`, by rename."""
    files.write_json(path, root.to_json())


def read_public_keys(files: Sequence[Path]) -> list[Key]:
    """The public keys in files, each as `clearance keys create` wrote it.

    Raises ConfigurationError when a file cannot be read, is a private key, or holds no public key.
    """
    return [_read_public_key(file) for file in files]


def _read_public_key(file: Path) -> Key:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise faults.PUBLIC_KEY_NOT_READABLE(file=file, why=error) from None
    if "PRIVATE KEY" in text:
        raise faults.PRIVATE_NOT_PUBLIC(file=file)
    try:
        listed = yaml.loads(text)
        entry = listed[0] if isinstance(listed, list) and len(listed) == 1 else listed
        return roles_file.ListedKey.model_validate(entry).public()
    except ValidationError as error:
        raise faults.NO_PUBLIC_KEY(
            file=file, why=validation_messages.describe(error, roles_file.ListedKey)
        ) from None
    except (yaml.YAMLError, ClearanceError) as error:
        raise faults.NO_PUBLIC_KEY(file=file, why=getattr(error, "fault", error)) from None


def propose(new: Root, signer: Signer) -> dict[str, Any]:
    """An envelope over a new root with a first signature; `dsse.countersign` adds the others."""
    subjects = {_SUBJECT: files.sha256_json(new.to_json())}
    return dsse.sign(in_toto.statement(subjects, PREDICATE, new.to_json()), signer)


def eligible_keys(old: Root, signed: Mapping[str, Any]) -> dict[str, Key]:
    """The keys that may sign a proposed root: those of the old root and its own.

    Raises IntegrityError when no key of the old root has signed it, or it is not a root.
    """
    statement = dsse.verify(signed, old.keys).statement
    if statement["predicateType"] != PREDICATE:
        raise faults.NOT_A_ROOT()
    return {**old.keys, **_checked(statement["predicate"]).keys}


def successor(old: Root, signed: Mapping[str, Any]) -> Root:
    """The new root in an envelope that m of the old and m of the new keys signed.

    Raises IntegrityError when signatures are missing, the version is not the next one, or the demo's root
    would replace a real one. Raises ConfigurationError when the new root itself is invalid.
    """
    statement = verify_threshold(signed, old.keys, old.threshold, "old root")
    subjects, predicate = in_toto.subjects(statement), statement["predicate"]
    if statement["predicateType"] != PREDICATE or subjects != {_SUBJECT: files.sha256_json(predicate)}:
        raise faults.NOT_A_ROOT()
    new = _checked(predicate)
    verify_threshold(signed, new.keys, new.threshold, "new root")
    if new.version != old.version + 1 or (new.demo and not old.demo):
        raise faults.ROOT_OUT_OF_ORDER(version=new.version, current=old.version)
    return replace(new, earlier=(*old.earlier, replace(old, earlier=())))


def verify_threshold(
    signed: Mapping[str, Any], publics: Mapping[str, Key], threshold: int, whose: str
) -> Mapping[str, Any]:
    """The statement that at least `threshold` of these keys signed. Raises IntegrityError when fewer did."""
    verified = dsse.verify(signed, publics)
    if len(verified.keyids) < threshold:
        raise faults.TOO_FEW_SIGNATURES(count=len(verified.keyids), threshold=threshold, whose=whose)
    return verified.statement


def _checked(data: Any) -> Root:
    try:
        content = _Pinned.model_validate(data)
    except ValidationError as error:
        raise faults.INVALID_ROOT(why=validation_messages.describe(error, _Pinned)) from None
    return _built(content)


def _built(content: _Root) -> Root:
    listed = [key.public() for key in content.keys]
    if len({keys.fingerprint(key) for key in listed}) < len(listed):
        raise faults.REPEATED_ROOT_KEY()
    if content.threshold > len(listed):
        raise faults.IMPOSSIBLE_THRESHOLD(threshold=content.threshold, count=len(listed))
    return Root(
        version=content.version,
        threshold=content.threshold,
        keys={key.keyid: key for key in listed},
        demo=content.demo,
        earlier=tuple(map(_built, content.earlier)) if isinstance(content, _Pinned) else (),
    )
