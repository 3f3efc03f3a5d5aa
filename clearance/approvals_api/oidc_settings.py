"""The trusted identity provider and what its tokens must say: `policies/identity.yaml`, unknown keys refused.

Whose account a token attests, and what that person may do, the roles file says. The groups listed here can
only take roles away.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from clearance import params, validation_messages, yaml
from clearance.approvals_api import faults

FILE = Path("policies/identity.yaml")
VARIABLE = "CLEARANCE_IDENTITY_PROVIDER"
"""The environment variable that names another file."""
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Algorithm = Literal["RS256", "ES256", "EdDSA"]
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class GroupMapping(params.Section):
    """The claim that lists a person's groups at the provider, and the roles that each group confirms."""

    claim: Text = "groups"
    roles: dict[Text, tuple[Text, ...]] = Field(min_length=1)

    def roles_of(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The roles that these groups confirm, sorted; none for groups that are not listed."""
        return tuple(sorted({role for group in groups for role in self.roles.get(group, ())}))


class ProviderSettings(params.Section):
    """The provider, spelled as in its tokens, and what a token must say.

    `subject` is the claim that identifies a person permanently: never one that can change or be given to
    somebody else. `leeway` is how many seconds the clocks may differ. `max_age` is the greatest age
    of a token in seconds, and the greatest time for which one may be issued. `service` is the identity that
    signs; without it, `CLEARANCE_IDENTITY` names it. Without `groups`, a person keeps all of their roles.
    """

    issuer: Text
    audience: Text
    subject: Text = "sub"
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    leeway: int = Field(default=30, ge=0, le=300)
    max_age: int = Field(default=86_400, ge=60, le=604_800)
    service: Text | None = None
    groups: GroupMapping | None = None

    @field_validator("issuer")
    @classmethod
    def _tamper_proof(cls, value: str) -> str:
        if not is_tamper_proof(value) or "?" in value or "#" in value:
            raise ValueError("an issuer is an https:// address without query; http:// only on loopback")
        return value


def is_tamper_proof(address: object) -> bool:
    """Whether nobody on the network can change what this address returns: https, or this machine itself."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        )
    except ValueError:
        return False


def load(root: Path, environment: Mapping[str, str] = os.environ) -> ProviderSettings:
    """The project's settings, or those in the file that `CLEARANCE_IDENTITY_PROVIDER` names.

    Raises ConfigurationError when the file is missing or not valid.
    """
    path = root / (environment.get(VARIABLE) or FILE)
    try:
        document = yaml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise faults.SETTINGS_MISSING(path=path, reason=error.strerror) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise faults.SETTINGS_NOT_YAML(path=path, reason=error) from None
    try:
        return ProviderSettings.model_validate(document)
    except ValidationError as error:
        raise faults.SETTINGS_INVALID(
            path=path, reason=validation_messages.describe(error, ProviderSettings)
        ) from None
