"""Commands that read verdicts and policies. They change nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from clearance import environment, paths
from clearance.cli import options, process
from clearance.errors import ExitCode


@click.command()
@click.option(
    "--markdown", is_flag=True, help="Print Markdown with a table of all findings, for a CI summary."
)
@process.exit_with_status
def verdict(markdown: bool) -> int:
    """Print the last verdict.

    Exit status: 0 pass, 3 refused, 4 insufficient evidence, 5 not evaluated.
    """
    from clearance.documents.verdict_document import VerdictDocument
    from clearance.reporting import summary

    root = environment.project_root()
    document = VerdictDocument.read(root)
    if markdown:
        process.echo_text(summary.markdown(document, root))
    else:
        process.echo(summary.title(document))
        for line in (*summary.reasons(document), *summary.test_uses(root, document)):
            process.echo(f"  {line}")
    return document.verdict.exit_code


@click.command()
@click.option(
    "--policy",
    "file",
    type=options.FILE,
    metavar="FILE",
    help="Policy to judge under. Default: the project's.",
)
@click.option(
    "--as-of",
    type=options.DATE,
    metavar="DATE",
    help="Judge by the rules in force on this day (YYYY-MM-DD). Default: the project's.",
)
@process.exit_with_status
def judge(file: Path | None, as_of: dt.datetime | None) -> int:
    """Judge existing evidence under another policy or date.

    A what-if: nothing is changed or released. The exit status is that of `clearance verdict`.
    """
    from clearance import library
    from clearance.documents.verdict_document import VerdictDocument
    from clearance.reporting import headline, summary

    day = None if as_of is None else as_of.date()
    document = VerdictDocument.from_json(library.what_if(Path.cwd(), policy=file, as_of=day))
    process.echo(summary.title(document))
    process.echo(f"  {headline.sentence(document)}")
    process.echo("")
    for line in summary.findings(document):
        process.echo(line)
    return document.verdict.exit_code


@click.group()
def policy() -> None:
    """Validate and explain policies."""


@policy.command()
@click.argument("file", type=options.FILE)
@click.option(
    "--as-of",
    type=options.DATE,
    metavar="DATE",
    help="Check its dates as of this day (YYYY-MM-DD). Default: today.",
)
@process.exit_with_status
def check(file: Path, as_of: dt.datetime | None) -> int:
    """Validate the policy in FILE.

    Lists rules that have expired or are not yet in force, and settings that are probably a mistake.
    """
    from clearance.policy import policy_file
    from clearance.reporting import explain_rule

    book = policy_file.load(file)
    day = dt.datetime.now(dt.UTC).date() if as_of is None else as_of.date()
    process.echo(f"valid: policy {book.id}, version {book.version} ({book.title}), rules: {len(book.rules)}")
    for caution in explain_rule.cautions(book, day):
        process.echo(f"warning: {caution}")
    return ExitCode.PASS


@policy.command()
@click.argument("rule")
@click.option(
    "--policy",
    "file",
    type=options.FILE,
    metavar="FILE",
    help="Policy that contains the rule. Default: the project's.",
)
@process.exit_with_status
def explain(rule: str, file: Path | None) -> int:
    """Explain RULE in plain words.

    What it measures, its limit, how it decides, its source and how well the source is established.
    """
    from clearance import params
    from clearance.policy import policy_file
    from clearance.reporting import explain_rule

    if file is None:
        root = environment.project_root()
        file = root / params.load(root / paths.PARAMS).policy.file
    first, *others = explain_rule.explain(policy_file.load(file), rule)
    for line in (first, *(f"  {line}" for line in others)):
        process.echo(line)
    return ExitCode.PASS


@policy.command("schema")
@process.exit_with_status
def schema_() -> int:
    """Print the JSON Schema of policy files, for an editor."""
    from clearance.policy import schema

    process.echo_text(schema.json_schema())
    return ExitCode.PASS
