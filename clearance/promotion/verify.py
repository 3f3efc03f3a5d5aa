"""Reads only: does what is recorded about a version hold, and if not, what exactly?

Signature, digests, ledger, approvals and alias are checked one by one, so that one fault hides no other.
Only the project's own ledger and registry are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clearance import ledger, paths, registry
from clearance.errors import ClearanceError, ConfigurationError, ExitCode, TransientError
from clearance.policy import policy_file
from clearance.promotion import (
    approval_request,
    attempts,
    candidate,
    faults,
    lapse,
    past_promotions,
    promote,
    review,
    served_versions,
    version_record,
)
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.trust import dsse, evidence_bundle
from clearance.versioning import dvc_lock, git

NOTHING_YET = "promotion.nothing_to_verify"
"""The code of the check that there is a version at all."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was checked: whether it holds, what was seen or is wrong, and the fault's code."""

    name: str
    holds: bool
    says: str
    code: str = ""

    def __str__(self) -> str:
        word = "none  " if self.code == NOTHING_YET else "holds " if self.holds else "BROKEN"
        return f"{word}  {self.name}: {self.says}"


def verify(
    session: ReadOnlySession, server: registry.MlflowServer, name: str, number: int | None
) -> list[Check]:
    """The checks of candidate `number` of the model `name`; None: of the ledger's champion."""
    checks = [_check_ledger(session)]
    entries = session.entries(name)
    try:
        tenure = version_record.champion(entries, name)
    except ClearanceError as error:
        return [*checks, _broken("entries", error)]
    checks.append(_check("alias", lambda: _describe_alias(session, server, name, entries, tenure)))
    if tenure is not None and number in (None, tenure.version):
        checks.append(_check("permission", lambda: _describe_permission(session, name, entries, tenure)))
    checks.append(_check("versions", lambda: served_versions.describe(server, name, entries)))
    chosen = tenure.version if number is None and tenure else number
    if chosen is None and not any(entry.read(ledger.events.ProposalEvent) for entry in entries):
        says = f"nothing to verify yet: {name} has no version; `clearance run` makes one"
        return [*checks, Check(name="version", holds=True, says=says, code=NOTHING_YET)]
    if chosen is None:
        return [*checks, Check(name="version", holds=True, says=f"{name} has no champion by the ledger")]
    return [*checks, *_check_version(session, server, name, entries, chosen)]


def verify_file(
    session: ReadOnlySession, server: registry.MlflowServer, name: str, file: Path
) -> list[Check]:
    """The checks of an evidence bundle in a file, and of the version that it was proposed as."""
    checks = [_check_ledger(session)]
    entries = session.entries(name)
    numbers: list[int] = []

    def describe_bundle() -> str:
        bundle = evidence_bundle.read(session.verify_envelope(dsse.read(file)))
        proposals = (entry.read(ledger.events.ProposalEvent) for entry in entries)
        numbers.extend(
            proposal.version for proposal in proposals if proposal and proposal.content == bundle.digest
        )
        if not numbers:
            raise faults.BUNDLE_NOT_RELEASED()
        signers = _signers(session, bundle)
        return f"signed by {signers}, proposed as candidate {min(numbers)}{_demo_note(bundle)}"

    checks.append(_check("bundle", describe_bundle))
    if numbers:
        checks += _check_version(session, server, name, entries, min(numbers))
    return checks


def _check(name: str, look: Callable[[], str]) -> Check:
    """The check that `look` makes: it returns what it saw, or raises what is wrong.

    A fault that may pass is raised: it says nothing about the record.
    """
    try:
        return Check(name=name, holds=True, says=look())
    except TransientError:
        raise
    except ClearanceError as error:
        return _broken(name, error)


def _broken(name: str, error: ClearanceError) -> Check:
    return Check(name=name, holds=False, says=f"{error.fault}; {error.hint}", code=error.code)


def _check_ledger(session: ReadOnlySession) -> Check:
    report = session.audit()
    findings = "; ".join(map(str, report.findings))
    code = "" if report.ok else faults.LEDGER_UNSOUND.code
    return Check(name="ledger", holds=report.ok, says=report.counts if report.ok else findings, code=code)


def _describe_alias(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    name: str,
    entries: list[ledger.Entry],
    tenure: ledger.Tenure | None,
) -> str:
    target = registry.champion(server, name)
    aliased = promote.candidate_number(server, name, target)
    pending = ledger.open_intents(entries, name)
    if pending and promote.was_done(session, pending[-1], aliased, target):
        return (
            f"a change was started and not completed (entry {pending[-1].number}); the next release ends it"
        )
    promote.ensure_alias(name, target, aliased, tenure)
    return f"matches the ledger ({target})" if target else "not set, as in the ledger"


def _describe_permission(
    session: ReadOnlySession, name: str, entries: list[ledger.Entry], tenure: ledger.Tenure
) -> str:
    """That everybody whom the champion rests on still agrees."""
    record = version_record.fold(entries, name, tenure.version, session.roles)
    if lapsed := lapse.find(record, session.roles, session.now()):
        raise faults.CHAMPION_LAPSED(why=lapsed)
    end = tenure.override_until
    lasts = end is not None and end >= session.now().date().isoformat()  # else it was renewed since
    return f"nobody withdrew what allowed it{f', until {end}' if lasts else ''}"


LAPSES = frozenset({faults.CHAMPION_LAPSED.code, faults.OVERRIDE_ENDED.code})
"""The codes of checks that fail only because what allowed the champion has ended."""


def exit_code(checks: Sequence[Check]) -> ExitCode:
    """The exit status that tells whether all holds, or the champion has only lapsed."""
    codes = {check.code for check in checks if not check.holds}
    if not codes:
        empty = any(check.code == NOTHING_YET for check in checks)
        return ExitCode.NOT_EVALUATED if empty else ExitCode.PASS
    return ExitCode.LAPSED if faults.CHAMPION_LAPSED.code in codes and codes <= LAPSES else ExitCode.ERROR


def _check_version(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    name: str,
    entries: list[ledger.Entry],
    number: int,
) -> Iterator[Check]:
    with ExitStack() as stack:
        try:
            record = version_record.fold(entries, name, number, session.roles)
            registry.candidate_version(server, name, number)
        except ConfigurationError as error:
            yield Check(name="version", holds=False, says=error.fault, code=error.code)
            return
        except ClearanceError as error:
            yield _broken("evidence", error)
            return
        candidates: list[VerifiedCandidate] = []

        def describe_evidence() -> str:
            candidates.append(stack.enter_context(candidate.open_verified(session, server, record)))
            bundle = candidates[0].bundle
            return (
                f"{candidates[0].version}, {len(bundle.files)} model files and all reports match what "
                f"{_signers(session, bundle)} signed{_demo_note(bundle)}"
            )

        yield _check("evidence", describe_evidence)
        if not candidates:
            return
        verified = candidates[0]
        copy = registry.find_version(server, name, str(verified.version.fingerprint))
        if copy is not None:
            yield _check("copy", lambda: _describe_copy(server, copy, verified))
        yield _check("contract", lambda: _describe_contract(session, server, verified, record))
        if unusual := _unusual_commands(session, verified):
            yield Check(name="commands", holds=True, says="; ".join(unusual))
        if comparison := record.comparison:
            yield _check("comparison", lambda: _describe_comparison(server, verified, comparison))
        yield _check("attempts", lambda: _describe_attempts(verified, record))
        if report := _rebuild_check(session, server, verified, record):
            yield report
        yield _check("approvals", lambda: _describe_approvals(session, server, verified, record))
        if fault := past_promotions.predecessor_fault(session, server, record):
            yield _broken("predecessors", fault)


def _describe_copy(server: registry.MlflowServer, copy: registry.Version, verified: VerifiedCandidate) -> str:
    candidate.ensure_files(server, copy, verified.bundle)
    return f"{copy} holds the same files"


def _describe_contract(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
) -> str:
    """The data contract, every change of it since the champion before, and every override."""
    request = approval_request.of_version(session, server, verified.settings, record)
    return "; ".join(request.lines())


def _describe_comparison(
    server: registry.MlflowServer, verified: VerifiedCandidate, comparison: ledger.events.ComparisonEvent
) -> str:
    """Whether the comparison beside the version is the one that was recorded and agreed to."""
    candidate.fetch_comparison(server, verified.version, comparison.comparison)
    outcome = str(comparison.outcome).replace("_", " ")
    return f"{outcome}; stored beside the version as recorded"


def _unusual_commands(session: ReadOnlySession, verified: VerifiedCandidate) -> list[str]:
    """What the stages of the version ran beside modules of the project, or against what its commit says."""
    evidence = verified.bundle.evidence
    committed = None
    if commit := evidence.code.commit:
        try:
            graph = git.read_file(git.checkout_of(session.root), commit, paths.DVC_YAML.as_posix()) or b""
            committed = dvc_lock.declared_commands(graph.decode(errors="replace"))
        except ClearanceError as error:
            return [f"the commands cannot be compared with the commit: {error.fault}"]
    return dvc_lock.unusual_commands(dvc_lock.parse(evidence.lock), committed)


def _describe_attempts(verified: VerifiedCandidate, record: VersionRecord) -> str:
    """Which attempt at its model the version was, as the policy that judged it counts."""
    terms = policy_file.load(verified.policy_file, recorded=True).attempts
    return str(attempts.of_version(record.entries, record.model, record.version, terms))


def _rebuild_check(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
) -> Check | None:
    """What independent people got when they built the version again; None where nobody did or must."""
    try:
        reviewed = review.review(session, server, verified, record, session.now().date())
    except ClearanceError as error:
        return _broken("rebuild", error)
    if reviewed.case.contradicted:
        code = faults.REBUILD_DIFFERS.code
        return Check(name="rebuild", holds=False, says=reviewed.case.contradicted, code=code)
    if reviewed.rebuilds:
        return Check(name="rebuild", holds=True, says="; ".join(map(str, reviewed.rebuilds)))
    if reviewed.case.unrebuilt:
        return Check(name="rebuild", holds=True, says=f"none so far; {reviewed.case.unrebuilt}")
    return None


def _describe_approvals(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
) -> str:
    """Who agreed: to a version that was ever champion, when it was promoted; to any other, now."""
    if record.version in record.champions:
        promoted = past_promotions.ensure_promoted(session, server, verified, record)
        rejections = ", ".join(review.rejections(session, verified, record))
        return f"{promoted}; rejected since: {rejections}" if rejections else promoted
    obstacle = review.review(session, server, verified, record, session.now().date()).obstacle
    return f"not promoted so far; {obstacle.reason if obstacle else 'all required approvals are in'}"


def _signers(session: ReadOnlySession, bundle: evidence_bundle.Bundle) -> str:
    owners = [session.roles.owner(keyid) for keyid in sorted(bundle.keyids)]
    return " and ".join(owner.identity for owner in owners if owner)


def _demo_note(bundle: evidence_bundle.Bundle) -> str:
    return " (signed with demo keys, which do not prove who signed)" if bundle.evidence.demo else ""
