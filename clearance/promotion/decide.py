"""Effect: a person approves, rejects, overrides, or takes back what they decided, and signs it.

Only what verifies can be signed. Every decision is recorded, also one that does not count, with the reason.
One that completes what the policy asks for is told to Prefect, where an API is configured, and promotes the
version at once where whoever acts may do that too. Killed and run again it ends in the same state.
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from clearance import ledger, params, registry, stage
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
"""Seconds that Prefect is given to take an event."""

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


def log_decision(entry: ledger.Entry, found: review.Review) -> bool:
    """Say what was recorded, whether it counts, and what is missing; returns whether it counts."""
    logger.info("%s", entry)
    for each in found.standing.refused:
        if each.number == entry.number:
            logger.error("%s", each.why)
            return False
    for reason in found.standing.reasons:
        logger.info("  %s", reason)
    return True


def announce(name: str, number: int, content: str) -> bool:
    """Tell Prefect, where an API is configured, that all agree who must; returns whether it was told.

    A child does it, for nothing here imports Prefect. That it fails is said, and changes nothing.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    command = [sys.executable, "-m", "flows.approval_event", name, str(number), content]
    try:
        done = subprocess.run(command, timeout=PATIENCE, capture_output=True, text=True, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        logger.warning("Prefect was not told: it did not answer for %s s", PATIENCE)
        return False
    if done.returncode:
        logger.warning("%s", done.stderr.strip().removeprefix("error: "))
    return done.returncode == ExitCode.PASS


def conclude(root: Path, promoter: str | None, number: int, found: review.Review) -> None:
    """After the last decision that was needed: tell Prefect, and promote where whoever acts may.

    Leaves the process with exit status 3 when it is refused for another reason than that.
    """
    name, server = found.matter.model, registry.connect()
    ready = next_step.obstacle(found.case, found.standing, found.needs) is None
    told = ready and announce(name, number, found.matter.content)
    with open_session(root, promoter) as office:
        if ready and not office.may(Right.PROMOTE):
            then = f"an operator makes it champion with `clearance promote {number}`"
            logger.info("all agree who must; %s", "Prefect was told and promotes it" if told else then)
            return
        ending, _ = promote.promote(office, server, name, number, office.now().date())
    logger.info("%s: %s", ending.status, ending.reason)
    if ending.status not in (Status.PROMOTED, Status.CHAMPION, Status.AWAITING_APPROVAL):
        sys.exit(ExitCode.REFUSED)


def main() -> None:
    """Decide as the arguments say; where that completes the set, promote."""
    parser = argparse.ArgumentParser(prog="clearance")
    parser.add_argument("kind", type=DecisionKind)
    parser.add_argument("version", type=int)
    parser.add_argument("--as", dest="by")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--until", type=dt.date.fromisoformat)
    asked = parser.parse_args()
    root = Path.cwd()
    name, server = params.load(root / "params.yaml").name, registry.connect()
    until = asked.until and dt.datetime.combine(asked.until, dt.time(), dt.UTC)
    with open_session(root, asked.by) as office:
        entry, found = decide(
            office, server, name, asked.version, kind=asked.kind, reason=asked.reason, until=until
        )
        if not log_decision(entry, found):
            sys.exit(ExitCode.REFUSED)
        complete = completes(asked.kind, found)
        promoter = None if office.roles.demo else asked.by
    if complete:
        conclude(root, promoter, asked.version, found)


if __name__ == "__main__":
    stage.run(main)
