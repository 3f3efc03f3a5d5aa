"""Commands on alerts: list, take, resolve, send."""

from __future__ import annotations

import click

from clearance.cli import options, process
from clearance.errors import ExitCode

_ID = click.argument("id_", metavar="ID")


@click.group()
def alerts() -> None:
    """List, take, resolve or send alerts."""


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="With those that are resolved.")
@options.as_json
@process.exit_with_status
def list_(everything: bool, as_json: bool) -> int:
    """List alerts with what was done about them.

    Exit status 3 if one is neither taken nor resolved.
    """
    root = process.enter_project()
    from clearance.monitoring import alerts as room
    from clearance.monitoring.alerts import alert as states

    listed = room.list_alerts(root, active=not everything)
    if as_json:
        process.write_json(
            [item.to_json() | {"intents": [stored.to_json() for stored in done]} for item, done in listed]
        )
    else:
        for item, done in listed:
            grade = "serious" if item.serious else "warning"
            process.echo(f"{item.id}  {item.state}  {grade}  version {item.version}  {item.rule}")
            for fact in item.facts:
                process.echo(f"  {fact}")
            process.echo(f"  decisions from {item.since} until {item.until}; failed looks: {item.looks}")
            for stored in done:
                process.echo(f"  {stored}")
        if not listed:
            process.echo("no alerts" if everything else "no active alerts")
    waits = any(item.state is states.State.OPEN and item.is_told for item, _ in listed)
    return ExitCode.REFUSED if waits else ExitCode.PASS


@alerts.command()
@_ID
@options.identity
@process.exit_with_status
def take(id_: str, identity: str | None) -> int:
    """Say that you look after alert ID.

    It is then neither repeated nor escalated; it is resolved when its rule no longer fails.
    """
    root = process.enter_project()
    from clearance.monitoring import alerts as room
    from clearance.promotion import session

    with session.open_session(root, identity) as acting:
        person = acting.acting.person.identity
    taken = room.take(root, id_, person)
    process.echo(f"{person} looks after {taken.id} ({taken.rule})")
    return ExitCode.PASS


@alerts.command()
@_ID
@options.identity
@options.reason()
@process.exit_with_status
def resolve(id_: str, identity: str | None, reason: str) -> int:
    """Resolve alert ID by hand.

    What was held or stopped stays so: `clearance decisions resume` ends that.
    """
    root = process.enter_project()
    from clearance.monitoring import alerts as room
    from clearance.promotion import faults, session

    faults.ensure_reason(reason)
    with session.open_session(root, identity) as acting:
        person = acting.acting.person.identity
    resolved = room.resolve(root, id_, f"{person}: {reason}")
    process.echo(f"{resolved.id} ({resolved.rule}) is resolved")
    return ExitCode.PASS


@alerts.command()
@process.exit_with_status
def send() -> int:
    """Send what waits, repeat and escalate.

    Also raises alerts for permissions that end and reports that are late. Run it every few minutes. Exit
    status 75 if something could not be done and waits.
    """
    root = process.enter_project()
    from clearance.monitoring import alerts as room

    reaction = room.attend(root)
    for line in reaction.lines():
        process.echo(line)
    return ExitCode.TRANSIENT if reaction.failed else ExitCode.PASS
