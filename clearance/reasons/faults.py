"""The faults of this room: contributions that do not explain the output, unusable texts and profiles."""

from __future__ import annotations

from clearance.errors import DataError, ErrorKind, IntegrityError

NOT_ADDITIVE = ErrorKind(
    "reasons.not_additive",
    IntegrityError,
    "the contributions miss the model's output by {error}, more than {limit}: they explain another model",
    "load the version again; if that does not help, report it with the version's number",
)
NOT_FINITE = ErrorKind(
    "reasons.not_finite",
    DataError,
    "the row has a value so large that its contributions are not finite numbers",
    "correct the value",
)
