"""Which columns may be features, and why each of the others may not: proposals from names and values.

What tells the outcome or a protected attribute almost perfectly is left out until a person says otherwise;
what only might is named. Nothing here is a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearance.data.disguises import Disguise
from clearance.drafting import column_words
from clearance.drafting.table_profile import ColumnProfile, TableProfile
from clearance.metrics import proxies
from clearance.params import Data

LEAKS = 0.95
"""An area under the ROC curve from which a column is left out: the default of `data.leak_auc_max`."""

TELLS = 0.85
"""An area from which a column that stays a feature is named."""

SUSPECT = 0.7
"""An area from which a column that is also named like something known after the outcome is left out."""

CHANCE = 1e-3
"""The chance below which a column is filled with one outcome only for a reason."""

MANY = 50
"""A text with more values than this, most of them rare, names a person or is free text."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The columns by their role, each with the reason for a proposal; `questions` are for a person.

    A column that none of the mappings holds is a feature.
    """

    features: tuple[str, ...]
    encodings: Mapping[str, str]
    after_outcome: Mapping[str, str]
    left_out: Mapping[str, str]
    questions: tuple[str, ...]


def propose(
    profile: TableProfile,
    target: str,
    protected: Sequence[str],
    row_key: str | None,
    encodings: Mapping[str, str],
    *,
    disguises: Mapping[str, Disguise] | None = None,
) -> Roles:
    """The role of every column that is not the target, a protected attribute or the row key.

    `encodings` are columns that are known to encode a protected attribute, each with the reason; `disguises`
    are the numbers and dates that are still texts.
    """
    taken = {target, *protected, *encodings, *([row_key] if row_key else [])}
    others = [column for column in profile.columns if column.name not in taken]
    later = {column.name: because for column in others if (because := _late(profile, column, target))}
    disguises = disguises or {}
    left_out = {
        column.name: because
        for column in others
        if column.name not in later
        and (because := _disguised(column, disguises) or _unusable(column, profile.rows))
    }
    usable = [column for column in others if column.name not in {*later, *left_out}]
    sample, names = profile.sample, [column.name for column in usable]
    of_target = proxies.areas(sample[names], sample[target])
    of_group = {attribute: proxies.areas(sample[names], sample[attribute]) for attribute in protected}
    found, after, questions = dict(encodings), dict(later), _doubts(others)
    for column in usable:
        name = column.name
        attribute = max(of_group, key=lambda item: of_group[item].get(name, 0.5), default=None)
        tells = of_group[attribute].get(name, 0.5) if attribute else 0.5
        area = of_target.get(name, 0.5)
        if tells >= LEAKS:
            found[name] = f"tells `{attribute}` with an area of {tells:.2f}"
        elif area >= LEAKS:
            after[name] = f"tells the outcome with an area of {area:.2f}"
        elif area >= SUSPECT and column_words.mentions(name, column_words.AFTER_OUTCOME):
            after[name] = f"its name and an area of {area:.2f} suggest that it is known only afterwards"
        elif column_words.mentions(name, column_words.PROTECTED):
            left_out[name] = "looks like a protected attribute itself"
        else:
            if tells >= TELLS:
                questions.append(f"`{name}` tells `{attribute}` with an area of {tells:.2f}: may it decide?")
            if area >= TELLS:
                questions.append(
                    f"`{name}` tells the outcome with an area of {area:.2f}: is it known before?"
                )
            elif column_words.mentions(name, column_words.AFTER_OUTCOME):
                questions.append(f"is `{name}` known before the outcome?")
    out = {*found, *after, *left_out}
    return Roles(
        features=tuple(name for name in names if name not in out),
        encodings=found,
        after_outcome=after,
        left_out=left_out,
        questions=tuple(questions),
    )


def _unusable(column: ColumnProfile, rows: int) -> str | None:
    """Why the column can be no feature, whatever it means; None when it can."""
    rare = column.distinct > MANY and column.distinct > column.rows / 5
    named = column_words.mentions(column.name, column_words.IDENTIFIERS)
    unique = column.distinct == rows and (column.kind == "text" or _numbers_rows(column, rows))
    reasons = {
        "has no value in any row": not column.rows,
        "has the same value in every row": column.distinct == 1 and not column.nulls,
        "holds times, which no estimator takes; `split.time` could split the rows": column.kind == "time",
        "holds values that are no plain number or text": column.kind == "other",
        "is the position of a row in a data frame": Data.is_index(column.name),
        "names persons, or how to reach them": (
            column.kind in ("text", "integer") and column_words.names_persons(column.name, column.distinct)
        ),
        "has another value in every row: it identifies rows": unique,
        f"has {column.distinct} values, most of them rare: it names somebody, or is free text": (
            column.kind == "text" and rare
        ),
        "names somebody: if a person has several rows, it is `data.entity`": (
            column_words.mentions(column.name, column_words.NAMES_SOMEBODY)
            and column.kind in ("integer", "text")
            and column.distinct > MANY
        ),
        "may be the sampling weight of a row": _may_weigh(column),
        "is named like an identifier and hardly repeats": (
            column.kind == "integer" and rare and named and column.distinct > column.rows / 2
        ),
    }
    return next((because for because, applies in reasons.items() if applies), None)


def _disguised(column: ColumnProfile, disguises: Mapping[str, Disguise]) -> str | None:
    """Why a text that is a number or a date can be no feature as it is; None where it is neither."""
    disguise = disguises.get(column.name)
    if disguise is None or column.kind != "text":
        return None
    if disguise.kind == "numbers":
        return f"looks like numbers, but {disguise.obstacle}" if disguise.obstacle else None
    return f"looks like {disguise.kind}, which no estimator takes: {disguise.sql} reads them"


def _late(profile: TableProfile, column: ColumnProfile, target: str) -> str | None:
    """Why the column is known only afterwards: it has values with one outcome only, and by no chance."""
    outcomes = profile.sample[target]
    filled = outcomes[profile.sample[column.name].notna()].dropna()
    if not column.nulls or filled.nunique() != 1:
        return None
    outcome = filled.iloc[0]
    share = float((outcomes == outcome).mean())
    return f"is only filled when the outcome is {outcome}" if share ** len(filled) < CHANCE else None


def _may_weigh(column: ColumnProfile) -> bool:
    return column.is_number and column_words.mentions(column.name, column_words.WEIGHTS)


def _doubts(columns: Sequence[ColumnProfile]) -> list[str]:
    """Questions that a name raises: sampling weights, and positions in a data frame."""
    weights = [
        f"is `{column.name}` the sampling weight of a row? Then name it as `data.weight`; if it measures "
        "something, it may be a feature"
        for column in columns
        if _may_weigh(column)
    ]
    return weights + [
        f"`{column.name}` is the position of a row in a data frame: does it name the same row in every later "
        "table? Only then it may be the row key"
        for column in columns
        if Data.is_index(column.name)
    ]


def _numbers_rows(column: ColumnProfile, rows: int) -> bool:
    return column.low is not None and column.high is not None and column.high - column.low == rows - 1
