"""The root of trust: the m of n keys that sign the roles file, pinned outside the repository.

Who may change the repository cannot change the root. A new one is taken when m of the old and m of the new
keys sign it, as The Update Framework does (https://theupdateframework.github.io/specification, 5.3).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from clearance import canonical_json, files, in_toto, params, yaml
from clearance.errors import ConfigurationError, IntegrityError
from clearance.trust import dsse, keys, roles_file

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

VARIABLE = "CLEARANCE_ROOT"
PREDICATE = "urn:clearance:root:v1"
_SUBJECT = "root"


@dataclass(frozen=True, kw_only=True)
class Root:
    """The keys that stand for the organisation, and how many of them must sign (1 to all of them)."""

    version: int
    threshold: int
    keys: Mapping[str, Key]
    demo: bool

    def to_json(self) -> dict[str, Any]:
        """The root as its file holds it."""
        listed = [keys.entry(self.keys[keyid]) for keyid in sorted(self.keys)]
        return {"version": self.version, "threshold": self.threshold, "demo": self.demo, "keys": listed}


class _Root(params.Section):
    """A root file, and the predicate of a statement about a new one."""

    model_config = ConfigDict(strict=True)

    version: int = Field(ge=1)
    threshold: int = Field(ge=1)
    demo: bool
    keys: list[roles_file.ListedKey]


def pinned_path(project: Path) -> Path:
    """Where the root is pinned: the file that `CLEARANCE_ROOT` names, else `.clearance/root.json`."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else project / ".clearance" / "root.json"


def create(publics: Sequence[Key], threshold: int, *, version: int = 1, demo: bool = False) -> Root:
    """A root of these keys. Raises ConfigurationError when a key is there twice or m is not within 1 … n."""
    entries = [keys.entry(key) for key in publics]
    return _checked({"version": version, "threshold": threshold, "demo": demo, "keys": entries})


def load(path: Path) -> Root:
    """The pinned root. Raises ConfigurationError when it is missing or faulty."""
    try:
        data = canonical_json.loads(path.read_bytes())
    except (OSError, IntegrityError) as error:
        raise ConfigurationError(
            f"the pinned root {path} cannot be read ({getattr(error, 'strerror', None) or error})",
            f"get root.json from your root's holders, by a way you trust, and let {VARIABLE} name it",
        ) from None
    return _checked(data)


def write(path: Path, root: Root) -> None:
    """Pin the root at `path`, by rename."""
    files.write_json(path, root.to_json())


def read_public_keys(files: Sequence[Path]) -> list[Key]:
    """The public keys in files, each as `clearance keys create` printed it.

    Raises ConfigurationError when one cannot be read, is a private key, or holds no public key.
    """
    return [_public(file) for file in files]


def _public(file: Path) -> Key:
    mend = "give the file NAME.pub that `clearance keys create NAME` wrote"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read ({error})", mend) from None
    if "PRIVATE KEY" in text:
        raise ConfigurationError(f"{file} is a private key, which nobody should be handed", mend)
    try:
        listed = yaml.loads(text)
        one = listed[0] if isinstance(listed, list) and len(listed) == 1 else listed
        return roles_file.ListedKey.model_validate(one).public()
    except (ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{file} holds no public key ({_first(error)})", mend) from None


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return params.describe(error, roles_file.ListedKey)
    return error.fault if isinstance(error, ConfigurationError) else str(error)


def propose(new: Root, signer: Signer) -> dict[str, Any]:
    """An envelope over a new root, with a first signature; `envelope.countersign` adds the others."""
    about = {_SUBJECT: files.sha256_json(new.to_json())}
    return dsse.sign(in_toto.statement(about, PREDICATE, new.to_json()), signer)


def eligible_keys(old: Root, signed: Mapping[str, Any]) -> dict[str, Key]:
    """Whose signatures a proposed root can use: the keys of the old one and its own.

    Raises IntegrityError when no key of the old root signed it, or it is no root.
    """
    said = dsse.verify(signed, old.keys).statement
    if said["predicateType"] != PREDICATE:
        raise _no_root()
    return {**old.keys, **_checked(said["predicate"]).keys}


def successor(old: Root, signed: Mapping[str, Any]) -> Root:
    """The new root in an envelope that m of the old and m of the new keys signed.

    Raises IntegrityError when either lacks signatures, the version is not the next one, or the demo's root
    would take the place of a real one. Raises ConfigurationError when the new root is faulty in itself.
    """
    said = verify_threshold(signed, old.keys, old.threshold, "old root")
    about, predicate = in_toto.subjects(said), said["predicate"]
    if said["predicateType"] != PREDICATE or about != {_SUBJECT: files.sha256_json(predicate)}:
        raise _no_root()
    new = _checked(predicate)
    verify_threshold(signed, new.keys, new.threshold, "new root")
    if new.version != old.version + 1 or (new.demo and not old.demo):
        fault = f"root version {new.version} does not follow version {old.version}"
        raise IntegrityError(fault, "take the new roots one after the other, none left out")
    return new


def verify_threshold(
    signed: Mapping[str, Any], publics: Mapping[str, Key], threshold: int, whose: str
) -> Mapping[str, Any]:
    """The statement in an envelope that at least `threshold` of these keys signed. Raises IntegrityError."""
    found = dsse.verify(signed, publics)
    if len(found.keyids) < threshold:
        raise IntegrityError(
            f"{len(found.keyids)} of {threshold} signatures of the {whose} are there",
            "have other holders of the root sign it too",
        )
    return found.statement


def _no_root() -> IntegrityError:
    return IntegrityError("this envelope holds no new root", "make it with `clearance root propose`")


def _checked(data: Any) -> Root:
    mend = "get root.json from your root's holders again"
    try:
        read = _Root.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"the root is faulty: {params.describe(error, _Root)}", mend) from None
    listed = [each.public() for each in read.keys]
    if len({keys.fingerprint(key) for key in listed}) < len(listed):
        raise ConfigurationError("the root lists a key twice", mend)
    if read.threshold > len(listed):
        raise ConfigurationError(f"the root asks for {read.threshold} of {len(listed)} signatures", mend)
    return Root(
        version=read.version,
        threshold=read.threshold,
        keys={key.keyid: key for key in listed},
        demo=read.demo,
    )
