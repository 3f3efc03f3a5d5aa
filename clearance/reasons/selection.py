"""Which features are the principal reasons: those that fall furthest below a profile. Arithmetic alone.

12 CFR 1002.9(b)(2) and its commentary: factors really scored, no principal one left out, and more than four
are not likely to help. Nothing here knows a text or a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

KEY_FACTORS = 4
"""The largest number of key factors (15 U.S.C. 1681g(f)(2)(B)); inquiries may be one more."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Places of features, the furthest below the profile first.

    `principal` are stated. `nearly` follow and fall short by almost as much as the last one stated.
    `key_factors` is the list of the Fair Credit Reporting Act; empty where it is not made.
    """

    principal: tuple[int, ...]
    nearly: tuple[int, ...] = ()
    key_factors: tuple[int, ...] = ()


def shortfalls(contributions: Matrix, profile: Matrix) -> Matrix:
    """How far each contribution falls below the profile: positive where it does. Any number of rows."""
    return profile - contributions


def select(
    shortfall: Matrix,
    *,
    at_most: int,
    near_share: float,
    key_factors: bool = False,
    inquiries: tuple[int, ...] = (),
) -> Selection:
    """The features of one row, shape (features,), that are stated: only those that fall below the profile.

    Equal shortfalls are in the order of the features. A feature in `inquiries` that falls short and is not
    among the four key factors is the fifth.
    """
    order = np.argsort(-shortfall, kind="stable")
    below = [int(place) for place in order if shortfall[place] > 0]
    principal = below[:at_most]
    last = shortfall[principal[-1]] if len(principal) == at_most else np.inf
    nearly = [place for place in below[at_most:] if shortfall[place] >= near_share * last]
    factors = below[:KEY_FACTORS] if key_factors else []
    further = [place for place in below[KEY_FACTORS:] if place in inquiries] if key_factors else []
    return Selection(principal=tuple(principal), nearly=tuple(nearly), key_factors=(*factors, *further[:1]))


def different_sets(contributions: Matrix, one: Matrix, other: Matrix, at_most: int) -> int:
    """For how many rows (n, features) two profiles state different sets of features."""
    sets = []
    for profile in (one, other):
        short = shortfalls(contributions, profile)
        order = np.argsort(-short, axis=1, kind="stable")[:, :at_most]
        stated = np.zeros(short.shape, dtype=np.bool_)
        np.put_along_axis(stated, order, True, axis=1)
        sets.append(stated & (short > 0))
    return int((sets[0] != sets[1]).any(axis=1).sum())
