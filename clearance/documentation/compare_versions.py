"""Two versions compared by their signed evidence."""

from __future__ import annotations

from pathlib import Path

from clearance.documentation import version_evidence
from clearance.documentation.version_evidence import VersionEvidence
from clearance.reporting import version_diff
from clearance.reporting.version_diff import Side, VersionDiff


def compare(root: Path, first: int, second: int | None = None) -> VersionDiff:
    """What differs between two versions; the second one is the champion where it is not named.

    Raises as `version_evidence.read_two` does.
    """
    one, other = version_evidence.read_two(root, first, second)
    return version_diff.compare(one.model, _side(one), _side(other))


def _side(evidence: VersionEvidence) -> Side:
    return Side(
        version=evidence.version,
        known=evidence.known,
        policy_file=evidence.policy_file,
        packages=evidence.packages,
    )
