"""The faults of monitoring, by their stable codes."""

from __future__ import annotations

from clearance.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    UnavailableError,
)

# The store of counts and looks

INVALID_ADDRESS = ErrorKind(
    "monitoring.invalid_address",
    ConfigurationError,
    "CLEARANCE_MONITORING_URL is not the URL of an SQLite file or a PostgreSQL database",
    "such as sqlite:////path/to/monitoring.db or postgresql://user:password@host/name",
)
STORE_BUSY = ErrorKind(
    "monitoring.store_busy",
    BusyError,
    "{database} is in use by another process",
    "try again; nothing was counted twice and nothing is lost",
)
STORE_UNAVAILABLE = ErrorKind(
    "monitoring.store_unavailable",
    UnavailableError,
    "{database} cannot be used ({why})",
    "check its address, its server and the disk; nothing was counted twice and nothing is lost",
)
COUNTED_MEANWHILE = ErrorKind(
    "monitoring.counted_meanwhile",
    BusyError,
    "another monitor counted the same decisions meanwhile",
    "run it again: what the other one counted is not counted twice",
)
COUNTS_UNREADABLE = ErrorKind(
    "monitoring.counts_unreadable",
    IntegrityError,
    "the counts of {day} in {database} are not what a monitor writes ({why})",
    "restore a backup, or delete it: the monitor then counts again what the log of decisions has",
)
LOOK_UNREADABLE = ErrorKind(
    "monitoring.look_unreadable",
    IntegrityError,
    "the look number {number} of {database} is not what a monitor writes ({why})",
    "restore the database from a backup",
)

# Versions

NO_CHAMPION = ErrorKind(
    "monitoring.no_champion",
    ConfigurationError,
    "{name} has no champion and no recorded decision, so there is nothing to watch",
    "`clearance promote` makes a version the champion",
)
NO_MODEL = ErrorKind(
    "monitoring.no_model",
    IntegrityError,
    "{name} version {version} has no trained model among its evidence",
    "run `clearance verify {version}`",
)
NO_TERMS = ErrorKind(
    "monitoring.no_terms",
    ConfigurationError,
    "{policy} does not say how a version in use is watched",
    "add the key `monitoring` (policies/README.md)",
)

# What was asked for

DAYS_REVERSED = ErrorKind(
    "monitoring.days_reversed", DataError, "--since {since} is after --until {until}", "swap the two days"
)

# Labels

LABELS_NOT_READABLE = ErrorKind(
    "monitoring.labels_not_readable",
    DataError,
    "{path} cannot be read as a table ({why})",
    "give a CSV or Parquet file with the columns `decision` or `entity`, and `label`",
)
LABELS_COLUMNS = ErrorKind(
    "monitoring.labels_columns",
    DataError,
    "{path} must have the column `label`, and either `decision` or `entity`; it has {columns}",
    "keep the column of ids of decisions (`decision` or `id`) or that of entities (`entity`)",
)
LABEL_AHEAD = ErrorKind(
    "monitoring.label_ahead",
    DataError,
    "{path}, row {row}: the label is from {time}, which is still to come",
    "correct the time, or add the label once it is known",
)
LABEL_UNKNOWN = ErrorKind(
    "monitoring.label_unknown",
    DataError,
    "{path}, row {row}: `{label}` is not a value of `{target}`, whose favourable one is `{favourable}`",
    "labels are values of the target column; leave out rows that are not known",
)
LABEL_CONTRADICTION = ErrorKind(
    "monitoring.label_contradiction",
    DataError,
    "{path} has two different labels for one decision (rows {first} and {second})",
    "keep the one that holds; a correction is a file of its own",
)

# Two tables

NO_EVIDENTLY = ErrorKind(
    "monitoring.no_evidently",
    ConfigurationError,
    "`--evidently` needs Evidently, which is not installed",
    'run `make setup EXTRAS="evidently"`, or leave `--evidently` out: the verdict does not need it',
)
EVIDENTLY_FAILED = ErrorKind(
    "monitoring.evidently_failed",
    UnavailableError,
    "Evidently made no page ({reason})",
    "leave `--evidently` out: the verdict does not need it",
)
