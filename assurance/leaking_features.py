"""Features that give the label or a group away, made of it: each strength is how imperfectly.

What the gate must do about them stands in `assurance.planted_faults`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from assurance import planting
from assurance.clean_tables import Case, Random

Make = Callable[[np.ndarray, float, Random], "np.ndarray | list[str]"]


def of_label(make: Make) -> planting.Plant:
    """A further feature made of the label, 0 or 1."""
    return lambda case, strength, random: case.feature(
        note=make(planting.good(case).astype(int), strength, random)
    )


def flipped(of: np.ndarray, share: float, random: Random) -> np.ndarray:
    """0 and 1 with exactly this share of either turned."""
    column = of.copy()
    for value in (0, 1):
        at = np.flatnonzero(of == value)
        column[random.choice(at, round(share * len(at)), replace=False)] = 1 - value
    return column


def noisy(of: np.ndarray, noise: float, random: Random) -> np.ndarray:
    return of + noise * random.normal(size=len(of))


def in_words(label: np.ndarray, share: float, random: Random) -> np.ndarray:
    return np.where(flipped(label, share, random) == 1, "paid out", "closed")


def outcome_text(label: np.ndarray, share: float, random: Random) -> list[str]:
    words = np.where(
        label == 1, "paid out", random.choice(["declined: income", "declined: score"], len(label))
    )
    return [str(word) for word in np.where(random.random(len(label)) < share, "in progress", words)]


def of_sex(make: Make) -> planting.Plant:
    """A further feature made of whether the person is a woman, 0 or 1."""

    def plant(case: Case, strength: float, random: Random) -> Case:
        return case.feature(note=make((case.frame["sex"] == "female").to_numpy(int), strength, random))

    return plant


def recoded_race(case: Case, codes: int, random: Random) -> Case:
    group = pd.factorize(case.frame["race"])[0]
    return case.feature(
        note=random.permutation(50 * codes)[group * codes + random.integers(0, codes, len(group))]
    )


def one_race(case: Case, share: float, random: Random) -> Case:
    return case.feature(note=flipped((case.frame["race"] == "Black").to_numpy(int), share, random))


def told_by_two(case: Case, share: float, random: Random) -> Case:
    first = random.integers(0, 2, len(case.frame))
    return case.feature(flag=first, mark=first ^ flipped(planting.good(case).astype(int), share, random))


def told_by_difference(case: Case, noise: float, random: Random) -> Case:
    before = random.normal(100, 20, len(case.frame))
    after = before + 5 * planting.good(case) + 5 * noise * random.normal(size=len(before))
    return case.feature(before=before, after=after)


def key_in_order(case: Case, share: float, random: Random) -> Case:
    order = np.argsort(~planting.good(case), kind="stable")
    keys = np.empty(len(order), dtype=int)
    keys[order] = np.arange(len(order))
    places = np.flatnonzero(planting.rows(case, share, random)) if share else np.array([], dtype=int)
    keys[places] = random.permutation(keys[places])
    return case.put(id=1 + keys)
