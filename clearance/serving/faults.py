"""The faults of the decision server, by their stable codes. No sentence repeats what a caller sent."""

from __future__ import annotations

from clearance.errors import (
    ClearanceError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    ReleaseRefused,
    UnavailableError,
)

_REQUESTS = "see /openapi.json or docs/serving.md for the requests and their bodies"
_INPUTS = "GET /v1/model lists the features of the model, each with its type"

# Requests

NOT_UTF8 = ErrorKind("serving.not_utf8", DataError, "the body is not UTF-8", "send JSON in UTF-8")
NOT_JSON = ErrorKind(
    "serving.not_json", DataError, "the body is not JSON (line {line}, column {column})", _REQUESTS
)
NOT_FINITE = ErrorKind(
    "serving.not_finite",
    DataError,
    "the body holds NaN, an infinity, or a number beyond the range of a double",
    "send null for a value that is not known",
)
DUPLICATE_KEY = ErrorKind(
    "serving.duplicate_key", DataError, "an object of the body has the same key twice", "send each key once"
)
TOO_DEEP = ErrorKind(
    "serving.too_deep", DataError, "the body is nested more deeply than {limit} levels", _REQUESTS
)
NOT_TEXT = ErrorKind(
    "serving.not_text",
    DataError,
    "a text of the body holds half of a surrogate pair",
    "send text that UTF-8 can hold",
)
WRONG_MEDIA_TYPE = ErrorKind(
    "serving.wrong_media_type",
    DataError,
    "the body must be application/json in UTF-8",
    "send `Content-Type: application/json`",
)
BODY_TOO_LARGE = ErrorKind(
    "serving.body_too_large", DataError, "the body is larger than {limit} bytes", "send fewer rows at a time"
)
BODY_TOO_SLOW = ErrorKind(
    "serving.body_too_slow",
    DataError,
    "the body did not arrive within {seconds:g} s",
    "send it at once, or send fewer rows at a time",
)
INVALID_BODY = ErrorKind("serving.invalid_body", DataError, "{where}: {reason}", _REQUESTS)
INVALID_INPUT = ErrorKind("serving.invalid_input", DataError, "{where}: {reason}", _INPUTS)
UNUSUAL_INPUT = ErrorKind(
    "serving.unusual_input",
    DataError,
    "{where}: {reason}; the policy of this version refuses such rows",
    "check the value at its source; a person can decide this case",
)
INVALID_PARAMETER = ErrorKind("serving.invalid_parameter", DataError, "{name}: {reason}", _REQUESTS)
NOT_FOUND = ErrorKind("serving.not_found", ClearanceError, "no such resource", _REQUESTS)
NO_SUCH_MODEL = ErrorKind(
    "serving.no_such_model",
    ClearanceError,
    "this server serves no model of that name, or not that version",
    "GET /v1/model says what is served",
)
METHOD_NOT_ALLOWED = ErrorKind(
    "serving.method_not_allowed", ClearanceError, "this resource has no such method", _REQUESTS
)
NO_SUCH_DECISION = ErrorKind(
    "serving.no_such_decision",
    ClearanceError,
    "no decision with this id is on record",
    "send the id that the answer to the decision holds",
)
INTERNAL = ErrorKind(
    "serving.internal", ClearanceError, "the server failed", "tell its operator the request id of this answer"
)

# Tables of rows

TABLE_NOT_READABLE = ErrorKind(
    "serving.table_not_readable",
    DataError,
    "{path} is not a Parquet file that can be read ({reason})",
    "give a Parquet file with a column for every feature; pandas and DuckDB write them",
)
COLUMN_MISSING = ErrorKind(
    "serving.column_missing", DataError, "{path} has no column {columns}", "add it, with null where unknown"
)

# Access

NO_CREDENTIALS = ErrorKind(
    "serving.no_credentials",
    ReleaseRefused,
    "the request names no caller",
    "send `Authorization: Bearer KEY` with an API key or a token of the identity provider",
)
UNKNOWN_KEY = ErrorKind(
    "serving.unknown_key",
    ReleaseRefused,
    "the API key is not known, or no longer valid",
    "ask the operator of this server for a new key",
)
ROLE_MISSING = ErrorKind(
    "serving.role_missing",
    ReleaseRefused,
    "this caller may not {action}",
    "the operator grants roles in policies/serving.yaml",
)
TOO_MANY_REQUESTS = ErrorKind(
    "serving.too_many_requests",
    ReleaseRefused,
    "this caller sent more rows in a minute than it may",
    "wait as long as the header Retry-After says",
)

# What is served

NO_CHAMPION = ErrorKind(
    "serving.no_champion",
    ConfigurationError,
    "{name} has no champion, so there is nothing to serve",
    "`clearance status` says what is missing; a time-limited override by two people is the quickest way",
)
CHAMPION_UNSOUND = ErrorKind(
    "serving.champion_unsound",
    IntegrityError,
    "the champion {name} version {version} does not verify: {check}",
    "run `clearance verify`; `clearance rollback` returns to an earlier champion",
)
LEDGER_BEHIND = ErrorKind(
    "serving.ledger_behind",
    UnavailableError,
    "the ledger has {entries:entry|entries}, and this server has seen {seen}: it is not the ledger it was",
    "bring back the project's own ledger; `clearance ledger verify` says whether it is whole",
)
LAPSED = ErrorKind(
    "serving.lapsed",
    ReleaseRefused,
    "what allowed this model to decide has ended",
    "a person must decide; the operator sees why in /readyz and with `clearance verify`",
)
STOPPED = ErrorKind(
    "serving.stopped",
    ReleaseRefused,
    "the decisions of this model are stopped by {rule}",
    "a person must decide; those who may promote let it decide again with `clearance decisions resume`",
)
NO_MODEL = ErrorKind(
    "serving.no_model",
    UnavailableError,
    "no model may decide here at the moment",
    "try again later; the operator sees why in /readyz",
)
NOT_SCORED_HERE = ErrorKind(
    "serving.not_scored_here",
    ConfigurationError,
    "{name} version {version} is {what}, so no server can compute its scores for new rows",
    "make a version with a model file the champion: `clearance rollback` returns to an earlier one",
)
PLAN_DIFFERS = ErrorKind(
    "serving.not_the_same_score",
    IntegrityError,
    "two ways to compute one score differ by {difference:.3g}",
    "report this: the server answers nothing that it cannot compute exactly",
)
SETTINGS_INVALID = ErrorKind(
    "serving.settings_invalid",
    ConfigurationError,
    "{path} is not valid: {reason}",
    "see docs/serving.md for its keys",
)
NO_CALLERS = ErrorKind(
    "serving.no_callers",
    ConfigurationError,
    "{path} names no caller, and {host} is reachable from other machines",
    "run `clearance serve-key NAME --role predict`, or serve on 127.0.0.1",
)

# Shadow, counts

CHALLENGER_LOST = ErrorKind(
    "serving.challenger_lost",
    UnavailableError,
    "the challenger, version {version}, ended or took too long",
    "decisions go on without it, and it is started again; look at its memory, or `clearance shadow --off`",
)
CHALLENGER_UNUSABLE = ErrorKind(
    "serving.challenger_unusable",
    ConfigurationError,
    "the challenger, version {version}, cannot be loaded ({code})",
    "run `clearance verify VERSION`; decisions go on without it",
)
CHALLENGER_SCORE = ErrorKind(
    "serving.challenger_score",
    DataError,
    "the challenger gave a score that is not a probability",
    "do not promote this version",
)
COUNTS_UNAVAILABLE = ErrorKind(
    "serving.counts_unavailable",
    UnavailableError,
    "{file}, which holds the counts of live decisions, cannot be read ({reason})",
    "free some disk space or check its permissions; decisions do not depend on it",
)
