"""What can go wrong, said once: the fault, and the mend.

A refusal is never an error: it is a verdict (see `clearance.documents.measurement.Outcome`).

    ClearanceError
    ├── ConfigurationError   params.yaml, a policy or a setting is wrong
    ├── SourceError          the table cannot be read
    ├── DataError            the table was read and cannot be used
    ├── IntegrityError       content differs from its recorded digest, or evidence is missing
    ├── ReleaseRefused       a release was asked for that must not happen here
    └── TransientError       worth a retry
        ├── BusyError        another run holds the checkout
        └── UnavailableError a service does not answer
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means; the same for the CLI, the flow and CI."""

    PASS = 0
    ERROR = 1
    USAGE = 2
    REFUSED = 3
    INSUFFICIENT_EVIDENCE = 4
    NOT_EVALUATED = 5
    TRANSIENT = 75
    INTERRUPTED = 130


class ClearanceError(Exception):
    """A fault that a person can mend.

    `fault` says what is wrong in one sentence; `mend` says what to do about it.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, fault: str, mend: str) -> None:
        super().__init__(fault, mend)
        self.fault = fault
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.fault}\n  mend: {self.mend}"


class ConfigurationError(ClearanceError):
    """params.yaml, a policy or a setting is wrong."""


class SourceError(ClearanceError):
    """The table cannot be read."""


class DataError(ClearanceError):
    """The table was read and cannot be used."""


class IntegrityError(ClearanceError):
    """Content differs from its recorded digest, or evidence is missing."""


class ReleaseRefused(ClearanceError):
    """A release was asked for that must not happen here."""


class TransientError(ClearanceError):
    """A fault that may pass: worth a retry."""

    exit_code = ExitCode.TRANSIENT


class BusyError(TransientError):
    """Another run holds the checkout."""


class UnavailableError(TransientError):
    """A service does not answer."""
