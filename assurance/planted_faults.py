"""What can go wrong with a table: each kind of fault, and what the gate must do about it, said beforehand.

A fault is planted at five strengths: shares of the rows unless it says otherwise. `block` and `warn` are
promises. `beyond` says that nothing in the declared contract can show it, and why. `silent` says that it is
no fault and must not be reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from assurance import leaking_features, planting, prepared_faults
from assurance.leaking_features import of_label, of_sex
from assurance.planting import repeated, values
from assurance.prepared_faults import part

CLASSES = ("schema", "type", "range", "duplicate", "leakage", "rest")
SHARES = (0.002, 0.01, 0.05, 0.2, 0.6)
COUNTS = (1, 2, 3, 4, 5)
PLENTY = (0.005, 0.01, 0.05, 0.2, 0.6)
"""A code in a single row is an outlier; these are three rows at least."""

FLIPS = (0.0, 0.005, 0.01, 0.06, 0.08)
NOISE = (0.05, 0.15, 0.25, 0.45, 0.5)
"""Shares turned, and noise beside a difference of 1: areas of 0.99 and more, then of 0.92 to 0.94."""

FADING = "block block block warn warn"


@dataclass(frozen=True)
class Fault:
    """One kind of fault: its class, how it is planted, at which strengths, and what is promised at each."""

    name: str
    kind: str
    plant: planting.Plant
    strengths: tuple[Any, ...]
    declared: tuple[str, ...]
    why: str = ""


def _fault(
    kind: str,
    name: str,
    plant: planting.Plant,
    strengths: tuple[Any, ...] = SHARES,
    *,
    declared: str = "block",
    why: str = "",
) -> Fault:
    promises = tuple(declared.split())
    return Fault(name, kind, plant, strengths, promises * 5 if len(promises) == 1 else promises, why)


schema, types, ranges = (partial(_fault, kind) for kind in ("schema", "type", "range"))
duplicate, leakage, rest = (partial(_fault, kind) for kind in ("duplicate", "leakage", "rest"))
harmless = partial(_fault, "harmless", declared="silent", strengths=COUNTS)

SCHEMA = [
    schema("columns missing", planting.missing, COUNTS),
    schema("columns renamed", planting.renamed(lambda name: f"{name}_v2"), COUNTS),
    schema("columns in capitals", planting.renamed(str.upper), COUNTS),
    schema("blanks around column names", planting.renamed(lambda name: f" {name} "), COUNTS),
    schema("twin columns", planting.header(lambda head, count: [*head[:-count], *head[:count]]), COUNTS),
    schema("columns without a name", planting.header(planting.unnamed_first), COUNTS),
    schema("header lost", planting.headless, COUNTS),
    schema("lines with a field too many", planting.lines(lambda line: f"{line},1")),
    schema("lines that end early", planting.lines(lambda line: line.rsplit(",", 2)[0])),
    schema("lines with semicolons", planting.lines(lambda line: line.replace(",", ";"))),
    schema("an open quote", planting.lines(lambda line: f'"{line}')),
    schema("Latin-1 in a UTF-8 file", planting.latin),
    schema("rows lost after ingest", planting.lost),
]
TYPE = [
    types("thousands separators", values("loan", lambda v, _: [f"{x:,.2f}" for x in v])),
    types("decimal commas", values("income", planting.decimal_commas)),
    types("units behind numbers", values("income", lambda v, _: [f"{x} kUSD" for x in v])),
    types("words for missing numbers", values("loan", lambda v, r: r.choice(["n/a", "-", "none"], len(v)))),
    types("decimal commas, column not declared", values("tenure", planting.decimal_commas), declared="warn"),
    types(
        "words for numbers, column not declared",
        values("score", "none yet"),
        (0.002, 0.01, 0.05, 0.1, 0.3),
        declared="warn",
    ),
    types("yes and no for booleans", values("employed", lambda v, _: np.where(v.astype(bool), "yes", "no"))),
    types("fractions among integers", values("history", lambda v, _: v + 0.5)),
    types("dates in another format", values("decided", lambda v, _: [f"{x:%d.%m.%Y}" for x in v])),
    types("numbers for texts", values("purpose", lambda v, _: [f"{len(x)}" for x in v])),
    types("keys with a prefix", values("id", lambda v, _: [f"A{x}" for x in v])),
    types("two columns swapped", planting.swapped("loan", "purpose")),
]
RANGE = [
    ranges("unit x 100", values("income", lambda v, _: v * 100)),
    ranges("unit / 1000", values("loan", lambda v, _: v / 1000)),
    ranges("signs flipped", values("loan", lambda v, _: -v)),
    ranges("-999 for missing", values("debt", -999)),
    ranges("99 for missing counts", values("history", 99)),
    ranges("infinite numbers", values("income", lambda v, r: r.choice([np.inf, -np.inf], len(v)))),
    ranges("infinite numbers, column not declared", values("tenure", np.inf)),
    ranges("dates in the future", values("decided", lambda v, _: [x + pd.DateOffset(years=100) for x in v])),
    ranges("dates at the epoch", values("decided", pd.Timestamp("1970-01-01"))),
    ranges("category not declared", values("purpose", "boat")),
    ranges("category in another spelling", values("purpose", planting.respelled)),
    ranges("group renamed", values("race", lambda v, _: [f"{x} or other" for x in v])),
    ranges("a third outcome", values("approved", planting.third_outcome)),
]
DUPLICATE = [
    duplicate("keys of other rows", planting.keys_of_others),
    duplicate("rows repeated", repeated(planting.as_is, new_keys=False)),
    duplicate("rows repeated, other outcome", repeated(planting.other_outcome, new_keys=False)),
    duplicate("rows under new keys", repeated(planting.as_is, new_keys=True), declared="warn"),
    duplicate(
        "rows under new keys, other outcome", repeated(planting.other_outcome, new_keys=True), declared="warn"
    ),
    duplicate(
        "rows under new keys, a number changed", repeated(planting.jitter, new_keys=True), declared="warn"
    ),
    duplicate("row hashes repeated after the split", part("features", prepared_faults.row_twice)),
    duplicate(
        "rows under new keys, two numbers changed",
        repeated(planting.reworked, new_keys=True),
        declared="beyond",
        why="two people may share all but two columns: nothing tells them from one person entered twice",
    ),
]
LEAKAGE = [
    leakage("copy of the label, some turned", of_label(leaking_features.flipped), FLIPS, declared=FADING),
    leakage("label in other words, some turned", of_label(leaking_features.in_words), FLIPS, declared=FADING),
    leakage("label + noise", of_label(leaking_features.noisy), NOISE, declared=FADING),
    leakage(
        "exp(label + noise)",
        of_label(lambda y, s, r: np.exp(-3 * leaking_features.noisy(y, s, r))),
        NOISE,
        declared=FADING,
    ),
    leakage(
        "label in the last digit, some turned",
        of_label(lambda y, s, r: 2 * r.integers(0, 40, len(y)) + leaking_features.flipped(y, s, r)),
        (0.0, 0.003, 0.006, 0.01, 0.06),
        declared="block block block block warn",
    ),
    leakage(
        "later column, some missing",
        of_label(lambda y, s, r: np.where(r.random(len(y)) < s, np.nan, 1 - y)),
        (0.0, 0.1, 0.2, 0.3, 0.4),
    ),
    leakage(
        "text that tells the outcome", of_label(leaking_features.outcome_text), (0.0, 0.01, 0.05, 0.1, 0.15)
    ),
    leakage(
        "two features that settle the label", leaking_features.told_by_two, (0.0, 0.002, 0.004, 0.006, 0.01)
    ),
    leakage(
        "two numbers whose difference tells", leaking_features.told_by_difference, (0.0, 0.05, 0.1, 0.15, 0.2)
    ),
    leakage(
        "keys in the order of the outcome",
        leaking_features.key_in_order,
        (0.0, 0.02, 0.05, 0.1, 0.15),
        declared="warn",
    ),
    leakage("copy of sex, some turned", of_sex(leaking_features.flipped), FLIPS, declared=FADING),
    leakage(
        "sex + noise",
        of_sex(lambda y, s, r: 175 - 15 * leaking_features.noisy(y, s, r)),
        NOISE,
        declared=FADING,
    ),
    leakage("race under several codes", leaking_features.recoded_race, COUNTS),
    leakage(
        "one race told from the others",
        leaking_features.one_race,
        (0.0, 0.002, 0.05, 0.055, 0.06),
        declared="block block warn warn warn",
    ),
    leakage(
        "outcome among the prepared features", part("features", prepared_faults.put_back("label", "label"))
    ),
    leakage(
        "group among the prepared features", part("features", prepared_faults.put_back("protected", "race"))
    ),
    leakage("rows on another side of the split", part("features", prepared_faults.on_another_side)),
    leakage(
        "faint echo of the label",
        of_label(leaking_features.flipped),
        (0.2, 0.25, 0.3, 0.35, 0.4),
        declared="beyond",
        why="an area under the ROC curve of 0.6 to 0.8 is what an honest feature has too",
    ),
]
REST = [
    rest("nulls above the declared share", values("income", np.nan), (0.06, 0.1, 0.2, 0.4, 0.8)),
    rest("nulls in a column without any", values("history", np.nan)),
    rest("keys missing", values("id", np.nan)),
    rest("outcomes missing", values("approved", None)),
    rest("groups missing", values("race", None)),
    rest("features without a value", planting.without, COUNTS),
    rest("features that never vary", planting.constant, COUNTS, declared="warn"),
    rest("too few of one outcome", planting.rarer, (0.0, 0.01, 0.02, 0.03, 0.04)),
    rest("file cut short", planting.cut, (0.05, 0.25, 0.5, 0.75, 0.95)),
    rest("a group merged into another", planting.merged, COUNTS, declared="warn"),
    rest("a group left out", planting.vanished, COUNTS, declared="warn"),
    rest("texts in other spellings", values("region", planting.respelled), declared="warn"),
    rest("texts decoded wrongly", values("region", "ZÃ¼rich"), declared="warn"),
    rest("letters lost from texts", values("region", "Z\ufffdrich"), declared="warn"),
    rest(
        "words for missing texts",
        values("region", lambda v, r: r.choice(["N/A", "?"], len(v))),
        declared="warn",
    ),
    rest("9999 for missing", values("score", 9999), PLENTY, declared="warn"),
    rest("-1 for missing", values("tenure", -1), PLENTY, declared="warn"),
    rest("prepared labels in other rows", part("label", prepared_faults.shifted)),
    rest("prepared groups in other rows", part("protected", prepared_faults.shifted)),
]
BEYOND = [
    rest(name, plant, strengths, declared="beyond", why=why)
    for name, plant, strengths, why in (
        (
            "file cut short above the fewest rows",
            planting.cut_above,
            (0.1, 0.3, 0.5, 0.7, 0.9),
            "the contract states the fewest rows, not how many the source had",
        ),
        (
            "zeros for missing, column not declared",
            values("score", 0),
            SHARES,
            "zero is a number that may occur",
        ),
        (
            "unit x 100, column not declared",
            values("tenure", lambda v, _: v * 100),
            SHARES,
            "it has no range",
        ),
        ("signs flipped, column not declared", values("tenure", lambda v, _: -v), SHARES, "it has no range"),
        (
            "two columns of one range swapped",
            planting.swapped("score", "tenure"),
            SHARES,
            "each value is possible in either column",
        ),
        (
            "labels turned in one group",
            planting.labels(planting.of_one_group),
            SHARES,
            "the groups' label rates are measured; how far apart they may be is the policy's to say",
        ),
        ("labels turned", planting.labels(planting.rows), SHARES, "every label is possible in every row"),
        ("outcomes slipped by a row", planting.slipped, SHARES, "every label is possible in every row"),
        (
            "rows of one group left out",
            planting.thinned,
            SHARES,
            "the contract holds no shares of groups to compare with: drift is for monitoring",
        ),
    )
]
HARMLESS = [
    harmless("columns in another order", planting.columns_turned),
    harmless("rows in another order", planting.rows_turned),
    harmless("keys as floating-point numbers", lambda c, *_: c.put(id=c.frame["id"].astype(float))),
    harmless("texts as categories", lambda c, *_: c.put(region=c.frame["region"].astype("category"))),
    harmless("columns that nobody names", planting.unnamed),
    harmless("the table as a CSV file", lambda c, *_: replace(c, file=str.encode)),
    harmless("CSV with a byte order mark", lambda c, *_: replace(c, file=lambda t: t.encode("utf-8-sig"))),
    harmless(
        "CSV with Windows line ends",
        lambda c, *_: replace(c, file=lambda text: text.replace("\n", "\r\n").encode()),
    ),
]

ALL = [*SCHEMA, *TYPE, *RANGE, *DUPLICATE, *LEAKAGE, *REST, *BEYOND, *HARMLESS]
