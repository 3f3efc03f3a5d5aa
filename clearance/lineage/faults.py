"""The faults of lineage, by their stable codes. None of them changes a run or its verdict."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind, IntegrityError

SETTINGS_UNREADABLE = ErrorKind(
    "lineage.settings_unreadable",
    ConfigurationError,
    "the OpenLineage settings in {place} cannot be read ({why})",
    "fix them (docs/lineage.md); until then events are kept in .clearance/lineage",
)
TRANSPORT_UNKNOWN = ErrorKind(
    "lineage.transport_unknown",
    ConfigurationError,
    "the OpenLineage settings name the {what} {name}, which is not one of {known}",
    "choose one of these: code that a settings file names is never run",
)
TRANSPORT_UNUSABLE = ErrorKind(
    "lineage.transport_unusable",
    ConfigurationError,
    "the OpenLineage transport {kind} cannot be used ({why})",
    "fix its settings (docs/lineage.md); until then events are kept in .clearance/lineage",
)
COLUMN_UNKNOWN = ErrorKind(
    "lineage.column_unknown",
    ConfigurationError,
    "no column {column} went into {subject}{meant}",
    "`clearance lineage --format json` lists the columns",
)
NO_CHAMPION_THEN = ErrorKind(
    "lineage.no_champion_then",
    ConfigurationError,
    "{name} had no champion at {at}",
    "`clearance history` lists the champions and their times",
)
NOT_RUN_YET = ErrorKind(
    "lineage.not_run_yet",
    IntegrityError,
    "nothing has been run here yet, so no file says what a model was made of",
    "run `clearance run`",
)
