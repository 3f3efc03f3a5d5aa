"""What can be wrong with an evidence document."""

from __future__ import annotations

from clearance.errors import ErrorKind, IntegrityError

DOES_NOT_FIT = ErrorKind(
    "documents.does_not_fit",
    IntegrityError,
    "{document} does not fit its schema at `{pointer}`: expected {expected}, got {actual}",
    hint="run `clearance repair`, then run the pipeline again; never edit evidence",
)
