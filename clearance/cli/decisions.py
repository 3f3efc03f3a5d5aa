"""Commands on the log of decisions that a server makes."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal

import click

from clearance import paths, wording
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.promotion.session import ReadOnlySession

_VERSION = click.option(
    "--version", type=click.IntRange(1), metavar="N", help="Candidate. Default: the champion."
)
_WHY = click.option("--reason", metavar="TEXT", help="Reason, recorded in the log. Required with --yes.")


@click.group()
def decisions() -> None:
    """Read recorded decisions, or stop new ones."""


@decisions.command()
@options.as_json
@process.exit_with_status
def verify(as_json: bool) -> int:
    """Verify every recorded decision.

    Against its hash chain, what the ledger sealed, and the log's key file where it is. Exit status 1 if it
    fails.
    """
    root = process.enter_project()
    from clearance.promotion import inference_trail, session

    with session.open_read_only(root) as reader:
        report = inference_trail.verify(reader)
    if as_json:
        process.write_json(report.to_json())
        return ExitCode.PASS if report.ok else ExitCode.ERROR
    for finding in report.findings:
        process.echo(finding)
    records = f"{wording.counted(report.records, 'record')}, {wording.counted(report.segments, 'segment')}"
    if not report.authenticated:
        process.echo("note: the key file is not here; who wrote what after the last seal is not verified")
    sealed = f"sealed up to record {report.sealed}" if report.sealed else "nothing is sealed yet"
    process.echo(f"{'sound' if report.ok else 'FAILED'}: {records}; {sealed}")
    return ExitCode.PASS if report.ok else ExitCode.ERROR


@decisions.command()
@click.argument("id_", metavar="ID")
@options.identity
@click.option("--reason", metavar="TEXT", required=True, help="Reason, recorded in the log.")
@options.as_json
@process.exit_with_status
def show(id_: str, identity: str | None, reason: str, as_json: bool) -> int:
    """Show a recorded decision.

    Who reads it, and why, is recorded first. Needs the right to read.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.inference_log import records
    from clearance.promotion import inference_trail, session

    name = params.load(root / paths.PARAMS).name
    with inference_trail.opened(root) as log, session.open_session(root, identity) as acting:
        stored = inference_trail.show(acting, log, name, id_, reason)
    document = records.to_json(stored.record) | {
        "sequence": stored.receipt.sequence,
        "recorded": stored.receipt.at,
        "hash": stored.receipt.hash,
    }
    if as_json:
        process.write_json(document)
        return ExitCode.PASS
    width = max(map(len, document))
    for field, value in document.items():
        process.echo(f"{field:{width}}  {_shown(value)}")
    return ExitCode.PASS


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@decisions.command()
@click.argument("subject", metavar="SUBJECT")
@options.identity
@_WHY
@options.yes
@process.exit_with_status
def erase(subject: str, identity: str | None, reason: str | None, yes: bool) -> int:
    """Erase the personal content about a subject.

    Destroys their key, for good; the log still verifies. Without --yes it only shows what it would erase.
    """
    if yes and not reason:
        raise click.UsageError("--yes needs a --reason, which the log records.")
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import inference_trail, session

    name = params.load(root / paths.PARAMS).name
    with inference_trail.opened(root) as log:
        if yes:
            with session.open_session(root, identity) as acting:
                erasure = inference_trail.erase(acting, log, name, subject, str(reason))
        else:
            erasure = inference_trail.erasable(root, log, name, subject)
    records = wording.counted(erasure.count, "record")
    if erasure.receipt is not None:
        process.echo(f"Erased the content of {records} (record {erasure.receipt.sequence} says so).")
        return ExitCode.PASS
    process.echo(f"{records}, the latest of {erasure.latest}. Repeat with --reason TEXT --yes to erase.")
    if erasure.kept_until is not None:
        process.echo(f"The policy keeps the latest until {erasure.kept_until}.")
    return ExitCode.PASS


@decisions.command()
@options.identity
@_WHY
@options.yes
@process.exit_with_status
def expire(identity: str | None, reason: str | None, yes: bool) -> int:
    """Delete decisions past every retention period.

    The policy sets the periods; the ledger records the deletion. Without --yes it only shows what it would
    delete.
    """
    if yes and not reason:
        raise click.UsageError("--yes needs a --reason, which the ledger records.")
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import inference_trail, session

    name = params.load(root / paths.PARAMS).name
    with inference_trail.opened(root) as log:
        if yes:
            with session.open_session(root, identity) as acting:
                due = inference_trail.delete_expired(acting, log, name, str(reason))
        else:
            with session.open_read_only(root) as reader:
                due = inference_trail.due(reader, log, name)
    if due is None:
        process.echo("No decisions are past every retention period.")
        return ExitCode.PASS
    last = due.segments[-1].last
    records = wording.counted(last - due.segments[0].first + 1, "record")
    if yes:
        process.echo(f"Deleted {records}, up to record {last}.")
    else:
        process.echo(f"{records} up to record {last}. Repeat with --reason TEXT --yes to delete.")
    return ExitCode.PASS


@decisions.command()
@options.identity
@click.option("--all", "everything", is_flag=True, help="Seal what does not fill a segment as well.")
@process.exit_with_status
def seal(identity: str | None, everything: bool) -> int:
    """Seal recorded decisions into the ledger.

    The policy says how many make a segment, and after how long a shorter one is sealed.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import inference_trail, session

    name = params.load(root / paths.PARAMS).name
    with inference_trail.opened(root) as log, session.open_session(root, identity) as acting:
        new = inference_trail.seal(acting, log, name, everything=everything)
    for segment in new:
        process.echo(f"sealed records {segment.first} to {segment.last} (ledger entry {segment.entry})")
    if not new:
        process.echo("Nothing to seal.")
    return ExitCode.PASS


@decisions.command()
@options.identity
@options.reason()
@_VERSION
@process.exit_with_status
def hold(version: int | None, identity: str | None, reason: str) -> int:
    """Have a person review every new decision.

    Servers mark each answer within seconds. Needs the right `watch`.
    """
    return _restrict(version, "hold", identity, reason)


@decisions.command()
@options.identity
@options.reason()
@_VERSION
@process.exit_with_status
def stop(version: int | None, identity: str | None, reason: str) -> int:
    """Stop new decisions.

    Servers refuse them within seconds, until `clearance decisions resume`. Needs the right `watch`.
    """
    return _restrict(version, "stop", identity, reason)


def _restrict(version: int | None, mode: Literal["hold", "stop"], identity: str | None, reason: str) -> int:
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import restrictions, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        number = version or _champion(acting, name)
        entry = restrictions.restrict(acting, name, number, mode, reason)
    process.echo(f"version {number} of {name}: {mode} (ledger entry {entry}); servers follow within seconds")
    return ExitCode.PASS


@decisions.command()
@options.identity
@options.reason()
@_VERSION
@process.exit_with_status
def resume(version: int | None, identity: str | None, reason: str) -> int:
    """Let a held or stopped version decide again.

    Ends every restriction that is in force. Needs the right `promote`.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import restrictions, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        number = version or _champion(acting, name)
        ended = restrictions.resume(acting, name, number, reason)
    process.echo(f"version {number} of {name} decides again; ended: {ended.names}")
    return ExitCode.PASS


@decisions.command()
@_VERSION
@options.as_json
@process.exit_with_status
def restriction(version: int | None, as_json: bool) -> int:
    """Show what holds or stops a version.

    Exit status 3 if it is stopped.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import restrictions, session

    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        number = version or _champion(reader, name)
        present = restrictions.find(reader.entries(name), number)
    if as_json:
        process.write_json(present and dataclasses.asdict(present))
    for line in [] if as_json else present.lines() if present else [f"version {number} decides freely"]:
        process.echo(line)
    return ExitCode.REFUSED if present is not None and present.stops else ExitCode.PASS


def _champion(session: ReadOnlySession, name: str) -> int:
    """The number of the champion. Raises ConfigurationError where there is none."""
    from clearance.promotion import faults, version_record

    tenure = version_record.champion(session.entries(name), name)
    if tenure is None:
        raise faults.NO_CHAMPION_TO_RESTRICT(name=name)
    return tenure.version
