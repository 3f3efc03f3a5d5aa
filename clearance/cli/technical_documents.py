"""Commands that write what auditors read about a version: technical file, compliance matrix, differences."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = click.argument("version", type=click.IntRange(1), required=False)
_AT = options.at("As of this time, by default now.")
_OUTPUT = click.option(
    "--output", type=options.FILE, metavar="FILE", help="File to write. Default: print it."
)


_MOST_SHOWN = 20


def _format(*names: str) -> options.Decorator:
    return click.option(
        "--format", "form", type=click.Choice(names), default=names[0], show_default=True, help="Format."
    )


@click.command("technical-file")
@_VERSION
@_AT
@_format("text", "markdown", "html", "json")
@_OUTPUT
@click.option(
    "--check", "stored", type=options.FILE, metavar="FILE", help="Check a JSON FILE written earlier."
)
@process.exit_with_status
def technical_file(
    *, version: int | None, at: dt.datetime | None, form: str, output: Path | None, stored: Path | None
) -> int:
    """Write the technical file of candidate VERSION.

    After Annex IV of the EU AI Act, from the signed evidence, the ledger and card.yaml. Default: the
    champion, else the last candidate. A gap says how to fill it. With --check, derive every sentence of a
    file again: exit status 3 if one does not hold.
    """
    if stored is not None and (version is not None or at is not None):
        raise click.UsageError("--check reads version and time from FILE")
    root = process.enter_project()
    if stored is not None:
        return _check(root, stored)
    from clearance import files
    from clearance.documentation import technical_file as technical_files
    from clearance.reporting.technical_file import render

    document = technical_files.read(root, version, at)
    makers = {"text": render.text, "markdown": render.markdown, "html": render.html}
    content = files.dumps(document.to_json()) if form == "json" else makers[form](document)
    return _write(content, form, output)


@click.command("compliance")
@_VERSION
@_AT
@_format("text", "markdown", "csv", "json")
@_OUTPUT
@process.exit_with_status
def compliance(version: int | None, at: dt.datetime | None, form: str, output: Path | None) -> int:
    """Write the compliance matrix of candidate VERSION.

    Each rule and dated term of its policy with its source and how sure that is, the evidence and the result,
    and whether it is in force that day. Default: the champion, else the last candidate.
    """
    root = process.enter_project()
    from clearance import files
    from clearance.documentation import technical_file as technical_files
    from clearance.documents import codec
    from clearance.reporting.technical_file import compliance as matrices
    from clearance.reporting.technical_file import render

    section = technical_files.matrix(root, version, at)
    content = {
        "text": lambda: render.section_text(section),
        "markdown": lambda: render.section_markdown(section),
        "csv": lambda: matrices.to_csv(section.tables),
        "json": lambda: files.dumps(codec.write(section)),
    }[form]()
    return _write(content, form, output)


def _check(root: Path, stored: Path) -> int:
    from clearance import files
    from clearance.documentation import technical_file as technical_files
    from clearance.documents.technical_file_document import TechnicalFile

    document = TechnicalFile.from_json(files.read_json(stored), str(stored))
    problems = technical_files.check_stored(root, document)
    for problem in problems[:_MOST_SHOWN]:
        process.echo(problem)
    if len(problems) > _MOST_SHOWN:
        process.echo(f"and {len(problems) - _MOST_SHOWN} more")
    if not problems:
        process.echo(f"all holds: {document.name} version {document.version} as of {document.at}")
    return ExitCode.REFUSED if problems else ExitCode.PASS


def _write(content: str, form: str, output: Path | None) -> int:
    """Print the content, or write it to a file."""
    from clearance import files

    if output is not None:
        files.write_text(output, content)
        process.echo(f"written: {output}")
    elif form == "text":
        process.echo_text(content)
    else:
        process.write_record(content.removesuffix("\n"))
    return ExitCode.PASS


@click.command("diff")
@click.argument("first", metavar="A", type=click.IntRange(1))
@click.argument("second", metavar="B", type=click.IntRange(1), required=False)
@_format("text", "markdown", "json")
@_OUTPUT
@process.exit_with_status
def diff(first: int, second: int | None, form: str, output: Path | None) -> int:
    """List what differs between the candidates A and B.

    Data, parameters, policy, metrics, fairness, explanation, environment and code, from the signed evidence
    of both. Outcomes of rules that changed come first. Default for B: the champion.
    """
    root = process.enter_project()
    from clearance import files
    from clearance.documentation import compare_versions
    from clearance.documents import codec
    from clearance.reporting import version_diff

    found = compare_versions.compare(root, first, second)
    makers = {"text": version_diff.text, "markdown": version_diff.markdown}
    content = files.dumps(codec.write(found)) if form == "json" else makers[form](found)
    return _write(content, form, output)
