"""The faults that the command line itself finds; all others come from the library."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

ROOT_ALREADY_PINNED = ErrorKind(
    "cli.root_already_pinned",
    ConfigurationError,
    "{path} already holds a pinned root",
    hint="replace it with `clearance root propose`, `clearance root sign` and `clearance root adopt`",
)
FILE_EXISTS = ErrorKind(
    "cli.file_exists",
    ConfigurationError,
    "{path} already exists",
    hint="sign it with `clearance root sign`, or choose another file",
)
