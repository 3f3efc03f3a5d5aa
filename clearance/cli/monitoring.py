"""Commands that watch the champion's decisions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from clearance import wording
from clearance.cli import options, process

if TYPE_CHECKING:
    from pathlib import Path

    from clearance.documents.look_document import Look
    from clearance.monitoring.run import MonitorRun


@click.command()
@click.option("--since", type=options.DATE, metavar="DAY", help="Show looks at windows from this day on.")
@click.option("--until", type=options.DATE, metavar="DAY", help="Show looks at windows up to this day.")
@options.policy("Judge again under this policy; nothing is stored.")
@click.option("--page", type=options.FILE, metavar="FILE", help="Write the monitoring page (HTML).")
@click.option("--metrics", type=options.FILE, metavar="FILE", help="Write metrics for node_exporter.")
@options.identity
@options.as_json
@process.exit_with_status
def monitor(
    *,
    since: dt.datetime | None,
    until: dt.datetime | None,
    policy_file: str | None,
    page: Path | None,
    metrics: Path | None,
    identity: str | None,
    as_json: bool,
) -> int:
    """Count new decisions and judge every window that is over.

    Exit status 3 if a rule fails, 4 if evidence is insufficient, 5 if nothing was evaluated. Missed windows
    are judged in order, once.
    """
    root = process.enter_project()
    from pathlib import Path

    from clearance.monitoring import run
    from clearance.serving import access

    request = run.Request(
        since=since.date() if since else None,
        until=until.date() if until else None,
        policy=Path(policy_file) if policy_file else None,
    )
    result = run.run(root, request, features=access.load(root).features, identity=identity)
    _write(root, result, page, metrics, judged_again=request.policy is not None)
    if as_json:
        process.write_json(
            {
                "model": result.model,
                "counted": result.counted,
                "outcome": str(result.outcome),
                "notes": list(result.notes),
                "looks": [look.to_json() for look in result.looks],
            }
        )
    else:
        _show(result)
    return result.outcome.exit_code


def _write(
    root: Path, result: MonitorRun, page: Path | None, metrics: Path | None, *, judged_again: bool
) -> None:
    """Write what was asked for: the page of the looks on record, or of those judged again; the metrics."""
    if page is None and metrics is None:
        return
    from clearance import files
    from clearance.monitoring import faults, overview
    from clearance.monitoring import metrics as monitor_metrics
    from clearance.monitoring.overview import Subject
    from clearance.promotion import session
    from clearance.reporting import monitoring_page

    if result.terms is None:
        raise faults.NO_TERMS(policy=f"the policy of version {result.newest.version}")
    subject = Subject(root=root, key=result.newest, terms=result.terms)
    with session.open_read_only(root) as reader:
        entries = reader.entries(result.model)
    now = dt.datetime.now(dt.UTC)
    if page is not None:
        looks = result.looks if judged_again else None
        files.write_text(page, monitoring_page.render(overview.page(subject, entries, now, looks)))
    if metrics is not None:
        monitor_metrics.write(metrics, overview.watch(subject, entries, now))


def _show(result: MonitorRun) -> None:
    process.echo(f"{wording.counted(result.counted, 'new decision')} of {result.model} counted")
    for look in result.looks:
        _show_look(look)
    for note in result.notes:
        process.echo(f"note: {note}")
    if not result.looks:
        process.echo("No window is over yet.")


def _show_look(look: Look) -> None:
    from clearance.documents.measurement import Outcome

    rows = wording.counted(look.rows, "decision")
    name = look.window.start[: 7 if look.window.period == "month" else 10]
    labels = ", rules on labels" if look.basis in ("labels", "unlabelled") else ""
    process.echo(f"{look.window.period} {name}, version {look.version}, {rows}{labels}: {look.outcome}")
    quiet = 0
    for finding in look.findings:
        if finding.outcome is Outcome.PASS:
            quiet += 1
        else:
            process.echo(f"  {finding.outcome}: {finding.reason}")
    if quiet:
        process.echo(f"  {wording.counted(quiet, 'finding')} kept the limit")
    for note in look.notes:
        process.echo(f"  note: {note}")
