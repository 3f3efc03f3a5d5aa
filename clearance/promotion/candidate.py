"""A registered version as it was judged, brought back from the registry and held against its signed bundle.

What does not verify is an IntegrityError; whether the version may be promoted is decided elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clearance import files as artifacts
from clearance import ledger, params, registry
from clearance.errors import IntegrityError
from clearance.policy import schema
from clearance.promotion import version_record
from clearance.promotion.session import ReadOnlySession
from clearance.trust import dsse, evidence_bundle
from clearance.trust.roles import Right

VERDICT, ORIGIN, MODEL = "reports/verdict.json", "data/origin.json", "models/trained/model.skops"
_MODEL_FILE = "model.skops"


@dataclass(frozen=True, kw_only=True)
class VerifiedCandidate:
    """A version that verifies. Below `folder` lie its model, its evidence, parameters and policy."""

    version: registry.Version
    bundle: evidence_bundle.Bundle
    proposed: version_record.Proposal
    folder: Path

    @property
    def settings(self) -> params.Params:
        """The parameters that it was made with."""
        return params.load(self.folder / "params.yaml")


def load_verified(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    version: registry.Version,
    entries: Sequence[ledger.Entry],
    folder: Path,
) -> VerifiedCandidate:
    """Bring the candidate back into the empty `folder`.

    Raises IntegrityError when it was never proposed, its bundle is not the proposed one or signed by nobody
    who may propose, or a file of it is not what the bundle says.
    """
    proposed = version_record.find_proposal(entries, version.number)
    if proposed is None:
        raise IntegrityError(
            f"{version} was never proposed: the ledger has no entry of it",
            "run `clearance release` where it was made",
        )
    registry.fetch_files(server, version, [f"evidence/{evidence_bundle.NAME}"], folder)
    signed = office.opened(dsse.read(folder / "evidence" / evidence_bundle.NAME))
    found = evidence_bundle.read(signed)
    if found.digest != proposed.content:
        raise registry.unsound(version, "its evidence bundle is not the one that was proposed")
    _check_signer(office, version, found, entries)
    if (found.evidence.fingerprint, f"{found.evidence.model}-candidate") != (
        version.fingerprint,
        version.name,
    ):
        raise registry.unsound(version, "its evidence bundle is about another model")
    _bring(server, version, found, folder)
    return VerifiedCandidate(version=version, bundle=found, proposed=proposed, folder=folder)


def ensure_files(
    server: registry.MlflowServer, version: registry.Version, found: evidence_bundle.Bundle
) -> None:
    """Raise IntegrityError unless the version's files are the subjects of the bundle, and no others."""
    held = registry.model_file_digests(server, version)
    odd = sorted(name for name in {*held, *found.files} if held.get(name) != found.files.get(name))
    if odd:
        raise registry.unsound(version, f"{', '.join(odd)} is not what was judged")


def _check_signer(
    office: ReadOnlySession,
    version: registry.Version,
    found: evidence_bundle.Bundle,
    entries: Sequence[ledger.Entry],
) -> None:
    """Raise IntegrityError unless a proposer of the version, with the right to, signed its bundle."""
    for each in entries:
        about = each.kind == ledger.EntryKind.PROPOSAL and each.body.get("version") == version.number
        if about and each.keyid in found.keyids and office.roles.may(each.keyid, Right.PROPOSE, each.at):
            return
    raise registry.unsound(version, "nobody who may propose signed its evidence bundle when it was proposed")


def _bring(
    server: registry.MlflowServer, version: registry.Version, found: evidence_bundle.Bundle, folder: Path
) -> None:
    evidence = found.evidence
    names = [f"reports/{name}.json" for name in schema.DOCUMENTS] + [VERDICT, ORIGIN]
    wanted = {name: evidence.outs[name] for name in names if name in evidence.outs}
    registry.fetch_files(server, version, sorted(wanted), folder)
    for name, sha256 in wanted.items():
        if artifacts.sha256(folder / name) != sha256:
            raise registry.unsound(version, f"{name} of its run is not what was judged")
    artifacts.write_text(folder / "params.yaml", evidence.params)
    artifacts.write_text(folder / evidence.judged.file, evidence.judged.text)
    with registry.downloaded_model(server, version) as files:
        held = registry.folder_digests(files)
        if held != dict(found.files):
            odd = sorted(name for name in {*held, *found.files} if held.get(name) != found.files.get(name))
            raise registry.unsound(version, f"{', '.join(odd)} is not what was judged")
        (folder / MODEL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files / _MODEL_FILE, folder / MODEL)
