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
RULE_NEVER_PASSES = ErrorKind(
    "policy.rule_never_passes",
    ConfigurationError,
    "{path}: no possible value keeps the limit of {rules}",
    hint="set a `limit` within the range; a share is written as 0.8, not as 80",
)
RULE_REVERSED = ErrorKind(
    "policy.rule_reversed",
    ConfigurationError,
    "{path}: the limit would block the better models and pass the worse: {rules}",
    hint="write the other bound; where both ends matter, give `at_least` and `at_most`",
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
