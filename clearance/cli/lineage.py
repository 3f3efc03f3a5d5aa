"""The command that shows what a model was made of. It changes nothing."""

from __future__ import annotations

import datetime as dt

import click

from clearance.cli import options, process
from clearance.errors import ExitCode


@click.command()
@click.option("--column", metavar="COLUMN", help="Only the way of this column from the source to the model.")
@click.option(
    "--version",
    type=int,
    metavar="VERSION",
    help="Of this candidate, by its signed evidence. Default: of the present files.",
)
@options.at("Of the version that was champion then.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "json"]),
    default="text",
    help="How to print it. Default: text.",
)
@process.exit_with_status
def lineage(column: str | None, version: int | None, at: dt.datetime | None, form: str) -> int:
    """Show what a model was made of.

    Source, tables, model and verdict with their digests, and the steps between them. Exit status 1 if a file
    is not what was recorded.
    """
    if version is not None and at is not None:
        raise click.UsageError("give --version or --at, not both")
    root = process.enter_project()
    from clearance.lineage import composition, graph

    if version is None and at is None:
        made = composition.of_project(root)
    else:
        from clearance.promotion import version_composition

        number = version if at is None else version_composition.champion_at(root, at)
        made = version_composition.of_version(root, int(number or 0))
    ways = None if column is None else graph.column_ways(made, column)
    if form == "json":
        process.write_json(graph.to_json(made, ways))
        return ExitCode.PASS
    for line in (graph.text if form == "text" else graph.mermaid)(made, ways):
        process.echo(line)
    return ExitCode.PASS
