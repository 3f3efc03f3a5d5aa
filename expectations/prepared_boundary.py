"""What must hold for the prepared tables before a model sees them, and how biased their labels are.

The three tables are read side by side, whether or not they line up: that they do is the first expectation.
Nothing here relies on the validation of the raw table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from great_expectations import expectations as gx
from great_expectations.expectations.expectation import Expectation

from clearance import params
from clearance.data.tables import prepared
from clearance.data.tables.stored_table import Columnar
from clearance.documents.split_document import SplitDocument
from expectations import bias, boundary, columns, features, splits
from expectations.observed_table import ObservedTable

OF_LABEL, OF_PROTECTED = "label: ", "protected: "
"""The prefixes of the columns from the label table and the protected table."""


def observed(tables: Mapping[str, Columnar]) -> ObservedTable:
    """The three tables side by side, by position; a shorter one is padded with nulls."""
    prefixes = {"features": "", "label": OF_LABEL, "protected": OF_PROTECTED}
    places = {
        prefixes[table] + name: (tables[table], name)
        for table in prepared.TABLES
        for name in tables[table].column_names
    }
    rows = max(tables[table].num_rows for table in prepared.TABLES)

    def read(column: str) -> pd.Series:
        table, name = places[column]
        values = table.column(name).to_pandas()
        return values if len(values) == rows else values.reindex(pd.RangeIndex(rows))

    return ObservedTable(places, rows, read)


def suite(
    data: params.Data, tables: Mapping[str, Columnar], record: SplitDocument, confidence: float
) -> list[Expectation]:
    """The expectations on these tables, given what `prepare` recorded of them.

    `confidence` is the level of the intervals of what is measured.
    """
    names = [name for name in tables["features"].column_names if name not in prepared.KEYS]
    attributes = [OF_PROTECTED + name for name in data.protected]
    return [
        *_rows(sum(record.rows.values())),
        *_labels(_sides(record)),
        *_design(data),
        *_features(data, names, attributes, record),
        *_bias(data, names, confidence),
    ]


def hidden(data: params.Data) -> set[str]:
    """Columns of which no report may show any row."""
    return {OF_PROTECTED + name for name in data.protected} | {*data.protected, *data.protected_encodings}


def identifiers() -> set[str]:
    """Columns whose values no report shows."""
    return {prefix + "row" for prefix in ("", OF_LABEL, OF_PROTECTED)} | {OF_LABEL + "cluster"}


def sampling(data: params.Data) -> str:
    """How the measurements of the data treat the rows, in words."""
    parts = ["of the rows as they are"] + ([] if data.weight is None else [f"unweighted by `{data.weight}`"])
    parts.append(
        "rows are taken as independent"
        if data.cluster is None
        else f"without intervals, as rows of one `{data.cluster}` are not independent"
    )
    return "; ".join(parts)


def _bias(data: params.Data, names: list[str], confidence: float) -> list[Expectation]:
    """How biased the data are. That must be measurable; how much is too much is for the policy to decide."""
    shared: dict[str, Any] = {
        "attributes": data.protected,
        "prefix": OF_PROTECTED,
        "rows": ["row", OF_LABEL + "row", OF_PROTECTED + "row"],
        "label": OF_LABEL + "label",
        "confidence": confidence,
        "cluster": data.cluster,
    }
    return [
        bias.ExpectLabelBiasToBeMeasured(
            **shared, **boundary.statement("the groups' label rates can be compared", severity="warn")
        ),
        bias.ExpectMissingnessToBeMeasured(
            **shared,
            features=names,
            **boundary.statement(
                "how often features are missing in each group can be compared", severity="warn"
            ),
        ),
        bias.ExpectProxiesToBeMeasured(
            **shared,
            features=names,
            **boundary.statement("how well features distinguish the groups can be measured", severity="warn"),
        ),
    ]


def _rows(rows: int) -> list[Expectation]:
    same = [
        gx.ExpectColumnPairValuesToBeEqual(
            column_A=key,
            column_B=prefix + key,
            ignore_row_if="neither",
            **boundary.statement(
                f"the {prefix[:-2]} table has the same `{key}` as the features table, row by row"
            ),
        )
        for prefix in (OF_LABEL, OF_PROTECTED)
        for key in prepared.KEYS
    ]
    return [
        gx.ExpectTableRowCountToEqual(
            value=rows, **boundary.statement(f"the tables have the recorded {rows} rows")
        ),
        gx.ExpectColumnValuesToNotBeNull(column="row", **boundary.statement("every row has its hash")),
        gx.ExpectColumnValuesToBeUnique(
            column="row", **boundary.statement("every row hash identifies one row")
        ),
        *same,
        gx.ExpectColumnValuesToNotBeNull(
            column="split", **boundary.statement("every row is on a side of the split")
        ),
        gx.ExpectColumnValuesToBeInSet(
            column="split",
            value_set=list(prepared.SPLITS),
            **boundary.statement(f"the sides are {', '.join(prepared.SPLITS)}"),
        ),
        splits.ExpectSplitsToBeDisjoint(
            row="row", split="split", **boundary.statement("no row is on more than one side of the split")
        ),
    ]


def _sides(record: SplitDocument) -> list[str]:
    """The sides that must have rows with both labels: all, or for a model made elsewhere those used here."""
    if record.trained_on is None:
        return list(prepared.SPLITS)
    return ["tune", "test"] if record.rows["tune"] else ["test"]


def _labels(sides: list[str]) -> list[Expectation]:
    label = OF_LABEL + "label"
    of_sides = f"{', '.join(sides[:-1])} and {sides[-1]} rows each have" if sides[1:] else "test rows have"
    return [
        gx.ExpectColumnValuesToNotBeNull(column=label, **boundary.statement("the label is never null")),
        gx.ExpectColumnValuesToBeInSet(
            column=label,
            value_set=[0, 1],
            **boundary.statement("the label is 0, or 1 for the favourable outcome"),
        ),
        splits.ExpectEverySplitToHaveBothLabels(
            split="split",
            label=label,
            sides=sides,
            **boundary.statement(f"{of_sides} both labels"),
        ),
    ]


def _design(data: params.Data) -> list[Expectation]:
    """The declared weight and cluster are present in every row."""
    expectations: list[Expectation] = []
    for name, declared in (("weight", data.weight), ("cluster", data.cluster)):
        if declared is not None:
            expectations.append(
                gx.ExpectColumnValuesToNotBeNull(
                    column=OF_LABEL + name, **boundary.statement(f"the {name} of every row is known")
                )
            )
    if data.weight is not None:
        weight = columns.ExpectColumnToWeigh(
            column=OF_LABEL + "weight", **boundary.statement("every weight is a finite number above 0")
        )
        expectations.append(weight)
    return expectations


def _features(
    data: params.Data, names: list[str], attributes: list[str], record: SplitDocument
) -> list[Expectation]:
    declared = data.features if isinstance(data.features, list) else list(record.features)
    side = "train" if record.trained_on is None else "test"
    trained_here: list[Expectation] = [
        splits.ExpectTestCategoriesToBeTrained(
            features=names,
            split="split",
            **boundary.statement("test rows have categories that train rows have", severity="warn"),
        )
    ]
    return [
        features.ExpectFeaturesToBePermitted(
            features=names,
            forbidden=data.never_features(),
            declared=declared,
            **boundary.statement(
                "the features are the declared ones: none protected, derived from one, or known later"
            ),
        ),
        features.ExpectFeaturesNotToGiveAway(
            features=names,
            attributes=attributes,
            label=OF_LABEL + "label",
            most=data.leak_auc_max,
            **boundary.statement("no feature restates a protected attribute or determines the label"),
        ),
        features.ExpectFeaturesToBeUsable(
            features=names, **boundary.statement("each feature is a finite number or a text, and has values")
        ),
        splits.ExpectFeaturesToBeKnown(
            features=names,
            split="split",
            side=side,
            **boundary.statement(f"each feature has a value in some {side} row"),
        ),
        *(trained_here if record.trained_on is None else []),
    ]
