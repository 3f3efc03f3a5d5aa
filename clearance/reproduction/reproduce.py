"""Effect: a registered version is built again from git and DVC and compared with its signed evidence.

Reads the checkout and writes nothing into it.
"""

from __future__ import annotations

from pathlib import Path

from clearance import params, paths, registry
from clearance.promotion import candidate, version_record
from clearance.promotion.session import open_read_only
from clearance.reproduction import differences, faults, rebuild
from clearance.reproduction.differences import RebuildReport
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.trust.evidence_bundle import BundleEvidence


def reproduce(root: Path, version: RebuildRecord, *, fresh: bool = False) -> RebuildReport:
    """Rebuild `version` from the checkout at `root` in a temporary folder; report what differs.

    `fresh`: in an environment that is made for it from the version's lock.
    """
    with rebuild.temporary_folder() as folder:
        return differences.compare(version, rebuild.rebuild(root, version, folder, fresh=fresh))


def record_of(evidence: BundleEvidence) -> RebuildRecord:
    """What a rebuild needs of a bundle. Raises ConfigurationError when no commit holds the code."""
    if evidence.code.commit is None or not evidence.code.clean:
        raise faults.NO_COMMIT()
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
    name, server = params.load(root / paths.PARAMS).name, registry.connect()
    with open_read_only(root) as session:
        record = version_record.fold(session.entries(name), name, number, session.roles)
        with candidate.open_verified(session, server, record) as verified:
            return record_of(verified.bundle.evidence)
