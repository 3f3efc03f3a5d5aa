"""Effect: decisions of people whom an identity provider vouches for, signed by the service that checked it.

It signs with its own key who decided; their account in the roles file says who that is. What a decision is
worth is asked where the command line asks: `clearance.promotion.decide`. A token decides once.
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from clearance import ledger, params, registry, stage
from clearance.approvals_api import app, oidc_settings
from clearance.approvals_api.oidc_keys import Issuer
from clearance.approvals_api.tokens import Refused
from clearance.errors import ConfigurationError, ReleaseRefused
from clearance.promotion import decide, next_step, promote, review, session, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust import recorded_decisions
from clearance.trust.decisions import AttestedAccount, DecisionKind
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Person, Right

logger = logging.getLogger(__name__)
_HINT = "the roles file says who holds which account, and the provider's groups may leave fewer roles"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One project's decisions; `service` is who signs, None: whom `CLEARANCE_IDENTITY` names."""

    root: Path
    model: str
    service: str | None

    @contextmanager
    def opened(self) -> Iterator[LedgerSession]:
        """The office of the service. Raises ConfigurationError when it may not attest who others are."""
        with session.open_session(self.root, self.service) as found:
            if not found.may(Right.ATTEST_IDENTITY):
                raise ConfigurationError(
                    f"{found.acting.person.identity} may not attest who others are: no approvals are taken",
                    f"let policies/roles.yaml give the service a role with the right {Right.ATTEST_IDENTITY}",
                )
            yield found

    def decide(
        self,
        version: int,
        kind: DecisionKind,
        account: AttestedAccount,
        reason: str,
        until: dt.datetime | None,
    ) -> dict[str, Any]:
        """Record what the account decides; where that completes the set and the service may, promote.

        Raises ReleaseRefused when nobody holds the account, it may not approve, or the token decided before;
        and what `clearance.promotion.decide.decide` raises.
        """
        with self.opened() as found, ledger.lock(found.book, self.model):
            demand(found, account, [Right.APPROVE], f"{kind} version {version}")
            _ensure_unspent(found.entries(), account)
            server = registry.connect()
            entry, heard = decide.decide(
                found, server, self.model, version, kind=kind, reason=reason, until=until, account=account
            )
            why = next((each.why for each in heard.standing.refused if each.number == entry.number), None)
            told = _told(heard)
        said = {"entry": entry.number, "counts": why is None, "why": why, **told}
        if why is None and decide.completes(kind, heard):
            said["promotion"] = self._promote(heard)
        return said

    def state(self, version: int, account: AttestedAccount) -> dict[str, Any]:
        """How things stand with the version. Raises ReleaseRefused unless the account has any right here."""
        with self.opened() as found:
            demand(found, account, Right, f"read about version {version}")
            return _told(decide.current_review(found, registry.connect(), self.model, version))

    def refuse(self, version: int | None, why: str, by: AttestedAccount | Refused, passed_over: int) -> None:
        """Record the refusal under the name of whoever holds the account, else under the service's."""
        body: dict[str, Any] = {"reason": why}
        if version is not None:
            body["version"] = version
        if by.issuer and by.subject:
            body["account"] = {"issuer": by.issuer, "subject": by.subject}
        if passed_over:
            body["passed_over"] = passed_over
        with self.opened() as found:
            draft = found.draft(ledger.EntryKind.REFUSAL, self.model, **body)
            holder = found.roles.holder(by.issuer or "", by.subject or "", found.now())
            found.record(replace(draft, actor=holder.identity) if holder else draft)

    def _promote(self, heard: review.Review) -> str:
        """After the last decision that was needed: tell Prefect, and promote where the service may."""
        if ending := next_step.obstacle(heard.case, heard.standing, heard.needs):
            return f"{ending.status}: {ending.reason}"
        number = heard.matter.version
        told = decide.announce(self.model, number, heard.matter.content)
        with self.opened() as found:
            if not found.may(Right.PROMOTE):
                then = "Prefect was told." if told else f"ask an operator for `clearance promote {number}`."
                return f"All who must agree do: {then}"
            ending, _ = promote.promote(found, registry.connect(), self.model, number, found.now().date())
        return f"{ending.status}: {ending.reason}"


def demand(found: LedgerSession, account: AttestedAccount, rights: Iterable[Right], what: str) -> Person:
    """Who holds the account. Raises ReleaseRefused unless they have one of the rights, groups considered."""
    now = found.now()
    person = found.roles.holder(account.issuer, account.subject, now)
    if person is None:
        raise ReleaseRefused(
            f"nobody in policies/roles.yaml holds the account {recorded_decisions.describe_account(account)}",
            _HINT,
        )
    if not any(
        recorded_decisions.roles_with_right(found.roles, person, right, now, account) for right in rights
    ):
        groups = "" if account.roles is None else ", among those that the provider's groups leave,"
        raise ReleaseRefused(f"{person.identity} may not {what}: no role of theirs{groups} lets them", _HINT)
    return person


def _ensure_unspent(entries: Iterable[ledger.Entry], account: AttestedAccount) -> None:
    """Raise ReleaseRefused when the token has decided before: whoever copied it decides nothing with it."""
    for each in entries:
        said = each.body.get("account") if each.kind in version_record.DECISIONS else None
        if said and (said["issuer"], said["token"]) == (account.issuer, account.token):
            raise ReleaseRefused(
                f"this token decided already (entry {each.number}): a token decides once", "sign in anew"
            )


def _told(heard: review.Review) -> dict[str, Any]:
    """How things stand, as JSON."""
    matter, standing = heard.matter, heard.standing
    against = heard.compared
    obstacle = next_step.obstacle(heard.case, standing, heard.needs)
    return {
        "model": matter.model,
        "version": matter.version,
        "evidence": matter.content,
        "policy": matter.policy,
        "verdict": heard.case.verdict["verdict"],
        "comparison": {"sha256": matter.comparison, "champion": matter.champion}
        | {key: against[key] for key in ("outcome", "reasons") if key in against},
        "complete": standing.complete,
        "obstacle": obstacle and obstacle.reason,
        "agreed": [_vote(each) for each in standing.counted],
        "rejected": [_vote(each) for each in standing.rejections],
        "missing": dict(standing.missing),
        "reasons": list(standing.reasons),
        "refused": [{"entry": each.number, "why": each.why} for each in standing.refused],
    }


def _vote(vote: RecordedDecision) -> Mapping[str, Any]:
    return {
        "who": vote.person.identity,
        "roles": sorted(vote.roles),
        "decision": vote.kind,
        "reason": vote.decision.reason,
        "entry": vote.number,
        "at": vote.at.isoformat(),
        "until": vote.decision.until and vote.decision.until.isoformat(),
        "attested_by": vote.attester and vote.attester.identity,
    }


def main() -> None:
    """Serve until stopped. What is not in order is told before the first request."""
    parser = argparse.ArgumentParser(prog="clearance desk")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8321)
    asked = parser.parse_args()
    root = Path.cwd()
    settings = oidc_settings.load(root)
    desk = Desk(root=root, model=params.load(root / "params.yaml").name, service=settings.service)
    with desk.opened() as found:
        who = found.acting.person.identity
    logger.info(
        "approvals of %s at http://%s:%d, by tokens of %s, signed by %s",
        *(desk.model, asked.host, asked.port, settings.issuer, who),
    )
    served = app.app(desk, settings, Issuer(settings.issuer))
    uvicorn.run(
        served,
        host=asked.host,
        port=asked.port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=64,
    )


if __name__ == "__main__":
    stage.run(main)
