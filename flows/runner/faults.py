"""Every fault that the runner reports: what is wrong with a request, a workspace or a step."""

from clearance.errors import ClearanceError, ConfigurationError, ErrorKind, ReleaseRefused, UnavailableError

NOT_A_SETTING = ErrorKind(
    "runner.not_a_setting",
    ConfigurationError,
    "`{setting}` is not KEY=VALUE",
    "write `--set key=value`, for example `--set seed=7`",
)
NOT_YAML = ErrorKind(
    "runner.not_yaml",
    ConfigurationError,
    "the value in `{setting}` is not YAML",
    "quote or correct it",
)
UNKNOWN_OVERRIDE = ErrorKind(
    "runner.unknown_override",
    ConfigurationError,
    "overrides: {reason}",
    "docs/configuration.md lists every key",
)
OUTSIDE_PROJECT = ErrorKind(
    "runner.outside_project",
    ConfigurationError,
    "{path} lies outside the project, where a run with overrides cannot see it",
    "give its absolute path in params.yaml",
)
STEP_TIMED_OUT = ErrorKind(
    "runner.step_timed_out",
    ClearanceError,
    "{step}: took longer than {seconds:g} s and was stopped",
    "allow it more in dvc.yaml (`meta: {{timeout: seconds}}` of {step}), or see {log}",
)
STEP_REFUSED = ErrorKind("runner.step_refused", ReleaseRefused, "{step}: {reason}", "see {log}")
STEP_FAILED = ErrorKind("runner.step_failed", ClearanceError, "{step}: {reason}", "{hint}")
STEP_UNAVAILABLE = ErrorKind("runner.step_unavailable", UnavailableError, "{step}: {reason}", "{hint}")
