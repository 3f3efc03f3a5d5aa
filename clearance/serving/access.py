"""Who may ask what: callers with API keys or tokens of an identity provider, their roles and their limits.

`policies/serving.yaml` lists them; it holds only the digests of keys. Unknown keys of the file are refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from clearance import foreign_text, params, validation_messages, yaml
from clearance.approvals_api import tokens
from clearance.approvals_api.oidc_keys import ProviderKeys
from clearance.approvals_api.oidc_settings import ProviderSettings
from clearance.approvals_api.tokens import RejectedToken
from clearance.errors import ClearanceError
from clearance.feature_store import FeatureSettings
from clearance.serving import faults

FILE = Path("policies/serving.yaml")
_PREFIX = "clk_"
_LONGEST = 16 * 1024
ROWS_A_MINUTE = 60_000


class Role(StrEnum):
    """What a caller may do: ask for decisions; read, replay and review decisions on record; see metrics."""

    PREDICT = "predict"
    READ = "read"
    ADMINISTER = "administer"


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$")]


class KeyHolder(params.Section):
    """A caller with an API key: its name in the records, the key's SHA-256, roles, rows a minute."""

    name: Name
    key_sha256: Sha256
    roles: tuple[Role, ...] = Field(min_length=1)
    rows_a_minute: int = Field(default=ROWS_A_MINUTE, ge=1)


class AccessSettings(params.Section):
    """`policies/serving.yaml`. `oidc` is an identity provider; its groups give the roles.

    `features` says where features and protected attributes of an entity come from.
    """

    callers: tuple[KeyHolder, ...] = ()
    oidc: ProviderSettings | None = None
    rows_a_minute: int = Field(default=ROWS_A_MINUTE, ge=1)
    features: FeatureSettings | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        names = [caller.name for caller in self.callers]
        if len(set(names)) < len(names):
            raise ValueError("`callers` names a caller twice")
        if self.oidc is not None:
            if self.oidc.groups is None:
                raise ValueError("`oidc` needs `groups`: which group of the provider gives which role")
            roles = {role for roles in self.oidc.groups.roles.values() for role in roles}
            if unknown := sorted(roles - set(Role)):
                raise ValueError(f"`oidc.groups` gives the role {unknown[0]}; roles are {', '.join(Role)}")
        return self


def load(root: Path) -> AccessSettings:
    """The settings of the project; without a file, nobody is listed. Raises ConfigurationError."""
    path = root / FILE
    if not path.is_file():
        return AccessSettings()
    try:
        document = yaml.loads(path.read_text(encoding="utf-8"))
        return AccessSettings.model_validate(document or {})
    except ValidationError as error:
        reason = validation_messages.describe(error, AccessSettings)
        raise faults.SETTINGS_INVALID(path=path, reason=reason) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise faults.SETTINGS_INVALID(path=path, reason=type(error).__name__) from None


def new_key() -> tuple[str, str]:
    """A new API key, shown once, and its SHA-256, which the settings keep."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, digest(key)


def key_holder(name: str, sha256: str, roles: Sequence[str]) -> KeyHolder:
    """The entry of a caller. Raises ConfigurationError when its name cannot be one."""
    try:
        return KeyHolder(
            name=name, key_sha256=sha256, roles=tuple(Role(role) for role in dict.fromkeys(roles))
        )
    except ValidationError as error:
        reason = validation_messages.describe(error, KeyHolder)
        raise faults.SETTINGS_INVALID(path=FILE, reason=reason) from None


def digest(key: str) -> str:
    """The SHA-256 of an API key."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, as the records name them, with their roles and rows a minute."""

    name: str
    roles: frozenset[Role]
    rows_a_minute: int


class Gate:
    """Lets callers in, by key or by token, and limits their rows a minute. Safe for use by many threads."""

    def __init__(
        self,
        settings: AccessSettings,
        extra: Sequence[KeyHolder] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holders: Mapping[str, Caller] = {
            holder.key_sha256: Caller(
                name=holder.name, roles=frozenset(holder.roles), rows_a_minute=holder.rows_a_minute
            )
            for holder in (*settings.callers, *extra)
        }
        self._settings = settings
        self._keys = ProviderKeys(settings.oidc.issuer) if settings.oidc else None
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[float, float]] = {}

    @property
    def asks_provider(self) -> bool:
        """Whether a caller may come with a token, which may ask the identity provider for its keys."""
        return self._keys is not None

    def identify(self, authorization: str) -> Caller:
        """The caller that an `Authorization` header names. Raises ReleaseRefused when it names none."""
        scheme, _, credential = authorization.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise faults.NO_CREDENTIALS()
        if len(credential) > _LONGEST:
            raise faults.UNKNOWN_KEY()
        found = digest(credential)
        for known, caller in self._holders.items():
            if hmac.compare_digest(known, found):
                return caller
        if credential.startswith(_PREFIX) or self._keys is None or self._settings.oidc is None:
            raise faults.UNKNOWN_KEY()
        account = tokens.read(credential, self._settings.oidc, self._keys)
        if isinstance(account, RejectedToken):
            raise account.error
        roles = frozenset(Role(role) for role in account.roles or ())
        name = foreign_text.inert(f"{account.subject} at {account.issuer}")[:200]
        return Caller(name=name, roles=roles, rows_a_minute=self._settings.rows_a_minute)

    def demand(self, caller: Caller, role: Role, action: str, *others: Role) -> None:
        """Raise ReleaseRefused unless the caller has the role, or one of the others."""
        if caller.roles.isdisjoint({role, *others}):
            raise faults.ROLE_MISSING(action=action)

    def spend(self, caller: Caller, rows: int) -> float:
        """Count rows against the caller's limit; 0 where they fit, else the seconds until they would.

        A bucket that fills at the limit's rate and holds one minute's worth.
        """
        rate = caller.rows_a_minute / 60
        now = self._clock()
        with self._lock:
            level, at = self._spent.get(caller.name, (0.0, now))
            level = max(0.0, level - (now - at) * rate)
            if level + rows > caller.rows_a_minute:
                return max(1.0, (level + rows - caller.rows_a_minute) / rate)
            self._spent[caller.name] = (level + rows, now)
            return 0.0


def refusal_status(error: ClearanceError) -> int:
    """The HTTP status of a refusal: 401 where the caller is not known, 403 where a role is missing."""
    return 403 if error.code == faults.ROLE_MISSING.code else 401
