"""Faults of the inference log: each sentence stands here once."""

from clearance.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    UnavailableError,
)

_ADDRESS = "set CLEARANCE_INFERENCE_LOG to sqlite:///path or postgresql+psycopg://user:password@host/database"
_RESTORE = "run `clearance decisions verify`, then restore the log from a backup"
_RETRY = "try again; what was committed without an answer stays in the log, where an idempotency key finds it"
_KEY_FILE = "set CLEARANCE_INFERENCE_KEY to the key file that this log was created with"

# Records

INVALID_FIELD = ErrorKind(
    "inference_log.invalid_field",
    DataError,
    "the field `{field}` of an inference record is invalid: {why}",
    "correct the field; nothing was recorded",
)
NOT_JSON = ErrorKind(
    "inference_log.not_json",
    DataError,
    "an inference record cannot be written: {why}",
    "pass text, finite numbers, true, false, lists and mappings with text keys; None for what is missing",
)
TOO_LARGE = ErrorKind(
    "inference_log.too_large",
    DataError,
    "an inference record has {length} bytes; the limit is {limit}",
    "record a smaller input, or cite large content by its SHA-256",
)
BATCH_SIZE = ErrorKind(
    "inference_log.batch_size",
    DataError,
    "one call must append 1 to {limit} records, not {size}",
    "append in smaller groups",
)
UNKNOWN_DECISION = ErrorKind(
    "inference_log.unknown_decision",
    DataError,
    "the log has no record {id}",
    "check the id; records past every retention period are deleted",
)
KEY_UNCHECKED = ErrorKind(
    "inference_log.key_unchecked",
    UnavailableError,
    "the store is away, so nobody can tell whether this idempotency key is new",
    "try again with the same key once the store is back",
)
KEY_CONFLICT = ErrorKind(
    "inference_log.key_conflict",
    DataError,
    "this idempotency key was first used with another request (record {id})",
    "use a new key for a new request, or repeat the first request without any change",
)
DUPLICATE_ID = ErrorKind(
    "inference_log.duplicate_id",
    DataError,
    "the log already has a record {id}",
    "give every record an id of its own",
)
ERASED = ErrorKind(
    "inference_log.erased",
    DataError,
    "the personal content of record {id} was erased",
    "nothing can bring it back; the erasure is in the log",
)
UNKNOWN_SUBJECT = ErrorKind(
    "inference_log.unknown_subject",
    DataError,
    "the log has no personal content about this subject",
    "check the identifier; an erasure that already took place is in the log",
)
NO_REASON = ErrorKind(
    "inference_log.no_reason",
    DataError,
    "reading or erasing personal content needs who asks and why",
    "pass a name and a reason; both are recorded",
)
UNREADABLE_RECORD = ErrorKind(
    "inference_log.unreadable_record",
    IntegrityError,
    "record {id} cannot be read: {why}",
    _RESTORE,
)

# Keys

KEY_MISSING = ErrorKind(
    "inference_log.key_missing",
    ConfigurationError,
    "the key file {path} of this inference log does not exist",
    _KEY_FILE + "; without it, no personal content can be read again",
)
KEY_NOT_READABLE = ErrorKind(
    "inference_log.key_not_readable",
    ConfigurationError,
    "the key file {path} cannot be read or written ({why})",
    _KEY_FILE,
)
KEY_EXPOSED = ErrorKind(
    "inference_log.key_exposed",
    ConfigurationError,
    "other users can access the key file {path} (mode {mode:04o})",
    "run `chmod 600 {path}`; if somebody could have read it, treat the log's content as disclosed",
)
KEY_MALFORMED = ErrorKind(
    "inference_log.key_malformed",
    ConfigurationError,
    "the key file {path} does not hold 64 hexadecimal digits",
    _KEY_FILE,
)
WRONG_KEY = ErrorKind(
    "inference_log.wrong_key",
    ConfigurationError,
    "the key file {path} belongs to another inference log",
    _KEY_FILE,
)

# The store

INVALID_ADDRESS = ErrorKind(
    "inference_log.invalid_address",
    ConfigurationError,
    "the address of the inference log is not the URL of an SQLite file or a PostgreSQL database",
    _ADDRESS,
)
UNKNOWN_FORMAT = ErrorKind(
    "inference_log.unknown_format",
    ConfigurationError,
    "the inference log in {database} has format {version}; this version writes format {expected}",
    "use the version of Clearance that wrote it, or a newer one",
)
NOT_CREATABLE = ErrorKind(
    "inference_log.not_creatable",
    ConfigurationError,
    "the inference log {file} cannot be created ({why})",
    "choose a folder that can be written",
)
NO_LOG = ErrorKind(
    "inference_log.no_log",
    ConfigurationError,
    "there is no inference log in {database}",
    "`clearance serve` and `clearance predict` write one; set CLEARANCE_INFERENCE_LOG if it is elsewhere; "
    "`python -m tasks.monitor` compares two tables without a log",
)
NOT_A_LOG = ErrorKind(
    "inference_log.not_a_log",
    IntegrityError,
    "{database} does not hold the tables of one inference log: {why}",
    "restore it from a backup",
)
DAMAGED = ErrorKind(
    "inference_log.damaged",
    IntegrityError,
    "{database} is damaged: {why}",
    "restore it from a backup, and keep the damaged one",
)
UNSOUND_HEAD = ErrorKind(
    "inference_log.unsound_head",
    IntegrityError,
    "nothing can be appended to the inference log: its last record and its head differ",
    _RESTORE,
)
REFUSED = ErrorKind(
    "inference_log.refused",
    ConfigurationError,
    "{database} refused: {why}",
    "check CLEARANCE_INFERENCE_LOG and the permissions of its account",
)
LOCKED = ErrorKind(
    "inference_log.locked",
    BusyError,
    "other processes kept writing to {database} for too long",
    _RETRY,
)
FULL = ErrorKind(
    "inference_log.full",
    UnavailableError,
    "there is no space left for {database}",
    "free some disk space; " + _RETRY,
)
UNAVAILABLE = ErrorKind(
    "inference_log.unavailable",
    UnavailableError,
    "{database} does not answer: {why}",
    "start it; " + _RETRY,
)
OVERLOADED = ErrorKind(
    "inference_log.overloaded",
    BusyError,
    "{count} records already wait for the inference log",
    "send fewer requests at once, then try again",
)
TIMED_OUT = ErrorKind(
    "inference_log.timed_out",
    UnavailableError,
    "the inference log did not answer within {seconds:g} s",
    _RETRY,
)
CLOSED = ErrorKind(
    "inference_log.closed",
    ConfigurationError,
    "the inference log is closed in this process",
    "open it again; a process that was forked opens its own",
)

# Segments and retention

NOT_SEALABLE = ErrorKind(
    "inference_log.not_sealable",
    IntegrityError,
    "record {sequence} is not what was recorded after the one before it, and nothing is sealed",
    _RESTORE,
)
CLOCK_BEHIND = ErrorKind(
    "inference_log.clock_behind",
    ConfigurationError,
    "this machine's clock ({now}) is behind the last record ({last})",
    "set the clock; nothing is deleted by a clock that is wrong",
)
NO_RETENTION_PERIOD = ErrorKind(
    "inference_log.no_retention_period",
    ConfigurationError,
    "the policy names no retention period for the inference log",
    "list its periods under `inference_log.retention`; until then every record is kept",
)

# The spool

SPOOL_FULL = ErrorKind(
    "inference_log.spool_full",
    UnavailableError,
    "the store is away, and the local spool has reached its limit of {limit} bytes",
    "bring the store back; the spool empties by itself",
)
SPOOL_NOT_WRITABLE = ErrorKind(
    "inference_log.spool_not_writable",
    UnavailableError,
    "the store is away, and the local spool {path} cannot be written ({why})",
    "bring the store back, or free some disk space",
)
SPOOL_DAMAGED = ErrorKind(
    "inference_log.spool_damaged",
    IntegrityError,
    "frame {frame} of the local spool {path} is not what was written",
    "keep the file, find out who changed it, and move it away: its records are not in the log yet",
)
