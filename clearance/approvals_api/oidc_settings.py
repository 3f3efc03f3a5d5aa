"""Which identity provider is believed, and for what: `policies/identity.yaml`, typed, unknown keys refused.

Who a token stands for and what they may do is the roles file's to say; groups named here only take away.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from clearance import params, yaml
from clearance.errors import ConfigurationError

FILE = Path("policies/identity.yaml")
PLACE = "CLEARANCE_IDENTITY_PROVIDER"
"""The variable that names another file."""
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Algorithm = Literal["RS256", "ES256", "EdDSA"]
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Groups(params.Section):
    """The claim that lists the person's groups at the provider, and the roles that each group leaves them."""

    claim: Text = "groups"
    roles: dict[Text, tuple[Text, ...]] = Field(min_length=1)

    def left(self, named: Iterable[str]) -> tuple[str, ...]:
        """The roles that these groups leave, sorted; none for groups that are not listed."""
        return tuple(sorted({role for group in named for role in self.roles.get(group, ())}))


class Identity(params.Section):
    """The provider, spelt as in its tokens, and what a token must say.

    `subject` is the claim that names a person for good: never one that can be changed or given to somebody
    else. `leeway` is how many seconds the clocks may differ. `service` is who signs, by the roles file;
    without it, whom `CLEARANCE_IDENTITY` names. Without `groups`, a person has all of their roles.
    """

    issuer: Text
    audience: Text
    subject: Text = "sub"
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    leeway: int = Field(default=30, ge=0, le=300)
    service: Text | None = None
    groups: Groups | None = None

    @field_validator("issuer")
    @classmethod
    def _cannot_be_overheard(cls, value: str) -> str:
        if not is_safe(value) or "?" in value or "#" in value:
            raise ValueError("an issuer is an https:// address without query; http:// on loopback only")
        return value


def is_safe(address: object) -> bool:
    """Whether nobody on the way can change what comes from this address: https, or this machine itself."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        )
    except ValueError:
        return False


def load(root: Path, environment: Mapping[str, str] = os.environ) -> Identity:
    """The project's settings, or those in the file that `CLEARANCE_IDENTITY_PROVIDER` names.

    Raises ConfigurationError when there is none, or it is faulty.
    """
    path = root / (environment.get(PLACE) or FILE)
    mend = f"write {FILE}, or let {PLACE} name it; docs/approvals.md says what it holds"
    try:
        said = yaml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"no identity provider: {path} cannot be read ({error.strerror})", mend
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not readable YAML: {error}", "mend the line it names") from None
    try:
        return Identity.model_validate(said)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {params.describe(error, Identity)}", mend) from None
