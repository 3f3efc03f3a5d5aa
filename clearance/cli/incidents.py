"""Commands on incidents, and the plan of how a version in use is watched."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearance import paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.policy.monitoring_terms import ReportDeadline

_AWARE = click.option("--aware-at", type=options.TIME, metavar="TIME", help="When somebody first knew. UTC.")
_CATEGORY = click.option(
    "--category", metavar="KIND", help="Kind as in the policy's deadlines, or not_reportable."
)
_NUMBER = click.argument("number", type=int)


@click.group()
def incident() -> None:
    """Open, report, close or show incidents."""


@incident.command("open")
@click.option("--version", type=click.IntRange(1), metavar="N", required=True, help="Candidate that decided.")
@_CATEGORY
@_AWARE
@click.option(
    "--role",
    type=click.Choice(["provider", "deployer"]),
    default="provider",
    show_default=True,
    help="Whose duties.",
)
@click.option("--owner", metavar="NAME", help="Who looks after it. Default: who opens it.")
@click.option(
    "--from", "since", type=options.TIME, metavar="TIME", required=True, help="First affected decision."
)
@click.option("--until", type=options.TIME, metavar="TIME", help="Last decision. Default: it goes on.")
@click.option("--text", metavar="TEXT", required=True, help="What happened. No name of a person concerned.")
@options.identity
@process.exit_with_status
def open_(
    *,
    version: int,
    category: str | None,
    aware_at: dt.datetime | None,
    role: str,
    owner: str | None,
    since: dt.datetime,
    until: dt.datetime | None,
    text: str,
    identity: str | None,
) -> int:
    """Open an incident in the ledger.

    Its deadlines follow from the policy. Needs the right `watch`.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import incidents, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        opening = incidents.Opening(
            version=version,
            category=category or incidents.SERIOUS,
            role="deployer" if role == "deployer" else "provider",
            aware_at=_utc(aware_at) or acting.now(),
            description=text,
            decisions_from=_utc(since) or acting.now(),
            decisions_until=_utc(until),
            owner=owner,
        )
        number = incidents.open_incident(acting, name, opening, _deadlines(root))
        for line in incidents.fold(acting.entries(name))[number].lines(acting.now()):
            process.echo(line)
    return ExitCode.PASS


@incident.command()
@_NUMBER
@click.option("--deadline", metavar="ID", help="Deadline that this report meets. Default: a note.")
@click.option("--complete", is_flag=True, help="It was the whole report. Default: a first one.")
@_CATEGORY
@_AWARE
@click.option("--until", type=options.TIME, metavar="TIME", help="Last affected decision. UTC.")
@click.option("--text", metavar="TEXT", required=True, help="What was reported, or is known now.")
@options.identity
@process.exit_with_status
def report(
    *,
    number: int,
    deadline: str | None,
    complete: bool,
    category: str | None,
    aware_at: dt.datetime | None,
    until: dt.datetime | None,
    text: str,
    identity: str | None,
) -> int:
    """Record a report on incident NUMBER, or a note.

    A new --category or --aware-at sets its deadlines again. Needs the right `watch`.
    """
    if complete and deadline is None:
        raise click.UsageError("--complete needs the --deadline that the report meets")
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import incidents, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        reported = incidents.report(
            acting,
            name,
            number,
            text,
            deadline=deadline,
            complete=complete,
            category=category,
            aware_at=_utc(aware_at),
            decisions_until=_utc(until),
            listed=_deadlines(root),
        )
        for line in reported.lines(acting.now()):
            process.echo(line)
    return ExitCode.PASS


@incident.command()
@_NUMBER
@click.option("--action", metavar="TEXT", required=True, help="What was corrected.")
@click.option("--statement", metavar="TEXT", required=True, help="Closing statement.")
@options.identity
@process.exit_with_status
def close(number: int, action: str, statement: str, identity: str | None) -> int:
    """Close incident NUMBER.

    Every report that is due must have been made. Needs the right `watch`.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import incidents, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        incidents.close(acting, name, number, corrective_action=action, statement=statement)
    process.echo(f"incident {number} of {name} is closed")
    return ExitCode.PASS


@incident.command("list")
@options.as_json
@process.exit_with_status
def list_(as_json: bool) -> int:
    """List incidents, open ones first.

    Exit status 3 if a report is overdue.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import incidents, session

    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        now = reader.now()
        listed = sorted(incidents.fold(reader.entries(name)).values(), key=lambda item: not item.is_open)
    if as_json:
        process.write_json([item.to_json(now) for item in listed])
    else:
        for item in listed:
            process.echo(item.lines(now)[0])
            for duty in item.overdue(now):
                process.echo(f"  OVERDUE since {duty.deadline.due}: report to {duty.deadline.to}")
        if not listed:
            process.echo(f"{name} has no incident")
    return ExitCode.REFUSED if any(item.overdue(now) for item in listed) else ExitCode.PASS


@incident.command()
@_NUMBER
@options.as_json
@process.exit_with_status
def show(number: int, as_json: bool) -> int:
    """Show incident NUMBER with its deadlines.

    Its evidence, reports and affected decisions too.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import faults, incidents, session

    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        now, known = reader.now(), incidents.fold(reader.entries(name))
    if number not in known:
        raise faults.NO_SUCH_INCIDENT(number=number)
    if as_json:
        process.write_json(known[number].to_json(now))
    else:
        for line in known[number].lines(now):
            process.echo(line)
    return ExitCode.PASS


@incident.command()
@_NUMBER
@options.identity
@click.option("--reason", metavar="TEXT", required=True, help="Reason, recorded in the log.")
@options.as_json
@process.exit_with_status
def decisions(number: int, identity: str | None, reason: str, as_json: bool) -> int:
    """List the decisions that incident NUMBER affects.

    Their ids and times, from the log of decisions. Who looked, and why, is recorded first. Needs the right to
    read.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import faults, incidents, inference_trail, session

    name = params.load(root / paths.PARAMS).name
    with inference_trail.opened(root) as log, session.open_session(root, identity) as acting:
        known = incidents.fold(acting.entries(name))
        if number not in known:
            raise faults.NO_SUCH_INCIDENT(number=number)
        affected = inference_trail.affected(acting, log, name, known[number], reason)
    if as_json:
        process.write_json([{"id": id_, "at": at} for id_, at in affected])
        return ExitCode.PASS
    for id_, at in affected:
        process.echo(f"{id_}  {at}")
    process.echo(f"{len(affected)} decisions")
    return ExitCode.PASS


def _utc(at: dt.datetime | None) -> dt.datetime | None:
    return at and at.replace(tzinfo=dt.UTC)


def _deadlines(root: Path) -> tuple[ReportDeadline, ...]:
    """The deadlines of the policy that is authorised for the project."""
    from clearance.promotion import monitoring_policy

    terms = monitoring_policy.terms(root)
    return () if terms is None else terms.deadlines


@click.command("plan")
@options.policy("Policy of the plan. Default: the one that is authorised.")
@options.as_of("Day of the plan. Default: today.")
@click.option("--output", type=options.FILE, metavar="FILE", help="Markdown file. Default: print it.")
@process.exit_with_status
def plan(policy_file: str | None, as_of: dt.datetime | None, output: Path | None) -> int:
    """Write the post-market monitoring plan.

    What the policy watches, how often, by whom and with which error budgets; what it leaves open.
    """
    root = process.enter_project()
    from clearance import files
    from clearance.policy import policy_file as policies
    from clearance.promotion import monitoring_policy
    from clearance.reporting.monitoring import monitoring_plan

    policy = policies.load(root / policy_file) if policy_file else monitoring_policy.policy(root)
    day = as_of.date() if as_of else dt.datetime.now(dt.UTC).date()
    text = monitoring_plan.markdown(policy, day)
    if output is None:
        process.echo_text(text)
    else:
        files.write_text(output, text)
        process.echo(f"plan: {output}")
    return ExitCode.PASS
