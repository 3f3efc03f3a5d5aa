"""The faults of alerts, by their stable codes."""

from __future__ import annotations

from clearance.errors import BusyError, ConfigurationError, ErrorKind, UnavailableError

NO_SUCH_ALERT = ErrorKind(
    "monitoring.no_such_alert",
    ConfigurationError,
    "no alert {id} is active",
    "`clearance alerts list` shows the alerts with their ids",
)
NO_MONITORING = ErrorKind(
    "monitoring.no_monitoring",
    ConfigurationError,
    "the policy of {name} has no section `monitoring`",
    "see docs/incidents.md and policies/README.md for what it says",
)
NO_ADDRESS = ErrorKind(
    "monitoring.no_address",
    ConfigurationError,
    "nobody is notified, as the environment variable {variable} is not set",
    "set it to an Apprise address, or name another one in `monitoring.alerts.to` of the policy",
)
BAD_ADDRESS = ErrorKind(
    "monitoring.bad_address",
    ConfigurationError,
    "the environment variable {variable} does not hold an Apprise address",
    "such as mailto://user:password@host, slack://token or json://host/path",
)
NOT_SENT = ErrorKind(
    "monitoring.not_sent",
    UnavailableError,
    "the receiver named by {variable} did not take the notice",
    "it is sent again later; check that the receiver answers",
)
EVENT_NOT_SENT = ErrorKind(
    "monitoring.event_not_sent",
    UnavailableError,
    "Prefect was not told that {rule} failed ({why})",
    "it is told again later; check PREFECT_API_URL and its server",
)
RETRAINING_FAILED = ErrorKind(
    "monitoring.retraining_failed",
    UnavailableError,
    "the retraining ended with exit status {status}",
    "it is tried again later; see .clearance/logs, or start it with `clearance run`",
)
NO_SUCH_RETRAINING = ErrorKind(
    "monitoring.no_such_retraining",
    ConfigurationError,
    "no alert asked for the retraining {id}",
    "start a run of your own with `clearance run`",
)
RETRAINING_UNDER_WAY = ErrorKind(
    "monitoring.retraining_under_way",
    BusyError,
    "another process trains a new model",
    "wait until it ends",
)
NO_KEY_DECLARED = ErrorKind(
    "monitoring.no_key_declared",
    ConfigurationError,
    "the policy asks how much of a drifted window the source has, and params.yaml names no key of its rows",
    "set `data.entity` or `data.row_key` to the column whose values callers send as `entity`, or delete "
    "`monitoring.retraining.window_share` from the policy",
)
COLUMN_NOT_IN_SOURCE = ErrorKind(
    "monitoring.column_not_in_source",
    ConfigurationError,
    "the source has no column {column}, by which a drifted window is looked up",
    "check `data` and `source.select` in params.yaml",
)
WINDOW_NOT_IN_SOURCE = ErrorKind(
    "monitoring.window_not_in_source",
    UnavailableError,
    "{coverage}, and the policy wants {wanted}: nothing is trained until their rows, with a label, are added "
    "to the source (column {key})",
    "a later run of the monitor looks again; `monitoring.retraining.window_share` in the policy is the share",
)
SNAPSHOT_FAILED = ErrorKind(
    "monitoring.snapshot_failed",
    UnavailableError,
    "no new snapshot of the source could be taken: exit status {status}",
    "it is tried again later; `python -m tasks.snapshot` shows why",
)
