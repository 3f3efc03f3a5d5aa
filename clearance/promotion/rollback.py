"""Effect: an earlier champion serves again, or the model has no champion any more; with a reason.

Only a version that was champion by the ledger and still verifies. Killed and run again it ends in the same
state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance import ledger, registry
from clearance.ledger import EntryKind, events
from clearance.promotion import candidate, faults, past_promotions, promote, review, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right


def roll_back(
    session: LedgerSession, server: registry.MlflowServer, name: str, to: int | None, reason: str
) -> ledger.Tenure:
    """Make candidate `to`, or the champion before the present one, champion again; returns its tenure.

    Changes nothing when it is champion already and the alias says so, nor for the same reason a second time:
    one reason goes back once. Raises ReleaseRefused without the right, ConfigurationError when the version
    was never champion, may be no longer or was rejected since, IntegrityError when it does not verify.
    """
    faults.ensure_reason(reason)
    session.demand(Right.ROLL_BACK, name, f"roll {name} back")
    session.ensure_sound()
    with (
        session.recording_refusal("roll back", name),
        ledger.lock(session.book, name) as fence,
    ):
        promote.end_unfinished(session, server, name, fence)
        entries = session.entries(name)
        tenure = version_record.champion(entries, name)
        repeated = to is None and _is_last_change(entries, EntryKind.ROLLBACK, reason)
        number = tenure.version if repeated and tenure else _target(entries, name, tenure, to)
        if tenure and tenure.version == number and _aliased(server, name) == number:
            return tenure
        version = registry.find_number(server, registry.candidate_name(name), number)
        if version is None:
            raise faults.CANDIDATE_GONE(version=number)
        record = version_record.fold(entries, name, number, session.roles)
        with candidate.open_verified(session, server, record) as verified:
            past_promotions.ensure_promoted(session, server, verified, record)
            if rejections := review.rejections(session, verified, record):
                raise faults.REJECTED_SINCE(version=version, rejections="; ".join(rejections))
            bundle = verified.bundle
        copy = registry.find_version(server, name, str(version.fingerprint))
        if copy is None:
            raise faults.COPY_GONE(name=name, version=version)
        candidate.ensure_files(server, copy, bundle)
        earlier = [tenure for tenure in ledger.tenures(entries, name) if tenure.version == number][-1]
        about = {
            "version": number,
            "content": bundle.digest,
            "reason": reason,
            "allowed_by": list(earlier.allowed_by),
            "override_until": earlier.override_until,
        }
        intent = _record_intent(session, name, EntryKind.ROLLBACK, about, fence)
        registry.set_champion(server, copy)
        session.record(session.draft(EntryKind.ROLLBACK, name, **about, intent=intent.number), fence=fence)
        new_tenure = version_record.champion(session.entries(name), name)
        if new_tenure is None:
            raise faults.ROLLBACK_NOT_KEPT()
        return new_tenure


def retire(session: LedgerSession, server: registry.MlflowServer, name: str, reason: str) -> None:
    """Leave the model without a champion. Raises as `roll_back` does."""
    faults.ensure_reason(reason)
    session.demand(Right.ROLL_BACK, name, f"retire {name}")
    session.ensure_sound()
    with (
        session.recording_refusal("retire it", name),
        ledger.lock(session.book, name) as fence,
    ):
        promote.end_unfinished(session, server, name, fence)
        entries = session.entries(name)
        tenure = version_record.champion(entries, name)
        if tenure is None:
            if _is_last_change(entries, EntryKind.RETIREMENT, reason):
                return
            raise faults.NO_CHAMPION(name=name)
        about = {"version": tenure.version, "content": tenure.content, "reason": reason}
        intent = _record_intent(session, name, EntryKind.RETIREMENT, about, fence)
        registry.clear_champion(server, name)
        session.record(session.draft(EntryKind.RETIREMENT, name, **about, intent=intent.number), fence=fence)


def _record_intent(
    session: LedgerSession,
    name: str,
    step: EntryKind,
    about: Mapping[str, Any],
    fence: ledger.Fence,
) -> ledger.Entry:
    """Record what is about to be done. Raises BusyError when another has taken over the lock since."""
    (intent,) = session.record(session.draft(EntryKind.INTENT, name, step=step, **about), fence=fence)
    ledger.ensure(session.book, fence)
    return intent


def _is_last_change(entries: Sequence[ledger.Entry], kind: EntryKind, reason: str) -> bool:
    """Whether the last change of the champion is this one, for this reason: the command was run before."""
    changes = [entry for entry in entries if entry.kind in events.CHANGES]
    last = changes[-1].read(events.ChampionChange) if changes else None
    return last is not None and last.kind == kind and last.reason == reason


def _aliased(server: registry.MlflowServer, name: str) -> int | None:
    return promote.candidate_number(server, name, registry.champion(server, name))


def _target(entries: Sequence[ledger.Entry], name: str, tenure: ledger.Tenure | None, to: int | None) -> int:
    """The version to go back to: by default the one that was champion before the present one first was.

    Raises ConfigurationError when there is none, or it was never champion.
    """
    champions = ledger.champion_versions(entries, name)
    if to is None:
        earlier = champions[: champions.index(tenure.version)] if tenure else champions
        if not earlier:
            raise faults.NO_EARLIER_CHAMPION()
        return earlier[-1]
    if to not in champions:
        raise faults.NEVER_CHAMPION(version=to, champions=", ".join(map(str, champions)) or "none")
    return to
