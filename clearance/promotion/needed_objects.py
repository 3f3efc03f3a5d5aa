"""Effect: DVC's objects that nothing needs any more are removed; what a registered version needs stays."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from clearance import ledger, registry
from clearance.errors import IntegrityError
from clearance.promotion import version_record
from clearance.promotion.session import ReadOnlySession
from clearance.trust import dsse, evidence_bundle
from clearance.versioning import git

logger = logging.getLogger(__name__)


def find_needed(office: ReadOnlySession, server: registry.MlflowServer) -> list[str]:
    """The `dvc.lock` of every registered version of every model, and the `.dvc` files of its commit.

    A version that MLflow has no more is told, and not kept. Raises IntegrityError when the evidence of one is
    lost, or is not what was proposed: then nothing may be removed.
    """
    texts: list[str] = []
    entries = office.entries()
    for name in sorted({each.model for each in entries if each.model}):
        own = [each for each in entries if each.model == name]
        proposals = [each for each in own if each.kind == ledger.EntryKind.PROPOSAL and not each.redacted]
        for number in sorted({each.body["version"] for each in proposals}):
            version = registry.find_number(server, registry.candidate_name(name), number)
            if version is None:
                logger.warning("%s has no version %d any more: nothing is kept for it", name, number)
                continue
            found = _evidence(office, server, version, version_record.find_proposal(own, number))
            texts.append(found.evidence.lock)
            if commit := found.evidence.code.commit:
                texts += git.dvc_files(office.root, commit).values()
    return texts


def _evidence(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    version: registry.Version,
    by: version_record.Proposal | None,
) -> evidence_bundle.Bundle:
    with tempfile.TemporaryDirectory() as temporary:
        registry.fetch_files(server, version, [f"evidence/{evidence_bundle.NAME}"], Path(temporary))
        found = evidence_bundle.read(
            office.opened(dsse.read(Path(temporary) / "evidence" / evidence_bundle.NAME))
        )
    if by is None or found.digest != by.content:
        raise IntegrityError(
            f"{version}: its evidence bundle is not the one that was proposed",
            "run `clearance verify` on it; nothing was removed",
        )
    return found
