"""The faults of the commands that are no stages."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NO_SUCH_FILE = ErrorKind(
    "tasks.no_such_file", ConfigurationError, "{path} does not exist", "give the path of an existing file"
)
NOT_A_MODULE = ErrorKind(
    "tasks.not_a_module",
    ConfigurationError,
    "the stage command `{command}` is not `python -m MODULE`",
    "write the stage in dvc.yaml as the others are",
)
