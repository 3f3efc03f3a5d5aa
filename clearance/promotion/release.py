"""Effect: the judged model is registered as a candidate and, where evidence and policy allow, made champion.

Run twice, or killed and run again, it ends in the same state. Whatever is missing or does not match
promotes nothing. `clearance.promotion.next_step` decides whether a model may.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearance import params, paths, registry
from clearance.documents.split_document import SplitDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.ledger import address
from clearance.ledger import settings as ledger_settings
from clearance.promotion import (
    approval_request,
    attempts,
    authorised_policy,
    faults,
    next_step,
    promote,
    propose,
    review,
    rollback,
    version_record,
)
from clearance.promotion.authorised_policy import Authority
from clearance.promotion.next_step import Ending, Status
from clearance.promotion.session import LedgerSession, open_session
from clearance.registry import run_record
from clearance.reporting import attempt_notice, test_set_notice
from clearance.trust.roles import Right
from clearance.versioning import dvc_remote, executions, git, pipeline_state, visibility

EPHEMERAL = ("CI", "CLEARANCE_EPHEMERAL")
"""Variables that say that this machine does not last."""


def ensure_shared_stores(home: Path, server: registry.MlflowServer, remote: dvc_remote.Remote | None) -> None:
    """Raise ReleaseRefused on a CI runner or cloned worker whose ledger, registry or remote would be lost."""
    variable = next((name for name in EPHEMERAL if _is_set(name)), None)
    if variable is None:
        return
    if not server.shared:
        raise faults.REGISTRY_NOT_SHARED(variable=variable, addresses=" and ".join(server.addresses))
    if not address.is_shared(ledger_settings.address(home)):
        raise faults.LEDGER_NOT_SHARED(variable=variable)
    if remote is None or remote.inside:
        raise faults.REMOTE_NOT_SHARED(variable=variable)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in {"", "0", "false", "no", "off"}


def receipt(
    ending: Ending,
    verdict: VerdictDocument,
    fingerprint: str,
    candidate: registry.Version | None = None,
    champion: registry.Version | None = None,
    *,
    notes: Sequence[str] = ("", ""),
) -> dict[str, Any]:
    """What happened, for the flow and the command line to show.

    `notes` are what must be said of the candidate, and of the champion, wherever they are named.
    """
    return {
        "status": ending.status,
        "reason": ending.reason,
        "fingerprint": fingerprint,
        "verdict": str(verdict.verdict),
        "is_champion": ending.status in (Status.PROMOTED, Status.CHAMPION, Status.LAPSED),
        "candidate": _describe(candidate, notes[0]),
        "champion": _describe(champion, notes[1]),
    }


def _describe(version: registry.Version | None, note: str) -> dict[str, Any] | None:
    if version is None:
        return None
    return {"name": version.name, "version": version.number} | ({"note": note} if note else {})


def _notes(session: LedgerSession, name: str, numbers: Sequence[int | None]) -> list[str]:
    """What must be said of each of these candidates; nothing of None."""
    entries, demo = session.entries(name), session.roles.demo
    by_candidate = [
        {} if number is None else version_record.notes(entries, number, demo=demo) for number in numbers
    ]
    return ["; ".join(by_tag.values()) for by_tag in by_candidate]


def assess(
    settings: params.Params, home: Path, root: Path, day: dt.date, *, has_model: bool
) -> review.Assessment:
    """The project at `root` judged as of its recorded day and as of `day`, as `home` authorises policies.

    Raises IntegrityError when the recorded verdict is not what the evidence gives, ConfigurationError when
    the list of authorised policies is faulty.
    """
    evidence = review.check_verdict(settings, root)
    authority = Authority()
    if not evidence.verdict.what_if:
        judged_by = evidence.verdict.policy.sha256
        authority = authorised_policy.authorised_now(home, settings.name, judged_by)
    return review.assess(evidence, authority, day, has_model=has_model)


def release(root: Path, day: dt.date) -> dict[str, Any]:
    """Release the project at `root` as of `day`, and return the receipt.

    Raises IntegrityError when evidence is missing or does not match, ReleaseRefused where this machine or
    this person may not release, UnavailableError when MLflow or the remote does not answer.
    """
    settings = params.load(root / paths.PARAMS)
    verified = pipeline_state.verify(root)
    described = registry.describe_model(verified)
    home = git.checkout_of(root)
    assessment = assess(settings, home, root, day, has_model=described is not None)
    case = assessment.case
    first = next_step.obstacle(case)
    if first and first.status is Status.WHAT_IF:
        return receipt(first, case.verdict, verified.fingerprint)
    server, remote = registry.connect(), dvc_remote.default_remote(root)
    ensure_shared_stores(home, server, remote)
    tracked = registry.find_run(server, settings.experiment, verified.fingerprint)
    if tracked is None or not tracked.complete:
        raise faults.RUN_INCOMPLETE()
    with open_session(home) as session:
        if described is None:
            ending = Ending(status=Status.NO_MODEL, reason=first.reason if first else "")
            return receipt(ending, case.verdict, verified.fingerprint) | {"test_uses": None}
        candidate = propose.CandidateRelease(
            session=session,
            settings=settings,
            verified=verified,
            server=server,
            tracked=tracked,
            described=described,
            verdict=case.verdict,
            policy=assessment.authority.policy,
            tags=run_record.tags(case.verdict, described),
        )
        terms = authorised.attempts if (authorised := assessment.authority.policy) else None
        attempts.record_tracked(session, server, settings.name, verified.fingerprint, terms)
        with session.recording_refusal("release", settings.name, fingerprint=verified.fingerprint):
            visibility.ensure_visible(home)
            executions.ensure_executed(root, pipeline_state.locked(root))
            version = candidate.register()
            pushed = bool(remote) and (not case.failed or candidate.is_overridden(version))
            if pushed:
                dvc_remote.push(root)
            candidate.compare(version, candidate.attest(version, pushed=pushed), day)
        ending, state = promote.promote(
            session, server, settings.name, version.number, day, assessment=assessment
        )
        lapsed = promote.find_lapse(session, settings.name)
        if lapsed and promote.lapsed_policy(assessment) == "retire" and session.may(Right.ROLL_BACK):
            rollback.retire(session, server, settings.name, lapsed)
            lapsed = f"{lapsed} The policy retires such a champion: the model has none now."
        notes = _notes(session, settings.name, (version.number, state.ledger_champion))
        entries = session.entries(settings.name)
        count = attempts.of_version(entries, settings.name, version.number, terms)
        record = version_record.fold(entries, settings.name, version.number, session.roles)
        request = approval_request.of_version(session, server, settings, record)
    summary = receipt(
        ending, case.verdict, verified.fingerprint, state.candidate, state.champion, notes=notes
    ) | {"request": request.lines(), "ledger": session.verified_up_to}
    if lapsed and promote.lapsed_policy(assessment) == "warn":
        summary |= {"reason": f"{summary['reason']} {lapsed}"}
    elif lapsed:
        summary |= {"lapsed": lapsed}
    if count is not None:
        attempt_notice.record(root, count.number, str(count))
        summary |= {"attempt": {"number": count.number, "sentence": str(count)}}
    rows = run_record.test_rows(SplitDocument.from_json(verified.read_json(paths.SPLIT.as_posix())))
    if rows is None:
        return summary | {"test_uses": None}
    uses = registry.count_test_uses(server, rows)
    test_set_notice.record(root, rows, uses, day)
    return summary | {"test_uses": uses}
