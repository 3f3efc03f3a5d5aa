"""Commands that watch the champion's decisions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from clearance import wording
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

_LISTED = 10
"""How many row numbers are printed."""


@click.command()
@click.option(
    "--since",
    type=options.DAY,
    metavar="DAY",
    help="Show looks from this day (or `yesterday`) on.",
)
@click.option("--until", type=options.DAY, metavar="DAY", help="Show looks at windows up to this day.")
@options.policy("Judge again under this policy; nothing is stored.")
@click.option("--page", type=options.FILE, metavar="FILE", help="Write the monitoring page (HTML).")
@click.option("--metrics", type=options.FILE, metavar="FILE", help="Write metrics for node_exporter.")
@click.option("--all", "every_finding", is_flag=True, help="Print every finding, not only what fails.")
@options.identity
@options.as_json
@process.exit_with_status
def monitor(
    *,
    since: dt.date | None,
    until: dt.date | None,
    policy_file: str | None,
    page: Path | None,
    metrics: Path | None,
    every_finding: bool,
    identity: str | None,
    as_json: bool,
) -> int:
    """Count new decisions and judge every window that is over.

    Exit status 3 if a rule fails, 4 if evidence is insufficient, 5 if nothing was evaluated. Missed windows
    are judged in order, once.
    """
    root = process.enter_project()
    from pathlib import Path

    from clearance.monitoring import overview, report, run
    from clearance.serving import access

    request = run.Request(
        since=since,
        until=until,
        policy=Path(policy_file) if policy_file else None,
    )
    asked = request != run.Request()
    result = run.run(root, request, features=access.load(root).features, identity=identity)
    overview.write(root, result, page=page, metrics=metrics, again=request.policy is not None)
    if as_json:
        process.write_json(
            {
                "model": result.model,
                "counted": result.counted,
                "outcome": str(result.outcome),
                "notes": list(result.notes),
                "consequences": list(result.consequences),
                "looks": [look.to_json() for look in result.looks],
            }
        )
    else:
        for line in report.lines(result, every_look=asked, every_finding=every_finding):
            process.echo(line)
    return result.outcome.exit_code


@click.group()
def labels() -> None:
    """Add what turned out to be true of decisions."""


@labels.command()
@click.argument("file", type=options.FILE)
@options.identity
@options.as_json
@process.exit_with_status
def add(file: Path, identity: str | None, as_json: bool) -> int:
    """Count the labels in a CSV or Parquet file.

    Columns: `decision` (an id) or `entity`, `label` (a value of the target), and perhaps `time`. The same
    label counts once; another one for the same decision corrects it.
    """
    root = process.enter_project()
    from clearance.monitoring import labels as labels_
    from clearance.monitoring import run
    from clearance.serving import access

    features = access.load(root).features
    with run.opened(root, features=features, identity=identity) as (opened, log):
        result = labels_.add(opened, log, file)
    if as_json:
        process.write_json(result.to_json())
        return ExitCode.PASS
    process.echo(
        f"{wording.counted(result.added, 'label')} added, {result.corrected} corrected, "
        f"{result.repeated} known already"
    )
    for rows, what in ((result.unknown, "of no decision on record"), (result.late, "too late to count")):
        if rows:
            listed = ", ".join(map(str, rows[:_LISTED])) + (", …" if len(rows) > _LISTED else "")
            process.echo(f"{wording.counted(len(rows), 'label')} {what}: row {listed}")
    return ExitCode.PASS
