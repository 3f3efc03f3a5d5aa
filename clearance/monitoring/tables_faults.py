"""The faults of looks at two tables, by their stable codes."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind, UnavailableError

NO_EVIDENTLY = ErrorKind(
    "monitoring.no_evidently",
    ConfigurationError,
    "`--evidently` needs Evidently, which is not installed",
    'run `make setup EXTRAS="evidently"`, or leave `--evidently` out: the verdict does not need it',
)
EVIDENTLY_FAILED = ErrorKind(
    "monitoring.evidently_failed",
    UnavailableError,
    "Evidently made no page ({reason})",
    "leave `--evidently` out: the verdict does not need it",
)
