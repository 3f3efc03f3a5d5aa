"""The options of a command `python -m tasks.NAME` that is no stage: a wrong one is one error with a hint.

argparse alone ends with its usage and an exit status of its own. It decides nothing about a value but whether
it is a number.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from tasks import faults


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigurationError where argparse would end the process."""

    def __init__(self, module: str) -> None:
        super().__init__(prog=f"python -m {module}", add_help=False)

    def error(self, message: str) -> NoReturn:
        """Raise ConfigurationError with argparse's message."""
        raise faults.WRONG_OPTIONS(reason=message, command=self.prog)


def number(option: str, expected: str) -> Callable[[str], float]:
    """The value of an option as a number; raises ConfigurationError that says what is `expected`."""

    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise faults.OPTION_VALUE(option=option, value=text, expected=expected) from None

    return read
