"""What must hold for the raw table before a model is trained on it.

Built from `data` in `params.yaml`. Faults in required columns, labels, keys, and forbidden or leaking
features always block; rules in `data.columns` block or warn by their `severity`; the rest warns.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations import expectations as gx
from great_expectations.expectations.expectation import Expectation

from clearance import params
from clearance.data.tables import prepared
from clearance.data.tables.stored_table import Columnar
from expectations import (
    boundary,
    columns,
    features,
    identifying_features,
    label_and_groups,
    repeats,
    sentinel_values,
    text_quality,
)
from expectations.observed_table import ObservedTable

_DERIVE = "declare or derive it in `source.select`"


def observed(table: Columnar) -> ObservedTable:
    """The table as the suite reads it: decimals as floats, dates as times, nullable booleans.

    Integers beyond 2^53 beside nulls are texts: as floats they would run together.
    """

    def read(name: str) -> pd.Series:
        column = table.column(name)
        kind = pa.string() if _runs_together(column) else _plain(column.type)
        return column.cast(kind).to_pandas(
            types_mapper={pa.bool_(): pd.BooleanDtype()}.get, date_as_object=False
        )

    return ObservedTable(table.column_names, table.num_rows, read)


def suite(data: params.Data, names: list[str], rows: int) -> list[Expectation]:
    """The expectations on a table with these columns and this recorded number of rows."""
    return [
        *_table(data, names, rows),
        *_roles(data),
        *_features(data, data.feature_names(names)),
        *_index(data, names),
        *_rows(data, data.feature_names(names), names),
        *_values(data, data.feature_names(names)),
        *(
            expectation
            for name, column in data.columns.items()
            for expectation in _declared(name, column, _required(data))
        ),
    ]


def hidden(data: params.Data) -> set[str]:
    """Columns of which no report may show any row: protected attributes and their encodings."""
    return {*data.protected, *data.protected_encodings}


def identifiers(data: params.Data) -> set[str]:
    """Columns whose values no report may show; it may name their rows by hash."""
    return {name for name in (data.row_key, data.entity, data.cluster) if name is not None}


def _runs_together(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type) or not column.null_count:
        return False
    ends = pc.min_max(column).as_py()
    return ends["min"] is not None and max(abs(ends["min"]), abs(ends["max"])) >= columns.EXACT


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.float64() if pa.types.is_decimal(kind) else kind


def _table(data: params.Data, names: list[str], rows: int) -> Iterator[Expectation]:
    absences = _absences(data, names)
    blocking = [name for name, (severity, _) in absences.items() if severity == "block"]
    warning = [name for name, (severity, _) in absences.items() if severity == "warn"]
    yield gx.ExpectTableRowCountToEqual(
        value=rows, **boundary.statement(f"the table has its recorded {rows} rows")
    )
    yield gx.ExpectTableRowCountToBeBetween(
        min_value=data.rows_min,
        **boundary.statement(
            f"the table has at least {data.rows_min} rows",
            "add rows, or lower `data.rows_min` deliberately",
        ),
    )
    for group, severity in ((blocking, "block"), (warning, "warn")):
        if group:
            yield columns.ExpectColumnsToExist(
                columns=group,
                hints={name: absences[name][1] for name in group},
                **boundary.statement(f"the declared columns exist: {', '.join(group)}", severity=severity),
            )


def _absences(data: params.Data, names: list[str]) -> dict[str, tuple[str, str]]:
    """For every declared column the severity of its absence, and a hint.

    An absent column that can never be a feature only warns, unless the features are all columns but some:
    then a misspelt name would let the real column in.
    """
    exclusion = "block" if isinstance(data.features, params.AllBut) else "warn"
    never = [*data.protected_encodings, *data.after_outcome]
    if isinstance(data.features, params.AllBut):
        never += data.features.all_but
    absences = dict.fromkeys(never, (exclusion, "correct its spelling, or remove it from the list"))
    absences |= dict.fromkeys(data.columns, ("block", f"{_DERIVE}, or remove it from `data.columns`"))
    absences |= dict.fromkeys(
        data.feature_names(names), ("block", f"{_DERIVE}, or leave it out of `data.features`")
    )
    return absences | dict.fromkeys((*data.protected, *_required(data)), ("block", _DERIVE))


def _required(data: params.Data) -> dict[str, str]:
    """Columns that may never be null, with their roles."""
    roles = {data.weight: "the weight", data.cluster: "the cluster"}
    roles |= {data.row_key: "the row key", data.entity: "the entity", data.target: "the target"}
    return {name: role for name, role in roles.items() if name is not None}


def _roles(data: params.Data) -> Iterator[Expectation]:
    for name, role in _required(data).items():
        yield gx.ExpectColumnValuesToNotBeNull(
            column=name,
            **boundary.statement(
                f"{role} `{name}` is never null", "drop or fill those rows in `source.select`"
            ),
        )
    yield columns.ExpectIdentifiersToBeExact(
        columns=[name for name in (data.row_key, data.entity, data.cluster) if name is not None],
        **boundary.statement("no identifier was rounded"),
    )
    if data.row_key is not None:
        yield gx.ExpectColumnValuesToBeUnique(
            column=data.row_key,
            **boundary.statement(
                f"the row key `{data.row_key}` identifies each row",
                "drop the repeated rows in `source.select`, or declare a key that is unique",
            ),
        )
    if data.weight is not None:
        yield columns.ExpectColumnToWeigh(
            column=data.weight, **boundary.statement(f"the weight `{data.weight}` is a finite number above 0")
        )
    yield label_and_groups.ExpectLabelToHaveTwoValues(
        column=data.target,
        favourable=data.favourable,
        **boundary.statement(f"the target `{data.target}` has two values, `{data.favourable}` among them"),
    )
    yield label_and_groups.ExpectLabelShareToBeAtLeast(
        column=data.target,
        share=data.label_share_min,
        **boundary.statement(
            f"the rarer value of `{data.target}` has at least {data.label_share_min:.2%} of the rows"
        ),
    )
    yield label_and_groups.ExpectGroupsToCompare(
        columns=data.protected,
        **boundary.statement("each protected attribute has groups to compare", severity="warn"),
    )
    yield label_and_groups.ExpectGroupsNotToBePlaceholders(
        columns=[
            name for name in data.protected if name not in data.columns or data.columns[name].values is None
        ],
        **boundary.statement("no group of a protected attribute stands for a missing value"),
    )
    listed = {name: data.columns[name].values for name in data.protected if name in data.columns}
    if groups := {name: values for name, values in listed.items() if values is not None}:
        yield label_and_groups.ExpectGroupsToOccur(
            groups=groups, **boundary.statement("each declared group has rows", severity="warn")
        )
    for name in data.protected:
        if name not in data.columns or data.columns[name].nulls is None:
            yield gx.ExpectColumnValuesToNotBeNull(
                column=name,
                **boundary.statement(
                    f"the protected attribute `{name}` is known in every row",
                    f"declare the share you accept as `data.columns.{name}.nulls`",
                    severity="warn",
                ),
            )


def _features(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    forbidden = data.never_features() | dict.fromkeys(
        prepared.KEYS, "a name that the prepared tables use themselves"
    )
    yield features.ExpectFeaturesToBePermitted(
        features=names,
        declared=names,
        forbidden=forbidden,
        **boundary.statement(
            "no protected attribute, encoding, outcome, target or identifier is among the features"
        ),
    )
    yield features.ExpectFeaturesNotToGiveAway(
        features=names,
        attributes=data.protected,
        label=data.target,
        most=data.leak_auc_max,
        **boundary.statement("no feature restates a protected attribute or determines the label"),
    )
    yield features.ExpectFeaturesToTellLittle(
        features=names,
        targets=[*data.protected, data.target],
        most=data.leak_auc_max,
        **boundary.statement(
            "no feature alone predicts a protected attribute or the label suspiciously well", severity="warn"
        ),
    )
    yield features.ExpectFeaturesToBeUsable(
        features=names,
        **boundary.statement("each feature is a finite number, a boolean or a text, and has values"),
    )
    yield features.ExpectFeaturesToBeMeasurements(
        features=names, **boundary.statement("no feature holds a number that stands for no value")
    )
    yield from _identifiers_among(data, names)
    yield features.ExpectFeaturesToVary(
        features=names, **boundary.statement("each feature has more than one value", severity="warn")
    )


def _index(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    left_out = [name for name in data.index_columns(names) if name not in data.feature_names(names)]
    if left_out:
        yield identifying_features.ExpectNoIndexAmongFeatures(
            columns=left_out,
            **boundary.statement("the row index of a data frame is not a feature", severity="warn"),
        )


def _identifiers_among(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    """A column that nobody named must not identify; one that is named is the user's decision."""
    named = set(data.columns) | ({*data.features} if isinstance(data.features, list) else set())
    for group, severity in (
        ([name for name in names if name not in named], "block"),
        ([name for name in names if name in named], "warn"),
    ):
        if group:
            yield identifying_features.ExpectFeaturesNotToIdentify(
                features=group,
                **boundary.statement("no feature identifies a person or a row", severity=severity),
            )
            yield identifying_features.ExpectFeaturesNotToRepeatRoles(
                features=group,
                roles=data.never_features(),
                **boundary.statement("no feature is a second column of another role", severity=severity),
            )
    if undeclared := [name for name in names if name not in named]:
        yield identifying_features.ExpectFeaturesToBeFilled(
            features=undeclared,
            **boundary.statement("each feature that nobody named has values", severity="warn"),
        )
    yield identifying_features.ExpectFeaturesToDiffer(
        features=names, **boundary.statement("no feature is a copy of another", severity="warn")
    )


def _rows(data: params.Data, features_: list[str], names: list[str]) -> Iterator[Expectation]:
    """Rows are compared in columns that have a role; in all but the key where entities have several rows."""
    roles = [*features_, *data.protected, data.target, *data.columns]
    excluded = {data.row_key, *data.protected_encodings, *data.after_outcome}
    compared = [name for name in (names if data.entity else dict.fromkeys(roles)) if name not in excluded]
    yield repeats.ExpectRowsToDiffer(
        columns=compared,
        key=data.row_key,
        near=data.entity is None,
        **boundary.statement(
            "no row repeats another row under a different key, in all columns or all but one", severity="warn"
        ),
    )
    if data.row_key is not None:
        yield features.ExpectFeaturesToTellLittle(
            features=[data.row_key],
            targets=[data.target],
            **boundary.statement("the row key does not predict the outcome", severity="warn"),
        )


def _values(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    """What must hold for values that `data.columns` does not list."""
    free = [
        name
        for name in dict.fromkeys((*names, *data.protected, *data.columns))
        if name not in _required(data) and (name not in data.columns or data.columns[name].values is None)
    ]
    yield text_quality.ExpectTextsToBeClean(
        columns=free,
        groups=data.protected,
        **boundary.statement(
            "each text has one spelling, is decoded correctly and is not a placeholder", severity="warn"
        ),
    )
    yield text_quality.ExpectTextsNotToBeNumbers(
        columns=[name for name in free if name not in data.columns or data.columns[name].type is None],
        **boundary.statement("no numbers were read as text", severity="warn"),
    )
    yield sentinel_values.ExpectNumbersNotToBeCodes(
        columns=free,
        ranges={name: [*rule.numbers] for name, rule in data.columns.items()},
        **boundary.statement("no number is a code for a missing value", severity="warn"),
    )


def _declared(name: str, column: params.Column, required: dict[str, str]) -> Iterator[Expectation]:
    """The rules of `data.columns` for one column; a `required` one is never null whatever they say."""
    severity = column.severity
    if column.type is not None:
        yield columns.ExpectColumnToHold(
            column=name,
            kind=column.type,
            **boundary.statement(f"`{name}` holds {column.type} values", severity=severity),
        )
    if column.nulls is not None and name not in required:
        message = (
            f"`{name}` is never null"
            if column.nulls == 0
            else f"`{name}` is null in at most {column.nulls:.2%}"
        )
        yield gx.ExpectColumnValuesToNotBeNull(
            column=name,
            mostly=round(1 - column.nulls, 12),
            **boundary.statement(
                message, f"fill it, or correct `data.columns.{name}.nulls`", severity=severity
            ),
        )
    range_hint = f"correct the values in `source.select`, or the range in `data.columns.{name}`"
    low, high = column.numbers
    if low is not None or high is not None:
        yield gx.ExpectColumnValuesToBeBetween(
            column=name,
            min_value=low,
            max_value=high,
            **boundary.statement(f"`{name}` is {_range(low, high)}", range_hint, severity=severity),
        )
    first, last = (None if end is None else end.isoformat() for end in column.times)
    if first is not None or last is not None:
        yield columns.ExpectTimesToBeBetween(
            column=name,
            first=first,
            last=last,
            **boundary.statement(f"`{name}` lies in the declared period", range_hint, severity=severity),
        )
    if column.values is not None:
        yield gx.ExpectColumnValuesToBeInSet(
            column=name,
            value_set=column.values,
            **boundary.statement(
                f"`{name}` is one of {', '.join(map(str, column.values))}",
                f"correct the values in `source.select`, or `data.columns.{name}.values`; "
                f"`source.types: {{{name}: integer}}` reads codes that are written as 1.0",
                severity=severity,
            ),
        )


def _range(low: float | None, high: float | None) -> str:
    ends = (("at least", low), ("at most", high))
    return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)
