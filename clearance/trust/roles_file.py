"""The schema of `policies/roles.yaml`: people, their keys and roles, and what each role may do.

Typed; unknown keys are refused. Whether the file is in force is decided in `roles_in_force`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError, model_validator

from clearance import params, validation_messages, yaml
from clearance.trust import faults, key_files, keys
from clearance.trust.roles import Account, KeyAssignment, Person, Right, RoleAssignment, Roles

if TYPE_CHECKING:
    from securesystemslib.signer import Key

FILE = "policies/roles.yaml"
Name = Annotated[str, Field(pattern=f"^{key_files.NAME.pattern}$")]
Text = Annotated[str, Field(min_length=1)]


class _Span(params.Section):
    """A period; its end is excluded."""

    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise ValueError(f"it ends ({self.until}) before it starts ({self.since})")
        return self


class _Role(_Span):
    """A role of a person: its name, or its name with dates."""

    role: Text


class _Revoked(params.Section):
    """When a key was revoked, and why."""

    at: AwareDatetime
    why: Text


class ListedKey(params.Section):
    """A public key as it was printed when it was made; `keys.public` checks it."""

    keyid: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    keytype: Text
    scheme: Text
    keyval: dict[str, str]

    def public(self) -> Key:
        """The key. Raises ConfigurationError when it cannot be used, or its id is wrong."""
        return keys.public(self.model_dump(include={"keyid", "keytype", "scheme", "keyval"}))


class _Key(_Span, ListedKey):
    """A key and the period in which it is valid."""

    since: AwareDatetime = Field(alias="from")
    revoked: _Revoked | None = None


def _named(value: Any) -> Any:
    return {"role": value} if isinstance(value, str) else value


class _Account(_Span):
    """An account at an identity provider: the issuer as in its tokens, and its name of the person."""

    issuer: Text
    subject: Text


class _Person(params.Section):
    """A person: the addresses they commit under, their keys, accounts and roles."""

    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = ()
    roles: tuple[Annotated[_Role, BeforeValidator(_named)], ...] = ()
    keys: tuple[_Key, ...] = ()
    accounts: tuple[_Account, ...] = ()


class _File(params.Section):
    """The whole file."""

    demo: bool = False
    roles: dict[Text, tuple[Right, ...]] = Field(min_length=1)
    people: dict[Name, _Person] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        assigned = {role.role for person in self.people.values() for role in person.roles}
        if unknown := sorted(assigned - set(self.roles)):
            raise ValueError(f"a person has the role {', '.join(unknown)}, which `roles` does not define")
        if repeated := _repeated(
            mail.casefold() for person in self.people.values() for mail in person.emails
        ):
            raise ValueError(f"the address {', '.join(repeated)} is listed twice")
        accounts = (account for person in self.people.values() for account in person.accounts)
        if repeated := _repeated(f"{account.subject} of {account.issuer}" for account in accounts):
            raise ValueError(f"the account {', '.join(repeated)} is listed twice")
        return self


def read(project: Path) -> bytes:
    """The content of the project's file. Raises ConfigurationError when it cannot be read."""
    try:
        return (project / FILE).read_bytes()
    except OSError as error:
        raise faults.ROLES_NOT_READABLE(file=FILE, why=error.strerror) from None


def parse(text: bytes, *, version: int, demo: bool = False) -> Roles:
    """The roles in a file; `demo`: they are the demo's, whatever the file says.

    Raises ConfigurationError that names each fault: not YAML in UTF-8, an unknown or missing key, an
    undefined role, a wrong key id, or a key, an address or an account that two people share.
    """
    content = _validated(text)
    people = {identity: _person(identity, person) for identity, person in content.people.items()}
    _ensure_unique_keys(people.values())
    return Roles(
        people=people,
        rights={role: frozenset(rights) for role, rights in content.roles.items()},
        demo=demo or content.demo,
        version=version,
        sha256=hashlib.sha256(text).hexdigest(),
    )


def raw(text: bytes) -> dict[str, Any]:
    """The file as plain data, validated except for its keys. Raises ConfigurationError."""
    _validated(text)
    return dict(yaml.loads(text.decode()))


def _validated(text: bytes) -> _File:
    try:
        data = yaml.loads(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise faults.ROLES_NOT_YAML(file=FILE, why=error) from None
    try:
        return _File.model_validate(data)
    except ValidationError as error:
        raise faults.INVALID_ROLES(file=FILE, why=validation_messages.describe(error, _File)) from None


def _person(identity: str, listed: _Person) -> Person:
    return Person(
        identity=identity,
        emails=frozenset(mail.casefold() for mail in listed.emails),
        assigned=tuple(
            RoleAssignment(role=role.role, since=role.since, until=role.until) for role in listed.roles
        ),
        keys=tuple(
            KeyAssignment(
                key=key.public(),
                since=key.since,
                until=key.until,
                revoked=key.revoked.at if key.revoked else None,
            )
            for key in listed.keys
        ),
        accounts=tuple(
            Account(issuer=account.issuer, subject=account.subject, since=account.since, until=account.until)
            for account in listed.accounts
        ),
    )


def _ensure_unique_keys(people: Iterable[Person]) -> None:
    """Raise ConfigurationError when a key is listed twice: one person could then count as two."""
    owners: dict[str, str] = {}
    listed = [(person, assignment.key) for person in people for assignment in person.keys]
    for person, key in listed:
        fingerprint = keys.fingerprint(key)
        if fingerprint in owners:
            raise faults.SHARED_KEY(
                file=FILE, first=owners[fingerprint], second=person.identity, keyid=key.keyid[:12]
            )
        owners[fingerprint] = person.identity


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, times in Counter(values).items() if times > 1)
