"""Whether what allowed the present champion still holds: pure, from the ledger alone.

An override ends on its day, and whoever approved may withdraw that, or object. Neither changes the
champion: the policy's `promotion.lapsed` says what a release does then.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

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
    reasons = [_lapsed(permission, now) for permission in _permissions(record, roles)]
    return " ".join(reason for reason in reasons if reason) or None


def ends_at(record: VersionRecord, roles: Roles) -> dt.datetime | None:
    """The moment at which the first override that the champion rests on ends; None where none ends."""
    ends = (permission.end for permission in _permissions(record, roles))
    return min((end for end in ends if end is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class _Permission:
    """What one person whom a tenure rests on has decided and not withdrawn, as `kind` asks for."""

    identity: str
    kind: DecisionKind
    decisions: tuple[RecordedDecision, ...]

    @property
    def own(self) -> list[RecordedDecision]:
        return [decision for decision in self.decisions if decision.kind is self.kind]

    @property
    def end(self) -> dt.datetime | None:
        """When the last of them ends; None where one of them has no end, or there is none."""
        ends = [decision.decision.until for decision in self.own]
        return None if None in ends else max((end for end in ends if end is not None), default=None)


def _permissions(record: VersionRecord, roles: Roles) -> list[_Permission]:
    """One for each person whom the tenure of `record` rests on; none unless it is the champion's record."""
    tenure = record.champion
    if tenure is None or tenure.version != record.version:
        return []
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
    return [
        _Permission(
            identity=identity,
            kind=kind,
            decisions=tuple(item for item in standing if item.person.identity == identity),
        )
        for identity in tenure.allowed_by
    ]


def _lapsed(permission: _Permission, now: dt.datetime) -> str | None:
    """Why one person no longer agrees; None when they do."""
    identity = permission.identity
    if rejections := [item for item in permission.decisions if item.kind is DecisionKind.REJECT]:
        return f"{identity} rejected it (entry {rejections[-1].number})."
    if not permission.own:
        return f"{identity} withdrew their {permission.kind.noun}."
    if permission.end is not None and permission.end <= now:
        return f"The override of {identity} ended at {format_time(permission.end)}."
    return None
