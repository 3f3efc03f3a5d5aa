"""Effects: what intents ask for, done in the world. Each may be called again after a kill and does it once.

The ledger refuses a second restriction or incident of one alert. A notice carries its id, so that a receiver
can tell a repeat. A retraining is a run of the pipeline, which does nothing where nothing has changed.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import isolation, params, paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.training_document import TrainingDocument
from clearance.errors import ClearanceError, ExitCode
from clearance.monitoring.alerts import drifted_window, faults
from clearance.monitoring.alerts.alert import NO_NEW_MODEL, IntentKind, parse
from clearance.promotion import incidents, monitoring_policy, restrictions, session

PATIENCE = 60.0
"""Seconds that Prefect has to take an event."""
ID_HEADER = "Idempotency-Key"
"""The header of a web hook's request that holds the id of the notice."""
_JUDGED = (ExitCode.PASS, ExitCode.REFUSED, ExitCode.INSUFFICIENT_EVIDENCE, ExitCode.NOT_EVALUATED)

Action = Callable[[str, Mapping[str, Any]], str | None]
"""Does what the intent with this id and body asks for; a sentence on what came of it.

None: it goes on elsewhere, which will finish the intent.
"""


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What does each kind of intent."""

    by_kind: Mapping[IntentKind, Action]

    @classmethod
    def of(cls, root: Path) -> Actions:
        """Those of the project at `root`."""
        return cls(
            by_kind={
                IntentKind.RESTRICTION: lambda _, body: restrict(root, body),
                IntentKind.INCIDENT: lambda _, body: open_incident(root, body),
                IntentKind.EVENT: lambda id_, body: emit(root, id_, body),
                IntentKind.NOTICE: notify,
                IntentKind.RETRAINING: lambda id_, body: retrain(root, id_, body),
            }
        )


def restrict(root: Path, body: Mapping[str, Any]) -> str:
    """Hold or stop the version by the rule; signed by this process's identity."""
    name = _model(root)
    reason = f"the rule {body['rule']} failed: {'; '.join(body['facts'])}"
    with session.open_session(root) as acting:
        entry = restrictions.restrict(
            acting,
            name,
            body["version"],
            body["mode"],
            reason,
            rule=body["rule"],
            alert=body["alert"],
            look=body["look"],
        )
    return f"ledger entry {entry}"


def open_incident(root: Path, body: Mapping[str, Any]) -> str:
    """Open the incident, unless one of this alert or an open one of this rule is there."""
    terms = monitoring_policy.terms(root)
    with session.open_session(root) as acting:
        opening = incidents.Opening(
            version=body["version"],
            category=incidents.SERIOUS,
            role=terms.role if terms else "provider",
            aware_at=min(parse(body["aware_at"]), acting.now()),  # a monitor's clock may be ahead
            description=f"the serious rule {body['rule']} failed: {'; '.join(body['facts'])}",
            decisions_from=parse(body["decisions_from"]),
            owner=next(iter(terms.watched_by), None) if terms else None,
            rule=body["rule"],
            alert=body["alert"],
            look=body["look"],
        )
        number = incidents.open_incident(acting, _model(root), opening, terms.deadlines if terms else ())
    return f"incident {number}"


def notify(id_: str, body: Mapping[str, Any]) -> str:
    """Send a notice to the address that an environment variable holds.

    Raises ConfigurationError without a usable address, UnavailableError when the receiver did not take it.
    """
    import apprise  # which imports a hundred services

    variable = body["to"]
    address = os.environ.get(variable)
    if not address:
        raise faults.NO_ADDRESS(variable=variable)
    service = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if not service:
        raise faults.BAD_ADDRESS(variable=variable)
    if isinstance(headers := getattr(service, "headers", None), dict):
        headers[ID_HEADER] = id_
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its messages may hold the address
    if not service.notify(title=body["title"], body=body["body"]):
        raise faults.NOT_SENT(variable=variable)
    return "sent"


def emit(root: Path, id_: str, body: Mapping[str, Any]) -> str:
    """Tell Prefect, where one is in use. Raises UnavailableError when it does not answer."""
    if not os.environ.get("PREFECT_API_URL"):
        return "not sent, as no Prefect server is in use, which is optional"
    _tell_prefect(root, id_, "failed", body)
    return "told Prefect"


def retrain(root: Path, id_: str, body: Mapping[str, Any]) -> str | None:
    """Have the pipeline run: by Prefect's automation where a server is in use, else here, to its end.

    Raises as `train`; no event goes to Prefect while the source lacks the drifted window.
    """
    if os.environ.get("PREFECT_API_URL"):
        _drifted_window(root, body)
        _tell_prefect(root, id_, "retrain", body)
        return None
    return train(root, body)


def train(root: Path, body: Mapping[str, Any]) -> str:
    """Run the pipeline to its verdict, once the source has as much of the drifted window as the policy wants.

    Raises UnavailableError while it has less, and when no verdict was reached.
    """
    coverage = _drifted_window(root, body)
    judged = run_pipeline(root)
    is_new = body.get("model_sha256") is None or trained_model(root) != body["model_sha256"]
    parts = [judged if is_new else f"{NO_NEW_MODEL}: what it learns from is the same as before; {judged}"]
    return "; ".join([*parts, *([str(coverage)] if coverage else [])])


def _drifted_window(root: Path, body: Mapping[str, Any]) -> drifted_window.Coverage | None:
    """How much of the failed windows the source has; None where the policy did not, or does not, ask.

    The share is that of today's policy, so that a retraining can stop waiting for rows that never come.
    """
    if not body.get("waits_for_window"):
        return None
    terms = monitoring_policy.terms(root)
    if terms is None or terms.retraining.window_share is None:
        return None
    window = (parse(body["since"]), parse(body["until"]))
    return drifted_window.ensure(root, body["version"], window, terms.retraining.window_share)


def trained_model(root: Path) -> str | None:
    """The SHA-256 of the model that the pipeline trained last in this checkout; None where there is none."""
    try:
        training = TrainingDocument.read(root)
    except ClearanceError:
        return None
    return None if isinstance(training, BlockedDocument) else training.model.sha256


def run_pipeline(root: Path) -> str:
    """Run the pipeline to its verdict, whatever that is; it promotes nothing that may not be promoted.

    Raises UnavailableError when it reached none.
    """
    command = isolation.command("-m", "flows.terminal")
    status = subprocess.run(  # noqa: S603 - our own module
        command, cwd=root, env=isolation.effect_variables(signs=True), check=False
    ).returncode
    if status not in (*_JUDGED, ExitCode.LAPSED):
        raise faults.RETRAINING_FAILED(status=status)
    return f"judged: exit status {status}"


def _tell_prefect(root: Path, id_: str, event: str, body: Mapping[str, Any]) -> None:
    """Emit an event with an id of its own; a child process does it, because only flows import Prefect."""
    words = (_model(root), event, id_, body["rule"], str(body["version"]))
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            isolation.command("-m", "flows.monitoring_event", *words),
            cwd=root,
            env=isolation.effect_variables(signs=False),
            timeout=PATIENCE,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise faults.EVENT_NOT_SENT(rule=body["rule"], why=f"no answer within {PATIENCE:g} s") from None
    if child.returncode:
        why = next(iter(child.stderr.strip().splitlines()), f"exit status {child.returncode}")
        raise faults.EVENT_NOT_SENT(rule=body["rule"], why=why.removeprefix("error: "))


def _model(root: Path) -> str:
    return params.load(root / paths.PARAMS).name


BACK_OFF = (dt.timedelta(minutes=1), dt.timedelta(hours=1))
"""After the first failed attempt, and at most; it doubles in between."""
HANDED_ON = dt.timedelta(hours=24)
"""How long something that goes on elsewhere has to end, before it is asked for again."""


SOURCE_ASKED_AGAIN = dt.timedelta(hours=12)
"""How long to wait for rows of a drifted window: each attempt reads the log and the whole source."""


def next_attempt(attempts: int, error: ClearanceError) -> dt.timedelta:
    """How long to wait after this many failed attempts, the last of which ended with `error`."""
    if error.code == faults.WINDOW_NOT_IN_SOURCE.code:
        return SOURCE_ASKED_AGAIN
    first, longest = BACK_OFF
    return min(first * int(2 ** min(attempts, 12)), longest)
