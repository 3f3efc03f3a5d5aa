"""What must hold for the raw table before anything is trained on it.

Built from `data` in `params.yaml`. Missing columns, labels, keys, forbidden and revealing features always
block; what `data.columns` declares does what its `severity` says; the rest warns.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
from great_expectations import expectations as gx
from great_expectations.expectations.expectation import Expectation

from clearance import params
from clearance.data.tables import prepared
from expectations import boundary, columns, features, labels, repeats, sentinel_values, text_quality

_DERIVE = "declare or derive it in `source.select`"


def frame(table: pa.Table) -> pd.DataFrame:
    """The table as the suite reads it: decimals as floats, dates as times, booleans that may be null."""
    fields = [field.with_type(_plain(field.type)) for field in table.schema]
    return table.cast(pa.schema(fields)).to_pandas(
        types_mapper={pa.bool_(): pd.BooleanDtype()}.get, date_as_object=False
    )


def suite(data: params.Data, names: list[str], rows: int) -> list[Expectation]:
    """The expectations on a table with these columns and, as recorded, this many rows."""
    return [
        *_table(data, names, rows),
        *_roles(data),
        *_features(data, data.feature_names(names)),
        *_rows(data, data.feature_names(names), names),
        *_values(data, data.feature_names(names)),
        *(each for name, column in data.columns.items() for each in _declared(name, column, _known(data))),
    ]


def hidden(data: params.Data) -> set[str]:
    """Columns of which no report may show any row: protected attributes and their encodings."""
    return {*data.protected, *data.protected_encodings}


def identifiers(data: params.Data) -> set[str]:
    """Columns whose values no report may show, though it may say by their hash which rows it means."""
    return {name for name in (data.row_key, data.entity, data.cluster) if name is not None}


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.float64() if pa.types.is_decimal(kind) else kind


def _table(data: params.Data, names: list[str], rows: int) -> Iterator[Expectation]:
    mends = _mends(data, names)
    must = [name for name, (severity, _) in mends.items() if severity == "block"]
    may = [name for name, (severity, _) in mends.items() if severity == "warn"]
    yield gx.ExpectTableRowCountToEqual(
        value=rows, **boundary.says(f"the table has its recorded {rows} rows")
    )
    yield gx.ExpectTableRowCountToBeBetween(
        min_value=data.rows_min,
        **boundary.says(
            f"the table has at least {data.rows_min} rows",
            "bring more rows, or lower `data.rows_min` knowingly",
        ),
    )
    for group, severity in ((must, "block"), (may, "warn")):
        if group:
            yield columns.ExpectColumnsToExist(
                columns=group,
                mends={name: mends[name][1] for name in group},
                **boundary.says(f"the declared columns exist: {', '.join(group)}", severity=severity),
            )


def _mends(data: params.Data, names: list[str]) -> dict[str, tuple[str, str]]:
    """Every declared column with what its absence does and how to hint it.

    An absent column that may never be a feature only warns, unless the features are all columns but some:
    then a misspelt name would let the real column in.
    """
    leave_out = "block" if isinstance(data.features, params.AllBut) else "warn"
    never = [*data.protected_encodings, *data.after_outcome]
    if isinstance(data.features, params.AllBut):
        never += data.features.all_but
    found = dict.fromkeys(never, (leave_out, "hint its spelling, or take it off the list"))
    found |= dict.fromkeys(data.columns, ("block", f"{_DERIVE}, or take it out of `data.columns`"))
    found |= dict.fromkeys(
        data.feature_names(names), ("block", f"{_DERIVE}, or leave it out of `data.features`")
    )
    return found | dict.fromkeys((*data.protected, *_known(data)), ("block", _DERIVE))


def _known(data: params.Data) -> dict[str, str]:
    """Columns that may never be null, with their roles."""
    roles = {data.weight: "the weight", data.cluster: "the cluster"}
    roles |= {data.row_key: "the row key", data.entity: "the entity", data.target: "the target"}
    return {name: role for name, role in roles.items() if name is not None}


def _roles(data: params.Data) -> Iterator[Expectation]:
    for name, role in _known(data).items():
        yield gx.ExpectColumnValuesToNotBeNull(
            column=name,
            **boundary.says(f"{role} `{name}` is never null", "drop or fill those rows in `source.select`"),
        )
    if data.row_key is not None:
        yield gx.ExpectColumnValuesToBeUnique(
            column=data.row_key,
            **boundary.says(
                f"the row key `{data.row_key}` names one row each",
                "drop the repeated rows in `source.select`, or declare a key that is unique",
            ),
        )
    if data.weight is not None:
        yield columns.ExpectColumnToWeigh(
            column=data.weight, **boundary.says(f"the weight `{data.weight}` is a finite number above 0")
        )
    yield labels.ExpectLabelToHaveTwoValues(
        column=data.target,
        favourable=data.favourable,
        **boundary.says(f"the target `{data.target}` has two values, `{data.favourable}` among them"),
    )
    yield labels.ExpectLabelShareToBeAtLeast(
        column=data.target,
        share=data.label_share_min,
        **boundary.says(
            f"the rarer value of `{data.target}` has at least {data.label_share_min:.2%} of the rows"
        ),
    )
    yield labels.ExpectGroupsToCompare(
        columns=data.protected,
        **boundary.says("each protected attribute has groups to compare", severity="warn"),
    )
    listed = {name: data.columns[name].values for name in data.protected if name in data.columns}
    if groups := {name: values for name, values in listed.items() if values is not None}:
        yield labels.ExpectGroupsToOccur(
            groups=groups, **boundary.says("each declared group has rows", severity="warn")
        )
    for name in data.protected:
        if name not in data.columns or data.columns[name].nulls is None:
            yield gx.ExpectColumnValuesToNotBeNull(
                column=name,
                **boundary.says(
                    f"the protected attribute `{name}` is known in every row",
                    f"declare the share you accept as `data.columns.{name}.nulls`",
                    severity="warn",
                ),
            )


def _features(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    forbidden = data.never_features() | dict.fromkeys(
        prepared.KEYS, "a name the prepared tables use themselves"
    )
    yield features.ExpectFeaturesToBePermitted(
        features=names,
        declared=names,
        forbidden=forbidden,
        **boundary.says(
            "no protected attribute, encoding, outcome, target or identifier is among the features"
        ),
    )
    yield features.ExpectFeaturesNotToGiveAway(
        features=names,
        attributes=data.protected,
        label=data.target,
        most=data.leak_auc_max,
        **boundary.says("no feature restates a protected attribute or determines the label"),
    )
    yield features.ExpectFeaturesToTellLittle(
        features=names,
        targets=[*data.protected, data.target],
        most=data.leak_auc_max,
        **boundary.says(
            "no feature alone tells a protected attribute or the label suspiciously well", severity="warn"
        ),
    )
    yield features.ExpectFeaturesToBeUsable(
        features=names,
        **boundary.says("each feature is a finite number, a boolean or a text, and has values"),
    )
    yield features.ExpectFeaturesToVary(
        features=names, **boundary.says("each feature has more than one value", severity="warn")
    )


def _rows(data: params.Data, features_: list[str], names: list[str]) -> Iterator[Expectation]:
    """Rows are compared in what has a role; in all but the key where an entity may have several rows."""
    roles = [*features_, *data.protected, data.target, *data.columns]
    apart = {data.row_key, *data.protected_encodings, *data.after_outcome}
    compared = [name for name in (names if data.entity else dict.fromkeys(roles)) if name not in apart]
    yield repeats.ExpectRowsToDiffer(
        columns=compared,
        key=data.row_key,
        near=data.entity is None,
        **boundary.says("no row repeats another under another key, but for one column", severity="warn"),
    )
    if data.row_key is not None:
        yield features.ExpectFeaturesToTellLittle(
            features=[data.row_key],
            targets=[data.target],
            **boundary.says("the row key says nothing of the outcome", severity="warn"),
        )


def _values(data: params.Data, names: list[str]) -> Iterator[Expectation]:
    """What holds of values that `data.columns` does not list."""
    free = [
        name
        for name in dict.fromkeys((*names, *data.protected, *data.columns))
        if name not in _known(data) and (name not in data.columns or data.columns[name].values is None)
    ]
    yield text_quality.ExpectTextsToBeClean(
        columns=free,
        **boundary.says("each text is spelled one way, decoded right and says something", severity="warn"),
    )
    yield text_quality.ExpectTextsNotToBeNumbers(
        columns=[name for name in free if name not in data.columns or data.columns[name].type is None],
        **boundary.says("no numbers were read as text", severity="warn"),
    )
    yield sentinel_values.ExpectNumbersNotToBeCodes(
        columns=free,
        ranges={name: [*rule.numbers] for name, rule in data.columns.items()},
        **boundary.says("no number is a code for a missing value", severity="warn"),
    )


def _declared(name: str, column: params.Column, known: dict[str, str]) -> Iterator[Expectation]:
    """What `data.columns` says of one column; a `known` one is never null whatever it says."""
    severity = column.severity
    if column.type is not None:
        yield columns.ExpectColumnToHold(
            column=name,
            kind=column.type,
            **boundary.says(f"`{name}` holds {column.type} values", severity=severity),
        )
    if column.nulls is not None and name not in known:
        says = (
            f"`{name}` is never null"
            if column.nulls == 0
            else f"`{name}` is null in at most {column.nulls:.2%}"
        )
        yield gx.ExpectColumnValuesToNotBeNull(
            column=name,
            mostly=round(1 - column.nulls, 12),
            **boundary.says(says, f"fill it, or hint `data.columns.{name}.nulls`", severity=severity),
        )
    range_mend = f"hint the values in `source.select`, or the range in `data.columns.{name}`"
    low, high = column.numbers
    if low is not None or high is not None:
        yield gx.ExpectColumnValuesToBeBetween(
            column=name,
            min_value=low,
            max_value=high,
            **boundary.says(f"`{name}` is {_range(low, high)}", range_mend, severity=severity),
        )
    first, last = (None if end is None else end.isoformat() for end in column.times)
    if first is not None or last is not None:
        yield columns.ExpectTimesToBeBetween(
            column=name,
            first=first,
            last=last,
            **boundary.says(f"`{name}` lies in the declared time", range_mend, severity=severity),
        )
    if column.values is not None:
        yield gx.ExpectColumnValuesToBeInSet(
            column=name,
            value_set=column.values,
            **boundary.says(
                f"`{name}` is one of {', '.join(map(str, column.values))}",
                f"hint the values in `source.select`, or `data.columns.{name}.values`",
                severity=severity,
            ),
        )


def _range(low: float | None, high: float | None) -> str:
    ends = (("at least", low), ("at most", high))
    return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)
