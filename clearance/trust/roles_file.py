"""What `policies/roles.yaml` may say: people, their keys and roles, and what each role may do.

Typed, unknown keys refused. Whether the file is in force is not decided here: see `authority`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError, model_validator

from clearance import params, yaml
from clearance.errors import ConfigurationError
from clearance.trust import key_files, keys
from clearance.trust.roles import Account, KeyAssignment, Person, Right, RoleAssignment, Roles

if TYPE_CHECKING:
    from securesystemslib.signer import Key

FILE = "policies/roles.yaml"
_HINT = f"correct {FILE}; docs/decisions/0012-signatures-and-roles.md says what it holds"
Name = Annotated[str, Field(pattern=f"^{key_files.NAME.pattern}$")]
Text = Annotated[str, Field(min_length=1)]


class _Span(params.Section):
    """From when to when; the end is outside."""

    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise ValueError(f"it ends ({self.until}) before it begins ({self.since})")
        return self


class _Role(_Span):
    """A role somebody has: its name, or its name with dates."""

    role: Text


class _Revoked(params.Section):
    """From when on a key no longer counts, and why."""

    at: AwareDatetime
    why: Text


class ListedKey(params.Section):
    """A public key, as it was printed when it was made; `keys.public` checks that it is one."""

    keyid: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    keytype: Text
    scheme: Text
    keyval: dict[str, str]

    def public(self) -> Key:
        """The key. Raises ConfigurationError when it is none, or its id is not its own."""
        return keys.public(self.model_dump(include={"keyid", "keytype", "scheme", "keyval"}))


class _Key(_Span, ListedKey):
    """A key, and from when to when it is valid."""

    since: AwareDatetime = Field(alias="from")
    revoked: _Revoked | None = None


def _named(value: Any) -> Any:
    return {"role": value} if isinstance(value, str) else value


class _Account(_Span):
    """An account at an identity provider: the issuer as its tokens spell it, and its name for the person."""

    issuer: Text
    subject: Text


class _Person(params.Section):
    """Somebody: the addresses they commit under, their keys, accounts and roles."""

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
        given = {each.role for person in self.people.values() for each in person.roles}
        if unknown := sorted(given - set(self.roles)):
            raise ValueError(f"somebody has the role {', '.join(unknown)}, which `roles` does not name")
        if twice := _twice(mail.casefold() for each in self.people.values() for mail in each.emails):
            raise ValueError(f"the address {', '.join(twice)} is there twice")
        accounts = (account for each in self.people.values() for account in each.accounts)
        if twice := _twice(f"{each.subject} of {each.issuer}" for each in accounts):
            raise ValueError(f"the account {', '.join(twice)} is there twice")
        return self


def read(project: Path) -> bytes:
    """The file as it lies in the project. Raises ConfigurationError when it cannot be read."""
    try:
        return (project / FILE).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{FILE} cannot be read ({error.strerror})", f"bring {FILE} back") from None


def parse(text: bytes, *, version: int, demo: bool = False) -> Roles:
    """The roles that a file says; `demo`: they are the demo's, whatever it says.

    Raises ConfigurationError that names each fault: no YAML in UTF-8, an unknown or missing key, a role that
    nobody defined, a key whose id is not its own, a key, an address or an account that two share.
    """
    said = _said(text)
    people = {identity: _person(identity, each) for identity, each in said.people.items()}
    _by_key_not_by_name(people.values())
    return Roles(
        people=people,
        rights={role: frozenset(rights) for role, rights in said.roles.items()},
        demo=demo or said.demo,
        version=version,
        sha256=hashlib.sha256(text).hexdigest(),
    )


def raw(text: bytes) -> dict[str, Any]:
    """The file as plain data, valid as far as one can see without its keys. Raises ConfigurationError."""
    _said(text)
    return dict(yaml.loads(text.decode()))


def _said(text: bytes) -> _File:
    try:
        data = yaml.loads(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{FILE} is not readable YAML: {error}", "mend the line it names") from None
    try:
        return _File.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"{FILE}: {params.describe(error, _File)}", _HINT) from None


def _person(identity: str, said: _Person) -> Person:
    return Person(
        identity=identity,
        emails=frozenset(mail.casefold() for mail in said.emails),
        assigned=tuple(
            RoleAssignment(role=each.role, since=each.since, until=each.until) for each in said.roles
        ),
        keys=tuple(
            KeyAssignment(
                key=each.public(),
                since=each.since,
                until=each.until,
                revoked=each.revoked.at if each.revoked else None,
            )
            for each in said.keys
        ),
        accounts=tuple(
            Account(issuer=each.issuer, subject=each.subject, since=each.since, until=each.until)
            for each in said.accounts
        ),
    )


def _by_key_not_by_name(people: Iterable[Person]) -> None:
    """Raise ConfigurationError when one key is listed twice: one person could then agree with themselves."""
    holders: dict[str, str] = {}
    for person, held in ((each, held) for each in people for held in each.keys):
        shown = keys.fingerprint(held.key)
        if shown in holders:
            raise ConfigurationError(
                f"{FILE}: {holders[shown]} and {person.identity} have the same public key "
                f"({held.key.keyid[:12]}…)",
                "give each person a key of their own, listed once",
            )
        holders[shown] = person.identity


def _twice(values: Iterable[str]) -> list[str]:
    return sorted(value for value, times in Counter(values).items() if times > 1)
