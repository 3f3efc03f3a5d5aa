"""Every fault that this room reports: what MLflow refuses, loses or holds altered."""

from clearance.errors import (
    BusyError,
    ClearanceError,
    ConfigurationError,
    ErrorKind,
    IntegrityError,
    TransientError,
    UnavailableError,
)

# MLflow itself
MLFLOW_UNAVAILABLE = ErrorKind(
    "registry.mlflow_unavailable",
    UnavailableError,
    "MLflow at {address} does not answer",
    "start it, or set MLFLOW_TRACKING_URI to another one, then run `clearance track` and `clearance "
    "release`; what the stages computed is kept",
)
ACCOUNT_REFUSED = ErrorKind(
    "registry.account_refused",
    ConfigurationError,
    "MLflow at {address} refuses this account: {reason}",
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN) to an account that "
    "may do this",
)
MLFLOW_FAILED = ErrorKind(
    "registry.mlflow_failed",
    ClearanceError,
    "MLflow at {address} reports: {reason}",
    "fix what it names, then repeat this",
)
ADDRESS_NOT_USABLE = ErrorKind(
    "registry.address_not_usable",
    ConfigurationError,
    "MLflow cannot use the address {address}: {reason}",
    "set MLFLOW_TRACKING_URI to http(s)://host:port, sqlite:///path or "
    "postgresql+psycopg://user:password@host/database; a part with special characters must be URL-encoded",
)
DRIVER_MISSING = ErrorKind(
    "registry.driver_missing",
    ConfigurationError,
    "the driver for MLflow's database {address} is not installed: {reason}",
    "install it, or set MLFLOW_TRACKING_URI to a server (http://host:port), sqlite:///path or "
    "postgresql+psycopg://user:password@host/database",
)
DATABASE_FULL = ErrorKind(
    "registry.database_full",
    UnavailableError,
    "there is no space left for MLflow's database {address}",
    "free some disk space, then repeat this",
)
DATABASE_REFUSES = ErrorKind(
    "registry.database_refuses",
    ConfigurationError,
    "MLflow's database {address} refuses: {reason}",
    "create it, or correct user, password and database in MLFLOW_TRACKING_URI",
)
DATABASE_BUSY = ErrorKind(
    "registry.database_busy",
    BusyError,
    "another process has kept MLflow's database {address} locked for more than {seconds:g} s",
    "wait until it ends, or stop it; then repeat this",
)
EXPERIMENT_DELETED = ErrorKind(
    "registry.experiment_deleted",
    ConfigurationError,
    "the MLflow experiment {name} was deleted",
    "restore it (`mlflow experiments restore`), or set `experiment` in params.yaml to another name",
)

# Versions
NO_SUCH_VERSION = ErrorKind(
    "registry.no_such_version",
    ConfigurationError,
    "{name} has no version {number}",
    "list versions with `clearance ledger show`",
)
CHAMPION_MOVED = ErrorKind(
    "registry.champion_moved",
    TransientError,
    "another release changed the champion of {name} at the same time",
    "repeat this",
)
VERSION_NOT_FOUND = ErrorKind(
    "registry.version_not_found",
    TransientError,
    "MLflow created a version of {name} but cannot find it",
    "repeat this",
)
VERSION_ALTERED = ErrorKind(
    "registry.version_altered",
    IntegrityError,
    "{version}: {reason}",
    "find out who changed it. If it is the champion, roll back to a version that verifies. To record it "
    "again, delete run {run_id} and this version in MLflow, then run `clearance track` and `clearance "
    "release` where it was made",
)
FILE_LOST = ErrorKind(
    "registry.file_lost",
    IntegrityError,
    "{version}: MLflow has no {name} for it ({reason})",
    "run `clearance release` where the model was made: it stores missing files again",
)

# The model that is recorded
RECORD_INCOMPLETE = ErrorKind(
    "registry.record_incomplete",
    IntegrityError,
    "{path} is not complete ({reason})",
    "train the model again",
)
LIBRARY_NOT_PINNED = ErrorKind(
    "registry.library_not_pinned",
    IntegrityError,
    "{name} {version} was used, but {lock} does not pin that version",
    "install what the lock pins (`make setup`), then run the pipeline again",
)
