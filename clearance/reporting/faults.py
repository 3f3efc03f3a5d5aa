"""The faults of the reporting room: a code, the class of the error and its sentences, each written once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind, IntegrityError

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
CARD_TEXT_MISSING = ErrorKind(
    "reporting.card_text_missing",
    ConfigurationError,
    "{path} is missing: it holds what people state about the model, for its card",
    "write it as docs/model-card.md says; an empty file states nothing",
)
CARD_TEXT_NOT_VALID = ErrorKind(
    "reporting.card_text_not_valid",
    ConfigurationError,
    "{path} is not valid: {problems}",
    "each section is a list of `{{text: …, by: NAME, on: YYYY-MM-DD}}`: docs/model-card.md",
)
CARD_FORMAT_NOT_VALID = ErrorKind(
    "reporting.card_format_not_valid",
    IntegrityError,
    "the card is not what {target} reads, at {place}: {reason}",
    "correct what card.yaml says there; if it says nothing of the kind, report a defect",
)
