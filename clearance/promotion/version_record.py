"""What there is to decide about one version, and what was decided: folded from the ledger's entries.

Pure but for git, which is asked who wrote the code. Versions are numbered as candidates are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import ledger
from clearance.errors import IntegrityError
from clearance.ledger import Entry, EntryKind
from clearance.policy import schema
from clearance.trust import approval_rules, approval_state, dsse, recorded_decisions
from clearance.trust.decisions import ApprovalSubject
from clearance.trust.evidence_bundle import Bundle
from clearance.trust.roles import Right, Roles
from clearance.versioning import git

COMPARISON = "urn:clearance:comparison:v1"
"""The kind of statement that a comparison with the champion is signed as."""

COMPARISON_FILE = "evidence/comparison.json"
"""Where the run of a version keeps that comparison."""

OVERRIDE, DEMO = "clearance.override", "clearance.demo"
"""The tags by which the registry shows what must be said of a version wherever it is named."""

DECISIONS = frozenset({EntryKind.APPROVAL, EntryKind.REJECTION, EntryKind.REVOCATION, EntryKind.OVERRIDE})


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A version as it was proposed: the digest of its evidence, and who proposed it.

    `pushed`: what it was made of was at the DVC remote, every object read back.
    """

    version: int
    content: str
    keyids: frozenset[str]
    fingerprint: str
    pushed: bool


def find_proposal(entries: Iterable[Entry], version: int) -> Proposal | None:
    """What was first proposed as `version`; None when nothing was. A second proposal only adds a proposer.

    Raises IntegrityError when two proposals of one version differ in content.
    """
    found: Proposal | None = None
    for each in entries:
        if each.kind != EntryKind.PROPOSAL or each.body.get("version") != version:
            continue
        body, keyids = each.body, frozenset({each.keyid or ""})
        if found is not None and found.content != body["content"]:
            raise IntegrityError(
                f"entry {each.number} proposes other evidence as version {version} than an entry before it",
                "find out who released it a second time; delete the version in MLflow and release anew",
            )
        found = Proposal(
            version=version,
            content=body["content"],
            keyids=keyids | (found.keyids if found else frozenset()),
            fingerprint=body["fingerprint"],
            pushed=bool(body.get("pushed")) or (found is not None and found.pushed),
        )
    return found


def newest_comparison(entries: Iterable[Entry], version: int, roles: Roles) -> dict[str, Any]:
    """The newest comparison of the version with the champion of its day: its entry's body; empty without.

    Only one that somebody signed, word for word, who might propose then.
    """
    found: dict[str, Any] = {}
    for each in entries:
        about = each.kind == EntryKind.COMPARISON and each.body.get("version") == version
        if about and _is_signed(each, roles):
            found = each.body
    return found


def _is_signed(each: Entry, roles: Roles) -> bool:
    said = {key: value for key, value in each.body.items() if key != "envelope"}
    try:
        signed = dsse.verify(each.body.get("envelope", {}), roles.keys)
    except IntegrityError:
        return False
    same = signed.statement["predicateType"] == COMPARISON and signed.statement["predicate"] == said
    return same and any(roles.may(keyid, Right.PROPOSE, each.at) for keyid in signed.keyids)


def approval_subject(entries: Sequence[Entry], bundle: Bundle, version: int, roles: Roles) -> ApprovalSubject:
    """What there is to decide today about the version: its evidence, against today's champion.

    Of the champion itself it is what it was promoted on: against the one that it followed.
    """
    model = bundle.evidence.model
    reign = champion(entries, model)
    if reign and reign.version == version:
        reign = _followed(entries, model, version)
    against = newest_comparison(entries, version, roles)
    content = reign.content if reign else None
    fits = bool(against) and against.get("champion") == content
    return ApprovalSubject(
        model=model,
        version=version,
        content=bundle.digest,
        policy=bundle.evidence.judged.id,
        comparison=against["comparison"] if fits else None,
        champion=content,
    )


def notes(entries: Iterable[Entry], version: int, *, demo: bool) -> dict[str, str]:
    """What must be said wherever the version is named, by the tag that says it in the registry.

    That demo keys signed its evidence, and that it became champion by an override; empty for any other.
    """
    said = {DEMO: "DEMO keys: no proof of who signed"} if demo else {}
    for each in entries:
        if (
            each.kind == EntryKind.PROMOTION
            and each.body.get("version") == version
            and "override" in each.body
        ):
            said[OVERRIDE] = str(each.body["override"])
    return said


def describe_tenure(entries: Iterable[Entry], reign: ledger.Tenure, *, demo: bool) -> str:
    """The reign in sentences, with what must be said wherever its version is named."""
    said = notes(entries, reign.version, demo=demo)
    return "".join([str(reign), *(f" {note}." for note in said.values())])


def override(standing: approval_state.ApprovalState) -> str | None:
    """By whom, until when and why a version is let through although its verdict is no pass; None when not."""
    if standing.until is None:
        return None
    by = " and ".join(sorted(vote.person.identity for vote in standing.counted))
    why = "; ".join(vote.decision.reason.strip() for vote in standing.counted)
    return f"BY OVERRIDE of {by} until {standing.until.date()}: {why}"


def _followed(entries: Sequence[Entry], model: str, version: int) -> ledger.Tenure | None:
    """Who was champion when the version was promoted."""
    ends = (
        at
        for at, each in enumerate(entries)
        if each.kind == EntryKind.PROMOTION and each.body.get("version") == version
    )
    return champion(entries[: next(ends, 0)], model)


def champion(entries: Sequence[Entry], model: str) -> ledger.Tenure | None:
    """Who is champion by the ledger, now; None when nobody is."""
    reigns = ledger.tenures(entries, model)
    return reigns[-1] if reigns and reigns[-1].until is None else None


def recorded(entries: Iterable[Entry], version: int, roles: Roles) -> list[recorded_decisions.DecisionRecord]:
    """Every decision on the version, opened by the keys of the roles file; what was erased is left out."""
    return [
        recorded_decisions.open_record(each.number, each.at, each.body.get("envelope", {}), roles)
        for each in entries
        if each.kind in DECISIONS and not each.redacted and each.body.get("version") == version
    ]


def standing(
    entries: Sequence[Entry],
    asked: approval_rules.ApprovalRequirement,
    at: ApprovalSubject,
    roles: Roles,
    made_by: approval_rules.Contributors,
    *,
    failed: bool,
    now: dt.datetime,
) -> approval_state.ApprovalState:
    """Which decisions on the matter stand, and whether they are all that the policy asks for."""
    return approval_state.evaluate(
        recorded(entries, at.version, roles),
        approval_rules.ApprovalContext(
            matter=at, roles=roles, trainers=made_by, asked=asked, failed=failed, now=now
        ),
    )


def asked(policy: schema.Policy, tier: str) -> approval_rules.ApprovalRequirement | None:
    """What the policy asks for in this tier; None when it does not know the tier."""
    needs = policy.promotion.approvals.get(tier)
    if needs is None:
        return None
    return approval_rules.ApprovalRequirement(
        roles=needs,
        override_days=policy.promotion.override_days,
        demo=policy.demo,
        authors_listed=policy.promotion.authors_listed,
    )


def trainers(
    root: Path, roles: Roles, by: Proposal, bundle: Bundle, since: Bundle | None
) -> approval_rules.Contributors:
    """Who made the version: who proposed it, and who authored code or parameters since the champion's commit.

    Raises IntegrityError when a commit is not in the repository.
    """
    commit = bundle.evidence.code.commit
    authors: tuple[git.Author, ...] = ()
    if commit is not None:
        checkout = git.checkout_of(root)
        texts = [bundle.evidence.lock, *([since.evidence.lock] if since else [])]
        before = since.evidence.code.commit if since else None
        authors = git.authors(checkout, before, commit, git.input_paths(*texts))
    return approval_rules.contributors(roles, by.keyids, [author.email for author in authors])
