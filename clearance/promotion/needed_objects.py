"""What of DVC's objects registered versions still need, by the locks in their signed evidence."""

from __future__ import annotations

import logging

from clearance import ledger, registry
from clearance.promotion import candidate, faults, version_record
from clearance.promotion.session import ReadOnlySession
from clearance.versioning import git

logger = logging.getLogger(__name__)


def find_needed(session: ReadOnlySession, server: registry.MlflowServer) -> list[str]:
    """The `dvc.lock` of every registered version of every model, and the `.dvc` files of its commit.

    A version that MLflow no longer has is logged and needs nothing. Raises IntegrityError when the evidence
    of one is lost, or is not what was proposed: then nothing may be removed.
    """
    texts: list[str] = []
    entries = session.entries()
    for name in sorted({entry.model for entry in entries if entry.model}):
        own = [entry for entry in entries if entry.model == name]
        proposals = (entry.read(ledger.events.ProposalEvent) for entry in own)
        for number in sorted({proposal.version for proposal in proposals if proposal}):
            version = registry.find_number(server, registry.candidate_name(name), number)
            if version is None:
                logger.warning("%s no longer has version %d: nothing is kept for it", name, number)
                continue
            proposal = version_record.find_proposal(own, number)
            if proposal is None:
                raise faults.NEVER_PROPOSED(version=version)
            bundle = candidate.read_bundle(session, server, version, proposal)
            if bundle.digest != proposal.content:
                raise faults.BUNDLE_NOT_PROPOSED(version=version)
            texts.append(bundle.evidence.lock)
            if commit := bundle.evidence.code.commit:
                texts += git.dvc_files(session.root, commit).values()
    return texts
