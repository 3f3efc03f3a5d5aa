"""Commands that read the ledger, and the one that erases from it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clearance import foreign_text, paths
from clearance.cli import options, process
from clearance.errors import ExitCode


@click.group()
def ledger() -> None:
    """Verify, show, export or erase ledger entries."""


@ledger.command()
@click.argument("export", required=False, type=click.Path(path_type=Path, exists=True), metavar="[FILE]")
@options.as_json
@process.exit_with_status
def verify(export: Path | None, as_json: bool) -> int:
    """Verify every entry and every checkpoint.

    Verifies the project's ledger, or an export in FILE. Exit status 1 if it fails.
    """
    root = process.enter_project()
    from clearance.ledger import export as exports
    from clearance.promotion import session

    with session.open_read_only(root) as reader:
        report = reader.audit() if export is None else exports.verify(export, reader.verify_envelope)
    if as_json:
        process.write_json(report.to_json())
        return ExitCode.PASS if report.ok else ExitCode.ERROR
    for line in (*report.findings, *report.voids, *report.notes):
        process.echo(line)
    process.echo(f"{'sound' if report.ok else 'FAILED'}: {report.counts}")
    return ExitCode.PASS if report.ok else ExitCode.ERROR


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@process.exit_with_status
def show(as_json: bool) -> int:
    """Print every ledger entry; of those that are void, why."""
    root = process.enter_project()
    from clearance.ledger import entries as entries_of
    from clearance.promotion import session

    with session.open_read_only(root) as reader:
        voids = reader.voids()
        for entry in entries_of(reader.book):
            void = voids.get(entry.number)
            if as_json:
                process.echo(json.dumps(entry.to_json() | {"void": void and void.why}))
            else:
                process.echo(f"{entry} Void: {void.why}." if void else entry)
    return ExitCode.PASS


@ledger.command("export")
@process.exit_with_status
def export_() -> int:
    """Print the ledger and its checkpoints as JSON lines.

    `clearance ledger verify FILE` verifies them.
    """
    root = process.enter_project()
    from clearance.ledger import export as exports
    from clearance.ledger import settings
    from clearance.promotion import session

    with session.open_read_only(root) as reader:
        for line in exports.lines(reader.book, settings.checkpoint_paths(root)):
            process.write_record(line)
    return ExitCode.PASS


@ledger.command()
@options.identity
@options.reason(required=False, note="Required with --yes.")
@options.yes
@process.exit_with_status
def erase(identity: str | None, reason: str | None, yes: bool) -> int:
    """Erase entries past their retention period.

    The policy sets the period. Digests and the chain stay, so the ledger still verifies. Without --yes it
    only shows what it would erase.
    """
    if yes and not (reason and foreign_text.is_visible(reason)):
        raise click.UsageError("--yes needs a --reason, which the ledger records.")
    root = process.enter_project()
    from clearance import params
    from clearance.promotion import erase as erasure
    from clearance.promotion import session

    name = params.load(root / paths.PARAMS).name
    years = erasure.retention_years(root, name)
    if yes:
        with session.open_session(root, identity) as acting:
            entries = erasure.erase(acting, name, years, str(reason))
    else:
        with session.open_read_only(root) as reader:
            entries = erasure.due_entries(reader.entries(name), name, years, reader.now().date())
    for entry in entries:
        process.echo(entry)
    number = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    if not entries:
        process.echo("No entries are past their retention period.")
    elif yes:
        process.echo(f"Erased {number}.")
    else:
        process.echo(f"{number} past the retention period. Repeat with --reason TEXT --yes to erase.")
    return ExitCode.PASS
