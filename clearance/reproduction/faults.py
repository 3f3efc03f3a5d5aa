"""Every fault that this room reports: what keeps a recorded version from being built again."""

from clearance.errors import ClearanceError, ConfigurationError, ErrorKind, IntegrityError, UnavailableError

LOCK_WITHOUT_PINS = ErrorKind(
    "reproduction.lock_without_pins",
    IntegrityError,
    "the recorded requirements.lock pins nothing",
    "restore it from git",
)
NOT_A_PIN = ErrorKind(
    "reproduction.not_a_pin",
    IntegrityError,
    "requirements.lock: `{line}` is not a pinned requirement ({reason})",
    "restore it from git",
)
NO_LOCKED_ENVIRONMENT = ErrorKind(
    "reproduction.no_locked_environment",
    IntegrityError,
    "the commit has no requirements.lock, so it never locked its environment",
    "commit a requirements.lock; this version cannot be built again",
)
TOO_SLOW = ErrorKind(
    "reproduction.too_slow",
    ClearanceError,
    "the rebuild took longer than {seconds:g} s",
    "allow it more time, or use a faster machine",
)
STAGE_FAILED = ErrorKind(
    "reproduction.stage_failed",
    ClearanceError,
    "the rebuild failed: a stage ended with status {status}{details}",
    "compare what is named here with the version's evidence",
)
CONTRADICTORY_RECORD = ErrorKind(
    "reproduction.contradictory_record",
    IntegrityError,
    "the record of the version contradicts itself: {reason}",
    "verify the version's evidence first",
)
NOT_A_RECORD = ErrorKind(
    "reproduction.not_a_record",
    IntegrityError,
    "{path} is not the record of a version: {reason}",
    "take it from the version's evidence again",
)
NO_COMMIT = ErrorKind(
    "reproduction.no_commit",
    ConfigurationError,
    "no commit contains what made this version, so it cannot be built again",
    "commit, run again and release; `uncommitted: false` in the policy requires this",
)
ENVIRONMENT_NOT_LOCKED = ErrorKind(
    "reproduction.environment_not_locked",
    ConfigurationError,
    "what is installed is not what the version's requirements.lock pins: {differences}",
    "make the environment of that commit (`make rebuild` does); nothing was signed",
)
ENVIRONMENT_NOT_MADE = ErrorKind(
    "reproduction.environment_not_made",
    UnavailableError,
    "the locked packages cannot be installed into a new environment: {reason}",
    "see that pip reaches a package index; without --fresh the present environment is checked and used",
)
SOURCE_OUTSIDE = ErrorKind(
    "reproduction.source_outside",
    IntegrityError,
    "{path} was read from outside the project",
    "give its absolute path in params.yaml, and run again",
)
SOURCE_LOST = ErrorKind(
    "reproduction.source_lost",
    IntegrityError,
    "{path}, which the version was made from, is not kept anywhere",
    "restore its content from a copy; `dvc add` and `dvc push` keep the next one",
)
