"""The complaints of every format about a model that gives other than the probabilities of two outcomes."""

from __future__ import annotations


class NoProbabilitiesError(ValueError):
    """The model in a file gives no probabilities; the message says why."""


class NotTwoClassesError(ValueError):
    """The model in a file tells `count` outcomes apart, not two."""

    def __init__(self, count: int) -> None:
        super().__init__(f"it tells {count} outcomes apart, not two")
        self.count = count
