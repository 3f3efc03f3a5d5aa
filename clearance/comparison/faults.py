"""The faults of the comparison room: a code, the class of the error and its sentences, each written once."""

from __future__ import annotations

from clearance.errors import ErrorKind, IntegrityError

NO_CANDIDATE = ErrorKind(
    "comparison.no_candidate",
    IntegrityError,
    "there is no candidate to compare: {because}",
    hint="fix that, then run the pipeline again",
)
