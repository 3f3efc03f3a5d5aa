"""Whether what allowed the present champion still holds: pure, from the ledger alone.

An override ends on its day, and whoever approved may withdraw that, or object. Neither changes the
champion: the policy's `promotion.lapsed` says what a release does then.
"""

from __future__ import annotations

import datetime as dt

from clearance.promotion.version_record import VersionRecord
from clearance.trust import recorded_decisions
from clearance.trust.decisions import DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Roles, format_time


def find(record: VersionRecord, roles: Roles, now: dt.datetime) -> str | None:
    """Why the champion's permission has lapsed as of `now`; None while it holds.

    `record` is that of the champion. Each person whom its tenure rests on must still agree: with an approval
    that they have not withdrawn, or where they overrode, with an override that has not ended; and without a
    rejection of their own.
    """
    tenure = record.champion
    if tenure is None or tenure.version != record.version:
        return None
    kind = DecisionKind.OVERRIDE if tenure.override_until else DecisionKind.APPROVE
    read = [recorded_decisions.read(decision, roles) for decision in record.decisions]
    decisions = [decision for decision in read if isinstance(decision, RecordedDecision)]
    revoked = {
        (decision.person.identity, digest) for decision in decisions for digest in decision.decision.revokes
    }
    standing = [
        decision
        for decision in decisions
        if decision.content == tenure.content and (decision.person.identity, decision.digest) not in revoked
    ]
    reasons = [_lapsed(identity, kind, standing, now) for identity in tenure.allowed_by]
    return " ".join(reason for reason in reasons if reason) or None


def _lapsed(
    identity: str, kind: DecisionKind, standing: list[RecordedDecision], now: dt.datetime
) -> str | None:
    """Why one person no longer agrees; None when they do. `standing` are the decisions not withdrawn."""
    decisions = [decision for decision in standing if decision.person.identity == identity]
    if rejections := [decision for decision in decisions if decision.kind is DecisionKind.REJECT]:
        return f"{identity} rejected it (entry {rejections[-1].number})."
    own = [decision for decision in decisions if decision.kind is kind]
    if not own:
        return f"{identity} withdrew their {kind.noun}."
    ends = [decision.decision.until for decision in own]
    last = max((end for end in ends if end is not None), default=None)
    if last is not None and last <= now and None not in ends:
        return f"The override of {identity} ended at {format_time(last)}."
    return None
