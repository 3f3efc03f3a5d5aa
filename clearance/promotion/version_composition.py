"""What a registered version was made of, by its signed evidence alone: the present files play no part."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from clearance import ledger, params, paths, registry
from clearance.ledger import times
from clearance.lineage import datasets, faults
from clearance.lineage.graph import Composition
from clearance.promotion import candidate, session, version_record
from clearance.versioning import dvc_lock


def of_version(root: Path, version: int) -> Composition:
    """What candidate `version` of the project's model was made of.

    Raises ConfigurationError when there is no such version, and IntegrityError when it does not verify.
    """
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        record = version_record.fold(reader.entries(name), name, version, reader.roles)
        with candidate.open_verified(reader, registry.connect(), record) as verified:
            evidence = verified.bundle.evidence
            return Composition(
                subject=f"{name} version {version}",
                settings=verified.settings,
                lock=dvc_lock.parse(evidence.lock),
                digests={**evidence.deps, **evidence.outs},
                evidence=datasets.read_evidence(verified.folder),
                fingerprint=evidence.fingerprint,
                commit=evidence.code.commit,
                changed=(*evidence.code.changed, *evidence.code.unkept),
            )


def champion_at(root: Path, at: dt.datetime) -> int:
    """The version that was champion at a moment (UTC where it has no time zone), by the ledger.

    Raises ConfigurationError when there was none.
    """
    name = params.load(root / paths.PARAMS).name
    moment = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    with session.open_read_only(root) as reader:
        tenure = ledger.champion_at(reader.entries(name), name, moment)
    if tenure is None:
        raise faults.NO_CHAMPION_THEN(name=name, at=times.for_display(moment))
    return tenure.version
