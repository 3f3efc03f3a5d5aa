"""The faults of the feature store. No sentence repeats the id of an entity or one of its values."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind, IntegrityError, UnavailableError

_SETTINGS = "correct `features` in policies/serving.yaml; docs/feature-store.md shows its keys"

UNKNOWN_ENTITY = ErrorKind(
    "feature_store.unknown_entity",
    DataError,
    "the feature store knows nothing of this entity at this time",
    "check the id, or send the features with the request",
)
STALE = ErrorKind(
    "feature_store.stale",
    DataError,
    "`{name}` of this entity is older than {hours} h, which the settings refuse",
    "send the features with the request, or have the store updated",
)
FILE_MISSING = ErrorKind(
    "feature_store.file_missing",
    ConfigurationError,
    "{file}, a source of the feature store, does not exist",
    "run `dvc checkout {file}` or `dvc pull {file}`, or correct `features` in policies/serving.yaml",
)
NOT_VERSIONED = ErrorKind(
    "feature_store.not_versioned",
    ConfigurationError,
    "{file}, a source of the feature store, is not versioned by DVC",
    "run `dvc add {file}` and commit its .dvc file",
)
NOT_THE_VERSION = ErrorKind(
    "feature_store.not_the_version",
    IntegrityError,
    "{file} is not the version that DVC recorded",
    "run `dvc checkout {file}` for the recorded one, or `dvc add {file}` for this one",
)
UNREADABLE = ErrorKind(
    "feature_store.unreadable",
    IntegrityError,
    "{file} cannot be read as a source of the feature store: {why}",
    "restore it, or correct how it is written; docs/feature-store.md says what a source holds",
)
NO_COLUMN = ErrorKind(
    "feature_store.no_column",
    ConfigurationError,
    "{file} has no column `{column}`",
    _SETTINGS,
)
WRONG_COLUMN = ErrorKind(
    "feature_store.wrong_column",
    IntegrityError,
    "the column `{column}` of {file} {why}",
    "write it with the right type; docs/feature-store.md says which types a source holds",
)
WRONG_VALUE = ErrorKind(
    "feature_store.wrong_value",
    IntegrityError,
    "`{name}` of this entity {why}",
    "correct the value at its source; until then a person decides",
)
AMBIGUOUS = ErrorKind(
    "feature_store.ambiguous",
    IntegrityError,
    "the source {source} has two different rows of one entity with the same times",
    "give each row a created time of its own, or remove one of them",
)
LACKING = ErrorKind(
    "feature_store.lacking",
    ConfigurationError,
    "the feature store lacks {count} of the model's features, among them `{name}`",
    _SETTINGS,
)
WRONG_KIND = ErrorKind(
    "feature_store.wrong_kind",
    ConfigurationError,
    "the model wants `{name}` as {wanted}, and the feature store has {given}",
    _SETTINGS,
)
UNAVAILABLE = ErrorKind(
    "feature_store.unavailable",
    UnavailableError,
    "the feature store {store} cannot be asked: {why}",
    "start it, or send the features with the request",
)
UNUSABLE_ANSWER = ErrorKind(
    "feature_store.unusable_answer",
    UnavailableError,
    "the feature server {store} gave an answer that cannot be used: {why}",
    "check its version and the names in `features.feast`; nothing is decided on such an answer",
)
FROM_THE_FUTURE = ErrorKind(
    "feature_store.from_the_future",
    IntegrityError,
    "`{name}` of this entity has a time that has not come yet",
    "compare the clocks of this machine and of the store, and the times of the source",
)
