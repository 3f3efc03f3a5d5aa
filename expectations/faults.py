"""The faults of this room. What is wrong with a table is not a fault of the run: it stands in the report."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind, IntegrityError

NOT_ALL_EVALUATED = ErrorKind(
    "expectations.not_all_evaluated",
    IntegrityError,
    "only {evaluated} of {expected} expectations on the {table} table were evaluated",
    "this is a bug in Clearance: please report it with your params.yaml",
)
EMPTY_TABLE = ErrorKind(
    "expectations.empty_table",
    DataError,
    "the table has no rows",
    "check `source.path`, `source.query` and `source.select`",
)
UNKNOWN_BOUNDARY = ErrorKind(
    "expectations.unknown_boundary",
    ConfigurationError,
    "there is no boundary `{name}`",
    "run `python -m tasks.validate raw` or `python -m tasks.validate prepared`",
)
