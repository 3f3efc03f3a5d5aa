"""The commands by which people agree, and by which what they agreed to is checked: each starts one step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from clearance import cli, environment
from clearance.errors import ExitCode

DAY = click.DateTime(["%Y-%m-%d"])
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])
AS = click.option(
    "--as", "identity", help="Who acts; without it, CLEARANCE_IDENTITY, in the demo the machine."
)
REASON = click.option("--reason", required=True, help="Why; it is recorded and read by others.")


def join(main: click.Group) -> None:
    """Add the commands to the group."""
    deciding = (approve, reject, revoke, override, desk, promote, rollback, retire)
    for command in (*deciding, verify, reproduce, gc, ledger, history):
        main.add_command(command)


def _acts(identity: str | None) -> list[str]:
    return ["--as", identity] if identity else []


def _decision(kind: str, help_: str) -> click.Command:
    @click.command(kind, help=help_)
    @click.argument("version", type=int)
    @AS
    @REASON
    @cli.said
    def decide(version: int, identity: str | None, reason: str) -> int:
        return cli.effect("decide", kind, str(version), "--reason", reason, *_acts(identity), alone=False)

    return decide


approve = _decision("approve", "Agree that candidate VERSION may ship; the last approval needed promotes it.")
reject = _decision("reject", "Object to candidate VERSION: it does not ship until you revoke that.")
revoke = _decision("revoke", "Take back what you decided on candidate VERSION.")


@click.command()
@click.argument("version", type=int)
@AS
@REASON
@click.option("--until", type=DAY, required=True, help="The day on which it ends.")
@cli.said
def override(version: int, identity: str | None, reason: str, until: dt.datetime) -> int:
    """Let candidate VERSION ship for a time although its verdict is no pass; it takes two people."""
    more = ["--until", until.date().isoformat(), *_acts(identity)]
    return cli.effect("decide", "override", str(version), "--reason", reason, *more, alone=False)


@click.command()
@click.argument("version", type=int)
@cli.said
def promote(version: int) -> int:
    """Make candidate VERSION the champion, if its evidence holds and all agree who must."""
    return cli.effect("promote", str(version), alone=False)


@click.command()
@click.option("--to", type=int, help="The candidate's number; without it, the champion before this one.")
@AS
@REASON
@cli.said
def rollback(to: int | None, identity: str | None, reason: str) -> int:
    """Make an earlier champion the champion again."""
    more = (["--to", str(to)] if to is not None else []) + _acts(identity)
    return cli.effect("rollback", "rollback", "--reason", reason, *more, alone=False)


@click.command()
@AS
@REASON
@cli.said
def retire(identity: str | None, reason: str) -> int:
    """Let the model have no champion any more."""
    return cli.effect("rollback", "retire", "--reason", reason, *_acts(identity), alone=False)


@click.command()
@click.argument("what", required=False, default="")
@cli.said
def verify(what: str) -> int:
    """Check the champion, candidate WHAT or a bundle file: signature, digests, ledger, approvals."""
    return cli.effect("verify", *([what] if what else []), alone=False)


@click.command()
@click.argument("version", type=int)
@cli.said
def reproduce(version: int) -> int:
    """Build candidate VERSION again from git and DVC, and say what differs from its evidence."""
    return cli.effect("reproduce", str(version), alone=False)


@click.command()
@click.option("--remove", is_flag=True, help="Remove it; without this, it is only told.")
@click.option(
    "--remote", is_flag=True, help="At the default DVC remote too; nobody else may keep objects there."
)
@cli.said
def gc(remove: bool, remote: bool) -> int:
    """Find what is in DVC's cache and no registered version needs."""
    return cli.effect(
        "collect", *(["--remove"] if remove else []), *(["--remote"] if remote else []), alone=False
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8321, show_default=True)
@cli.said
def desk(host: str, port: int) -> NoReturn:
    """Take approvals over HTTP, by tokens of your identity provider, until stopped."""
    cli.become("clearance.approvals_api.service", "--host", host, "--port", str(port))


def reading(look: Callable[[Any], int]) -> int:
    """What `look` returns for the project's ledger and roles, opened to be read."""
    from clearance.promotion import session

    root = environment.project_root()
    environment.apply(root)
    with session.open_read_only(root) as found:
        return look(found)


@click.group()
def ledger() -> None:
    """Read the ledger: verify it, show it, export it; erase what is past its time."""


@ledger.command("verify")
@click.argument("export", required=False, type=click.Path(path_type=Path, exists=True))
@cli.said
def ledger_verify(export: Path | None) -> int:
    """Check every entry and every checkpoint, here or in the file EXPORT."""
    from clearance.ledger import export as exported

    def look(found: Any) -> int:
        report = found.audit() if export is None else exported.verify(export, found.opened)
        for line in (*report.findings, *report.notes):
            click.echo(str(line))
        told = f"{report.entries} entries, {report.checkpoints} checkpoints in {report.places} place(s)"
        click.echo(f"{'sound' if report.ok else 'NOT SOUND'}: {told}")
        return ExitCode.PASS if report.ok else ExitCode.ERROR

    return reading(look)


@ledger.command()
@click.option("--json", "plain", is_flag=True, help="One JSON object a line.")
@cli.said
def show(plain: bool) -> int:
    """Tell every entry in a sentence."""

    def look(found: Any) -> int:
        import json

        for each in found.entries():
            click.echo(json.dumps(each.to_json()) if plain else str(each))
        return ExitCode.PASS

    return reading(look)


@ledger.command("export")
@cli.said
def export_() -> int:
    """Write the ledger and its checkpoints as JSON lines, which `clearance ledger verify FILE` reads."""
    from clearance.ledger import export as exported
    from clearance.ledger import settings

    def look(found: Any) -> int:
        for line in exported.lines(found.book, settings.checkpoint_paths(found.root)):
            click.echo(line)
        return ExitCode.PASS

    return reading(look)


@ledger.command()
@AS
@click.option("--reason", help="Why; without it, what would be erased is only told.")
@cli.said
def erase(identity: str | None, reason: str | None) -> int:
    """Erase what is past the period for which the policy keeps it; digests and chain stay."""
    more = (["--reason", reason] if reason else []) + _acts(identity)
    return cli.effect("erase", *more, alone=False)


@click.command()
@click.option("--at", type=MOMENT, help="A day or a moment in UTC; without it, all of the model's champions.")
@cli.said
def history(at: dt.datetime | None) -> int:
    """Say who was champion, who allowed it, and on what evidence."""
    from clearance import ledger as book
    from clearance import params
    from clearance.promotion import version_record

    def look(found: Any) -> int:
        name = params.load(found.root / "params.yaml").name
        entries = found.entries(name)

        def said(reign: book.Tenure) -> str:
            return version_record.describe_tenure(entries, reign, demo=found.roles.demo)

        if at is None:
            told = [said(each) for each in book.tenures(entries, name)] or [f"{name} never had a champion."]
        else:
            reign = book.champion_at(entries, name, at.replace(tzinfo=dt.UTC))
            told = [said(reign) if reign else f"{name} had no champion then."]
        click.echo("\n".join(told))
        return ExitCode.PASS

    return reading(look)
