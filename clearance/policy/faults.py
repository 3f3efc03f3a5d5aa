"""The faults of the policy room: a code, the class of the error and its sentences, each written once."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

NOT_VALID = ErrorKind(
    "policy.not_valid",
    ConfigurationError,
    "{path}: {problems}",
    hint="correct {path}; policies/README.md lists every key",
)
RULE_NEVER_FAILS = ErrorKind(
    "policy.rule_never_fails",
    ConfigurationError,
    "{path}: every possible value keeps the limit of {rules}",
    hint="set a tighter `limit`, or `decides_by: presence` where only what was not measured should block",
)
AUTHORISATION_NOT_VALID = ErrorKind(
    "policy.authorisation_not_valid",
    ConfigurationError,
    "{path}: {problems}",
    hint="correct {path}: `models: {{name: {{policy: file, tier: a tier of that policy}}}}`",
)
AUTHORISED_POLICY_MISSING = ErrorKind(
    "policy.authorised_policy_missing",
    ConfigurationError,
    "{path}: the policy {policy}, authorised for {model}, is missing",
    hint="restore {policy}, or name another policy in {path}",
)
