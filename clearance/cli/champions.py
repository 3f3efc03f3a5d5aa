"""Commands that operate the registry: who is champion, whether the record holds, what a rebuild gives."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from clearance import paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.reproduction.differences import RebuildReport


@click.command()
@options.version
@options.identity
@process.exit_with_status
def promote(version: int, identity: str | None) -> int:
    """Make candidate VERSION the champion.

    Its evidence must verify and all required approvals must be in. Exit status 3 if it is not promoted, 6 if
    it already is champion and what allowed it has ended.
    """
    root = process.enter_project()
    from clearance import library

    promotion = library.promote(root, version, identity=identity)
    process.echo(f"{promotion.ending.status}: {promotion.ending.reason}")
    if promotion.lapsed:
        return ExitCode.LAPSED
    if not promotion.promoted:
        return ExitCode.REFUSED
    process.echo(f"champion: {promotion.champion}")
    return ExitCode.PASS


@click.command()
@click.option(
    "--to", type=int, metavar="VERSION", help="Candidate to return to. Default: the previous champion."
)
@options.identity
@options.reason()
@process.exit_with_status
def rollback(to: int | None, identity: str | None, reason: str) -> int:
    """Make an earlier champion the champion again.

    Moves the alias `champion` back. Needs the right `roll_back`.
    """
    root = process.enter_project()
    from clearance import library

    process.echo(library.rollback(root, reason=reason, to=to, identity=identity).description)
    return ExitCode.PASS


@click.command()
@options.identity
@options.reason()
@process.exit_with_status
def retire(identity: str | None, reason: str) -> int:
    """Retire the champion; the model then has none.

    Removes the alias `champion`; files and versions stay. Needs the right `roll_back`.
    """
    root = process.enter_project()
    from clearance import library, params

    library.retire(root, reason=reason, identity=identity)
    process.echo(f"{params.load(root / 'params.yaml').name} has no champion now")
    return ExitCode.PASS


@click.command()
@click.argument("target", required=False, metavar="[VERSION|FILE]")
@options.as_json
@process.exit_with_status
def verify(target: str | None, as_json: bool) -> int:
    """Verify the champion, a candidate or a bundle file.

    Checks the ledger, the alias, signature and digests of the evidence, and the approvals. Without an
    argument it checks the champion. Exit status 1 unless every check passes, and 6 where all that is wrong is
    that an override of the champion has ended or an approval of it was withdrawn. 5 where there is no version
    yet.
    """
    root = process.enter_project()
    from clearance import library
    from clearance.promotion import verify as verification

    checks = library.verify(root, _version_or_file(target) if target else None)
    if as_json:
        process.write_json([dataclasses.asdict(check) for check in checks])
    else:
        for check in checks:
            process.echo(check)
    return verification.exit_code(checks)


def _version_or_file(text: str) -> int | Path:
    return int(text) if text.isdigit() else Path(text).resolve()


@click.command()
@options.at("The champion at this time, by default all.")
@options.as_json
@process.exit_with_status
def history(at: dt.datetime | None, as_json: bool) -> int:
    """List champions with their approvals and evidence.

    With --at, only the champion at that time.
    """
    root = process.enter_project()
    from clearance import library, params

    champions = library.history(root, at)
    if as_json:
        process.write_json(
            [champion.tenure.to_json() | {"description": champion.description} for champion in champions]
        )
        return ExitCode.PASS
    for champion in champions:
        process.echo(champion.description)
    if not champions:
        name = params.load(root / paths.PARAMS).name
        process.echo(f"{name} had no champion then." if at else f"{name} has never had a champion.")
    return ExitCode.PASS


@click.command()
@click.argument("target", metavar="VERSION|FILE")
@click.option("--fresh", is_flag=True, help="Install the locked packages into a new environment first.")
@click.option("--attest", is_flag=True, help="Sign and record the result. Needs the right `rebuild`.")
@options.identity
@process.exit_with_status
def reproduce(target: str, fresh: bool, attest: bool, identity: str | None) -> int:
    """Rebuild candidate VERSION and compare the outputs.

    Builds the version again from git and DVC in a temporary folder and compares it with its evidence. Give
    the FILE of a rebuild record to rebuild that instead. Needs no key, except with --attest: then the result
    counts as an independent rebuild if you neither proposed nor wrote the version. Exit status 1 if the
    outputs differ.
    """
    root = process.enter_project()
    source = _version_or_file(target)
    if attest and not isinstance(source, int):
        raise click.UsageError("--attest needs the VERSION of a registered candidate")
    with _terminated_like_interrupted():
        try:
            if attest and isinstance(source, int):
                report, lines = _attest(root, source, identity, fresh=fresh)
            else:
                report, lines = _reproduce(root, source, fresh=fresh), []
        except KeyboardInterrupt:  # the temporary folder is gone; do not wait for threads of DVC
            os._exit(ExitCode.INTERRUPTED)
    for line in (*report.lines(), *lines):
        process.echo(line)
    from clearance.reproduction import differences

    different = report.conclusion is differences.Conclusion.DIFFERENT
    return ExitCode.ERROR if different else ExitCode.PASS


def _reproduce(root: Path, source: int | Path, *, fresh: bool) -> RebuildReport:
    from clearance.reproduction import rebuild_record
    from clearance.reproduction import reproduce as reproduction

    if isinstance(source, int):
        return reproduction.reproduce(root, reproduction.record_of_version(root, source), fresh=fresh)
    return reproduction.reproduce(root, rebuild_record.read(source), fresh=fresh)


def _attest(root: Path, number: int, identity: str | None, *, fresh: bool) -> tuple[RebuildReport, list[str]]:
    """The report, and the lines about what was recorded and what followed."""
    from clearance.reproduction import attest

    report, entry, completion = attest.rebuild_and_attest(root, number, identity=identity, fresh=fresh)
    lines = [str(entry)]
    if completion is not None and completion.ending is not None:
        lines.append(f"{completion.ending.status}: {completion.ending.reason}")
    elif completion is not None:
        lines.append(f"nothing else is missing; an operator runs `clearance promote {number}`")
    return report, lines


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that temporary folders are removed."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
