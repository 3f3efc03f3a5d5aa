"""One draft of a project: the texts of its files, and what a person should know about them.

It reads the table and writes nothing; `project_files` writes. The table is profiled twice: as it is, and
after the `select` that the draft derives, so that the rules fit what `ingest` will see.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import paths
from clearance.data import disguises as data_disguises
from clearance.data import faults as data_faults
from clearance.data import written_numbers
from clearance.data.disguises import Disguise
from clearance.data.sources.column_types import ColumnUses
from clearance.drafting import (
    answers,
    card_draft,
    column_roles,
    column_rules,
    column_words,
    derived_columns,
    faults,
    padding,
    params_text,
    policy_text,
    table_profile,
)
from clearance.drafting.answers import Answers
from clearance.drafting.column_roles import Roles
from clearance.drafting.derived_columns import Derivation
from clearance.drafting.padding import Padding
from clearance.drafting.table_profile import ColumnProfile, TableProfile
from clearance.errors import ClearanceError
from clearance.params import Data, Params, Scalar, Source
from clearance.params.source import ColumnType
from clearance.policy import authorised
from clearance.preflight import suggestions

_DELIMITERS = (";", "\t", "|")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The texts of the files by their path in the project, and what was found on the way.

    `notes` say what was derived or left out, `questions` what the table could not say. `entry` is the line
    that authorises the policy.
    """

    files: Mapping[Path, str]
    answers: Answers
    profile: TableProfile
    roles: Roles
    groups: tuple[str, ...]
    favourable: Scalar
    notes: tuple[str, ...]
    questions: tuple[str, ...]
    entry: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table where it lies: `source.path` is read from `folder`. `profile` is that of the table without the
    spaces around its names and texts, which the `select` of `source` takes off."""

    folder: Path
    source: Source
    profile: TableProfile
    padding: Padding


def table(folder: Path, path: str) -> Table:
    """The table in a file; another delimiter is taken where the header shows it.

    Raises SourceError, DataError or ConfigurationError where the file cannot be read.
    """
    source = Source(kind="file", path=path)
    try:
        profile = table_profile.read(folder, source)
    except ClearanceError as error:
        if error.code != data_faults.SINGLE_COLUMN.code:
            raise
        likely = next(mark for mark in _DELIMITERS if mark in str(error.values["column"]))
        source = Source(kind="file", path=path, delimiter=likely)
        profile = table_profile.read(folder, source)
    spaces = padding.of(profile)
    if spaces:
        source = source.model_copy(update={"select": spaces.select()})
        profile = table_profile.read(folder, source)
    return Table(folder=folder, source=source, profile=profile, padding=spaces)


def _types(
    profile: TableProfile, groups: Collection[str], computed: Collection[str]
) -> dict[str, ColumnType]:
    """The types to declare: codes written as 1.0 are integers, what `select` computes with are numbers."""
    numbers = [column for column in profile.columns if column.kind == "number"]
    whole = {column.name for column in numbers if column.whole and column.name in groups}
    used = {column.name for column in numbers if column.name in computed}
    types: dict[str, ColumnType] = dict.fromkeys(sorted(whole), "integer")
    return types | dict.fromkeys(sorted(used), "number")


def model_name(path: Path) -> str:
    """A model's name after that of a file: letters, digits and `-`."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", path.name.split(".")[0]).strip("-").lower()
    return re.sub("-candidate$", "", stem) or "model"


def check_answers(profile: TableProfile, given: Answers) -> None:
    """Raise ConfigurationError when an answer is none that the table, or a model's name, allows."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", given.name) or given.name.endswith("-candidate"):
        raise faults.NAME_NOT_USABLE(name=given.name)
    named = [("--target", given.target), *(("--protected", name) for name in given.protected)]
    for option, name in [*named, *([("--row-key", given.row_key)] if given.row_key else [])]:
        if name not in profile.names:
            suggestion = suggestions.did_you_mean(name, profile.names)
            columns = ", ".join(profile.names[:40])
            raise faults.UNKNOWN_COLUMN(option=option, column=name, suggestion=suggestion, columns=columns)
    for name in given.protected:
        if profile[name].distinct < 2:
            raise faults.PROTECTED_ALIKE(column=name)


def make(root: Path, table: Table, path: str, given: Answers, today: dt.date) -> Draft:
    """The draft for these answers and the project at `root`, where the table is at `path`.

    Raises ConfigurationError on an answer that cannot be used.
    """
    source, profile, spaces = table.source, table.profile, table.padding
    check_answers(profile, given)
    outcome, favourable = derived_columns.target(profile[given.target], given.favourable)
    bands = {name: derived_columns.bands(profile, profile[name]) for name in given.protected}
    reserved = {given.target, *given.protected, given.row_key}
    reserved |= {band.column for band in bands.values() if band is not None}
    banded = {name for name, band in bands.items() if band is not None}
    codes = [
        derivation
        for column in profile.columns
        if column.name not in reserved and (derivation := derived_columns.codes(profile, column))
    ]
    disguises = disguised(table)
    numbers = [
        derivation
        for name, disguise in disguises.items()
        if name not in reserved
        and (derivation := derived_columns.numbers(name, disguise, _example(profile, name)))
    ]
    blanks = [
        derivation
        for column in profile.columns
        if column.name not in {given.target, given.row_key, *banded, *(item.column for item in numbers)}
        and (derivation := derived_columns.blanks(column))
    ]
    derivations = [item for item in (outcome, *bands.values(), *codes, *blanks, *numbers) if item is not None]
    lacking = profile[given.target].nulls
    groups = tuple((band.column if band else name) for name, band in bands.items())
    computed = [given.target] if outcome else []
    computed += [name for name, band in bands.items() if band] + [item.column for item in codes]
    written = [name for name in groups if spaces and name in profile.names and _is_decimal(profile[name])]
    inner = spaces.select(written)
    select = derived_columns.select(derivations, given.target if lacking else None, inner)
    of_names = _types(profile, groups, computed)
    if spaces:  # names in the source are others, so what uses a column does not say how it is read
        padded = [column for column in profile.columns if column.kind == "number"]
        of_names = (
            {column.name: _number_type(column) for column in padded}
            | of_names
            | dict.fromkeys(written, "text")
        )
    types = {spaces.in_table(name): kind for name, kind in of_names.items()}
    source = source.model_copy(update={"select": select, "types": types or None})
    keys = frozenset([] if given.row_key is None else [given.row_key])
    uses = ColumnUses(declared=types, keys=keys, identities=keys | {*groups})
    seen = table_profile.read(table.folder, source, uses)
    encodings = {name: f"`{band.column}` is made of it" for name, band in bands.items() if band}
    roles = column_roles.propose(seen, given.target, groups, given.row_key, encodings, disguises=disguises)
    if not roles.features:
        left = ", ".join({**roles.encodings, **roles.after_outcome, **roles.left_out})
        raise faults.NO_FEATURES(left=left or "none")
    questions = _questions(given, seen, roles, groups, favourable)
    questions += tuple(
        f"`{name}` looks like numbers, but {disguise.obstacle}: it stays text; what are they?"
        for name, disguise in disguises.items()
        if name not in reserved and disguise.kind == "numbers" and disguise.obstacle
    )
    policy = Path("policies") / f"{given.name}.yaml"
    policy_file = policy_text.fit(
        root,
        given.pack,
        name=given.name,
        target=given.target,
        favourable=favourable,
        protected=groups,
    )
    text = params_text.write(
        name=given.name,
        path=path,
        delimiter=source.delimiter,
        types=types,
        select=select,
        row_key=given.row_key,
        target=given.target,
        favourable=favourable,
        protected=groups,
        roles=roles,
        questions=questions,
        columns=_rules(seen, given, groups, roles),
        policy=policy.as_posix(),
        as_of=today.isoformat(),
        rows_min=max(100, seen.rows // 2),
    )
    Params.model_validate(_loaded(text))
    entry = policy_text.line(given.name, policy.as_posix(), policy_file)
    listed = (root / authorised.FILE).read_text(encoding="utf-8")
    return Draft(
        files={
            paths.PARAMS: text,
            policy: policy_file,
            authorised.FILE: policy_text.authorise(listed, given.name, entry),
            paths.CARD_TEXT: card_draft.text(given.name),
        },
        answers=given,
        profile=seen,
        roles=roles,
        groups=groups,
        favourable=favourable,
        notes=(*spaces.notes(), *_notes(derivations, lacking, given, profile)),
        questions=questions,
        entry=entry.strip(),
    )


def disguised(table: Table) -> dict[str, Disguise]:
    """The columns of texts that are numbers or dates; a sample finds them, and every value is examined."""
    profile = table.profile
    of_sample = {
        column.name: data_disguises.of(column.name, _sampled(profile, column.name))
        for column in profile.columns
        if column.kind == "text"
    }
    found = {
        name: disguise
        for name, disguise in of_sample.items()
        if disguise is not None
        and (disguise.kind != "numbers" or profile[name].distinct > derived_columns.FEW_TEXTS)
    }
    if profile.rows > table_profile.SAMPLE:
        every = table_profile.texts(table.folder, table.source, list(found))
        of_every = {name: data_disguises.of(name, texts) for name, texts in every.items()}
        found = {name: disguise for name, disguise in of_every.items() if disguise is not None}
    return found


def _number_type(column: ColumnProfile) -> ColumnType:
    ends = (abs(end) for end in (column.low, column.high) if end is not None)
    return "integer" if column.whole and all(end < 2**53 for end in ends) else "number"


def _is_decimal(column: ColumnProfile) -> bool:
    """Whether it holds numbers with decimals: as a group their texts count."""
    return column.kind == "number" and not column.whole


def _sampled(profile: TableProfile, name: str) -> list[str]:
    return list(dict.fromkeys(map(str, profile.sample[name].dropna())))


def _example(profile: TableProfile, name: str) -> str:
    """A text that shows why the column is one: no plain number, where there is such a text."""
    missing = written_numbers.MISSING
    texts = [text for text in _sampled(profile, name) if text.strip().casefold() not in missing]
    plain = written_numbers.Grammar()
    return next((text for text in texts if not plain.fits(text)), texts[0])


def _loaded(text: str) -> Any:
    from clearance import yaml

    return yaml.loads(text)


def _rules(
    profile: TableProfile, given: Answers, groups: Sequence[str], roles: Roles
) -> dict[str, dict[str, Any]]:
    rules = {} if given.row_key is None else {given.row_key: column_rules.of_key(profile[given.row_key])}
    rules[given.target] = column_rules.of_groups(profile[given.target])
    rules |= {name: column_rules.of_groups(profile[name]) for name in groups}
    return rules | {name: column_rules.of_feature(profile[name]) for name in roles.features}


def _notes(
    derivations: Sequence[Derivation], lacking: int, given: Answers, profile: TableProfile
) -> tuple[str, ...]:
    notes = [item.because for item in derivations]
    if lacking:
        notes.append(f"{lacking} rows without `{given.target}` are left out")
    if given.row_key is None:
        notes.append("no column identifies a row: its content does, and equal rows are counted apart")
    alike = [
        column.name
        for column in profile.columns
        if column.name != given.row_key
        and column.distinct == profile.rows
        and not Data.is_index(column.name)
        and column_words.mentions(column.name, column_words.IDENTIFIERS)
    ]
    if alike:
        notes.append(f"could identify a row as well: {', '.join(alike)}")
    return tuple(notes)


def _questions(
    given: Answers, profile: TableProfile, roles: Roles, groups: Sequence[str], favourable: Scalar
) -> tuple[str, ...]:
    questions = [f"is `{given.target}` = {favourable!r} the outcome that is good for the person?"]
    others = answers.protected(profile, given.target)
    known = {*given.protected, *groups, *roles.encodings, *roles.left_out}
    if missed := [name for name in others if name not in known and name not in roles.after_outcome]:
        questions.append(f"is any of {', '.join(missed)} a protected attribute?")
    questions += [
        f"`{value}` of `{name}` has {rows} rows, and about a third of them judge: enough for the policy?"
        for name in groups
        for value, rows in profile[name].values
        if rows < derived_columns.SMALLEST_GROUP
    ]
    if given.row_key is not None:
        questions.append("does a person or company have several rows? Then name its column: `data.entity`")
    questions.append("are the rows a sample with weights, or in clusters? `data.weight`, `data.cluster`")
    return (*questions, *roles.questions)
