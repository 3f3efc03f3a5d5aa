"""The faults of the documentation room: a code, the class of the error and its sentences, written once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NO_VERSION = ErrorKind(
    "documentation.no_version",
    ConfigurationError,
    "no version of {name} was proposed by {at}, so there is none to write about",
    hint="`clearance run` trains, judges and proposes one",
)
VERSION_UNKNOWN = ErrorKind(
    "documentation.version_unknown",
    ConfigurationError,
    "version {version} of {name} was not proposed by {at}",
    hint="`clearance list` names the versions",
)
NO_CHAMPION = ErrorKind(
    "documentation.no_champion",
    ConfigurationError,
    "{name} has no champion to compare version {version} with",
    hint="name the other version: `clearance diff {version} OTHER`",
)
