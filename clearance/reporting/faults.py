"""The faults of the reporting room: a code, the class of the error and its sentences, each written once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

UNKNOWN_RULE = ErrorKind(
    "reporting.unknown_rule",
    ConfigurationError,
    "policy {policy} has no rule or section {rule}{suggestion}",
    hint="name one of these: {rules}",
)
NO_REPORT = ErrorKind(
    "reporting.no_report",
    ConfigurationError,
    "there is no report yet: {path} is missing",
    hint="run `clearance run`, which writes it",
)
