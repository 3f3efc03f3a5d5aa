"""What is installed, held against the lock file of an environment: a finding, never a refusal."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from clearance.errors import IntegrityError


def find_differences(lock: str) -> tuple[str, ...]:
    """One sentence for each package that is not installed in the version which `lock` pins for this platform.

    `lock` is the text of a `requirements.lock`. Raises IntegrityError when a line is no pin, or none is.
    """
    pins = list(map(_requirement, _lines(lock)))
    if not pins:
        raise IntegrityError("the recorded requirements.lock pins nothing", "restore it from git")
    return tuple(filter(None, map(_fault, sorted(pins, key=lambda pin: pin.name))))


def _lines(lock: str) -> list[str]:
    """The requirements themselves: without comments, hashes and continuations."""
    lines = (line.partition(" #")[0].removesuffix("\\").strip() for line in lock.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line.partition(" --hash")[0])
    except InvalidRequirement as error:
        raise IntegrityError(
            f"requirements.lock: `{line}` is no pin ({error})", "restore it from git"
        ) from None


def _fault(pin: Requirement) -> str | None:
    if pin.marker and not pin.marker.evaluate():
        return None
    locked = str(pin.specifier).removeprefix("==")
    try:
        now = importlib.metadata.version(pin.name)
        same = Version(now) == Version(locked)
    except importlib.metadata.PackageNotFoundError:
        return f"{pin.name} {locked} is locked and not installed"
    except InvalidVersion:
        same = now == locked
    return None if same else f"{pin.name} {now} is installed, {locked} is locked"
