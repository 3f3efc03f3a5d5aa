"""What is installed, compared with the lock file of an environment. It reports and never refuses."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from clearance.reproduction import faults


def find_differences(lock: str) -> tuple[str, ...]:
    """One sentence for each package that is not installed in the version which `lock` pins for this platform.

    `lock` is the text of a `requirements.lock`, or of several. Raises IntegrityError when a line does not pin
    a version, or when there is no line.
    """
    pins = list(map(_requirement, _lines(lock)))
    if not pins:
        raise faults.LOCK_WITHOUT_PINS()
    return tuple(dict.fromkeys(filter(None, map(_difference, sorted(pins, key=lambda pin: pin.name)))))


def _lines(lock: str) -> list[str]:
    """The requirements themselves: without comments, hashes and continuations."""
    lines = (line.partition(" #")[0].removesuffix("\\").strip() for line in lock.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line.partition(" --hash")[0])
    except InvalidRequirement as error:
        raise faults.NOT_A_PIN(line=line, reason=error) from None


def _difference(pin: Requirement) -> str | None:
    if pin.marker and not pin.marker.evaluate():
        return None
    locked = str(pin.specifier).removeprefix("==")
    try:
        installed = importlib.metadata.version(pin.name)
        is_same = Version(installed) == Version(locked)
    except importlib.metadata.PackageNotFoundError:
        return f"{pin.name} {locked} is locked but not installed"
    except InvalidVersion:
        is_same = installed == locked
    return None if is_same else f"{pin.name} {installed} is installed, {locked} is locked"
