"""The faults of this room: contributions that do not explain the output, unusable texts and profiles."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind, IntegrityError

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
TEXTS_MISSING = ErrorKind(
    "reasons.texts_missing",
    ConfigurationError,
    "{path} is missing",
    "write a text for each feature in it, below `texts` (docs/reasons.md); without features that are stated, "
    "`texts: {{}}` is enough",
)
TEXTS_NOT_VALID = ErrorKind(
    "reasons.texts_not_valid",
    ConfigurationError,
    "{path} is not valid: {problems}",
    "write one text for each feature below `texts`; docs/reasons.md has an example",
)
NOT_OF_THIS_MODEL = ErrorKind(
    "reasons.not_of_this_model",
    IntegrityError,
    "reports/reasons.json is about other features than the model's",
    "run the pipeline again",
)
NO_REASON = ErrorKind(
    "reasons.no_reason",
    IntegrityError,
    "no feature of the row falls below the profile, so no reason can be stated for its denial",
    "let a person decide this case; `method: near_cutoff` in the policy always finds a reason",
)
