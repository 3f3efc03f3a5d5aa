"""Effect: a person approves, rejects, overrides, or withdraws what they decided, and signs it.

Only what verifies can be signed. Every decision is recorded, also one that does not count, with the reason.
One that completes what the policy asks for is told to Prefect, where an API is configured, and promotes the
version at once where whoever acts may do that too. Killed and run again it ends in the same state.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import ledger, registry
from clearance.errors import ConfigurationError, ExitCode
from clearance.promotion import candidate, next_step, promote, review, version_record
from clearance.promotion.next_step import Status
from clearance.promotion.session import LedgerSession, open_session
from clearance.trust import approval_state, decisions, recorded_decisions
from clearance.trust.decisions import AttestedAccount, DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Right

RECORDED_AS = {
    DecisionKind.APPROVE: ledger.EntryKind.APPROVAL,
    DecisionKind.REJECT: ledger.EntryKind.REJECTION,
    DecisionKind.REVOKE: ledger.EntryKind.REVOCATION,
    DecisionKind.OVERRIDE: ledger.EntryKind.OVERRIDE,
}

PATIENCE = 60
"""Seconds that Prefect has to accept an event."""

logger = logging.getLogger(__name__)


@contextmanager
def recalled(
    office: LedgerSession, server: registry.MlflowServer, name: str, number: int
) -> Iterator[candidate.VerifiedCandidate]:
    """Candidate `number` as it was judged, while its files are here.

    Raises IntegrityError when the evidence does not verify, ConfigurationError when there is none.
    """
    version = registry.candidate_version(server, name, number)
    with tempfile.TemporaryDirectory() as temporary:
        yield candidate.load_verified(office, server, version, office.entries(name), Path(temporary))


def current_review(
    office: LedgerSession, server: registry.MlflowServer, name: str, number: int
) -> review.Review:
    """How things stand with candidate `number`; nothing is changed. Raises as `recalled` does."""
    office.ensure_sound()
    with recalled(office, server, name, number) as found:
        return review.review(office, server, found, office.now().date())


def decide(
    office: LedgerSession,
    server: registry.MlflowServer,
    name: str,
    number: int,
    *,
    kind: DecisionKind,
    reason: str,
    until: dt.datetime | None = None,
    account: AttestedAccount | None = None,
) -> tuple[ledger.Entry, review.Review]:
    """Record the decision of whoever acts on candidate `number`; returns its entry and how things stand then.

    With an `account`, whoever holds it decides, and whoever acts attests that. Signed by hand, what stands
    already for the same reason is not recorded twice. Raises IntegrityError when ledger or evidence do not
    verify, ConfigurationError when there is no such candidate, nothing to take back, or no such account.
    """
    office.ensure_sound()
    with (
        office.recording_refusal(kind, name, version=number),
        recalled(office, server, name, number) as found,
    ):
        day = office.now().date()
        who, heard = _decider(office, account), review.review(office, server, found, day)
        own = [each for each in office.entries(name) if _is_own(each, office.keyid, number)]
        if account is None and own and _stands(own[-1], heard.standing, kind, reason, until):
            return own[-1], heard
        revokes = _all_of(office, name, number, who) if kind is DecisionKind.REVOKE else {}
        if kind is DecisionKind.REVOKE and not revokes:
            raise ConfigurationError(
                f"no decision of {who} on {found.version} stands", "look with `clearance ledger show`"
            )
        said = decisions.statement_for(
            kind,
            heard.matter,
            by=who,
            reason=reason,
            at=office.now(),
            until=until,
            revokes=tuple(revokes),
            account=account,
        )
        about: dict[str, Any] = {"version": number, "content": found.bundle.digest, "reason": reason}
        if revokes:
            about["withdraws"] = sorted(set(revokes.values()))
        if account is not None:
            about["account"] = account.model_dump(mode="json", include={"issuer", "subject", "token"})
        draft = office.draft(RECORDED_AS[kind], name, **about, envelope=office.sign(said))
        entry = office.record(replace(draft, actor=who))[0]
        return entry, review.review(office, server, found, day)


def completes(kind: DecisionKind, heard: review.Review) -> bool:
    """Whether a decision of this kind, after which things stand so, leaves nothing to wait for."""
    return kind in (DecisionKind.APPROVE, DecisionKind.OVERRIDE) and heard.standing.complete


def _decider(office: LedgerSession, account: AttestedAccount | None) -> str:
    """Who decides, by the roles file."""
    if account is None:
        return office.acting.person.identity
    person = office.roles.holder(account.issuer, account.subject, office.now())
    if person is None:
        raise ConfigurationError(
            f"nobody in policies/roles.yaml holds the account {recorded_decisions.describe_account(account)}",
            "have the root sign it into `accounts` of whoever does",
        )
    return person.identity


def _is_own(each: ledger.Entry, keyid: str, number: int) -> bool:
    return (
        each.kind in version_record.DECISIONS and each.keyid == keyid and each.body.get("version") == number
    )


def _stands(
    last: ledger.Entry,
    standing: approval_state.ApprovalState,
    kind: DecisionKind,
    reason: str,
    until: dt.datetime | None,
) -> bool:
    """Whether the last thing that somebody decided is this, and still stands."""
    if last.kind != RECORDED_AS[kind] or last.body.get("reason") != reason:
        return False
    stand = {vote.number: vote.decision.until for vote in (*standing.counted, *standing.rejections)}
    return kind is DecisionKind.REVOKE or (last.number in stand and stand[last.number] == until)


def _all_of(office: LedgerSession, name: str, number: int, who: str) -> dict[str, str]:
    """Every decision of theirs on the version that they have not withdrawn: its digest and what it was.

    Decisions that do not count today are among them, for they could count later.
    """
    records = version_record.recorded(office.entries(name), number, office.roles)
    cast = (recorded_decisions.read(record, office.roles) for record in records)
    own = [each for each in cast if isinstance(each, RecordedDecision) and each.person.identity == who]
    gone = {digest for each in own for digest in each.decision.revokes}
    return {
        each.digest: each.kind.noun
        for each in own
        if each.kind is not DecisionKind.REVOKE and each.digest not in gone
    }


def reason_uncounted(entry: ledger.Entry, found: review.Review) -> str | None:
    """Why the recorded decision does not count; None if it counts."""
    return next((refused.why for refused in found.standing.refused if refused.number == entry.number), None)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What followed the last required approval.

    `ending` is how the promotion ended; None when the account that acts may not promote, so it was left to
    others. `notified`: Prefect was notified that the version can be promoted.
    """

    ending: next_step.Ending | None
    notified: bool

    @property
    def refused(self) -> bool:
        """Whether the promotion was refused for another reason than a missing approval."""
        accepted = (Status.PROMOTED, Status.CHAMPION, Status.AWAITING_APPROVAL)
        return self.ending is not None and self.ending.status not in accepted


def complete(root: Path, identity: str | None, found: review.Review) -> Completion:
    """After the last required approval: notify Prefect, and promote where `identity` may.

    Raises IntegrityError when ledger, alias or evidence do not verify, BusyError when another promotion of
    the model does not end.
    """
    name, number = found.matter.model, found.matter.version
    ready = next_step.obstacle(found.case, found.standing, found.needs) is None
    notified = ready and notify_prefect(root, name, number, found.matter.content)
    with open_session(root, identity) as office:
        if ready and not office.may(Right.PROMOTE):
            return Completion(ending=None, notified=notified)
        ending, _ = promote.promote(office, registry.connect(), name, number, office.now().date())
    return Completion(ending=ending, notified=notified)


def notify_prefect(root: Path, name: str, number: int, content: str) -> bool:
    """Notify Prefect, if PREFECT_API_URL is set, that all approvals are in; returns whether it was notified.

    A child process of the project does it, because only flows import Prefect. A failure is logged and changes
    nothing else.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    command = [sys.executable, "-m", "flows.approval_event", name, str(number), content]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, cwd=root, timeout=PATIENCE, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        logger.warning("could not notify Prefect: no answer within %s s", PATIENCE)
        return False
    if done.returncode:
        logger.warning("%s", done.stderr.strip().removeprefix("error: "))
    return done.returncode == ExitCode.PASS
