"""The faults of the commands that are no stages."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NO_SUCH_FILE = ErrorKind(
    "tasks.no_such_file",
    ConfigurationError,
    "{path} does not exist",
    "give `{option}` the path of an existing file",
)
OPTION_VALUE = ErrorKind(
    "tasks.option_value",
    ConfigurationError,
    "`{option} {value}`: this is not {expected}",
    "give `{option}` {expected}",
)
OPTION_OF_TABLES = ErrorKind(
    "tasks.option_of_tables",
    ConfigurationError,
    "`{option}` is about a column, and {path} is not a table of answers",
    "leave `{option}` out, or give `--model` a table (.csv, .tsv, .parquet)",
)
NOT_A_MODULE = ErrorKind(
    "tasks.not_a_module",
    ConfigurationError,
    "the stage command `{command}` is not `python -m MODULE`",
    "write the stage in dvc.yaml as the others are",
)
