"""The faults of the approvals API, by their stable codes."""

from __future__ import annotations

from clearance.errors import ClearanceError, ConfigurationError, ErrorKind, ReleaseRefused, UnavailableError

_SIGN_IN = "sign in again and use the new token"
_ROLES = "policies/roles.yaml lists accounts and roles; the groups of the provider can restrict the roles"
_SETTINGS = "see docs/approvals.md for the keys of policies/identity.yaml"

# Requests

NO_BEARER_TOKEN = ErrorKind(
    "approvals_api.no_bearer_token",
    ReleaseRefused,
    "the request has no bearer token",
    hint="sign in with the identity provider and send `Authorization: Bearer TOKEN`",
)
TOO_MANY_REFUSALS = ErrorKind(
    "approvals_api.too_many_refusals",
    ReleaseRefused,
    "too many requests were refused within a minute",
    hint="wait a minute, then try again",
)
REQUEST_TOO_LARGE = ErrorKind(
    "approvals_api.request_too_large",
    ClearanceError,
    "the request body is larger than {limit} bytes, or its length is not stated",
    hint="send at most {limit} bytes and a Content-Length header",
)
INVALID_REQUEST = ErrorKind(
    "approvals_api.invalid_request",
    ClearanceError,
    "the request is not valid: {reason}",
    hint="see docs/approvals.md for the requests and their bodies",
)
NOT_FOUND = ErrorKind(
    "approvals_api.not_found",
    ClearanceError,
    "no such request: {method} {path}",
    hint="see docs/approvals.md for the requests and their bodies",
)
INTERNAL = ErrorKind(
    "approvals_api.internal",
    ClearanceError,
    "the service met a fault of its own",
    hint="read the log of the service, or ask its operator to",
)
OTHER_MODEL = ErrorKind(
    "approvals_api.other_model",
    ClearanceError,
    "this service only serves model {model}",
    hint="ask for /models/{model}/",
)

# Tokens

TOKEN_TOO_LONG = ErrorKind(
    "approvals_api.token_too_long",
    ReleaseRefused,
    "the token has more than {limit} characters",
    hint=_SIGN_IN,
)
TOKEN_NOT_A_JWT = ErrorKind(
    "approvals_api.token_not_a_jwt", ReleaseRefused, "the token is not a signed JSON Web Token", hint=_SIGN_IN
)
TOKEN_ALGORITHM_NOT_ALLOWED = ErrorKind(
    "approvals_api.token_algorithm_not_allowed",
    ReleaseRefused,
    "the signature algorithm of the token is not allowed",
    hint="`algorithms` in policies/identity.yaml lists the allowed ones",
)
TOKEN_WRONG_TYPE = ErrorKind(
    "approvals_api.token_wrong_type", ReleaseRefused, "the token is not an access or ID token", hint=_SIGN_IN
)
TOKEN_UNKNOWN_KEY = ErrorKind(
    "approvals_api.token_unknown_key",
    ReleaseRefused,
    "the token names a key that the identity provider does not publish",
    hint=_SIGN_IN,
)
TOKEN_KEY_MISMATCH = ErrorKind(
    "approvals_api.token_key_mismatch",
    ReleaseRefused,
    "the algorithm of the token is not that of the key it names",
    hint=_SIGN_IN,
)
TOKEN_BAD_SIGNATURE = ErrorKind(
    "approvals_api.token_bad_signature",
    ReleaseRefused,
    "the signature of the token is not valid",
    hint=_SIGN_IN,
)
TOKEN_EXPIRED = ErrorKind(
    "approvals_api.token_expired", ReleaseRefused, "the token has expired", hint=_SIGN_IN
)
TOKEN_TOO_OLD = ErrorKind(
    "approvals_api.token_too_old",
    ReleaseRefused,
    "the token was issued more than {seconds} s ago, or for longer than that",
    hint="sign in again; `max_age` in policies/identity.yaml limits age and lifetime of a token",
)
TOKEN_NOT_YET_VALID = ErrorKind(
    "approvals_api.token_not_yet_valid",
    ReleaseRefused,
    "the token is not valid yet",
    hint="compare the clocks of this service and the identity provider",
)
TOKEN_WRONG_AUDIENCE = ErrorKind(
    "approvals_api.token_wrong_audience",
    ReleaseRefused,
    "the token is meant for another audience",
    hint="request a token for the `audience` in policies/identity.yaml",
)
TOKEN_WRONG_ISSUER = ErrorKind(
    "approvals_api.token_wrong_issuer",
    ReleaseRefused,
    "the token comes from another issuer",
    hint="sign in with the `issuer` in policies/identity.yaml",
)
TOKEN_INVALID_CLAIM = ErrorKind(
    "approvals_api.token_invalid_claim",
    ReleaseRefused,
    "a claim of the token is missing or not valid",
    hint=_SIGN_IN,
)
TOKEN_NO_SUBJECT = ErrorKind(
    "approvals_api.token_no_subject",
    ReleaseRefused,
    "the claim {claim} of the token does not name a person",
    hint="`subject` in policies/identity.yaml chooses the claim",
)
TOKEN_ALREADY_USED = ErrorKind(
    "approvals_api.token_already_used",
    ReleaseRefused,
    "this token has already been used for a decision (entry {entry}); each token decides once",
    hint=_SIGN_IN,
)

# People

UNKNOWN_ACCOUNT = ErrorKind(
    "approvals_api.unknown_account",
    ReleaseRefused,
    "policies/roles.yaml lists nobody with the account {account}",
    hint=_ROLES,
)
NO_RIGHT = ErrorKind(
    "approvals_api.no_right",
    ReleaseRefused,
    "{person} may not {action}: no role of {person} allows it",
    hint=_ROLES,
)
NO_RIGHT_IN_GROUPS = ErrorKind(
    "approvals_api.no_right_in_groups",
    ReleaseRefused,
    "{person} may not {action}: no role of {person} that the provider's groups confirm allows it",
    hint=_ROLES,
)
SERVICE_MAY_NOT_ATTEST = ErrorKind(
    "approvals_api.service_may_not_attest",
    ConfigurationError,
    "{identity} may not attest the identity of others, so this service accepts no approvals",
    hint="give it a role with the right {right} in policies/roles.yaml",
)

# The identity provider

PROVIDER_UNAVAILABLE = ErrorKind(
    "approvals_api.provider_unavailable",
    UnavailableError,
    "no token can be checked, because the identity provider {issuer} gives no keys: {reason}",
    hint="check that the provider is running and reachable; `clearance approve` works without it",
)
SETTINGS_MISSING = ErrorKind(
    "approvals_api.settings_missing",
    ConfigurationError,
    "no identity provider is set: {path} cannot be read ({reason})",
    hint="write policies/identity.yaml, or name another file in CLEARANCE_IDENTITY_PROVIDER",
)
SETTINGS_NOT_YAML = ErrorKind(
    "approvals_api.settings_not_yaml",
    ConfigurationError,
    "{path} is not readable YAML: {reason}",
    hint="correct the line that the message names",
)
SETTINGS_INVALID = ErrorKind(
    "approvals_api.settings_invalid", ConfigurationError, "{path}: {reason}", hint=_SETTINGS
)
