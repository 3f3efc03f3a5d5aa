"""Commands that keep a checkout and its DVC cache in order."""

from __future__ import annotations

import click

from clearance import run_lock
from clearance.cli import options, process
from clearance.errors import ExitCode


@click.command()
@process.exit_with_status
def repair() -> int:
    """Remove files whose digest differs from dvc.lock.

    Checks outputs and their objects in the DVC cache. The next run restores or rebuilds what was removed.
    Inputs are never touched.
    """
    root = process.enter_project()
    from clearance.versioning import repair as repairs

    with run_lock.hold(root):
        for path in repairs.repair_checkout(root):
            process.echo(repairs.describe_removed(path, root))
    return ExitCode.PASS


@click.command()
@click.option(
    "--remote",
    is_flag=True,
    help="Also clean the default DVC remote. Use it only if no other project keeps objects there.",
)
@options.yes
@process.exit_with_status
def gc(remote: bool, yes: bool) -> int:
    """Remove cache objects that no registered version needs.

    Without --yes it only shows what it would remove. `dvc gc` would also remove what old versions need.
    """
    root = process.enter_project()
    from clearance import registry
    from clearance.promotion import needed_objects, session
    from clearance.versioning import cache_gc

    with session.open_read_only(root) as reader:
        needed = needed_objects.find_needed(reader, registry.connect())
    reports = cache_gc.collect_garbage(root, needed, at_remote=remote, dry=not yes)
    for report in reports:
        process.echo(report)
    if not yes and any(report.objects for report in reports):
        process.echo("Nothing was removed. Repeat with --yes to remove it.")
    return ExitCode.PASS
