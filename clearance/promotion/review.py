"""What was found about a version on a day: evidence judged again, what is to be decided, who agrees.

Nothing is changed here. Of a version that was promoted, it can be asked as of that day: under the policy
that was authorised for the model then, and the decisions that the ledger held then.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import files, ledger, params, registry
from clearance.documents.measurement import Outcome
from clearance.errors import ConfigurationError, IntegrityError
from clearance.ledger import EntryKind
from clearance.policy import authorised, judgement, project_verdict, schema
from clearance.promotion import authorised_policy, candidate, next_step, version_record
from clearance.promotion.authorised_policy import Authority
from clearance.promotion.next_step import JudgedCase
from clearance.promotion.session import ReadOnlySession
from clearance.trust import approval_rules, approval_state, dsse, evidence_bundle
from clearance.trust.decisions import ApprovalSubject
from clearance.trust.roles import Right
from clearance.versioning import dvc_remote, git


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """A promotion that was done: when, what the ledger held before it, and what was authorised by then."""

    at: dt.datetime
    entries: Sequence[ledger.Entry]
    authority: Authority


@dataclass(frozen=True, kw_only=True)
class Review:
    """What was found about a version on a day: the case, what is to be decided, and who agrees so far."""

    case: JudgedCase
    matter: ApprovalSubject
    authority: Authority
    standing: approval_state.ApprovalState
    failed: bool
    needs: int
    compared: Mapping[str, Any]


def judge_again(
    settings: params.Params,
    home: Path,
    folder: Path,
    day: dt.date,
    *,
    has_model: bool = True,
    authority: Authority | None = None,
) -> JudgedCase:
    """Judge again from the evidence in `folder`: as of the recorded day as a check, as of `day` to decide.

    Without an `authority`, the list of authorised policies in the project `home` counts. Raises
    IntegrityError when the recorded verdict is not what the evidence gives, ConfigurationError when the list
    is faulty.
    """
    recorded = files.read_json(folder / "reports/verdict.json")
    judged = json.loads(files.dumps(project_verdict.judge(settings, folder)))
    if _without_prose(recorded) != _without_prose(judged):
        raise IntegrityError(
            "reports/verdict.json is not what the policy says about the evidence",
            "run `clearance repair`, then run the pipeline again: it is judged anew",
        )
    given = authority or Authority()
    if authority is None and not recorded["what_if"]:
        given = authorised_policy.authorised_now(home, settings.name, recorded["policy"]["sha256"])
    chosen, today = given.policy, None
    if chosen:
        today = judgement.judge(
            chosen, project_verdict.read_evidence(folder), judgement.declaration_of(settings.data), day
        )
    return JudgedCase(
        verdict=recorded,
        has_model=has_model,
        promotion=chosen.promotion if chosen else None,
        today=today,
        day=day,
    )


def _without_prose(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict without its sentences: a later release may word them differently and judges the same."""
    findings = [{**finding, "reason": None} for finding in verdict["findings"]]
    return {**verdict, "reasons": None, "findings": findings}


def review(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    recalled: candidate.VerifiedCandidate,
    day: dt.date,
    *,
    then: AsOf | None = None,
) -> Review:
    """Who agrees to the version, and what is in the way: as of now, or as of `then`. Raises as `examine`."""
    evidence, name = recalled.bundle.evidence, recalled.bundle.evidence.model
    judged_by = files.sha256(recalled.folder / evidence.judged.file)
    authority = then.authority if then else authorised_policy.authorised_now(office.root, name, judged_by)
    case = judge_again(recalled.settings, office.root, recalled.folder, day, authority=authority)
    entries = then.entries if then else office.entries(name)
    chosen = authority.policy
    at = version_record.approval_subject(entries, recalled.bundle, recalled.version.number, office.roles)
    compared = version_record.newest_comparison(entries, at.version, office.roles)
    unpushed = None
    if then is None and dvc_remote.default_remote(office.root) and not recalled.proposed.pushed:
        unpushed = (
            "Its data and outputs are not at the DVC remote: run `clearance release` where it was made."
        )
    case = replace(
        case,
        unpushed=unpushed,
        uncommitted=_uncommitted(recalled.bundle, chosen),
        unlisted=None if then else _unlisted(authority),
        compared=_compared(compared, at, chosen, day),
    )
    asked = version_record.asked(chosen, authority.tier) if chosen else None
    if chosen and asked is None:
        case = replace(case, promotion=None, tier=authority.tier)
    since = champion_bundle(office, server, entries, name) if at.champion else None
    made = version_record.trainers(office.root, office.roles, recalled.proposed, recalled.bundle, since)
    standing = version_record.standing(
        entries,
        asked or _NOBODY,
        at,
        office.roles,
        made,
        failed=case.failed,
        now=then.at if then else office.now(),
    )
    return Review(
        case=case,
        matter=at,
        authority=authority,
        standing=standing,
        failed=case.failed,
        needs=compared["approvals"] if at.comparison else 0,
        compared=compared if at.comparison else {},
    )


REQUIRED_RIGHTS = {
    EntryKind.PROMOTION: Right.PROMOTE,
    EntryKind.ROLLBACK: Right.ROLL_BACK,
    EntryKind.RETIREMENT: Right.ROLL_BACK,
}
"""What whoever sets out to change the champion must be allowed."""


def ensure_promoted(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    recalled: candidate.VerifiedCandidate,
    entries: Sequence[ledger.Entry],
) -> str:
    """By whom, and by whose leave, the version became champion, each time it did, in words.

    Raises ConfigurationError when no promotion of it is recorded, one was begun by somebody who might not, or
    what the ledger held before it would not have let it through; and when an override it rests on has ended.
    """
    number, content = recalled.version.number, recalled.bundle.digest
    changes = [
        each for each in entries if each.kind in REQUIRED_RIGHTS and each.body.get("version") == number
    ]
    promotions = [each for each in changes if each.kind == EntryKind.PROMOTION]
    if not promotions:
        raise ConfigurationError(f"no promotion of {recalled.version} is recorded", _FIND_OUT)
    for each in changes:
        _begun(office, entries, each, content)
        if each.number < promotions[0].number:
            raise ConfigurationError(f"entry {each.number} is about it before any promotion", _FIND_OUT)
    return "; ".join(_allowed(office, server, recalled, entries, each) for each in promotions)


_FIND_OUT = "roll back to a version that verifies, and find out who did it"


def _begun(
    office: ReadOnlySession, entries: Sequence[ledger.Entry], done: ledger.Entry, content: str
) -> ledger.Entry:
    """The intent that a change of the champion ended. Raises ConfigurationError when none is like it."""
    for each in entries:
        if each.number == done.body.get("intent") and each.number < done.number:
            same = each.kind == EntryKind.INTENT and each.body.get("step") == done.kind
            about = all(each.body.get(key) == done.body.get(key) for key in ("version", "content"))
            if not same or not about or each.body.get("content") != content:
                break
            if not office.roles.may(each.keyid or "", REQUIRED_RIGHTS[EntryKind(done.kind)], each.at):
                raise ConfigurationError(
                    f"{each.actor}, who may not, set out to (entry {each.number})", _FIND_OUT
                )
            return each
    raise ConfigurationError(f"entry {done.number} ends no change that was begun before it", _FIND_OUT)


def _allowed(
    office: ReadOnlySession,
    server: registry.MlflowServer,
    recalled: candidate.VerifiedCandidate,
    entries: Sequence[ledger.Entry],
    done: ledger.Entry,
) -> str:
    """Who promoted it and who had agreed by then. Raises ConfigurationError when that was not enough."""
    begun = _begun(office, entries, done, recalled.bundle.digest)
    authority, now = _authority(office, recalled, begun)
    before = [each for each in entries if each.number < begun.number]
    then = AsOf(at=done.at, entries=before, authority=authority)
    heard = review(office, server, recalled, done.at.date(), then=then)
    if ending := next_step.obstacle(heard.case, heard.standing, heard.needs):
        raise ConfigurationError(
            f"it was promoted (entry {done.number}) although: {ending.reason}", _FIND_OUT
        )
    agreed = (
        ", ".join(str(vote) for vote in heard.standing.counted) or "the policy asks for nobody's approval"
    )
    until = heard.standing.until
    if until is not None and until <= office.now():
        raise ConfigurationError(
            f"the override that it rests on ended on {until.date()}",
            "roll back or retire it; a model released anew can be overridden anew",
        )
    limited = f"; BY OVERRIDE until {until.date()}" if until else ""
    return f"promoted by {begun.actor} (entry {done.number}); {agreed}{limited}{now}"


def _authority(
    office: ReadOnlySession, found: candidate.VerifiedCandidate, begun: ledger.Entry
) -> tuple[Authority, str]:
    """Under what it was promoted, as today's list or the commit named then shows; and what is new."""
    name, judged = found.bundle.evidence.model, found.folder / found.bundle.evidence.judged.file
    today = authorised_policy.authorised_now(office.root, name, files.sha256(judged))
    tier, commit = begun.body.get("tier", today.tier), begun.body.get("authorised_in")
    if today.policy and today.tier == tier:
        return today, ""
    then = authorised_policy.authorised_at(office.root, name, judged, tier, commit) if commit else Authority()
    return then, f"; {authorised.FILE} authorises another policy or tier for {name} today"


_NOBODY = approval_rules.ApprovalRequirement(roles={}, authors_listed=False)
"""What a policy asks for that is not authorised: it decides nothing, for the model is refused anyway."""


def _unlisted(authority: Authority) -> str | None:
    """That what is authorised here is in no commit, so that nobody could tell later what it was."""
    found = authority.policy
    if found is None or authority.commit or found.demo or found.promotion.uncommitted:
        return None
    return f"{authorised.FILE} and the policy are not as HEAD holds them: have them reviewed and committed."


def _uncommitted(found: evidence_bundle.Bundle, chosen: schema.Policy | None) -> str | None:
    code = found.evidence.code
    state = git.CommitState(commit=code.commit, changed=code.changed, unkept=code.unkept)
    return git.reproducibility_fault(state, chosen is None or chosen.promotion.uncommitted)


def _compared(
    found: Mapping[str, Any], at: ApprovalSubject, chosen: schema.Policy | None, day: dt.date
) -> str | None:
    """What the comparison with today's champion has against the version, where the policy asks for one."""
    if chosen is None or chosen.challenge is None or not chosen.challenge.in_force(day):
        return None
    if not found or found.get("champion") != at.champion:
        against = "today's champion" if at.champion else "nobody, as a first version is"
        return f"It was not compared with {against}: run `clearance release` where it was made."
    if found["outcome"] == Outcome.PASS or chosen.challenge.severity == "warn":
        return None
    word = str(found["outcome"]).replace("_", " ")
    return f"Compared with the champion: {word}; {'; '.join(found['reasons'])}."


def champion_bundle(
    office: ReadOnlySession, server: registry.MlflowServer, entries: Sequence[ledger.Entry], name: str
) -> evidence_bundle.Bundle | None:
    """The signed evidence of the ledger's champion; None without a champion.

    Raises IntegrityError when it is lost or not the one that was promoted.
    """
    reign = version_record.champion(entries, name)
    if reign is None:
        return None
    candidates = registry.candidate_name(name)
    found = registry.find_number(server, candidates, reign.version)
    if found is not None:
        with tempfile.TemporaryDirectory() as temporary:
            registry.fetch_files(server, found, [f"evidence/{evidence_bundle.NAME}"], Path(temporary))
            said = evidence_bundle.read(
                office.opened(dsse.read(Path(temporary) / "evidence" / evidence_bundle.NAME))
            )
        if said.digest == reign.content:
            return said
    raise IntegrityError(
        f"the evidence of the champion, {candidates} version {reign.version}, is gone or another one",
        "find out who changed it; roll back to a version that verifies, or restore MLflow from a backup",
    )
