"""A registered version fetched from the registry and verified against its signed evidence bundle.

What does not verify is an IntegrityError. Whether the version may be promoted is decided elsewhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, params, paths, registry
from clearance.errors import ClearanceError, IntegrityError
from clearance.promotion import faults, version_record
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import Proposal, VersionRecord
from clearance.trust import dsse, evidence_bundle
from clearance.trust.roles import Right

LEGACY_BUNDLE = f"evidence/{evidence_bundle.NAME}"
"""Where versions of before kept their bundle: under one name, so another ledger's release replaced it."""


def bundle_file(content: str, keyid: str) -> str:
    """Where the run of a version keeps the bundle with this content digest that this key signed.

    Two ledgers that share a registry so keep theirs side by side.
    """
    return f"evidence/bundle-{content[:24]}-{keyid[:12]}.json"


@dataclass(frozen=True, kw_only=True)
class VerifiedCandidate:
    """A version that verifies. Its model, evidence, parameters and policy lie below `folder` for a while."""

    version: registry.Version
    bundle: evidence_bundle.Bundle
    proposal: Proposal
    folder: Path

    @property
    def settings(self) -> params.Params:
        """The parameters it was made with."""
        return params.load(self.folder / paths.PARAMS)

    @property
    def policy_file(self) -> Path:
        """The policy that judged it."""
        return self.folder / self.bundle.evidence.judged.file


@contextmanager
def open_verified(
    session: ReadOnlySession, server: registry.MlflowServer, record: VersionRecord
) -> Iterator[VerifiedCandidate]:
    """The candidate that the record is about, as it was judged; its files are there until the end.

    Raises ConfigurationError when there is no such candidate, and IntegrityError as `load_verified` does.
    """
    version = registry.candidate_version(server, record.model, record.version)
    with tempfile.TemporaryDirectory() as folder:
        yield load_verified(session, server, version, record.proposal, Path(folder))


def load_verified(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    version: registry.Version,
    proposal: Proposal | None,
    folder: Path,
) -> VerifiedCandidate:
    """Fetch the candidate into the empty `folder` and verify every file of it.

    Raises IntegrityError when it was never proposed, its bundle is not the proposed one or no person who may
    propose signed it, or a file is not what the bundle says.
    """
    if proposal is None:
        raise faults.NEVER_PROPOSED(version=version)
    bundle = read_proposed(session, server, version, proposal)
    evidence = bundle.evidence
    needed = [*paths.EVIDENCE, paths.REASONS, paths.BASELINE, paths.VERDICT, paths.CARD, paths.ORIGIN]
    names = [path.as_posix() for path in needed]
    digests = {name: evidence.outs[name] for name in names if name in evidence.outs}
    registry.fetch_verified(server, version, digests, folder)
    files.write_text(folder / paths.PARAMS, evidence.params)
    files.write_text(folder / evidence.judged.file, evidence.judged.text)
    with registry.verified_model(server, version, bundle.files) as model_folder:
        (folder / paths.MODEL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model_folder / registry.MODEL, folder / paths.MODEL)
    return VerifiedCandidate(version=version, bundle=bundle, proposal=proposal, folder=folder)


def read_proposed(
    session: ReadOnlySession, server: registry.MlflowServer, version: registry.Version, proposal: Proposal
) -> evidence_bundle.Bundle:
    """The version's evidence bundle, as it was proposed and signed by a person who might propose it then.

    Raises IntegrityError when it is another one, or about another version.
    """
    bundle = read_bundle(session, server, version, proposal)
    if bundle.digest != proposal.content:
        raise registry.unsound(version, "its evidence bundle is not the one that was proposed")
    if not _is_signed_by_proposer(session, proposal, bundle):
        raise registry.unsound(
            version, "no person who might propose it signed its evidence bundle when it was proposed"
        )
    evidence = bundle.evidence
    if (evidence.fingerprint, registry.candidate_name(evidence.model)) != (version.fingerprint, version.name):
        raise registry.unsound(version, "its evidence bundle is about another model")
    return bundle


def read_bundle(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    version: registry.Version,
    proposal: Proposal,
) -> evidence_bundle.Bundle:
    """The version's evidence bundle, as a key of the roles file signed it.

    Raises IntegrityError when MLflow has none or no signature holds. Whether it is the proposed one is for
    the caller to check.
    """
    names = [bundle_file(proposal.content, keyid) for keyid in sorted(proposal.keyids)]
    first: IntegrityError | None = None
    for name in (*names, LEGACY_BUNDLE):
        try:
            return _read_bundle(session, server, version, name)
        except IntegrityError as error:
            first = first or error
    raise first or faults.NEVER_PROPOSED(version=version)


def _read_bundle(
    session: ReadOnlySession, server: registry.MlflowServer, version: registry.Version, name: str
) -> evidence_bundle.Bundle:
    with tempfile.TemporaryDirectory() as folder:
        registry.fetch_files(server, version, [name], Path(folder))
        return evidence_bundle.read(session.verify_envelope(dsse.read(Path(folder) / name)))


def fetch_comparison(server: registry.MlflowServer, version: registry.Version, digest: str | None) -> Any:
    """The comparison with this digest, as the run of the version keeps it, as a JSON value.

    Raises IntegrityError when MLflow has none, or another one under that name.
    """
    first: ClearanceError | None = None
    for name in (version_record.comparison_file(str(digest)), version_record.LEGACY_COMPARISON):
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch_files(server, version, [name], Path(folder))
                content = files.read_json(Path(folder) / name)
                if files.sha256_json(content) == digest:
                    return content
                first = first or faults.COMPARISON_CHANGED(file=name)
            except IntegrityError as error:
                first = first or error
    raise first or faults.COMPARISON_CHANGED(file=version_record.LEGACY_COMPARISON)


def ensure_files(
    server: registry.MlflowServer, version: registry.Version, bundle: evidence_bundle.Bundle
) -> None:
    """Raise IntegrityError unless the version's model files are those of the bundle, and no others."""
    with registry.verified_model(server, version, bundle.files):
        pass


def _is_signed_by_proposer(
    session: ReadOnlySession, proposal: Proposal, bundle: evidence_bundle.Bundle
) -> bool:
    """Whether a proposer of the version, with the right to propose at that time, signed its bundle."""
    return any(
        keyid in bundle.keyids and session.roles.may(keyid, Right.PROPOSE, at)
        for keyid, at in proposal.proposers
    )
