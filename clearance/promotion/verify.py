"""Reads only: does what is recorded about a version hold, and if not, what exactly?

Signature, digests, ledger, approvals and alias, each by itself, so that one fault hides no other. Nothing is
changed, and nothing but the project's own ledger and registry is asked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, ledger, registry
from clearance.errors import ClearanceError, ConfigurationError, IntegrityError
from clearance.promotion import candidate, next_step, promote, review, version_record
from clearance.promotion.session import ReadOnlySession
from clearance.trust import dsse, evidence_bundle


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: whether it holds, and what was seen or is wrong."""

    name: str
    holds: bool
    says: str

    def __str__(self) -> str:
        return f"{'holds ' if self.holds else 'BROKEN'}  {self.name}: {self.says}"


def verify(
    office: ReadOnlySession, server: registry.MlflowServer, name: str, number: int | None
) -> list[Check]:
    """What was found about candidate `number` (None: the ledger's champion)."""
    checks = [_ledger(office)]
    entries = office.entries(name)
    reign = version_record.champion(entries, name)
    checks.append(_tried("alias", lambda: _alias(office, server, name, entries, reign)))
    if number is None and reign is None:
        return [*checks, Check(name="version", holds=True, says=f"{name} has no champion by the ledger")]
    chosen = number if number is not None else reign.version if reign else 0
    with tempfile.TemporaryDirectory() as temporary:
        checks += _version(office, server, name, chosen, Path(temporary))
    return checks


def verify_file(office: ReadOnlySession, server: registry.MlflowServer, name: str, file: Path) -> list[Check]:
    """What was found about an evidence bundle in a file, and about the version that it was proposed as."""
    checks = [_ledger(office)]
    number: list[int] = []

    def look() -> str:
        found = evidence_bundle.read(office.opened(dsse.read(file)))
        proposals = {
            each.body["version"]
            for each in office.entries(name)
            if each.kind == ledger.EntryKind.PROPOSAL and each.body.get("content") == found.digest
        }
        if not proposals:
            raise ConfigurationError(
                "the signature holds, and the ledger has no proposal of it", "release it"
            )
        number.append(min(proposals))
        return f"signed by {_signers(office, found)}, proposed as candidate {number[0]}{_demo(found)}"

    checks.append(_tried("bundle", look))
    with tempfile.TemporaryDirectory() as temporary:
        return [*checks, *(_version(office, server, name, number[0], Path(temporary)) if number else ())]


def _ledger(office: ReadOnlySession) -> Check:
    report = office.audit()
    told = f"{report.entries} entries, {report.checkpoints} checkpoints in {report.places} place(s)"
    return Check(
        name="ledger", holds=report.ok, says=told if report.ok else "; ".join(map(str, report.findings))
    )


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, holds=True, says=look())
    except ClearanceError as error:
        return Check(name=name, holds=False, says=f"{error.fault}; {error.hint}")


def _alias(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    name: str,
    entries: list[ledger.Entry],
    reign: ledger.Tenure | None,
) -> str:
    pointed = registry.champion(server, name)
    aliased = promote.candidate_number(server, name, pointed)
    pending = ledger.open_intents(entries, name)
    if pending and promote.was_done(office, pending[-1], aliased, pointed):
        return f"a change was begun and not ended (entry {pending[-1].number}); the next release ends it"
    promote.ensure_alias(name, pointed, aliased, reign)
    return f"points where the ledger says, at {pointed}" if pointed else "there is none, as the ledger says"


def _version(
    office: ReadOnlySession, server: registry.MlflowServer, name: str, number: int, folder: Path
) -> Iterator[Check]:
    entries = office.entries(name)
    try:
        version = registry.candidate_version(server, name, number)
    except ConfigurationError as error:
        yield Check(name="version", holds=False, says=error.fault)
        return
    try:
        found = candidate.load_verified(office, server, version, entries, folder)
    except ClearanceError as error:
        yield Check(name="evidence", holds=False, says=f"{error.fault}; {error.hint}")
        return
    signers = _signers(office, found.bundle)
    files = len(found.bundle.files)
    told = f"{version}, {files} model files and its reports are as signed by {signers}{_demo(found.bundle)}"
    yield Check(name="evidence", holds=True, says=told)
    copy = registry.find_version(server, name, str(version.fingerprint))
    if copy is not None:

        def same() -> str:
            candidate.ensure_files(server, copy, found.bundle)
            return f"{copy} holds the same files"

        yield _tried("copy", same)
    if against := version_record.newest_comparison(entries, number, office.roles):
        yield _tried("comparison", lambda: _comparison(server, version, against, folder))
    yield _tried("approvals", lambda: _approvals(office, server, found, entries))


def _comparison(
    server: registry.MlflowServer, version: registry.Version, against: Mapping[str, Any], folder: Path
) -> str:
    """Whether the comparison that is kept beside the version is the one that was recorded and agreed to."""
    registry.fetch_files(server, version, [version_record.COMPARISON_FILE], folder)
    if files.sha256_json(files.read_json(folder / version_record.COMPARISON_FILE)) != against["comparison"]:
        raise IntegrityError(
            f"{version_record.COMPARISON_FILE} of its run is not the comparison that was recorded",
            "run `clearance release` where it was made: it is kept there again",
        )
    return f"{against['outcome']}, kept beside the version as recorded"


def _approvals(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    found: candidate.VerifiedCandidate,
    entries: list[ledger.Entry],
) -> str:
    """Who agreed: of one that was ever champion, when it was promoted; of any other, today."""
    number, reign = found.version.number, version_record.champion(entries, found.bundle.evidence.model)
    now = review.review(office, server, found, office.now().date())
    if number in ledger.champion_versions(entries, found.bundle.evidence.model) or (
        reign and reign.version == number
    ):
        told = review.ensure_promoted(office, server, found, entries)
        since = ", ".join(str(vote) for vote in now.standing.rejections)
        return f"{told}; rejected by now: {since}" if since else told
    ending = next_step.obstacle(now.case, now.standing, now.needs)
    return f"not promoted so far; {ending.reason if ending else 'all who must agree do'}"


def _signers(office: ReadOnlySession, found: evidence_bundle.Bundle) -> str:
    owners = [office.roles.owner(keyid) for keyid in sorted(found.keyids)]
    return " and ".join(owner.identity for owner in owners if owner)


def _demo(found: evidence_bundle.Bundle) -> str:
    return " (DEMO keys: no proof of who signed)" if found.evidence.demo else ""
