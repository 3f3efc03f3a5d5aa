"""The faults of this room: what a draft needs and the table does not say."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NO_TABLE = ErrorKind(
    "drafting.no_table",
    ConfigurationError,
    "there is no table {path}",
    "give the path of a CSV, Parquet or JSON file: `clearance init --table FILE`",
)
NOTHING_TO_DO = ErrorKind(
    "drafting.nothing_to_do",
    ConfigurationError,
    "neither a table nor a project was named",
    "`clearance init --table FILE` drafts this project's settings; `--project DIR` makes a new project first",
)
UNKNOWN_COLUMN = ErrorKind(
    "drafting.unknown_column",
    ConfigurationError,
    "`{option}` names `{column}`, which the table does not have{suggestion}",
    "the table has {columns}",
)
TARGET_UNKNOWN = ErrorKind(
    "drafting.target_unknown",
    ConfigurationError,
    "nothing in the table says which column is the outcome",
    "name it: `--target COLUMN`; columns with two values are {columns}",
)
FAVOURABLE_UNKNOWN = ErrorKind(
    "drafting.favourable_unknown",
    ConfigurationError,
    "nothing says which value of `{target}` is good for the person",
    "name it: `--favourable VALUE`; its values are {values}",
)
FAVOURABLE_ABSENT = ErrorKind(
    "drafting.favourable_absent",
    ConfigurationError,
    "`{target}` is never `{favourable}`{suggestion}",
    "name another with `--favourable`, or a limit such as `--favourable '>= 10'`; its values are {values}",
)
PROTECTED_UNKNOWN = ErrorKind(
    "drafting.protected_unknown",
    ConfigurationError,
    "nothing in the table looks like a protected attribute, such as sex or age",
    "name one or several: `--protected COLUMN,COLUMN`; the table has {columns}",
)
NO_FEATURES = ErrorKind(
    "drafting.no_features",
    ConfigurationError,
    "no column is left that a model could learn from; left out: {left}",
    "add columns to the table, or name another `--target`, `--row-key` or `--protected`",
)
PROTECTED_ALIKE = ErrorKind(
    "drafting.protected_alike",
    ConfigurationError,
    "`{column}` has one value in all rows, so there are no groups to compare",
    "name another column with `--protected`",
)
UNKNOWN_PACK = ErrorKind(
    "drafting.unknown_pack",
    ConfigurationError,
    "there is no policy pack `{pack}`{suggestion}",
    "the packs are {packs}",
)
NAME_NOT_USABLE = ErrorKind(
    "drafting.name_not_usable",
    ConfigurationError,
    "`{name}` cannot be the name of a model",
    "use letters, digits, `_`, `.` and `-`: `--name hiring`",
)
PACK_NOT_FITTED = ErrorKind(
    "drafting.pack_not_fitted",
    ConfigurationError,
    "the pack {pack} cannot be fitted to these attributes: {reason}",
    "copy it by hand and name your attributes in it: policies/README.md says how",
)
