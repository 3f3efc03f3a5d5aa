"""The `select` of a draft: bands, groups, a target of two values, and codes turned into nulls.

Each derivation is one piece of DuckDB SQL with the sentence that says why it is proposed.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearance.data import sentinel_codes, written_numbers
from clearance.data.disguises import Disguise
from clearance.data.sources import duckdb_engine
from clearance.drafting import faults
from clearance.drafting.table_profile import ColumnProfile, TableProfile
from clearance.params import Scalar

MOST_GROUPS = 12
"""More groups of a text than this are joined: few of them would have enough rows."""

MOST_NUMBERS = 5
"""More distinct numbers than this are banded."""

SMALLEST_GROUP = 100
"""A text's group with fewer rows is joined with others: under a third of its rows judge."""

FEW_TEXTS = 20
"""A text with more values than this may be a number in disguise."""

IMPOSSIBLE = 1e30
"""No measurement of a person or a thing reaches this: it stands for a missing value."""

_LIMIT = re.compile(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
_AGES = (25, 40, 60)


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """A column that `select` makes or replaces, the SQL for it, and why."""

    column: str
    sql: str
    replaces: bool
    because: str


def bands(profile: TableProfile, column: ColumnProfile) -> Derivation | None:
    """A protected column of many values in few bands or groups; None for one that has few values."""
    taken = profile.names
    if column.distinct <= (MOST_NUMBERS if column.is_number else MOST_GROUPS):
        return None
    if column.is_number and column.low is not None and column.high is not None:
        name = _free(f"{column.name}_band", taken)
        edges = _edges(column.low, column.high, is_age="age" in column.name.lower())
        numbers = profile.sample[column.name].to_numpy(dtype=float, na_value=math.nan)
        edges = _filled(edges, numbers[np.isfinite(numbers)], SMALLEST_GROUP * len(numbers) / profile.rows)
        because = f"`{column.name}` has {column.distinct} values: {len(edges) + 1} bands can be compared"
        return Derivation(column=name, sql=_banded(column.name, edges), replaces=False, because=because)
    large = [value for value, rows in column.values if rows >= SMALLEST_GROUP][: MOST_GROUPS - 1]
    if not large:
        return None
    name = _free(f"{column.name}_group", taken)
    quoted = duckdb_engine.name(column.name)
    listed = ", ".join(map(duckdb_engine.literal, large))
    text = f"CAST({quoted} AS VARCHAR)"
    return Derivation(
        column=name,
        sql=f"CASE WHEN {text} IN ({listed}) THEN {text} WHEN {quoted} IS NOT NULL THEN 'other' END",
        replaces=False,
        because=f"`{column.name}` has {column.distinct} values: the rare ones are one group",
    )


def target(column: ColumnProfile, favourable: str) -> tuple[Derivation | None, Scalar]:
    """What makes the target two-valued, None where it is; and the favourable value as params.yaml has it.

    `favourable` is one of its values, or a limit for a column of numbers. Raises ConfigurationError when it
    is neither.
    """
    quoted = duckdb_engine.name(column.name)
    if column.is_number and (limit := _LIMIT.fullmatch(favourable)):
        sql = f"CASE WHEN {quoted} {limit[1]} {limit[2]} THEN 'yes' WHEN {quoted} IS NOT NULL THEN 'no' END"
        because = f"`{column.name}` is a number: the outcome is whether it is {limit[1]} {limit[2]}"
        return Derivation(column=column.name, sql=sql, replaces=True, because=because), "yes"
    values = [value for value, _ in column.values]
    if column.kind == "boolean":
        favourable = {"true": "1", "false": "0"}.get(favourable.strip().casefold(), favourable)
    if favourable not in values:
        raise absent(column, favourable)
    if column.distinct == 2:
        return None, _scalar(column, favourable)
    sql = (
        f"CASE WHEN CAST({quoted} AS VARCHAR) = {duckdb_engine.literal(favourable)} "
        f"THEN {duckdb_engine.literal(favourable)} WHEN {quoted} IS NOT NULL THEN 'other' END"
    )
    because = f"`{column.name}` has {column.distinct} values: the outcome is `{favourable}` or not"
    return Derivation(column=column.name, sql=sql, replaces=True, because=because), favourable


def absent(column: ColumnProfile, favourable: str) -> Exception:
    """The error for a favourable value that the target never has."""
    from clearance.preflight import suggestions

    values = [value for value, _ in column.values]
    return faults.FAVOURABLE_ABSENT(
        target=column.name,
        favourable=favourable,
        suggestion=suggestions.did_you_mean(favourable, values),
        values=", ".join(values[:12]) or "numbers",
    )


def codes(profile: TableProfile, column: ColumnProfile) -> Derivation | None:
    """A number's codes for a missing value turned into nulls; None where it has none."""
    if not column.is_number or 0 < column.distinct <= 3:
        return None
    quoted = duckdb_engine.name(column.name)
    ends = [abs(end) for end in (column.low, column.high) if end is not None]
    if not all(end < IMPOSSIBLE for end in ends):
        return Derivation(
            column=column.name,
            sql=f"CASE WHEN abs({quoted}) < {IMPOSSIBLE:g} THEN {quoted} END",
            replaces=True,
            because=f"numbers of {IMPOSSIBLE:g} and more in `{column.name}` measure nothing",
        )
    numbers = profile.sample[column.name].to_numpy(dtype=float, na_value=math.nan)
    missing = sentinel_codes.codes(numbers[np.isfinite(numbers)])
    if not missing:
        return None
    listed = ", ".join(f"{code:.17g}" for code in missing)
    return Derivation(
        column=column.name,
        sql=f"CASE WHEN {quoted} NOT IN ({listed}) THEN {quoted} END",
        replaces=True,
        because=f"{listed} in `{column.name}` looks like a code for a missing value",
    )


def numbers(column: str, disguise: Disguise, example: str) -> Derivation | None:
    """A text whose values are all numbers with units, currencies or separators, as numbers; else None."""
    if disguise.kind != "numbers" or disguise.sql is None:
        return None
    because = f"`{column}` holds numbers that are written as text, such as {example}"
    return Derivation(column=column, sql=disguise.sql, replaces=True, because=because)


def blanks(column: ColumnProfile) -> Derivation | None:
    """A text's words for a missing value turned into nulls; None where it has none, or too many values."""
    if column.kind != "text":
        return None
    missing = [value for value, _ in column.values if value.strip().casefold() in written_numbers.MISSING]
    if not missing or len(missing) == len(column.values):
        return None
    quoted = duckdb_engine.name(column.name)
    listed = ", ".join(map(duckdb_engine.literal, missing))
    words = ", ".join(f"'{value}'" for value in missing)
    return Derivation(
        column=column.name,
        sql=f"CASE WHEN {quoted} NOT IN ({listed}) THEN {quoted} END",
        replaces=True,
        because=f"{words} in `{column.name}` stands for a missing value",
    )


def select(derivations: Sequence[Derivation], complete: str | None, inner: str | None = None) -> str | None:
    """The SELECT that makes all of them from `inner`, itself a SELECT from the source; `inner` for none.

    `complete`: the column that no row may lack.
    """
    replaced = [item for item in derivations if item.replaces]
    added = [item for item in derivations if not item.replaces]
    where = "" if complete is None else f"\nWHERE {duckdb_engine.name(complete)} IS NOT NULL"
    if not derivations and not where:
        return inner
    start = "source" if inner is None else "(\n" + textwrap.indent(inner, "  ") + "\n)"
    lines = [f"  {item.sql} AS {duckdb_engine.name(item.column)}," for item in added]
    if replaced:
        inner = ",\n".join(f"    {item.sql} AS {duckdb_engine.name(item.column)}" for item in replaced)
        lines.append(f"  * REPLACE (\n{inner}\n  )")
    else:
        lines.append("  *")
    return "SELECT\n" + "\n".join(lines) + f"\nFROM {start}{where}"


def _edges(low: float, high: float, *, is_age: bool) -> list[float]:
    """The lower ends of the bands after the first: usual ones of ages, else round thirds of the range."""
    inside = [float(edge) for edge in _AGES if low < edge <= high]
    if is_age and low >= 0 and high <= 120 and inside:
        return inside
    step = (high - low) / 3
    scale = 10.0 ** math.floor(math.log10(step))
    edges = [round((low + step * part) / scale) * scale for part in (1, 2)]
    return sorted({edge for edge in edges if low < edge <= high})


def _filled(edges: Sequence[float], numbers: npt.NDArray[np.float64], fewest: float) -> list[float]:
    """The edges without those between which too few numbers lie; one at least remains."""
    kept = list(edges)
    while len(kept) > 1:
        counts = np.bincount(np.searchsorted(kept, numbers, side="right"), minlength=len(kept) + 1)
        smallest = int(counts.argmin())
        if counts[smallest] >= fewest:
            break
        del kept[min(smallest, len(kept) - 1)]
    return kept


def _banded(name: str, edges: Sequence[float]) -> str:
    quoted = duckdb_engine.name(name)
    first, *others = edges
    cases = [f"WHEN {quoted} < {first:g} THEN 'under {first:g}'"]
    ends = [*others, None]
    for start, end in zip(edges, ends, strict=True):
        if end is None:
            cases.append(f"WHEN {quoted} >= {start:g} THEN '{start:g} and over'")
        else:
            cases.append(f"WHEN {quoted} < {end:g} THEN '{start:g} to under {end:g}'")
    return "CASE\n" + "".join(f"    {case}\n" for case in cases) + "  END"


def _free(name: str, taken: Sequence[str]) -> str:
    while name.casefold() in {other.casefold() for other in taken}:
        name += "_"
    return name


def _scalar(column: ColumnProfile, value: str) -> Scalar:
    """The value as params.yaml writes it: a number where the column holds numbers."""
    if column.is_number or column.kind == "boolean":
        number = float(value)
        return int(number) if number.is_integer() else number
    return value
