"""The bounds of a measurement in a policy."""

from __future__ import annotations

import math
from typing import Self

from pydantic import model_validator

from clearance.params import Section


class Limit(Section):
    """The bounds of a measurement; both ends are allowed values, and at least one of them is given."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a limit needs `at_least` or `at_most`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is greater than at_most {self.at_most:g}")
        return self

    @property
    def ends(self) -> list[float]:
        """The bounds that are given."""
        return [end for end in (self.at_least, self.at_most) if end is not None]

    def encloses(self, low: float, high: float) -> bool:
        """Whether everything from `low` to `high` keeps the limit."""
        return low >= self._floor and high <= self._ceiling

    def excludes(self, low: float, high: float) -> bool:
        """Whether nothing from `low` to `high` keeps the limit."""
        return high < self._floor or low > self._ceiling

    @property
    def _floor(self) -> float:
        return -math.inf if self.at_least is None else self.at_least

    @property
    def _ceiling(self) -> float:
        return math.inf if self.at_most is None else self.at_most
