"""The names in `params.yaml` and in the policy against the columns that the table really has.

The header alone is read, and the rows of a table that is not long: nothing is trained, written or judged.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clearance import labels
from clearance.data import faults as data_faults
from clearance.data.sources import bindings, duckdb_engine, file_listing, source_faults
from clearance.data.sources.column_types import ColumnUses
from clearance.errors import ClearanceError
from clearance.params import AllBut, Data, Evaluate, Source, Split
from clearance.policy.schema import Policy
from clearance.preflight import faults, row_checks, source_head, suggestions
from clearance.preflight.problem import Problem, warning

_SHOWN = 40
_MOST_LABELS = 12
_SNAPSHOT = {data_faults.NO_SNAPSHOT.code, data_faults.SNAPSHOT_OUT_OF_DATE.code}
_NAMES = re.compile("Parser Error|syntax error|not found in FROM|does not exist|EXCLUDE list|REPLACE list")
"""DuckDB's words about names and grammar, which no row can change."""


@dataclass(frozen=True, kw_only=True)
class TableHead:
    """The columns of the table after `source.select`, each with DuckDB's type.

    `labels` are distinct values of the target as canonical texts, at most a dozen; None where they were not
    read. `complete`: types and labels are those of all rows, not only of the first.
    """

    types: Mapping[str, str]
    labels: tuple[str, ...] | None = None
    complete: bool = True

    @property
    def names(self) -> list[str]:
        """The names of the columns, in their order."""
        return list(self.types)


def read(
    root: Path, source: Source, data: Data | None, split: Split | None
) -> tuple[TableHead | None, list[Problem]]:
    """The head of the table, None where it cannot be known now, and the problems that its rows showed.

    A snapshot that has not been taken yet is no fault: the run takes it first.
    """
    complete = True
    try:
        if source.url_env is not None:
            from clearance.data.sources import sql_query

            sql_query.database_url(source.url_env)
        with source_head.folder_of(root, source, small=source_head.SMALL) as place:
            if place is None:
                return None, []
            folder, complete = place
            with contextlib.chdir(folder):
                return _read(source, data, split, complete=complete)
    except ClearanceError as error:
        excused = error.code in _SNAPSHOT or (not complete and error.code in source_head.CUT)
        return None, [] if excused else [Problem(error=error)]


def check_files(root: Path, source: Source) -> Iterator[Problem]:
    """Files in the folder of the source that nobody reads."""
    if source.kind != "file":
        return
    with contextlib.chdir(root), contextlib.suppress(ClearanceError):
        listing = file_listing.find(source)
        if listing.left_out:
            yield warning(
                faults.FILES_NOT_READ(
                    folder=source.path,
                    files=_list(listing.below(listing.left_out)),
                    suffixes=", ".join(file_listing.SUFFIXES),
                )
            )


def _read(
    source: Source, data: Data | None, split: Split | None, *, complete: bool
) -> tuple[TableHead | None, list[Problem]]:
    with tempfile.TemporaryDirectory() as home, duckdb_engine.session(Path(home)) as connection:
        with source_faults.translated_errors():
            bindings.bind(connection, source, None if data is None else ColumnUses.of(source, data))
            if complete:
                duckdb_engine.refuse_empty(connection)
        select = source.select or "SELECT * FROM source"
        try:
            if source.select is not None:
                duckdb_engine.check_select(connection, select)
            relation = connection.sql(select)
        except duckdb.Error as error:
            reason = str(error).strip()
            if not complete and not _NAMES.search(reason):
                return None, []  # other types further down may make it right
            raise source_faults.of_file(reason) or data_faults.SELECT_NOT_USABLE(reason=reason) from None
        duckdb_engine.refuse_duplicate_names(relation.columns, "the table")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        target = data.target if data else None
        head = TableHead(types=types, labels=_labels(relation, target), complete=complete)
        return head, _of_rows(relation, source, data, split) if complete else []


def _of_rows(
    relation: duckdb.DuckDBPyRelation, source: Source, data: Data | None, split: Split | None
) -> list[Problem]:
    """What all rows show; nothing where they cannot be read, which the run reports with the place."""
    with contextlib.suppress(duckdb.Error, OSError):
        if source.select is not None and not relation.limit(1).fetchall():
            return [Problem(error=data_faults.NO_ROWS_SELECTED())]
        if data is not None:
            return list(row_checks.check(relation, data, split))
    return []


def _labels(relation: duckdb.DuckDBPyRelation, target: str | None) -> tuple[str, ...] | None:
    """The distinct values of the target; None where there is no such column, or its rows cannot be read."""
    if target is None or target not in relation.columns:
        return None
    column = duckdb_engine.name(target)
    try:
        values = relation.project(column).filter(f"{column} IS NOT NULL").distinct().limit(_MOST_LABELS)
        rows = values.fetchall()
    except (duckdb.Error, OSError):
        return None
    texts = (labels.text(value) if isinstance(value, bool | int | float) else str(value) for (value,) in rows)
    return tuple(sorted({text for text in texts if text is not None}))


def check_names(head: TableHead, data: Data, split: Split | None) -> Iterator[Problem]:
    """Names in `params.yaml` that are no column of the table."""
    for key, name in _named(data, split):
        if name not in head.types:
            yield Problem(error=_missing(key, name, head))
    features = [name for name in data.feature_names(head.names) if name in head.types]
    if isinstance(data.features, AllBut) and not features:
        yield Problem(error=faults.NO_FEATURES())
    for name in features:
        if head.types[name].startswith(("TIMESTAMP", "DATE")):
            yield warning(faults.TIME_AS_FEATURE(column=name))


def _named(data: Data, split: Split | None) -> Iterator[tuple[str, str]]:
    """Every column that `params.yaml` names, with the key that names it."""
    for key in ("row_key", "entity", "weight", "cluster", "target"):
        if (name := getattr(data, key)) is not None:
            yield f"data.{key}", name
    for key in ("protected", "protected_encodings", "after_outcome"):
        yield from ((f"data.{key}", name) for name in getattr(data, key))
    if isinstance(data.features, AllBut):
        yield from (("data.features.all_but", name) for name in data.features.all_but)
    else:
        yield from (("data.features", name) for name in data.features)
    yield from (("data.columns", name) for name in data.columns)
    if split is not None and split.time is not None:
        yield "split.time.column", split.time.column


def _missing(key: str, name: str, head: TableHead) -> ClearanceError:
    return faults.COLUMN_MISSING(
        key=key,
        column=name,
        suggestion=suggestions.did_you_mean(name, head.names),
        columns=_list(head.names),
    )


def check_target(head: TableHead, data: Data) -> Iterator[Problem]:
    """Whether the target has two values, one of them the favourable one; validation will refuse it.

    The first rows of a long table prove more than two values, and two values that are both not favourable.
    """
    if head.labels is None:
        return
    seen = len(head.labels)
    favourable = str(labels.text(data.favourable))
    if head.complete and seen < 2:
        yield Problem(
            error=faults.TARGET_OF_ONE_CLASS(column=data.target, values=_list(head.labels) or "none")
        )
    elif seen > 2:
        number = f"{seen} or more" if seen == _MOST_LABELS or not head.complete else str(seen)
        yield warning(faults.TARGET_NOT_TWO_VALUES(column=data.target, number=number))
    if favourable not in head.labels and (head.complete or seen == 2) and seen < _MOST_LABELS:
        yield warning(
            faults.TARGET_NEVER_FAVOURABLE(
                column=data.target,
                favourable=favourable,
                suggestion=suggestions.did_you_mean(favourable, head.labels),
            )
        )


def check_declared_values(data: Data, evaluate: Evaluate | None) -> Iterator[Problem]:
    """Values that `params.yaml` states twice, and differently."""
    declared = {name: column.values for name, column in data.columns.items() if column.values is not None}
    target = declared.get(data.target)
    if target is not None and not any(labels.same(value, data.favourable) for value in target):
        yield Problem(
            error=faults.FAVOURABLE_NOT_DECLARED(
                favourable=data.favourable, target=data.target, values=_list(list(map(str, target)))
            )
        )
    for attribute, group in (evaluate.reference if evaluate else {}).items():
        if attribute not in data.protected:
            suggestion = suggestions.did_you_mean(attribute, data.protected)
            yield Problem(error=faults.REFERENCE_NOT_PROTECTED(attribute=attribute, suggestion=suggestion))
        elif attribute in declared and not any(labels.same(value, group) for value in declared[attribute]):
            suggestion = suggestions.did_you_mean(str(group), map(str, declared[attribute]))
            yield Problem(
                error=faults.REFERENCE_NOT_DECLARED(attribute=attribute, group=group, suggestion=suggestion)
            )


def check_policy_names(head: TableHead, policy: Policy, path: str) -> Iterator[Problem]:
    """Names in the policy that are no column of the table."""
    named = [("favourable.target", policy.favourable.target)]
    named += [("attributes", part) for name in policy.attributes for part in name.split(" & ")]
    for key, name in dict.fromkeys(named):
        if name not in head.types:
            yield warning(
                faults.COLUMN_IN_POLICY_MISSING(
                    path=path,
                    key=key,
                    column=name,
                    suggestion=suggestions.did_you_mean(name, head.names),
                    columns=_list(head.names),
                )
            )


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
