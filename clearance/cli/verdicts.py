"""Commands that read verdicts and policies. They change nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearance import environment, paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.params.data_contract import DataContract


@click.command()
@click.option(
    "--markdown", is_flag=True, help="Print Markdown with a table of all findings, for a CI summary."
)
@options.as_json
@process.exit_with_status
def verdict(markdown: bool, as_json: bool) -> int:
    """Print the last verdict, if it still holds.

    In a terminal, with a table of all findings. Exit status: 0 pass, 3 refused, 4 insufficient evidence, 5
    not evaluated, or stale: a file, a parameter or the policy has changed since.
    """
    from clearance.reporting import current_verdict, summary

    root = environment.project_root()
    current = current_verdict.read(root)
    if as_json:
        process.write_json(current.to_json())
        return current.exit_code
    if markdown:
        process.echo_text(current_verdict.markdown(current, root))
        return current.exit_code
    process.echo(current.title)
    document, lines = current.document, list(current.change)
    if not current.is_stale:
        lines = [*summary.reasons(document), *summary.overrides(document)]
        lines += [*summary.data_warnings(root), *summary.counts(root, document)]
    for line in lines:
        process.echo(f"  {line}")
    if sys.stdout.isatty() and not current.is_stale:
        from clearance.cli import verdict_table

        process.show_table(verdict_table.table(summary.rows(document)))
    return current.exit_code


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@process.exit_with_status
def report(opens: bool) -> int:
    """Say where the report of the last verdict is.

    Exit status 1 if there is none, 5 if it is stale: a file, a parameter or the policy has changed since.
    """
    from clearance.reporting import current_verdict, faults

    root = environment.project_root()
    page = root / paths.REPORT_PAGE
    if not page.is_file():
        raise faults.NO_REPORT(path=paths.REPORT_PAGE)
    current = current_verdict.read(root)
    process.echo(page)
    for line in (current.title, *current.change) if current.is_stale else ():
        process.echo(line, err=True)
    if opens and click.launch(page.as_uri()) != 0:
        process.echo("no browser could be started: open the file yourself", err=True)
    return current.exit_code if current.is_stale else ExitCode.PASS


@click.command()
@click.argument("version", type=int, required=False)
@options.at("Show what was recorded by this time.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option("--output", type=options.FILE, metavar="FILE", help="Write the page here.")
@process.exit_with_status
def show(version: int | None, at: dt.datetime | None, opens: bool, output: Path | None) -> int:
    """Write the page of a version.

    Its report, and what happened since. Of candidate VERSION; without it, of the champion, else of the last
    candidate. The evidence is fetched and verified. Prints where the page is.
    """
    root = process.enter_project()
    from clearance import files
    from clearance.documentation import version_page

    composed = version_page.compose(root, version, at)
    page = output or root / paths.STATE / f"version-{composed.version}.html"
    files.write_text(page, composed.html)
    process.echo(page)
    if opens and click.launch(page.absolute().as_uri()) != 0:
        process.echo("no browser could be started: open the file yourself", err=True)
    return ExitCode.PASS


@click.command()
@options.policy("Policy to judge under. Default: the project's.")
@options.as_of("Judge by the rules in force on this day (YYYY-MM-DD). Default: the project's.")
@options.as_json
@process.exit_with_status
def judge(policy_file: str | None, as_of: dt.datetime | None, as_json: bool) -> int:
    """Judge existing evidence under another policy or date.

    A what-if: nothing is changed or released. The exit status is that of `clearance verdict`.
    """
    from clearance import library
    from clearance.documents.verdict_document import VerdictDocument
    from clearance.reporting import headline, summary

    day = None if as_of is None else as_of.date()
    content = library.what_if(Path.cwd(), policy=policy_file, as_of=day)
    document = VerdictDocument.from_json(content)
    if as_json:
        process.write_json(content)
        return document.verdict.exit_code
    process.echo(summary.title(document))
    process.echo(f"  {headline.sentence(document)}")
    process.echo("")
    for line in summary.findings(document):
        process.echo(line)
    return document.verdict.exit_code


@click.command("contract")
@click.argument("version", type=int, required=False)
@options.as_json
@process.exit_with_status
def contract_(version: int | None, as_json: bool) -> int:
    """Print the data contract: the question a model answers.

    Of candidate VERSION, else of params.yaml. Exit status 3 unless policies/authorised.yaml pins it.
    """
    root = process.enter_project()
    from clearance import params
    from clearance.params import data_contract
    from clearance.policy import authorised

    settings = params.load(root / paths.PARAMS)
    agreed = authorised.find(root, settings.name)
    declared = data_contract.of(settings) if version is None else _contract_of(root, settings.name, version)
    pinned = agreed is not None and declared.digest in agreed.contracts
    if as_json:
        fields = dataclasses.asdict(declared)
        process.write_json({"sha256": declared.digest, "pinned": pinned, "contract": fields})
        return ExitCode.PASS if pinned else ExitCode.REFUSED
    for line in data_contract.describe(declared):
        process.echo(line)
    process.echo("")
    if pinned:
        process.echo(f"pinned in {authorised.FILE}: {declared.digest}")
        return ExitCode.PASS
    process.echo(f"not pinned. To agree to it, commit in {authorised.FILE}: contracts: [{declared.digest}]")
    return ExitCode.REFUSED


def _contract_of(root: Path, name: str, version: int) -> DataContract:
    """The data contract of a candidate, as its signed evidence has it."""
    from clearance import registry
    from clearance.params import data_contract
    from clearance.promotion import candidate, session, version_record

    with session.open_read_only(root) as reader:
        record = version_record.fold(reader.entries(name), name, version, reader.roles)
        with candidate.open_verified(reader, registry.connect(), record) as verified:
            return data_contract.of(verified.settings)


@click.group()
def policy() -> None:
    """Validate and explain policies."""


@policy.command()
@click.argument("file", type=options.FILE)
@options.as_of("Check its dates as of this day (YYYY-MM-DD). Default: today.")
@options.as_json
@process.exit_with_status
def check(file: Path, as_of: dt.datetime | None, as_json: bool) -> int:
    """Validate the policy in FILE.

    Lists rules that have expired or are not yet in force, and settings that are probably a mistake.
    """
    from clearance import library
    from clearance.reporting import explain_rule

    rulebook = library.load_policy(file)
    day = dt.datetime.now(dt.UTC).date() if as_of is None else as_of.date()
    if as_json:
        cautions = list(explain_rule.cautions(rulebook, day))
        process.write_json(
            {
                "id": rulebook.id,
                "version": rulebook.version,
                "rules": len(rulebook.rules),
                "warnings": cautions,
            }
        )
        return ExitCode.PASS
    name = f"policy {rulebook.id}, version {rulebook.version} ({rulebook.title})"
    process.echo(f"valid: {name}, rules: {len(rulebook.rules)}")
    for caution in explain_rule.cautions(rulebook, day):
        process.echo(f"warning: {caution}")
    return ExitCode.PASS


@policy.command()
@click.argument("rule")
@options.policy("Policy that contains the rule. Default: the project's.")
@options.as_json
@process.exit_with_status
def explain(rule: str, policy_file: str | None, as_json: bool) -> int:
    """Explain RULE in plain words.

    What it measures, its limit, how it decides, its source and how well the source is established. RULE can
    also be a section of the policy: challenge, impact_table, test_uses or attempts.
    """
    from clearance import library, params
    from clearance.reporting import explain_rule

    if policy_file is None:
        root = environment.project_root()
        policy_file = str(root / params.load(root / paths.PARAMS).policy.file)
    first, *others = explain_rule.explain(library.load_policy(policy_file), rule)
    if as_json:
        process.write_json({"rule": rule, "explanation": [first, *others]})
        return ExitCode.PASS
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
