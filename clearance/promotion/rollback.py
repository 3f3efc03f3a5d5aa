"""Effect: an earlier champion serves again, or none does any more; one command, with a reason.

Only a version that really served, by the ledger, and that still verifies. Killed and run again it ends in
the same state.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from clearance import ledger, params, registry, stage
from clearance.errors import ConfigurationError, IntegrityError, TransientError
from clearance.ledger import EntryKind, events
from clearance.promotion import candidate, promote, review, version_record
from clearance.promotion.session import LedgerSession, open_session
from clearance.trust.roles import Right

logger = logging.getLogger(__name__)


def roll_back(
    office: LedgerSession, server: registry.MlflowServer, name: str, to: int | None, reason: str
) -> ledger.Tenure:
    """Make candidate `to`, or the champion before the present one, champion again; returns its reign.

    Nothing is changed when it is champion already and the alias says so, nor by the same words a second time:
    for the same reason one goes back once. Raises ReleaseRefused when whoever acts may not,
    ConfigurationError when the version never served, may no longer or was rejected since, IntegrityError when
    it does not verify.
    """
    office.demand(Right.ROLL_BACK, name, f"roll {name} back")
    office.ensure_sound()
    with office.recording_refusal("roll back", name), ledger.lock(office.book, name) as fence:
        _end_pending(office, server, name, fence)
        entries = office.entries(name)
        reign = version_record.champion(entries, name)
        done = _is_last(entries, EntryKind.ROLLBACK, reason)
        number = reign.version if done and reign and to is None else _target(entries, name, reign, to)
        if reign and reign.version == number and _alias(server, name) == number:
            return reign
        version = registry.find_number(server, registry.candidate_name(name), number)
        if version is None:
            raise IntegrityError(
                f"candidate {number}, which served, is gone from MLflow",
                "restore it from a backup, or choose another",
            )
        with tempfile.TemporaryDirectory() as temporary:
            recalled = candidate.load_verified(office, server, version, entries, Path(temporary))
            _ensure_may_serve(office, server, recalled, entries)
        copy = registry.find_version(server, name, str(version.fingerprint))
        if copy is None:
            raise IntegrityError(
                f"{name} has no copy of {version}", "restore it from a backup, or choose another"
            )
        candidate.ensure_files(server, copy, recalled.bundle)
        before = [each for each in ledger.tenures(entries, name) if each.version == number][-1]
        about = {
            "version": number,
            "content": recalled.bundle.digest,
            "reason": reason,
            "allowed_by": list(before.allowed_by),
            "override_until": before.override_until,
        }
        intent = office.record(
            office.draft(EntryKind.INTENT, name, step=EntryKind.ROLLBACK, **about), fence=fence
        )[0]
        ledger.ensure(office.book, fence)
        registry.set_champion(server, copy)
        office.record(office.draft(EntryKind.ROLLBACK, name, **about, intent=intent.number), fence=fence)
        return _champion(office, name)


def _ensure_may_serve(
    office: LedgerSession,
    server: registry.MlflowServer,
    found: candidate.VerifiedCandidate,
    entries: Sequence[ledger.Entry],
) -> None:
    """Raise unless the version was promoted as it must be, its override has not ended, and nobody objects."""
    review.ensure_promoted(office, server, found, entries)
    now = review.review(office, server, found, office.now().date())
    if now.standing.rejections:
        said = "; ".join(str(vote) for vote in now.standing.rejections)
        mend = "choose another version; whoever rejected it can revoke that"
        raise ConfigurationError(f"{found.version} was rejected: {said}", mend)


def retire(office: LedgerSession, server: registry.MlflowServer, name: str, reason: str) -> None:
    """Let no version of the model be champion from here on. Raises as `roll_back` does."""
    office.demand(Right.ROLL_BACK, name, f"retire {name}")
    office.ensure_sound()
    with office.recording_refusal("retire it", name), ledger.lock(office.book, name) as fence:
        _end_pending(office, server, name, fence)
        entries = office.entries(name)
        reign = version_record.champion(entries, name)
        if reign is None and _is_last(entries, EntryKind.RETIREMENT, reason):
            return
        if reign is None:
            raise ConfigurationError(f"{name} has no champion", "there is nothing to retire")
        about = {"version": reign.version, "content": reign.content, "reason": reason}
        intent = office.record(
            office.draft(EntryKind.INTENT, name, step=EntryKind.RETIREMENT, **about), fence=fence
        )[0]
        ledger.ensure(office.book, fence)
        registry.clear_champion(server, name)
        office.record(office.draft(EntryKind.RETIREMENT, name, **about, intent=intent.number), fence=fence)


def _end_pending(
    office: LedgerSession, server: registry.MlflowServer, name: str, fence: ledger.Fence
) -> None:
    """End what a crash left unfinished, as done or as not done."""
    if ledger.open_intents(office.entries(name), name):
        pointed = registry.champion(server, name)
        aliased = promote.candidate_number(server, name, pointed)
        promote.end_unfinished(office, name, fence, aliased=aliased, pointed=pointed)


def _is_last(entries: Sequence[ledger.Entry], kind: EntryKind, reason: str) -> bool:
    """Whether the last change of the champion is this one, for this reason: the command was run before."""
    changes = [each for each in entries if each.kind in events.CHANGES]
    return bool(changes) and changes[-1].kind == kind and changes[-1].body.get("reason") == reason


def _alias(server: registry.MlflowServer, name: str) -> int | None:
    return promote.candidate_number(server, name, registry.champion(server, name))


def _champion(office: LedgerSession, name: str) -> ledger.Tenure:
    reign = version_record.champion(office.entries(name), name)
    if reign is None:
        raise TransientError("the ledger does not keep this rollback", "repeat this")
    return reign


def _target(entries: Sequence[ledger.Entry], name: str, reign: ledger.Tenure | None, to: int | None) -> int:
    """Which version to go back to: the one that served before the present one first did.

    Raises ConfigurationError when there is none, or it never served.
    """
    served = ledger.champion_versions(entries, name)
    if to is None:
        before = served[: served.index(reign.version)] if reign else served
        if not before:
            raise ConfigurationError(
                "no version was champion before", "release another, or name one with --to"
            )
        return before[-1]
    if to not in served:
        told = ", ".join(map(str, served)) or "none"
        raise ConfigurationError(f"candidate {to} was never champion", f"choose one that was: {told}")
    return to


def main() -> None:
    """Roll back, or retire, as the arguments say."""
    parser = argparse.ArgumentParser(prog="clearance")
    parser.add_argument("act", choices=["rollback", "retire"])
    parser.add_argument("--to", type=int)
    parser.add_argument("--as", dest="by")
    parser.add_argument("--reason", required=True)
    asked = parser.parse_args()
    root = Path.cwd()
    name, server = params.load(root / "params.yaml").name, registry.connect()
    with open_session(root, asked.by) as office:
        if asked.act == "retire":
            retire(office, server, name, asked.reason)
            logger.info("%s has no champion any more", name)
        else:
            reign = roll_back(office, server, name, asked.to, asked.reason)
            logger.info(
                "%s", version_record.describe_tenure(office.entries(name), reign, demo=office.roles.demo)
            )


if __name__ == "__main__":
    stage.run(main)
