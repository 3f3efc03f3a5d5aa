"""What must hold for the prepared tables before a model sees them, and how biased their labels are.

The three tables are read side by side, whether or not they line up: that they do is expected first.
Nothing here trusts what the raw table's validation said.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from great_expectations import expectations as gx
from great_expectations.expectations.expectation import Expectation

from clearance import params
from clearance.data.tables import prepared
from clearance.documents.split_document import SplitDocument
from expectations import bias, boundary, columns, features, splits

OF_LABEL, OF_PROTECTED = "label: ", "protected: "
"""What the columns of the label and protected tables are called beside those of the features."""


def frame(tables: dict[str, pa.Table]) -> pd.DataFrame:
    """The three tables side by side, by position; a shorter one is filled with nulls."""
    prefixes = {"features": "", "label": OF_LABEL, "protected": OF_PROTECTED}
    return pd.concat(
        [tables[name].to_pandas().add_prefix(prefixes[name]) for name in prepared.TABLES], axis=1
    )


def suite(
    data: params.Data, tables: dict[str, pa.Table], record: SplitDocument, confidence: float
) -> list[Expectation]:
    """The expectations on these tables, given what `prepare` recorded of them.

    `confidence` is the level of the intervals of what is measured.
    """
    found = [name for name in tables["features"].column_names if name not in prepared.KEYS]
    attributes = [OF_PROTECTED + name for name in data.protected]
    return [
        *_rows(sum(record.rows.values())),
        *_labels(),
        *_design(data),
        *_features(data, found, attributes, record),
        *_bias(data, found, confidence),
    ]


def hidden(data: params.Data) -> set[str]:
    """Columns of which no report may show any row."""
    return {OF_PROTECTED + name for name in data.protected} | {*data.protected, *data.protected_encodings}


def identifiers() -> set[str]:
    """Columns whose values no report shows."""
    return {prefix + "row" for prefix in ("", OF_LABEL, OF_PROTECTED)} | {OF_LABEL + "cluster"}


def sampling(data: params.Data) -> str:
    """How the rows are taken in what is measured of the data, in words."""
    said = ["of the rows as they are"] + ([] if data.weight is None else [f"unweighted by `{data.weight}`"])
    said.append(
        "rows are taken as independent"
        if data.cluster is None
        else f"without intervals, as rows of one `{data.cluster}` are not independent"
    )
    return "; ".join(said)


def _bias(data: params.Data, found: list[str], confidence: float) -> list[Expectation]:
    """How biased the data are: that it can be measured is expected, how much it may be is for the policy."""
    what: dict[str, Any] = {
        "attributes": data.protected,
        "prefix": OF_PROTECTED,
        "rows": ["row", OF_LABEL + "row", OF_PROTECTED + "row"],
        "label": OF_LABEL + "label",
        "confidence": confidence,
        "cluster": data.cluster,
    }
    return [
        bias.ExpectLabelBiasToBeMeasured(
            **what, **boundary.says("the groups' label rates can be compared", severity="warn")
        ),
        bias.ExpectMissingnessToBeMeasured(
            **what,
            features=found,
            **boundary.says("how often features are missing in each group can be compared", severity="warn"),
        ),
        bias.ExpectProxiesToBeMeasured(
            **what,
            features=found,
            **boundary.says("how well features tell the groups apart can be measured", severity="warn"),
        ),
    ]


def _rows(rows: int) -> list[Expectation]:
    same = [
        gx.ExpectColumnPairValuesToBeEqual(
            column_A=key,
            column_B=prefix + key,
            ignore_row_if="neither",
            **boundary.says(
                f"the {prefix[:-2]} table has the same `{key}` as the features table, row by row"
            ),
        )
        for prefix in (OF_LABEL, OF_PROTECTED)
        for key in prepared.KEYS
    ]
    return [
        gx.ExpectTableRowCountToEqual(
            value=rows, **boundary.says(f"the tables have the recorded {rows} rows")
        ),
        gx.ExpectColumnValuesToNotBeNull(column="row", **boundary.says("every row has its hash")),
        gx.ExpectColumnValuesToBeUnique(column="row", **boundary.says("every row hash names one row")),
        *same,
        gx.ExpectColumnValuesToNotBeNull(
            column="split", **boundary.says("every row is on a side of the split")
        ),
        gx.ExpectColumnValuesToBeInSet(
            column="split",
            value_set=list(prepared.SPLITS),
            **boundary.says(f"the sides are {', '.join(prepared.SPLITS)}"),
        ),
        splits.ExpectSplitsToBeDisjoint(
            row="row", split="split", **boundary.says("no row is on more than one side of the split")
        ),
    ]


def _labels() -> list[Expectation]:
    label = OF_LABEL + "label"
    return [
        gx.ExpectColumnValuesToNotBeNull(column=label, **boundary.says("the label is never null")),
        gx.ExpectColumnValuesToBeInSet(
            column=label, value_set=[0, 1], **boundary.says("the label is 0, or 1 for the favourable outcome")
        ),
        splits.ExpectEverySplitToHaveBothLabels(
            split="split", label=label, **boundary.says("train, tune and test rows each have both labels")
        ),
    ]


def _design(data: params.Data) -> list[Expectation]:
    """What is declared of how rows were drawn stands in every row."""
    found: list[Expectation] = []
    for name, declared in (("weight", data.weight), ("cluster", data.cluster)):
        if declared is not None:
            found.append(
                gx.ExpectColumnValuesToNotBeNull(
                    column=OF_LABEL + name, **boundary.says(f"the {name} of every row is known")
                )
            )
    if data.weight is not None:
        weight = columns.ExpectColumnToWeigh(
            column=OF_LABEL + "weight", **boundary.says("every weight is a finite number above 0")
        )
        found.append(weight)
    return found


def _features(
    data: params.Data, found: list[str], attributes: list[str], record: SplitDocument
) -> list[Expectation]:
    declared = data.features if isinstance(data.features, list) else list(record.features)
    return [
        features.ExpectFeaturesToBePermitted(
            features=found,
            forbidden=data.never_features(),
            declared=declared,
            **boundary.says(
                "the features are the declared ones: none protected, derived from one, or known later"
            ),
        ),
        features.ExpectFeaturesNotToGiveAway(
            features=found,
            attributes=attributes,
            label=OF_LABEL + "label",
            most=data.leak_auc_max,
            **boundary.says("no feature restates a protected attribute or determines the label"),
        ),
        features.ExpectFeaturesToBeUsable(
            features=found, **boundary.says("each feature is a finite number or a text, and has values")
        ),
        splits.ExpectFeaturesToBeKnown(
            features=found,
            split="split",
            side="train",
            **boundary.says("each feature has a value in some train row"),
        ),
    ]
