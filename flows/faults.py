"""Every fault that the flows report: what keeps Prefect from running or being told."""

from clearance.errors import ConfigurationError, ErrorKind, UnavailableError

SERVER_DID_NOT_START = ErrorKind(
    "flows.server_did_not_start",
    UnavailableError,
    "Prefect's temporary server did not start",
    "see {log}",
)
SERVER_DOES_NOT_ANSWER = ErrorKind(
    "flows.server_does_not_answer",
    UnavailableError,
    "PREFECT_API_URL names {address}, and no server answers there",
    "start that server, or unset PREFECT_API_URL: a run then starts a temporary server of its own",
)
PREFECT_COMMAND_FAILED = ErrorKind(
    "flows.prefect_command_failed",
    UnavailableError,
    "`prefect {command}` failed: {reason}",
    "see {log}",
)
NO_ANSWER = ErrorKind(
    "flows.no_answer",
    UnavailableError,
    "{address} does not answer after {seconds} s",
    "check whether the port is taken and set PREFECT_UI_PORT or MLFLOW_UI_PORT; logs are in .clearance/logs/",
)
PREFECT_NOT_NOTIFIED = ErrorKind(
    "flows.prefect_not_notified",
    UnavailableError,
    "could not notify Prefect ({reason})",
    "check PREFECT_API_URL",
)
ANOTHER_MODEL = ErrorKind(
    "flows.another_model",
    ConfigurationError,
    "this checkout promotes {own}, not {model}",
    "start the flow on a worker in the project of that model",
)
