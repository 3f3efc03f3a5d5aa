"""The faults of the documentation room: a code, the class of the error, its sentences, each written once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind, IntegrityError

NO_VERSION_YET = ErrorKind(
    "documentation.no_version_yet",
    ConfigurationError,
    "{name} had no version {then}, so there is nothing to show about one",
    "run `clearance run`; or name a later time if you gave --at",
)
NOT_PROPOSED_THEN = ErrorKind(
    "documentation.not_proposed_then",
    ConfigurationError,
    "version {version} of {name} was proposed on {proposed}, after {at}",
    "name a later time with --at, or leave it out",
)
NO_SUCH_VERSION = ErrorKind(
    "documentation.no_such_version",
    ConfigurationError,
    "there is no version {version} of {name}; the newest is {newest}",
    "name one of the versions that `clearance ledger show` lists",
)
NO_CARD = ErrorKind(
    "documentation.no_card",
    ConfigurationError,
    "{version} has no model card: it was made before cards were",
    "run the pipeline again; `clearance verify {number}` shows what its evidence holds",
)
CARD_LOST = ErrorKind(
    "documentation.card_lost",
    IntegrityError,
    "the model card of {version} is lost or is not the one that was signed: {why}",
    "restore the files of its run in MLflow from a backup",
)
NO_CHAMPION = ErrorKind(
    "documentation.no_champion",
    ConfigurationError,
    "{name} has no champion to compare version {version} with",
    "name the other version: `clearance diff {version} OTHER`",
)
NOT_A_MOMENT = ErrorKind(
    "documentation.not_a_moment",
    IntegrityError,
    "the technical file is as of {at}, which is not a valid time",
    "write it again with `clearance technical-file --format json`",
)
