"""Faults of the ledger: each sentence stands here once."""

from clearance.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    UnavailableError,
)

_RESTORE = "run `clearance ledger verify`, then restore the ledger and its checkpoints from a backup"
_EXPORT_AGAIN = "export the ledger again with `clearance ledger export`"
_ADDRESS = "set CLEARANCE_LEDGER to sqlite:///path or postgresql+psycopg://user:password@host/database"

# Entries and their bodies

INVALID_NAME = ErrorKind(
    "ledger.invalid_name",
    DataError,
    "the {field} of a ledger entry must have 1 to 200 printable characters",
    "use a short name without control characters; longer texts belong in the body",
)
UNKNOWN_KIND = ErrorKind(
    "ledger.unknown_kind", DataError, "`{kind}` is not a kind of ledger entry", "use one of {kinds}"
)
INVALID_BODY = ErrorKind(
    "ledger.invalid_body",
    DataError,
    "the body of a ledger entry is not a JSON object: {why}",
    "pass plain JSON values, and cite large content by its SHA-256",
)
BODY_TOO_LONG = ErrorKind(
    "ledger.body_too_long",
    DataError,
    "the body of a ledger entry has {length} characters; the limit is {limit}",
    "pass plain JSON values, and cite large content by its SHA-256",
)
UNREADABLE_BODY = ErrorKind(
    "ledger.unreadable_body", IntegrityError, "the body of entry {number} is not a JSON object", _RESTORE
)
UNFIT_BODY = ErrorKind(
    "ledger.unfit_body",
    IntegrityError,
    "{where} does not have the body of kind `{kind}`: {why}",
    "find out who recorded it; use the version of Clearance that wrote it, or a newer one",
)
UNKNOWN_STORED_KIND = ErrorKind(
    "ledger.unknown_stored_kind",
    IntegrityError,
    "entry {number} has the kind `{kind}`, which this version of Clearance does not know",
    "use the version of Clearance that wrote it, or a newer one",
)
NO_VERSION = ErrorKind(
    "ledger.no_version", DataError, "entry {number} changes the champion but names no version", _RESTORE
)
UNSOUND_HEAD = ErrorKind(
    "ledger.unsound_head", IntegrityError, "nothing can be appended after entry {number}: {why}", _RESTORE
)

# Appending and erasing

READ_ONLY = ErrorKind(
    "ledger.read_only",
    ConfigurationError,
    "the ledger was opened for reading",
    "open it with a seal to append",
)
BATCH_SIZE = ErrorKind(
    "ledger.batch_size",
    DataError,
    "a batch must have 1 to {limit} entries, not {size}",
    "append in smaller batches",
)
NO_REASON = ErrorKind(
    "ledger.no_reason",
    DataError,
    "an erasure needs the numbers of its entries and a reason",
    "pass both",
)
NOT_ERASABLE = ErrorKind(
    "ledger.not_erasable",
    DataError,
    "entry {number} does not exist, or its kind must stay readable",
    "only these kinds can be erased: {kinds}",
)
UNKNOWN_RETENTION = ErrorKind(
    "ledger.unknown_retention",
    ConfigurationError,
    "the policy has an invalid retention period: `{kind}` for `{period}` years",
    "use a kind of entry or `{others}`, and a whole number of years from 1",
)

# Checkpoints

NO_CHECKPOINT_FILE = ErrorKind(
    "ledger.no_checkpoint_file",
    ConfigurationError,
    "the ledger has no file for its checkpoints",
    "name a file outside the database",
)
SAME_CHECKPOINT_FILE = ErrorKind(
    "ledger.same_checkpoint_file",
    ConfigurationError,
    "{first} and {second} are one checkpoint file under two names",
    "list a file only once in CLEARANCE_CHECKPOINTS; two names are not two places",
)
CHECKPOINTS_MISSING = ErrorKind(
    "ledger.checkpoints_missing",
    IntegrityError,
    "{file} lacks checkpoints that {source} has",
    "find out who removed them; then, or if the file is new, copy {source} to {file}",
)
NO_CHECKPOINT_LEFT = ErrorKind(
    "ledger.no_checkpoint_left",
    IntegrityError,
    "the ledger has {count:entry|entries} and no checkpoint",
    "list its checkpoint files in CLEARANCE_CHECKPOINTS where others use it too; otherwise " + _RESTORE,
)
INVALID_CHECKPOINT = ErrorKind(
    "ledger.invalid_checkpoint", IntegrityError, "{checkpoint} cannot be trusted: {why}", _RESTORE
)
FOREIGN_CHECKPOINTS = ErrorKind(
    "ledger.foreign_checkpoints",
    IntegrityError,
    "the checkpoints belong to another ledger",
    "restore the database from a backup; to start a new ledger, name another file for its checkpoints",
)
HEAD_MISMATCH = ErrorKind(
    "ledger.head_mismatch",
    IntegrityError,
    "the ledger ends with entry {number}, which does not match {checkpoint}",
    _RESTORE,
)
CHECKPOINTS_NOT_WRITABLE = ErrorKind(
    "ledger.checkpoints_not_writable",
    UnavailableError,
    "checkpoints cannot be written to {file} ({why})",
    "fix the file or its permissions, check with `clearance ledger show` what was recorded, then try again",
)
CHECKPOINTS_NOT_READABLE = ErrorKind(
    "ledger.checkpoints_not_readable",
    UnavailableError,
    "the checkpoints in {file} cannot be read ({why})",
    "fix the file or its permissions, then try again",
)

# The database

INVALID_ADDRESS = ErrorKind(
    "ledger.invalid_address",
    ConfigurationError,
    "the ledger's address is not the URL of an SQLite or PostgreSQL database",
    _ADDRESS,
)
IN_MEMORY = ErrorKind(
    "ledger.in_memory", ConfigurationError, "a ledger in memory is lost when the process ends", _ADDRESS
)
UNTESTED_DRIVER = ErrorKind(
    "ledger.untested_driver",
    ConfigurationError,
    "the ledger does not support the driver {driver}",
    _ADDRESS,
)
UNKNOWN_FORMAT = ErrorKind(
    "ledger.unknown_format",
    ConfigurationError,
    "the ledger in {database} has format {version}; this version writes format {expected}",
    "use the version of Clearance that wrote it, or a newer one",
)
NOT_ONE_LEDGER = ErrorKind(
    "ledger.not_one_ledger",
    IntegrityError,
    "the database {database} has {count} ledger ids instead of one",
    "restore the ledger's database from a backup",
)
NOT_CREATABLE = ErrorKind(
    "ledger.not_creatable",
    ConfigurationError,
    "the ledger {file} cannot be created ({why})",
    "choose a folder that can be written",
)
DATABASE_BUSY = ErrorKind(
    "ledger.database_busy",
    BusyError,
    "other processes kept writing to {database} for too long",
    "try again when they have finished",
)
DATABASE_FULL = ErrorKind(
    "ledger.database_full",
    UnavailableError,
    "there is no space left for {database}",
    "free some disk space, check with `clearance ledger show` what was recorded, then try again",
)
DATABASE_DAMAGED = ErrorKind(
    "ledger.database_damaged",
    IntegrityError,
    "{database} is damaged: {why}",
    "restore it from a backup, and keep the damaged one",
)
DATABASE_CHANGED = ErrorKind(
    "ledger.database_changed",
    IntegrityError,
    "{database} no longer has the tables it was created with: {why}",
    "restore it from a backup",
)
DATABASE_REFUSES = ErrorKind(
    "ledger.database_refuses",
    ConfigurationError,
    "{database} refused: {why}",
    "check CLEARANCE_LEDGER and the permissions of its account",
)
DATABASE_UNAVAILABLE = ErrorKind(
    "ledger.database_unavailable",
    UnavailableError,
    "{database} does not answer: {why}",
    "start it or fix CLEARANCE_LEDGER, check with `clearance ledger show` what was recorded, then try again",
)

# Locks

LOCK_TIMEOUT = ErrorKind(
    "ledger.lock_timeout",
    BusyError,
    "another process has held {what} for more than {seconds:g} s",
    "wait until it ends, or stop it; then try again",
)
LOCK_LOST = ErrorKind(
    "ledger.lock_lost",
    BusyError,
    "another process has taken over the lock of {model}",
    "check with `clearance history` what it did, then try again",
)

# Exports

NOT_AN_EXPORT = ErrorKind(
    "ledger.not_an_export", IntegrityError, "{file} is not a ledger export in format {format}", _EXPORT_AGAIN
)
EXPORT_NOT_READABLE = ErrorKind(
    "ledger.export_not_readable", IntegrityError, "{file} cannot be read ({why})", _EXPORT_AGAIN
)
NOT_AN_ENTRY = ErrorKind(
    "ledger.not_an_entry", IntegrityError, "line {line} of {file} is not a ledger entry", _EXPORT_AGAIN
)
NOT_AN_EXPORT_LINE = ErrorKind(
    "ledger.not_an_export_line",
    IntegrityError,
    "line {line} of {file} does not belong in a ledger export",
    _EXPORT_AGAIN,
)
NOT_AN_OBJECT = ErrorKind(
    "ledger.not_an_object", IntegrityError, "line {line} of {file} is not a JSON object", _EXPORT_AGAIN
)
