"""The faults of the commands that are no stages."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind

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
WRONG_OPTIONS = ErrorKind(
    "tasks.wrong_options",
    ConfigurationError,
    "the options are wrong: {reason}",
    "`{command} --help` shows them",
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
NOTHING_TO_JUDGE = ErrorKind(
    "tasks.nothing_to_judge",
    ConfigurationError,
    "neither `--threshold` nor `--policy` is given, so nothing can be judged",
    "give `--threshold 0.1`, or `--policy` a policy with the section `monitoring`",
)
NO_TABLE_RULE = ErrorKind(
    "tasks.no_table_rule",
    ConfigurationError,
    "no rule of `monitoring` in {path} is about a column of a table today",
    "give `--threshold 0.1`, or add a rule such as `metric: drift.psi` with `of: features`",
)
NO_REFERENCE_ROWS = ErrorKind(
    "tasks.no_reference_rows",
    DataError,
    "the reference {path} has no rows",
    "give `--reference` the rows that the model was trained on, or an earlier period",
)
UNKNOWN_COLUMN = ErrorKind(
    "tasks.unknown_column",
    ConfigurationError,
    "{path} has no column `{column}`{suggestion}",
    "give `--columns` names of columns of the reference, each as it is written there",
)
