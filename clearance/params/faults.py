"""The faults of this room: settings files that cannot be read or do not fit."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

FILE_MISSING = ErrorKind(
    "params.file_missing",
    ConfigurationError,
    "{path} is missing",
    "restore it, or run the command in the project folder",
)
FILE_UNREADABLE = ErrorKind(
    "params.file_unreadable",
    ConfigurationError,
    "{path} cannot be read: {reason}",
    "give the path of a YAML file",
)
NOT_YAML = ErrorKind(
    "params.not_yaml",
    ConfigurationError,
    "{path} is not readable YAML: {reason}",
    "correct {path} there; an editor that shows invisible characters helps",
)
NOT_UTF8 = ErrorKind(
    "params.not_utf8",
    ConfigurationError,
    "{path} is not UTF-8 text",
    "convert it, for example with `iconv -f {encoding} -t UTF-8 {path} > converted`",
)
NO_KEYS = ErrorKind(
    "params.no_keys",
    ConfigurationError,
    "{path} holds no keys",
    "docs/configuration.md lists the keys of params.yaml, policies/README.md those of a policy",
)
BARE_DATE = ErrorKind(
    "params.bare_date",
    ConfigurationError,
    "{path}: `{key}` is a bare date, which DVC does not accept",
    'write it in quotes: "{date}"',
)
INVALID = ErrorKind(
    "params.invalid",
    ConfigurationError,
    "{path}: {problems}",
    "correct {path}{keys}",
)
