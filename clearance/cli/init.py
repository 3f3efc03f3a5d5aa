"""`clearance init`: asks what a table cannot say, and writes the draft of a project."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearance import environment, paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.drafting.answers import Answers
    from clearance.drafting.draft import Draft, Table
    from clearance.drafting.project_files import FileChange
    from clearance.drafting.table_profile import TableProfile

_PACK = "demo"


@click.command()
@click.option("--table", type=options.FILE, metavar="FILE", help="CSV, Parquet or JSON file to draft from.")
@click.option("--target", metavar="COLUMN", help="Outcome column.")
@click.option("--favourable", metavar="VALUE", help="Value that is good for the person, or a limit: '>= 10'.")
@click.option("--protected", metavar="COLUMNS", help="Protected attributes, separated by commas.")
@click.option("--row-key", metavar="COLUMN", help="Column that identifies a row. Default: one that does.")
@click.option("--name", metavar="NAME", help="Name of the model. Default: that of the file.")
@click.option("--pack", metavar="PACK", help="Policy to start from: demo, or a file in policies/packs.")
@click.option("--project", type=options.FILE, metavar="FOLDER", help="Make a project there first.")
@click.option("--yes", is_flag=True, help="Take what is proposed instead of asking.")
@click.option("--replace", is_flag=True, help="Replace files that differ; the old ones stay as FILE.before.")
@process.exit_with_status
def init(
    *,
    table: Path | None,
    target: str | None,
    favourable: str | None,
    protected: str | None,
    row_key: str | None,
    name: str | None,
    pack: str | None,
    project: Path | None,
    yes: bool,
    replace: bool,
) -> int:
    """Start a project of your own from a table.

    Drafts params.yaml, a policy, the line that authorises it, and the schema of the columns. On a terminal
    it asks for what is missing. A file that somebody changed is compared, never replaced without --replace.
    Exit status 1 if something is missing or was left as it is.
    """
    from clearance.drafting import faults

    if table is None and project is None:
        raise faults.NOTHING_TO_DO()
    if table is not None and not table.exists():
        raise faults.NO_TABLE(path=table)
    home = environment.project_root()
    if table is None:
        _make_project(home, project)
        return ExitCode.PASS
    environment.apply(home)
    from clearance.drafting import draft, project_files

    root = home if project is None else project.resolve()
    known = root if (root / paths.DVC_YAML).is_file() else home  # a new project begins as this one did
    read = _read(table)
    process.echo(f"{table}: {read.profile.rows:,} rows, {len(read.profile.columns)} columns")
    asks = _is_terminal() and not yes
    given = _answers(
        known,
        table,
        read.profile,
        _Given(
            target=target, favourable=favourable, protected=protected, row_key=row_key, name=name, pack=pack
        ),
        _ask if asks else _take,
    )
    path = project_files.place(root, table)
    made = draft.make(known, read, path, given, _as_of(known, given.name))
    _make_project(home, project)  # nothing is written before the table and the answers are known to do
    if known != root:
        made = draft.make(root, read, path, given, _as_of(root, given.name))
    if (root / path).resolve() != table.resolve():
        process.echo(f"copied     {table} to {path}")
    project_files.adopt(root, table)
    _show(made)
    return _write(root, made, asks=asks, replace=replace)


def _make_project(home: Path, project: Path | None) -> None:
    from clearance.versioning import vendor_branch

    if project is not None:
        for line in vendor_branch.make_project(home, project):
            process.echo(line)


def _read(table: Path) -> Table:
    """The table where it lies; a folder's name with `*`, `?` or `[` is no part of what is read."""
    from clearance.drafting import draft

    has_mark = any(mark in str(table.parent) for mark in "*?[")
    folder, path = (table.parent, table.name) if has_mark else (Path.cwd(), str(table))
    return draft.table(folder.resolve(), path)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


@dataclass(frozen=True, kw_only=True)
class _Given:
    """The options as they were typed; None where one was not."""

    target: str | None
    favourable: str | None
    protected: str | None
    row_key: str | None
    name: str | None
    pack: str | None


_Answer = Callable[[str, str | None, Sequence[str]], str | None]


def _ask(question: str, proposal: str | None, known: Sequence[str]) -> str | None:
    """What a person types; the proposal on a bare return. Asks again where it names nothing that is known."""
    from clearance.drafting import padding
    from clearance.preflight import suggestions

    while True:
        answer = str(click.prompt(question, default=proposal)).strip()
        unknown = [part for part in answer.split(",") if padding.fitted(part, known) not in known]
        if not known or answer in known or not unknown:
            return answer or None
        process.echo(f"`{unknown[0]}` is not there{suggestions.did_you_mean(unknown[0], known)}")


def _take(_: str, proposal: str | None, __: Sequence[str]) -> str | None:
    return proposal


def _answers(root: Path, table: Path, profile: TableProfile, given: _Given, answer: _Answer) -> Answers:
    """Every choice, as typed or else as answered. Raises ConfigurationError where one is missing."""
    from clearance.drafting import answers, draft, faults, padding, policy_text

    columns = profile.names
    target = given.target or answer("outcome column", answers.target(profile), columns)
    if target is None:
        two = [column.name for column in profile.columns if column.distinct == 2]
        raise faults.TARGET_UNKNOWN(columns=", ".join(two[:20]) or "none")
    target = padding.fitted(target, columns)
    _known(profile, "--target", target)
    column = profile[target]
    shown = ", ".join(value for value, _ in column.values[:12])
    favourable = given.favourable or answer(
        f"value of {target} that is good for the person ({shown or 'a limit such as >= 10'})",
        answers.favourable(column),
        (),
    )
    if favourable is None:
        raise faults.FAVOURABLE_UNKNOWN(target=target, values=shown or "many: name a limit such as '>= 10'")
    likely = ", ".join(answers.protected(profile, target)) or None
    protected = given.protected or answer("protected attributes", likely, columns)
    if protected is None:
        raise faults.PROTECTED_UNKNOWN(columns=", ".join(profile.names[:40]))
    parts = (part.strip() for part in protected.split(",") if part.strip())
    names = tuple(dict.fromkeys(padding.fitted(part, columns) for part in parts))
    nothing = "none"
    proposal = answers.row_key(profile, (target, *names)) or nothing
    question = f"column that identifies a row ({nothing}: its content does)"
    key = padding.fitted(given.row_key or answer(question, proposal, (nothing, *columns)) or nothing, columns)
    name = given.name or answer("name of the model", draft.model_name(table), ()) or ""
    packs = policy_text.packs(root)
    if given.pack is None and answer is _ask:
        for pack, path in packs.items():
            process.echo(f"  {pack:22} {policy_text.title(path)}")
    return answers.Answers(
        name=name,
        target=target,
        favourable=padding.fitted(favourable, [value for value, _ in column.values]),
        protected=names,
        row_key=None if key in (nothing, "null") else key,
        pack=given.pack or answer("policy to start from", _PACK, list(packs)) or _PACK,
    )


def _known(profile: TableProfile, option: str, column: str) -> None:
    from clearance.drafting import faults
    from clearance.preflight import suggestions

    if column not in profile.names:
        raise faults.UNKNOWN_COLUMN(
            option=option,
            column=column,
            suggestion=suggestions.did_you_mean(column, profile.names),
            columns=", ".join(profile.names[:40]),
        )


def _as_of(root: Path, name: str) -> dt.date:
    """The day of the policy's rules: as params.yaml has it for this model, else today."""
    from clearance import params
    from clearance.errors import ClearanceError

    try:
        settings = params.load(root / paths.PARAMS)
    except ClearanceError:
        return dt.datetime.now(dt.UTC).date()
    return settings.policy.as_of if settings.name == name else dt.datetime.now(dt.UTC).date()


def _show(made: Draft) -> None:
    """What was found, by role, and what a person should look at."""
    given, roles, seen = made.answers, made.roles, made.profile
    outcome = seen[given.target]
    good = dict(outcome.values).get(_text(made.favourable), 0)
    share = f"{good / seen.rows:.1%} of the rows"
    rows = [
        ("model", given.name),
        (
            "outcome",
            f"{given.target}, good for the person: {made.favourable} ({share})",
        ),
        *(("protected", f"{name}: {_groups(seen, name)}") for name in made.groups),
        ("row key", given.row_key or "none: the content of a row identifies it"),
        ("features", f"{len(roles.features)}: {_list(roles.features)}"),
        *(("encoding", f"{name}: {why}") for name, why in roles.encodings.items()),
        *(("afterwards", f"{name}: {why}") for name, why in roles.after_outcome.items()),
        *(("left out", f"{name}: {why}") for name, why in roles.left_out.items()),
        *(("derived", note) for note in made.notes),
        *(("question", question) for question in made.questions),
    ]
    for label, text in rows:
        process.echo(f"  {label:11}{text}")


def _text(value: object) -> str:
    from clearance import labels

    return str(labels.text(value)) if isinstance(value, bool | int | float | str) else str(value)


def _groups(profile: TableProfile, name: str) -> str:
    counts = ", ".join(f"{value} {rows:,}" for value, rows in profile[name].values[:12])
    missing = profile[name].nulls
    return counts + (f", unknown {missing:,}" if missing else "")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def _write(root: Path, made: Draft, *, asks: bool, replace: bool) -> int:
    from clearance.drafting import project_files

    changes = project_files.compare(root, made.files)
    differing = [change for change in changes if change.state == "differs"]
    for change in differing:
        process.echo(f"{change.path} differs from the draft:")
        for line in change.differences[:20]:
            process.echo(f"  {line}")
        if len(change.differences) > 20:
            process.echo(f"  and {len(change.differences) - 20} more")
    if differing and not replace and asks:
        replace = click.confirm("replace what differs? The old files stay as FILE.before", default=False)
    if differing and not replace:
        process.echo("nothing was written; `--replace` takes the draft and keeps old files as FILE.before")
        return ExitCode.ERROR
    written = project_files.write(root, changes, replace=replace)
    _report(changes, written, made)
    process.echo("")
    process.echo("next: read params.yaml, then `clearance check` and `clearance run`")
    return ExitCode.PASS


def _report(changes: list[FileChange], written: list[Path], made: Draft) -> None:
    from clearance.policy import authorised

    for change in changes:
        if change.path not in written:
            if change.state == "same":
                process.echo(f"unchanged  {change.path}")
        elif change.path == authorised.FILE:
            process.echo(f"added to   {change.path}: {made.entry}")
        elif change.state == "template":
            process.echo(f"wrote      {change.path} in place of the demo's, which git keeps")
        else:
            process.echo(f"wrote      {change.path}")
