"""The faults of the documentation room: a code, the class of the error and its sentences, each once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NO_VERSION = ErrorKind(
    "documentation.no_version",
    ConfigurationError,
    "{name} has no champion and no candidate{when}",
    hint="run `clearance run`, which proposes a candidate",
)
