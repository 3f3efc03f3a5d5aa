"""What can go wrong: a fault with a stable code, and a hint how to fix it.

A refusal is never an error: it is a verdict (see `clearance.documents.measurement.Outcome`).

    ClearanceError
    ├── ConfigurationError   params.yaml, a policy or a setting is wrong
    ├── SourceError          the table cannot be read
    ├── DataError            the table was read and cannot be used
    ├── IntegrityError       content differs from its recorded digest, or evidence is missing
    ├── ReleaseRefused       a release that is not allowed here
    └── TransientError       worth a retry
        ├── BusyError        another process holds what this one needs
        └── UnavailableError a service does not answer
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a command's exit status means; the same for the CLI, the flow and CI."""

    PASS = 0
    ERROR = 1
    USAGE = 2
    REFUSED = 3
    INSUFFICIENT_EVIDENCE = 4
    NOT_EVALUATED = 5
    LAPSED = 6
    TRANSIENT = 75
    INTERRUPTED = 130


class ClearanceError(Exception):
    """A fault that a person can fix.

    `fault` says what is wrong in one sentence, `hint` how to fix it. `code` is stable and names the
    kind of fault (`ledger.entry_changed`); `values` are what the sentences were filled with.
    """

    exit_code = ExitCode.ERROR

    def __init__(
        self, fault: str, hint: str, *, code: str = "", values: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(fault, hint)
        self.fault = fault
        self.hint = hint
        self.code = code
        self.values = dict(values or {})

    def __str__(self) -> str:
        return f"{self.fault}\n  hint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.fault, self.hint, self.code, self.values)


def _restore(
    kind: type[ClearanceError], fault: str, hint: str, code: str, values: dict[str, Any]
) -> ClearanceError:
    return kind(fault, hint, code=code, values=values)


class ConfigurationError(ClearanceError):
    """params.yaml, a policy or a setting is wrong."""


class SourceError(ClearanceError):
    """The table cannot be read."""


class DataError(ClearanceError):
    """The table was read and cannot be used."""


class IntegrityError(ClearanceError):
    """Content differs from its recorded digest, or evidence is missing."""


class ReleaseRefused(ClearanceError):
    """A release that is not allowed here."""


class TransientError(ClearanceError):
    """A fault that may pass: worth a retry."""

    exit_code = ExitCode.TRANSIENT


class BusyError(TransientError):
    """Another process holds what this one needs."""


class UnavailableError(TransientError):
    """A service does not answer."""


class _Sentences(string.Formatter):
    """`str.format` that also counts: `{rows:line|lines}` is "1 line", "1,989 lines", and "lines" for None."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, counts, many = format_spec.partition("|")
        if not counts:
            return str(super().format_field(value, format_spec))
        return many if value is None else f"{value:,d} {one if value == 1 else many}"


_SENTENCES = _Sentences()


@dataclass(frozen=True)
class ErrorKind:
    """A kind of fault: its stable code, its class, and its sentences as templates of `str.format`.

    A template counts a whole number with `{rows:line|lines}`: "1 line", "1,989 lines".

    Each room lists its kinds in `faults.py`; `raise faults.NOT_A_PRIVATE_KEY(path=path)` makes one an error.
    """

    code: str
    error: type[ClearanceError]
    fault: str
    hint: str

    def __call__(self, **values: Any) -> ClearanceError:
        """The error with these values in its sentences. Raises KeyError when a template lacks a value."""
        fault, hint = (_SENTENCES.format(template, **values) for template in (self.fault, self.hint))
        return self.error(fault, hint, code=self.code, values=values)
