"""Effect: the judged model is registered as a candidate and, where evidence and policy allow, made champion.

Run twice, or killed and run again, it ends in the same state. Whatever is missing or does not match
promotes nothing. Whether a model may is decided in `clearance.promotion.next_step`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance import params, registry
from clearance.errors import IntegrityError, ReleaseRefused
from clearance.promotion import next_step, promote, propose, review, version_record
from clearance.promotion.next_step import Ending, Status
from clearance.promotion.session import LedgerSession, open_session
from clearance.registry import run_record
from clearance.reporting import test_set_notice
from clearance.versioning import dvc_remote, git, lineage

THROW_AWAY = ("CI", "CLEARANCE_EPHEMERAL")

logger = logging.getLogger(__name__)


def ensure_shared_stores(server: registry.MlflowServer, kept: dvc_remote.Remote | None) -> None:
    """Raise ReleaseRefused on a CI runner or cloned worker whose registry or remote would end with it."""
    where = next((name for name in THROW_AWAY if _is_set(name)), None)
    if where is None:
        return
    if not server.shared:
        raise ReleaseRefused(
            f"{where} is set, and MLflow at {' and '.join(server.addresses)} would end with this machine",
            "set MLFLOW_TRACKING_URI to a shared server",
        )
    if kept is None or kept.inside:
        raise ReleaseRefused(
            f"{where} is set, and no shared DVC remote is configured to keep data and models",
            "add one: `dvc remote add --default NAME URL`",
        )


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in {"", "0", "false", "no", "off"}


def receipt(
    ending: Ending,
    verdict: Mapping[str, Any],
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
        "verdict": verdict["verdict"],
        "is_champion": ending.status in (Status.PROMOTED, Status.CHAMPION),
        "candidate": _named(candidate, notes[0]),
        "champion": _named(champion, notes[1]),
    }


def _named(version: registry.Version | None, note: str) -> dict[str, Any] | None:
    if version is None:
        return None
    return {"name": version.name, "version": version.number} | ({"note": note} if note else {})


def _notes(office: LedgerSession, name: str, numbers: Sequence[int | None]) -> list[str]:
    """What must be said of each of these candidates; nothing of None."""
    entries, demo = office.entries(name), office.roles.demo
    said = [{} if each is None else version_record.notes(entries, each, demo=demo) for each in numbers]
    return ["; ".join(each.values()) for each in said]


def release(root: Path, day: dt.date) -> dict[str, Any]:
    """Release the project at `root` as of `day`, and return the receipt.

    Raises IntegrityError when evidence is missing or does not match, ReleaseRefused where this machine or
    this person may not release, UnavailableError when MLflow or the remote does not answer.
    """
    settings = params.load(root / "params.yaml")
    verified = lineage.verify(root)
    described = registry.describe_model(verified)
    home = git.checkout_of(root)
    case = review.judge_again(settings, home, root, day, has_model=described is not None)
    first = next_step.obstacle(case)
    if first and first.status is Status.WHAT_IF:
        return receipt(first, case.verdict, verified.fingerprint)
    server, kept = registry.connect(), dvc_remote.default_remote(root)
    ensure_shared_stores(server, kept)
    tracked = registry.find_run(server, settings.experiment, verified.fingerprint)
    if tracked is None or not tracked.complete:
        raise IntegrityError(
            "MLflow has no complete run of this model", "run `clearance track`, then repeat this"
        )
    with open_session(home) as office:
        if described is None:
            ending = Ending(status=Status.NO_MODEL, reason=first.reason if first else "")
            return receipt(ending, case.verdict, verified.fingerprint) | {"test_uses": None}
        acting = propose.CandidateRelease(
            office=office,
            settings=settings,
            verified=verified,
            server=server,
            tracked=tracked,
            described=described,
            verdict=case.verdict,
            tags=run_record.tags(case.verdict, described),
        )
        with office.recording_refusal("release", settings.name, fingerprint=verified.fingerprint):
            version = acting.register()
            pushed = bool(kept) and (not case.failed or acting.is_overridden(version))
            if pushed:
                dvc_remote.push(root)
            acting.compare(version, acting.attest(version, pushed=pushed), day)
        ending, state = promote.promote(office, server, settings.name, version.number, day)
        notes = _notes(office, settings.name, (version.number, state.reigning))
    done = receipt(ending, case.verdict, verified.fingerprint, state.candidate, state.champion, notes=notes)
    rows = run_record.test_rows(verified.read_json("reports/split.json"))
    if rows is None:
        return done | {"test_uses": None}
    uses = registry.count_test_uses(server, rows)
    test_set_notice.record(root, rows, uses, day)
    return done | {"test_uses": uses}
