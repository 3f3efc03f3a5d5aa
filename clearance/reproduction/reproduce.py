"""Effect: a registered version is built again from git and DVC and compared with its signed evidence.

Reads the checkout and writes nothing into it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from clearance import params, registry
from clearance.errors import ConfigurationError
from clearance.promotion import candidate
from clearance.promotion.session import open_session
from clearance.reproduction import differences, rebuild
from clearance.reproduction.differences import RebuildReport
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.trust.evidence_bundle import BundleEvidence


def reproduce(root: Path, version: RebuildRecord) -> RebuildReport:
    """Rebuild `version` from the checkout at `root` in a folder that is gone afterwards; say what differs."""
    with rebuild.temporary_folder() as folder:
        return differences.compare(version, rebuild.rebuild(root, version, folder))


def record_of(evidence: BundleEvidence) -> RebuildRecord:
    """What a rebuild needs of a bundle. Raises ConfigurationError when no commit holds the code."""
    if evidence.code.commit is None or not evidence.code.clean:
        raise ConfigurationError(
            "no commit holds what made this version, so it cannot be built again",
            "commit, run again and release: the policy's `uncommitted: false` demands it",
        )
    return RebuildRecord(
        commit=evidence.code.commit,
        lock=evidence.lock,
        params=evidence.params,
        overrides=evidence.overrides,
        environment=evidence.environment,
        outs=evidence.outs,
        deps=evidence.deps,
        files={evidence.judged.file: evidence.judged.text},
        python=evidence.python,
    )


def record_of_version(root: Path, number: int) -> RebuildRecord:
    """What a rebuild of candidate `number` needs, from its signed evidence.

    Raises ConfigurationError when there is no such candidate or no commit holds its code, IntegrityError when
    its evidence does not verify.
    """
    name, server = params.load(root / "params.yaml").name, registry.connect()
    with open_session(root) as office, tempfile.TemporaryDirectory() as temporary:
        version = registry.candidate_version(server, name, number)
        verified = candidate.load_verified(office, server, version, office.entries(name), Path(temporary))
        return record_of(verified.bundle.evidence)
