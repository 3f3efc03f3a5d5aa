"""The review of a version: its evidence judged again, what is to be decided, and who agrees so far.

One command reviews once: as of the recorded day to check the verdict, and as of one more day to decide. Later
entries of the ledger change who agrees and never what was judged, so `with_record` judges nothing again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import files, ledger, params, paths, registry, wording, yaml
from clearance.documents.card_document import CardDocument
from clearance.documents.measurement import Outcome
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ConfigurationError, IntegrityError
from clearance.params import data_contract
from clearance.params.data_contract import DataContract
from clearance.policy import authorised, judgement, project_verdict, schema
from clearance.promotion import (
    attempts,
    authorised_policy,
    candidate,
    faults,
    next_step,
    preregistration,
    rebuilds,
    version_record,
)
from clearance.promotion.attempts import AttemptCount
from clearance.promotion.authorised_policy import Authority
from clearance.promotion.candidate import VerifiedCandidate
from clearance.promotion.next_step import Ending, JudgedCase
from clearance.promotion.rebuilds import Rebuild
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.reporting.card import required
from clearance.trust import approval_rules, approval_state, evidence_bundle
from clearance.trust.decisions import ApprovalSubject
from clearance.versioning import git, visibility

_NOTHING_REQUIRED = approval_rules.ApprovalRequirement(roles={}, authors_listed=False)
"""The requirement where no policy is authorised: it decides nothing, because the model is refused anyway."""


@dataclass(frozen=True, kw_only=True)
class JudgedEvidence:
    """Evidence documents by name, and the recorded verdict, which its policy gave again on the recorded day.

    `identity` are the digest of the verdict, which cites all other evidence by digest, and that of the
    parameters: equal identities mean equal evidence. `contract` is the data contract of the parameters.
    `reasons` says how denials are reasoned; None where the stage that says it did not run. `card` is the
    model card; None where there is none that can be read.
    """

    declaration: judgement.Declaration
    verdict: VerdictDocument
    documents: Mapping[str, Any]
    identity: tuple[str, str]
    contract: DataContract
    reasons: ReasonsDocument | None = None
    card: CardDocument | None = None


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Evidence under a policy: the one in force for the model, as of `case.day`."""

    evidence: JudgedEvidence
    authority: Authority
    case: JudgedCase


@dataclass(frozen=True, kw_only=True)
class Review:
    """What was found about a version: the case, what is to be decided, and who agrees so far.

    `needs` is how many people must agree at least, whatever the policy's tier asks for. `contract_changes`
    is what differs from the data contract of the reference champion, a sentence each. `attempts` counts the
    attempts at the model up to this one. `rebuilds` are the independent ones that count.
    """

    version: registry.Version
    bundle: evidence_bundle.Bundle
    record: VersionRecord
    assessment: Assessment
    contributors: approval_rules.Contributors
    contract_changes: tuple[str, ...]
    case: JudgedCase
    subject: ApprovalSubject
    approvals: approval_state.ApprovalState
    attempts: AttemptCount | None
    rebuilds: tuple[Rebuild, ...] = ()

    @property
    def compared(self) -> ledger.events.ComparisonEvent | None:
        """The comparison with the reference champion; None without one."""
        return self.record.current_comparison

    @property
    def needs(self) -> int:
        """How many people must agree at least, whatever the policy's tier asks for."""
        return self.compared.approvals if self.compared else 0

    @property
    def obstacle(self) -> Ending | None:
        """Why the version may not become champion; None when it may."""
        return next_step.obstacle(self.case, self.approvals, self.needs)


def check_verdict(settings: params.Params, folder: Path) -> JudgedEvidence:
    """The evidence below `folder`, judged again as of the recorded day.

    Raises IntegrityError when the recorded verdict is not what the evidence gives.
    """
    recorded = VerdictDocument.read(folder)
    if not project_verdict.same_decision(recorded, project_verdict.judge(settings, folder, recorded=True)):
        raise faults.VERDICT_NOT_REPRODUCED(verdict=paths.VERDICT)
    return JudgedEvidence(
        declaration=judgement.declaration_of(settings.data),
        verdict=recorded,
        documents=project_verdict.read_evidence(folder),
        identity=(files.sha256(folder / paths.VERDICT), files.sha256(folder / paths.PARAMS)),
        contract=data_contract.of(settings),
        reasons=_reasons(folder),
        card=_card(folder),
    )


def _reasons(folder: Path) -> ReasonsDocument | None:
    if not (folder / paths.REASONS).is_file():
        return None
    document = ReasonsDocument.read(folder)
    return document if isinstance(document, ReasonsDocument) else None


def _card(folder: Path) -> CardDocument | None:
    try:
        return CardDocument.read(folder)
    except IntegrityError:
        return None


def assess(
    evidence: JudgedEvidence, authority: Authority, day: dt.date, *, has_model: bool = True
) -> Assessment:
    """Judge the evidence as of `day` under the authorised policy; without a policy there is no verdict."""
    policy = authority.policy
    case = JudgedCase(
        verdict=evidence.verdict,
        has_model=has_model,
        promotion=policy.promotion if policy else None,
        today=judgement.judge(policy, evidence.documents, evidence.declaration, day) if policy else None,
        day=day,
        contract=authority.objection(evidence.contract),
        unreasoned=_unreasoned(evidence.reasons, policy, day),
        undocumented=_undocumented(evidence.card, policy, day),
    )
    return Assessment(evidence=evidence, authority=authority, case=case)


def _unreasoned(document: ReasonsDocument | None, policy: schema.Policy | None, day: dt.date) -> str | None:
    """Why denials of the model cannot be reasoned as the policy asks; None where they can, or need not."""
    if policy is None or policy.reasons_on(day) is None:
        return None
    if document is None or document.policy is None:
        return (
            f"The policy says how denials are reasoned, and {paths.REASONS} does not: run the pipeline again."
        )
    if document.hindrance is None:
        return None
    return f"Its denials cannot be reasoned: {document.hindrance}."


def _undocumented(card: CardDocument | None, policy: schema.Policy | None, day: dt.date) -> str | None:
    """Why the card of the model does not hold what the policy requires; None where it does, or need not."""
    terms = policy.documents_on(day) if policy else None
    if terms is None:
        return None
    lacking = required.lacking(card, terms, day)
    if lacking is None:
        return None
    error = faults.UNDOCUMENTED(sections=lacking)
    return f"{error.fault}: {error.hint}."


def open_review(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    name: str,
    number: int,
    day: dt.date,
    *,
    assessment: Assessment | None = None,
) -> Review:
    """Fetch and verify candidate `number` of the model `name`, and review it; see `review`.

    Raises IntegrityError when its evidence does not verify, ConfigurationError when there is no such
    candidate.
    """
    record = version_record.fold(session.entries(name), name, number, session.roles)
    with candidate.open_verified(session, server, record) as verified:
        return review(session, server, verified, record, day, assessment=assessment)


def review(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
    day: dt.date,
    *,
    assessment: Assessment | None = None,
) -> Review:
    """The review of a verified candidate as of now and `day`.

    An `assessment` of the same evidence as of the same day is not made a second time. Raises IntegrityError
    when the recorded verdict is not what the evidence gives or the champion's evidence is lost,
    ConfigurationError when the list of authorised policies is faulty.
    """
    if assessment is None or not _is_about(assessment, verified, day):
        evidence = check_verdict(verified.settings, verified.folder)
        judged_by = files.sha256(verified.policy_file)
        authority = authorised_policy.authorised_now(session.root, record.model, judged_by)
        assessment = assess(evidence, authority, day)
    case = replace(
        assessment.case,
        unpushed=_unpushed(session.root, record),
        unseen=_unseen(session.root, verified.bundle),
        uncommitted=_uncommitted(verified.bundle, assessment.authority.policy),
        unlisted=_unlisted(assessment.authority),
    )
    return _concluded(
        session,
        verified,
        record,
        replace(assessment, case=case),
        background=_background(session, server, record, verified.bundle),
        at=session.now(),
    )


def with_record(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    reviewed: Review,
    record: VersionRecord,
    at: dt.datetime | None = None,
) -> Review:
    """The same review with what the ledger holds by now, as of `at` (None: now). Judges nothing again.

    Raises IntegrityError when another version is champion by now and its evidence is lost.
    """
    assessment, before = reviewed.assessment, reviewed.record
    background = _Background(reviewed.contributors, reviewed.contract_changes)
    if (record.reference, record.proposal) != (before.reference, before.proposal):
        background = _background(session, server, record, reviewed.bundle)
        case = replace(assessment.case, unpushed=_unpushed(session.root, record))
        assessment = replace(assessment, case=case)
    return _concluded(session, reviewed, record, assessment, background=background, at=at or session.now())


def review_then(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    verified: VerifiedCandidate,
    record: VersionRecord,
    assessment: Assessment,
    *,
    at: dt.datetime,
) -> Review:
    """The review as it was at a time in the past: by what the ledger held and the policy said then.

    Raises IntegrityError when the evidence of the champion of that time is lost.
    """
    case = replace(
        assessment.case,
        unseen=_unseen(session.root, verified.bundle),
        uncommitted=_uncommitted(verified.bundle, assessment.authority.policy),
    )
    return _concluded(
        session,
        verified,
        record,
        replace(assessment, case=case),
        background=_background(session, server, record, verified.bundle),
        at=at,
    )


def _concluded(
    session: ReadOnlySession,
    verified: VerifiedCandidate | Review,
    record: VersionRecord,
    assessment: Assessment,
    *,
    background: _Background,
    at: dt.datetime,
) -> Review:
    """The review that follows from what was verified, judged and recorded."""
    authority, case = assessment.authority, assessment.case
    requirement = _requirement(authority)
    count = _attempts(record, authority)
    if count is not None and count.number > 1 and authority.policy:
        case = replace(case, today=_judged_as(assessment, authority.policy, count.number))
    rebuilt = rebuilds.independent(
        rebuilds.signed_rebuilds(record.entries, record.version, verified.bundle.digest, session.roles),
        background.contributors.identities,
    )
    case = replace(
        case,
        compared=_comparison_obstacle(record, authority.policy, case.day),
        not_preregistered=_not_preregistered(record, verified.bundle, authority.policy),
        contradicted=rebuilds.contradiction(rebuilt),
        unrebuilt=rebuilds.lacking(rebuilt, record.version) if authority.demands_rebuild else None,
        unreadable="; ".join(map(_describe_unreadable, record.unreadable)) or None,
    )
    if authority.policy and requirement is None:
        case = replace(case, promotion=None, tier=authority.tier)
    subject = version_record.approval_subject(record, verified.bundle)
    context = approval_rules.ApprovalContext(
        subject=subject,
        roles=session.roles,
        contributors=background.contributors,
        requirement=requirement or _NOTHING_REQUIRED,
        failed=case.failed,
        now=at,
    )
    return Review(
        version=verified.version,
        bundle=verified.bundle,
        record=record,
        assessment=assessment,
        contributors=background.contributors,
        contract_changes=background.contract_changes,
        case=case,
        subject=subject,
        approvals=approval_state.evaluate(record.decisions, context),
        attempts=count,
        rebuilds=tuple(rebuilt),
    )


def _attempts(record: VersionRecord, authority: Authority) -> AttemptCount | None:
    terms = authority.policy.attempts if authority.policy else None
    return attempts.of_version(record.entries, record.model, record.version, terms)


def _judged_as(assessment: Assessment, policy: schema.Policy, attempt: int) -> judgement.Verdict:
    """The verdict on the day of the case, as this attempt."""
    evidence, day = assessment.evidence, assessment.case.day
    return judgement.judge(policy, evidence.documents, evidence.declaration, day, attempt)


def _is_about(assessment: Assessment, verified: VerifiedCandidate, day: dt.date) -> bool:
    evidence = verified.bundle.evidence
    identity = (evidence.judged.sha256, files.sha256_text(evidence.params))
    return (assessment.evidence.identity, assessment.case.day) == (identity, day)


def _requirement(authority: Authority) -> approval_rules.ApprovalRequirement | None:
    """What the authorised policy requires in the model's tier; None when it does not know the tier."""
    policy = authority.policy
    roles = policy.promotion.approvals.get(authority.tier) if policy else None
    if policy is None or roles is None:
        return None
    return approval_rules.ApprovalRequirement(
        roles=roles,
        override_days=policy.promotion.override_days,
        demo=policy.demo,
        authors_listed=policy.promotion.authors_listed,
    )


@dataclass(frozen=True)
class _Background:
    """What the reference champion says about a version: who contributed since, what is asked otherwise."""

    contributors: approval_rules.Contributors
    contract_changes: tuple[str, ...]


def _background(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    record: VersionRecord,
    bundle: evidence_bundle.Bundle,
) -> _Background:
    """The background of a version. Raises IntegrityError when a commit is not in the repository."""
    reference = champion_bundle(session, server, record.model, record.reference)
    return _Background(
        contributors=_contributors(session, record, bundle, reference),
        contract_changes=contract_changes(
            data_contract.of(params.parse(yaml.loads(bundle.evidence.params), "params.yaml")), reference
        ),
    )


def contract_changes(
    after: data_contract.DataContract, reference: evidence_bundle.Bundle | None
) -> tuple[str, ...]:
    """What differs from the data contract of the champion `reference`, a sentence each; none without one."""
    if reference is None:
        return ()
    try:
        before = params.parse(yaml.loads(reference.evidence.params), "the champion's params.yaml")
    except (ConfigurationError, yaml.YAMLError) as error:
        return (f"the champion's data contract cannot be compared: {error}",)
    return data_contract.differences(data_contract.of(before), after)


def _contributors(
    session: ReadOnlySession,
    record: VersionRecord,
    bundle: evidence_bundle.Bundle,
    reference: evidence_bundle.Bundle | None,
) -> approval_rules.Contributors:
    """Who proposed the version, and who authored code or parameters since the reference champion's commit."""
    keyids = record.proposal.keyids if record.proposal else frozenset()
    commit = bundle.evidence.code.commit
    if commit is None:
        return approval_rules.contributors(session.roles, keyids, {})
    locks = [bundle.evidence.lock, *([reference.evidence.lock] if reference else [])]
    authors = git.authors(
        git.checkout_of(session.root),
        reference.evidence.code.commit if reference else None,
        commit,
        git.input_paths(*locks),
    )
    claims = {author.email: author.claim for author in authors}
    return approval_rules.contributors(session.roles, keyids, claims)


def champion_bundle(
    session: ReadOnlySession, server: registry.MlflowServer, name: str, tenure: ledger.Tenure | None
) -> evidence_bundle.Bundle | None:
    """The signed evidence of a champion of the model `name`; None without a champion or its content.

    Raises IntegrityError when it is lost or not the one that was promoted.
    """
    if tenure is None or not tenure.content:
        return None
    candidates = registry.candidate_name(name)
    version = registry.find_number(server, candidates, tenure.version)
    proposal = version_record.find_proposal(session.entries(name), tenure.version)
    if proposal is None:  # it was erased after its period; who signed it, its bundle says
        signers = tuple((keyid, tenure.since) for keyid in session.roles.keys)
        proposal = version_record.Proposal(
            version=tenure.version, content=tenure.content, proposers=signers, fingerprint="", pushed=False
        )
    bundle = candidate.read_bundle(session, server, version, proposal) if version else None
    if bundle is None or bundle.digest != tenure.content:
        raise faults.CHAMPION_EVIDENCE_CHANGED(candidates=candidates, version=tenure.version)
    return bundle


def _unpushed(root: Path, record: VersionRecord) -> str | None:
    if record.proposal and record.proposal.pushed:
        return None
    from clearance.versioning import dvc_remote  # imports DVC: only where it has to be asked

    if dvc_remote.default_remote(root) is None:
        return None
    return "Its data and outputs are not at the DVC remote: run `clearance release` where it was made."


def _unseen(root: Path, bundle: evidence_bundle.Bundle) -> str | None:
    """That this checkout hides who made the version, so that authors could approve their own work."""
    reasons = visibility.hidden_history(root) if bundle.evidence.code.commit else ()
    return f"Git does not tell here who made it: {'; '.join(reasons)}." if reasons else None


def _unlisted(authority: Authority) -> str | None:
    """That no commit holds what is authorised now, so that nobody could tell later what it was."""
    policy = authority.policy
    if policy is None or authority.commit or policy.demo or policy.promotion.uncommitted:
        return None
    return (
        f"HEAD does not hold {authorised.FILE} and the policy as they are: have them reviewed and committed."
    )


def _uncommitted(bundle: evidence_bundle.Bundle, policy: schema.Policy | None) -> str | None:
    code = bundle.evidence.code
    state = git.CommitState(commit=code.commit, changed=code.changed, unkept=code.unkept)
    return git.reproducibility_fault(state, policy is None or policy.promotion.uncommitted)


def _comparison_obstacle(record: VersionRecord, policy: schema.Policy | None, day: dt.date) -> str | None:
    """What the comparison with the champion has against the version, where the policy requires one."""
    if policy is None or policy.challenge is None or not policy.challenge.in_force(day):
        return None
    comparison = record.current_comparison
    if comparison is None:
        other = "today's champion" if record.reference else "no champion, as a first version is"
        return f"It was not compared with {other}: run `clearance release` where it was made."
    if comparison.outcome == Outcome.PASS or policy.challenge.severity == "warn":
        return None
    outcome = str(comparison.outcome).replace("_", " ")
    return f"Compared with the champion: {outcome}; {'; '.join(comparison.reasons)}."


def _not_preregistered(
    record: VersionRecord, bundle: evidence_bundle.Bundle, policy: schema.Policy | None
) -> str | None:
    """Why the bar does not count as set before the result, where the policy requires that; else None."""
    if policy is None or not policy.promotion.preregistered:
        return None
    bar = preregistration.of_version(
        record.entries,
        record.version,
        frozenset(bundle.files.values()),
        files.sha256_text(bundle.evidence.judged.text),
    )
    if bar.is_before_result:
        return None
    return (
        f"{wording.sentence(str(bar))} The policy requires that the ledger shows it to be set before: train "
        "another model with `clearance run`."
    )


def rejections(session: ReadOnlySession, verified: VerifiedCandidate, record: VersionRecord) -> list[str]:
    """The rejections of the version that count now, each in words. They count whatever else was judged."""
    context = approval_rules.ApprovalContext(
        subject=version_record.approval_subject(record, verified.bundle),
        roles=session.roles,
        contributors=approval_rules.Contributors(identities=frozenset()),
        requirement=_NOTHING_REQUIRED,
        failed=False,
        now=session.now(),
    )
    standing = approval_state.evaluate(record.decisions, context)
    return [*map(str, standing.rejections), *map(_describe_unreadable, record.unreadable)]


def _describe_unreadable(entry: ledger.Entry) -> str:
    return (
        f"Entry {entry.number}, a {entry.kind} by {entry.actor}, was erased against the rules and may be "
        "about this version: restore the ledger from a backup, or propose a new version."
    )
