"""Ways of spoiling a table: each takes a clean case, how strongly, and a source of chance.

What is spoiled, and what the gate must do about it, stands in `assurance.planted_faults`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from assurance.clean_tables import Case, Random

Plant = Callable[[Case, Any, Random], Case]


def rows(case: Case, share: float, random: Random) -> np.ndarray:
    """A mask of this share of the rows, one at least."""
    mask = np.zeros(len(case.frame), dtype=bool)
    mask[random.choice(len(mask), max(1, round(share * len(mask))), replace=False)] = True
    return mask


def values(column: str, change: Any) -> Plant:
    """Other values in a share of the rows that have one: `change` is it, or makes them of the old ones."""

    def plant(case: Case, share: float, random: Random) -> Case:
        present = case.frame[column].dropna()
        at = present.index[random.choice(len(present), max(1, round(share * len(present))), replace=False)]
        values = case.frame[column].astype(object)
        values.loc[at] = _as_list(change(present.loc[at], random) if callable(change) else change, len(at))
        return case.put(**{column: _typed(values)})

    return plant


def _as_list(result: Any, rows: int) -> list[Any]:
    return list(result) if isinstance(result, list | np.ndarray | pd.Series) else [result] * rows


def _typed(values: pd.Series) -> Any:
    """The values as one type, as a source would hand them over: text as soon as one of them is."""
    if any(isinstance(value, bool | np.bool_) for value in values) and any(
        type(value) is int for value in values
    ):
        return values.astype(int)
    if any(isinstance(value, str) for value in values):
        return values.map(lambda value: value if pd.isna(value) else _text(value)).astype(object)
    return values.infer_objects()


def _text(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return str(value).removesuffix(".0")


def renamed(change: Callable[[str], str]) -> Plant:
    names = ["income", "race", "approved", "id", "purpose"]

    def plant(case: Case, count: int, _: Random) -> Case:
        return replace(case, frame=case.frame.rename(columns={name: change(name) for name in names[:count]}))

    return plant


def missing(case: Case, count: int, _: Random) -> Case:
    names = ["loan", "sex", "approved", "id", "employed"]
    return replace(case, frame=case.frame.drop(columns=names[:count]))


def lines(change: Callable[[str], str]) -> Plant:
    """A share of the lines of the CSV file changed, not the header."""

    def plant(case: Case, share: float, random: Random) -> Case:
        numbers = {int(at) + 1 for at in np.flatnonzero(rows(case, share, random))}

        def file(text: str) -> bytes:
            lines = text.splitlines()
            result = [change(line) if at in numbers else line for at, line in enumerate(lines)]
            return "\n".join([*result, ""]).encode()

        return replace(case, file=file)

    return plant


def latin(case: Case, share: float, random: Random) -> Case:
    """A share of the lines written in Latin-1, each with a letter that is no ASCII."""
    case = values("region", lambda _, __: "Zürich")(case, share, random)
    return replace(case, file=lambda text: text.encode("latin-1", errors="replace"))


def header(change: Callable[[list[str], int], list[str]]) -> Plant:
    def plant(case: Case, count: int, _: Random) -> Case:
        def file(text: str) -> bytes:
            head, body = text.split("\n", 1)
            return (",".join(change(head.split(","), count)) + "\n" + body).encode()

        return replace(case, file=file)

    return plant


def headless(case: Case, count: int, _: Random) -> Case:
    return replace(case, file=lambda text: "".join(text.splitlines(keepends=True)[count:]).encode())


def repeated(change: Callable[[pd.DataFrame, Random], pd.DataFrame], *, new_keys: bool) -> Plant:
    """A share of the rows again at the end, changed."""

    def plant(case: Case, share: float, random: Random) -> Case:
        again = change(case.frame[rows(case, share, random)].copy(), random)
        if new_keys:
            again["id"] = case.frame["id"].max() + 1 + np.arange(len(again))
        return replace(case, frame=pd.concat([case.frame, again], ignore_index=True))

    return plant


def jitter(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    return frame.assign(tenure=frame["tenure"] + random.uniform(0.5, 3, len(frame)))


def reworked(frame: pd.DataFrame, random: Random) -> pd.DataFrame:
    return jitter(frame, random).assign(score=frame["score"] + random.integers(1, 9, len(frame)))


def other_outcome(frame: pd.DataFrame, _: Random) -> pd.DataFrame:
    return frame.assign(approved=frame["approved"].map(_turned), rejected=1 - frame["rejected"])


def _turned(outcome: Any) -> Any:
    if isinstance(outcome, str):
        return {"yes": "no", "no": "yes"}[outcome]
    return not outcome if isinstance(outcome, bool | np.bool_) else 1 - outcome


def good(case: Case) -> np.ndarray:
    return (case.frame["rejected"] == 0).to_numpy()


def without(case: Case, count: int, _: Random) -> Case:
    names = ["score", "tenure", "region", "income", "loan"][:count]
    return case.put(**dict.fromkeys(names, np.full(len(case.frame), np.nan)))


def constant(case: Case, count: int, _: Random) -> Case:
    names = ["score", "region", "tenure", "employed", "loan"][:count]
    return case.put(**{name: case.frame[name].mode()[0] for name in names})


def merged(case: Case, at: int, _: Random) -> Case:
    """One group, by its place, gone into the next."""
    races = sorted(set(case.frame["race"]))
    race = races[at % len(races)]
    into = races[(at + 1) % len(races)]
    return case.put(race=case.frame["race"].replace(race, into))


def vanished(case: Case, at: int, _: Random) -> Case:
    races = sorted(set(case.frame["race"]))
    mask = case.frame["race"] != races[at % len(races)]
    data = case.data | {"rows_min": 1}
    return replace(case, frame=case.frame[mask].reset_index(drop=True), data=data)


def rarer(case: Case, share: float, random: Random) -> Case:
    """So many rows of the other outcome left that it has this share."""
    favourable = good(case)
    rare = favourable if favourable.mean() < 0.5 else ~favourable
    keep = int(share * (~rare).sum() / (1 - share))
    sample = random.choice(np.flatnonzero(rare), keep, replace=False)
    remaining = np.sort(np.concatenate([np.flatnonzero(~rare), sample]))
    data = case.data | {"rows_min": 1}
    return replace(case, frame=case.frame.iloc[remaining].reset_index(drop=True), data=data)


def cut(case: Case, share: float, _: Random) -> Case:
    """The file ends early: so many of the declared fewest rows are left."""
    return replace(case, frame=case.frame.head(int(share * case.data["rows_min"])))


def cut_above(case: Case, share: float, _: Random) -> Case:
    least = case.data["rows_min"]
    return replace(case, frame=case.frame.head(least + int(share * (len(case.frame) - least))))


def lost(case: Case, share: float, random: Random) -> Case:
    mask = rows(case, share, random)
    return replace(case, frame=case.frame[~mask].reset_index(drop=True), lost=int(mask.sum()))


def respelled(values: pd.Series, random: Random) -> list[str]:
    """Each text in capitals, with a blank around it, or with its first letter in the other case."""
    ways: list[Callable[[str], str]] = [
        str.upper,
        lambda text: f" {text}",
        lambda text: f"{text} ",
        lambda text: text[0].swapcase() + text[1:],
    ]
    return [ways[way](text) for way, text in zip(random.integers(0, 4, len(values)), values, strict=True)]


def decimal_commas(values: pd.Series, _: Random) -> list[str]:
    return [f"{value:.2f}".replace(".", ",") for value in values]


def third_outcome(values: pd.Series, _: Random) -> list[Any]:
    return ["withdrawn" if isinstance(values.iloc[0], str) else 2] * len(values)


def keys_of_others(case: Case, share: float, random: Random) -> Case:
    """A share of the rows under the key of the row before, which keeps it."""
    at = rows(case, share / 2, random)
    at &= ~np.roll(at, 1)
    return case.put(id=np.where(at, np.roll(case.frame["id"], 1), case.frame["id"]))


def as_is(frame: pd.DataFrame, _: Random) -> pd.DataFrame:
    return frame


def unnamed_first(head: list[str], count: int) -> list[str]:
    return ["" if at < count else name for at, name in enumerate(head)]


def columns_turned(case: Case, _: int, random: Random) -> Case:
    return replace(case, frame=case.frame[list(random.permutation(case.frame.columns))])


def rows_turned(case: Case, _: int, random: Random) -> Case:
    order = random.permutation(len(case.frame))
    return replace(case, frame=case.frame.iloc[order].reset_index(drop=True))


def swapped(one: str, other: str) -> Plant:
    def plant(case: Case, share: float, random: Random) -> Case:
        at = rows(case, share, random)
        a, b = (case.frame[name].astype(object).copy() for name in (one, other))
        a[at], b[at] = case.frame[other].astype(object)[at], case.frame[one].astype(object)[at]
        return case.put(**{one: _typed(a), other: _typed(b)})

    return plant


def labels(choose: Callable[[Case, float, Random], np.ndarray]) -> Plant:
    """Rows with the other outcome."""

    def plant(case: Case, share: float, random: Random) -> Case:
        at = choose(case, share, random)
        other = other_outcome(case.frame, random)
        return case.put(
            **{name: case.frame[name].where(~at, other[name]) for name in ("approved", "rejected")}
        )

    return plant


def of_one_group(case: Case, share: float, random: Random) -> np.ndarray:
    return rows(case, share, random) & (case.frame["race"] == "Black").to_numpy()


def slipped(case: Case, share: float, _: Random) -> Case:
    """The outcome of rows at the end of the file has slipped by one row against the rest of them."""
    names = ["approved", "rejected"]
    start = int((1 - share) * len(case.frame))
    columns = {name: [*case.frame[name][:start], *np.roll(case.frame[name][start:], 1)] for name in names}
    return case.put(**columns)


def thinned(case: Case, share: float, random: Random) -> Case:
    """A share of the rows of one group left out."""
    mask = rows(case, share, random) & (case.frame["race"] == "Black").to_numpy()
    return replace(case, frame=case.frame[~mask].reset_index(drop=True), data=case.data | {"rows_min": 1})


def unnamed(case: Case, count: int, random: Random) -> Case:
    """Further columns that no list names; as features they would be numbers that say nothing."""
    return case.put(**{f"loaded_{at}": random.normal(size=len(case.frame)) for at in range(count)})
