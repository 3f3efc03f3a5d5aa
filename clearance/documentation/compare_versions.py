"""Two versions compared by their signed evidence, and by the locks that their commits hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clearance import files, paths
from clearance.documentation import version_evidence
from clearance.documentation.version_evidence import VersionEvidence
from clearance.errors import ClearanceError
from clearance.reporting import version_diff
from clearance.reporting.card.formats import locked_packages
from clearance.reporting.version_diff import Side, VersionDiff
from clearance.versioning import git


def compare(root: Path, first: int, second: int | None = None) -> VersionDiff:
    """What differs between two versions; the second one is the champion where it is not named.

    Raises as `version_evidence.read_two` does.
    """
    one, other = version_evidence.read_two(root, first, second)
    return version_diff.compare(one.model, _side(root, one), _side(root, other))


def _side(root: Path, evidence: VersionEvidence) -> Side:
    return Side(
        version=evidence.version,
        known=evidence.known,
        policy_file=evidence.bundle.evidence.judged.file,
        packages=_packages(root, evidence),
    )


def _packages(root: Path, evidence: VersionEvidence) -> Mapping[str, str] | None:
    """The locked packages of a version by name; None where git does not hold the lock it was made with."""
    signed = evidence.bundle.evidence
    if signed.code.commit is None:
        return None
    try:
        content = git.read_file(root, signed.code.commit, paths.REQUIREMENTS_LOCK.as_posix())
    except ClearanceError:
        return None
    text = (content or b"").decode("utf-8", errors="replace")
    if files.sha256_text(text) != signed.environment:
        return None
    return {package.name.lower(): package.version for package in locked_packages.parse(text)}
