"""Every fault that the flows report: what keeps Prefect from running or being told."""

from clearance.errors import BusyError, ConfigurationError, ErrorKind, UnavailableError

SERVER_DOES_NOT_ANSWER = ErrorKind(
    "flows.server_does_not_answer",
    UnavailableError,
    "PREFECT_API_URL names {address}, and no server answers there",
    "start that server, or unset PREFECT_API_URL: a run in a terminal needs no server",
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
    "see the logs in .clearance/logs/",
)
SERVER_ENDED = ErrorKind(
    "flows.server_ended",
    UnavailableError,
    "{name} ended before it answered at {address}",
    "see {log}",
)
NOT_A_PORT = ErrorKind(
    "flows.not_a_port",
    ConfigurationError,
    "{variable} is not a port: {value}",
    "set it to a number from 1 to 65535, or leave it unset",
)
PORT_TAKEN = ErrorKind(
    "flows.port_taken",
    ConfigurationError,
    "port {port} is taken by {holder} that this command did not start",
    "leave {variable} unset and a free port is taken, or name another one",
)
NO_FREE_PORT = ErrorKind(
    "flows.no_free_port",
    UnavailableError,
    "no port from {first} to {last} is free",
    "set {variable} to a free port",
)
UI_RUNNING = ErrorKind(
    "flows.ui_running",
    BusyError,
    "`make ui` is already running in this project: {addresses}",
    "open these addresses, or stop the other one with Ctrl-C first",
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
