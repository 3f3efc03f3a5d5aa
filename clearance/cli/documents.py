"""Commands on the documents of a version: show its card, check what they say. They change nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from clearance import files
from clearance.cli import options, process
from clearance.errors import ExitCode

_FORMATS = ("text", "markdown", "html", "json", "cyclonedx", "huggingface", "sagemaker")


@click.command()
@click.argument("version", type=click.IntRange(1), required=False)
@options.at("Show it as of this time, by default now.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="The format.",
)
@click.option("--output", type=options.FILE, metavar="FILE", help="Write it to FILE instead of printing it.")
@process.exit_with_status
def card(version: int | None, at: dt.datetime | None, form: str, output: Path | None) -> int:
    """Show the model card of VERSION.

    Its signed part, and what the ledger has added until now or --at: approvals, overrides, use of the test
    set, champion history, incidents. Default: the champion, else the newest candidate.
    """
    root = process.enter_project()
    from clearance.documentation import version_card
    from clearance.reporting.card import formats

    composed = version_card.read(root, version, at if at is None else at.replace(tzinfo=dt.UTC))
    if form == "json":
        text = files.dumps(composed.card.to_json())
    else:
        text = formats.FORMATS[form].checked(composed.card, composed.known, composed.lock)
    if output is not None:
        files.write_text(output, text)
        process.echo(output)
    elif form == "text":
        process.echo_text(text)
    else:
        process.write_record(text.rstrip("\n"))
    return ExitCode.PASS


@click.command("check-documents")
@click.argument("version", type=click.IntRange(1), required=False)
@options.as_json
@process.exit_with_status
def check_documents(version: int | None, as_json: bool) -> int:
    """Derive every number of every document again.

    Of the last run, or of VERSION as it was signed: card, its formats, report, impact table and verdict. Exit
    status 3 when a document says something that its artefacts do not or an artefact is not what was recorded,
    5 when nothing has been run yet.
    """
    root = process.enter_project()
    from clearance.documentation import checking

    checked = checking.check_project(root) if version is None else checking.check_version(root, version)
    if as_json:
        process.write_json(checking.to_json(checked))
    else:
        for line in checking.lines(checked):
            process.echo(line)
    if not checked.documents:
        return ExitCode.NOT_EVALUATED
    return ExitCode.PASS if checked.holds else ExitCode.REFUSED
