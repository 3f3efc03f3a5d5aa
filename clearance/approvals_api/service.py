"""Effect: this service signs the decisions of people that an identity provider authenticates.

The service signs with its own key who decided. The account in the roles file says which person that is. What
a decision is worth, `clearance.promotion.decide` determines, as for the command line. A token decides once.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from clearance import ledger, params, paths, registry
from clearance.approvals_api import app, connections, faults, oidc_settings
from clearance.approvals_api.connections import BoundedProtocol
from clearance.approvals_api.oidc_keys import ProviderKeys
from clearance.approvals_api.tokens import RejectedToken
from clearance.promotion import approval_request, decide, session
from clearance.promotion.review import Review
from clearance.promotion.session import LedgerSession
from clearance.trust import recorded_decisions
from clearance.trust.decisions import AttestedAccount, DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Person, Right

SERVER: dict[str, Any] = {
    "loop": "asyncio",  # it forgets a closed connection at once, so that the next one counts in its place
    "http": BoundedProtocol,
    "ws": "none",
    "log_level": "warning",
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "limit_concurrency": 2 * connections.MOST_WAITING,
}
"""How uvicorn serves: requests that run, beside those that wait, are limited to as many again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ApprovalService:
    """The decisions of one project. `service` is the identity that signs; None: `CLEARANCE_IDENTITY`'s."""

    root: Path
    model: str
    service: str | None

    @contextmanager
    def open_session(self) -> Iterator[LedgerSession]:
        """The ledger session of the service. Raises ConfigurationError when it may not attest identities."""
        with session.open_session(self.root, self.service) as acting:
            if not acting.may(Right.ATTEST_IDENTITY):
                raise faults.SERVICE_MAY_NOT_ATTEST(
                    identity=acting.acting.person.identity, right=Right.ATTEST_IDENTITY
                )
            yield acting

    def decide(
        self,
        version: int,
        kind: DecisionKind,
        account: AttestedAccount,
        reason: str,
        until: dt.datetime | None,
    ) -> dict[str, Any]:
        """Record the decision of the account; promote if nothing is missing and the service may promote.

        Raises ReleaseRefused when nobody has the account, the person may not approve, or the token has
        already been used; and what `clearance.promotion.decide.decide` raises.
        """
        with self.open_session() as acting:
            server = registry.connect()
            with ledger.lock(acting.book, self.model):
                demand(acting, account, [Right.APPROVE], f"{kind} version {version}")
                _ensure_unused(acting.entries(), account)
                result = decide.decide(
                    acting,
                    server,
                    self.model,
                    version,
                    kind=kind,
                    reason=reason,
                    until=until,
                    account=account,
                )
            why = result.uncounted
            answer = {
                "entry": result.entry.number,
                "counts": why is None,
                "why": why,
                **_to_json(result.review),
            }
            if result.complete:
                answer["promotion"] = _complete(acting, server, result.review)
        return answer

    def state(self, version: int, account: AttestedAccount) -> dict[str, Any]:
        """How things stand with the version. Raises ReleaseRefused unless the person has any right here."""
        with self.open_session() as acting:
            demand(acting, account, Right, f"read about version {version}")
            return _to_json(decide.current_review(acting, registry.connect(), self.model, version))

    def refuse(
        self, version: int | None, reason: str, by: AttestedAccount | RejectedToken, skipped: int
    ) -> None:
        """Record a refusal under the name of the person with that account, else under the service's."""
        body: dict[str, Any] = {"reason": reason}
        if version is not None:
            body["version"] = version
        if by.issuer and by.subject:
            body["account"] = {"issuer": by.issuer, "subject": by.subject}
        if skipped:
            body["passed_over"] = skipped
        with self.open_session() as acting:
            draft = acting.draft(ledger.EntryKind.REFUSAL, self.model, **body)
            holder = acting.roles.holder(by.issuer or "", by.subject or "", acting.now())
            acting.record(replace(draft, actor=holder.identity) if holder else draft)


def _complete(acting: LedgerSession, server: registry.MlflowServer, review: Review) -> str:
    """After the last required approval: notify Prefect, and promote if the service may."""
    ending = review.obstacle
    if ending is None:
        completion = decide.complete(acting, server, review)
        ending = completion.ending
        if ending is None:
            ask = f"Ask an operator to run `clearance promote {review.subject.version}`."
            then = "Prefect was notified." if completion.notified else ask
            return f"All required approvals are in. {then}"
    return f"{ending.status}: {ending.reason}"


def demand(acting: LedgerSession, account: AttestedAccount, rights: Iterable[Right], action: str) -> Person:
    """The person with the account. Raises ReleaseRefused unless they have one of the rights.

    Where the provider's groups restrict the account's roles, only the remaining roles count.
    """
    now = acting.now()
    person = acting.roles.holder(account.issuer, account.subject, now)
    if person is None:
        raise faults.UNKNOWN_ACCOUNT(account=recorded_decisions.describe_account(account))
    if not any(
        recorded_decisions.roles_with_right(acting.roles, person, right, now, account) for right in rights
    ):
        fault = faults.NO_RIGHT if account.roles is None else faults.NO_RIGHT_IN_GROUPS
        raise fault(person=person.identity, action=action)
    return person


def _ensure_unused(entries: Iterable[ledger.Entry], account: AttestedAccount) -> None:
    """Raise ReleaseRefused when the token has already decided: a copied token must decide nothing."""
    for entry in entries:
        decision = entry.read(ledger.events.DecisionEvent)
        cited = decision.account if decision else None
        if cited and (cited.issuer, cited.token) == (account.issuer, account.token):
            raise faults.TOKEN_ALREADY_USED(entry=entry.number)


def _to_json(review: Review) -> dict[str, Any]:
    """How things stand, as JSON."""
    subject, approvals = review.subject, review.approvals
    obstacle = review.obstacle
    compared = review.compared
    comparison = {"outcome": compared.outcome, "reasons": compared.reasons} if compared else {}
    return {
        "model": subject.model,
        "version": subject.version,
        "evidence": subject.content,
        "policy": subject.policy,
        "verdict": str(review.case.verdict.verdict),
        **approval_request.of_review(review).to_json(),
        "attempts": review.attempts and review.attempts.to_json(),
        "comparison": {"sha256": subject.comparison, "champion": subject.champion, **comparison},
        "complete": approvals.complete,
        "obstacle": obstacle and obstacle.reason,
        "agreed": [_decision_to_json(decision) for decision in approvals.counted],
        "rejected": [_decision_to_json(decision) for decision in approvals.rejections],
        "missing": dict(approvals.missing),
        "reasons": list(approvals.reasons),
        "refused": [{"entry": refused.number, "why": refused.why} for refused in approvals.refused],
    }


def _decision_to_json(recorded: RecordedDecision) -> Mapping[str, Any]:
    return {
        "who": recorded.person.identity,
        "roles": sorted(recorded.roles),
        "decision": recorded.kind,
        "reason": recorded.decision.reason,
        "entry": recorded.number,
        "at": recorded.at.isoformat(),
        "until": recorded.decision.until and recorded.decision.until.isoformat(),
        "attested_by": recorded.attester and recorded.attester.identity,
    }


def serve(root: Path, host: str, port: int) -> None:
    """Serve the project at `root` until stopped.

    Raises ConfigurationError before the first request when settings, roles or signer are not usable.
    """
    settings = oidc_settings.load(root)
    service = ApprovalService(
        root=root, model=params.load(root / paths.PARAMS).name, service=settings.service
    )
    with service.open_session() as acting:
        signer = acting.acting.person.identity
    logger.info(
        "approvals API for %s at http://%s:%d; tokens of %s; decisions signed by %s",
        *(service.model, host, port, settings.issuer, signer),
    )
    uvicorn.run(app.app(service, settings, ProviderKeys(settings.issuer)), host=host, port=port, **SERVER)
