"""Commands by which people decide about a candidate."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from clearance import paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.library import DecisionName
    from clearance.promotion.decide import Completion


def _decide(
    kind: DecisionName, version: int, identity: str | None, reason: str, until: dt.date | None = None
) -> int:
    """Record the decision, say what it is worth, and promote when nothing is missing.

    In the demo, the pipeline account promotes. Evidence and ledger are verified once for both.
    """
    root = process.enter_project()
    from clearance import params, registry
    from clearance.promotion import approval_request, decide, session
    from clearance.trust.decisions import DecisionKind

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        server = registry.connect()
        result = decide.decide(
            acting,
            server,
            name,
            version,
            kind=DecisionKind(kind),
            reason=reason,
            until=decide.end_of_override(until),
        )
        process.echo(result.entry)
        for line in approval_request.of_review(result.review).lines():
            process.echo(f"  {line}")
        if result.uncounted is not None:
            process.echo(result.uncounted, err=True)
            return ExitCode.REFUSED
        if result.review.attempts is not None:
            process.echo(f"  {result.review.attempts}")
        for sentence in result.missing:
            process.echo(f"  {sentence}")
        if not result.complete:
            return ExitCode.PASS
        promoter = acting.acting_as(None if acting.roles.demo else identity)
        return _conclude(decide.complete(promoter, server, result.review), version)


def _conclude(completion: Completion, version: int) -> int:
    if completion.ending is None:
        then = (
            "Prefect was notified and promotes it"
            if completion.notified
            else f"an operator makes it champion with `clearance promote {version}`"
        )
        process.echo(f"all required approvals are in; {then}")
        return ExitCode.PASS
    process.echo(f"{completion.ending.status}: {completion.ending.reason}")
    return ExitCode.REFUSED if completion.refused else ExitCode.PASS


@click.command()
@options.version
@options.identity
@options.reason()
@process.exit_with_status
def approve(version: int, identity: str | None, reason: str) -> int:
    """Approve candidate VERSION.

    The last required approval promotes it, if the acting identity may promote. In the demo, the pipeline
    account promotes it. Exit status 3 if the approval does not count, or the promotion is refused.
    """
    return _decide("approve", version, identity, reason)


@click.command()
@options.version
@options.identity
@options.reason()
@process.exit_with_status
def reject(version: int, identity: str | None, reason: str) -> int:
    """Reject candidate VERSION.

    It cannot be promoted until you revoke the rejection. Exit status 3 if the rejection does not count.
    """
    return _decide("reject", version, identity, reason)


@click.command()
@options.version
@options.identity
@options.reason()
@process.exit_with_status
def revoke(version: int, identity: str | None, reason: str) -> int:
    """Withdraw all your decisions on candidate VERSION.

    They no longer count, and you can decide again. A champion stays champion.
    """
    return _decide("revoke", version, identity, reason)


@click.command()
@options.version
@options.identity
@options.reason()
@click.option(
    "--until", type=options.DATE, metavar="DATE", required=True, help="Day on which it ends (YYYY-MM-DD)."
)
@process.exit_with_status
def override(version: int, identity: str | None, reason: str, until: dt.datetime) -> int:
    """Temporarily allow candidate VERSION without a pass.

    Two people must override the verdict, one of them with the right to do so. The policy limits how long an
    override lasts. Exit status 3 if the override does not count, or the promotion is refused.
    """
    return _decide("override", version, identity, reason, until.date())


@click.command("serve-approvals")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", type=int, metavar="PORT", default=8321, show_default=True, help="Port to listen on.")
@process.exit_with_status
def serve_approvals(host: str, port: int) -> int:
    """Serve the approvals API until stopped.

    People authenticate with OIDC bearer tokens of the provider in policies/identity.yaml.
    """
    root = process.enter_project()
    from clearance.approvals_api import service

    service.serve(root, host, port)
    return ExitCode.PASS
