"""Who people are by their keys, and what each may do, at the time a statement was recorded.

`at` is always the time of the ledger entry that holds the statement, which the caller passes in; it is never
a time that the statement claims, for a signer with an expired or stolen key would claim an earlier one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securesystemslib.signer import Key


class Right(StrEnum):
    """What a role may do. Whatever is not given to one of a person's roles, they may not."""

    TRAIN = "train"
    PROPOSE = "propose"
    APPROVE = "approve"
    OVERRIDE = "override"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ERASE = "erase"
    READ = "read"
    ATTEST_IDENTITY = "attest_identity"


@dataclass(frozen=True, kw_only=True)
class KeyAssignment:
    """A key somebody holds: valid from `since` up to and without `until`; revoked from `revoked` on."""

    key: Key
    since: dt.datetime
    until: dt.datetime | None = None
    revoked: dt.datetime | None = None

    def fault(self, at: dt.datetime) -> str | None:
        """Why what this key signed does not count when recorded at `at`; None when it does."""
        at = _aware(at)
        if self.revoked is not None and at >= self.revoked:
            return f"was revoked as of {format_time(self.revoked)}"
        if at < self.since:
            return f"is valid from {format_time(self.since)} only"
        if self.until is not None and at >= self.until:
            return f"expired at {format_time(self.until)}"
        return None


@dataclass(frozen=True, kw_only=True)
class _Lasting:
    """What is so from `since` (None: ever since) up to and without `until` (None: still)."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def holds(self, at: dt.datetime) -> bool:
        """Whether it was so at `at`."""
        at = _aware(at)
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, kw_only=True)
class RoleAssignment(_Lasting):
    """A role somebody has."""

    role: str


@dataclass(frozen=True, kw_only=True)
class Account(_Lasting):
    """An account at an identity provider: whoever signs in with it there is this person here."""

    issuer: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody, or a machine account: what the roles file says about one identity."""

    identity: str
    emails: frozenset[str]
    assigned: tuple[RoleAssignment, ...]
    keys: tuple[KeyAssignment, ...]
    accounts: tuple[Account, ...] = ()

    def can_decide(self, at: dt.datetime) -> bool:
        """Whether they had at `at` anything to be known by: a valid key, or an account."""
        keyed = any(held.fault(at) is None for held in self.keys)
        return keyed or any(account.holds(at) for account in self.accounts)

    def roles(self, at: dt.datetime) -> frozenset[str]:
        """The roles they had at `at`."""
        return frozenset(each.role for each in self.assigned if each.holds(at))


@dataclass(frozen=True, kw_only=True)
class Roles:
    """A roles file in force. `demo`: its keys lie beside the code, so nothing it allows counts elsewhere.

    `version` only rises; `sha256` is that of the file. The ledger keeps both, and `authority.load` refuses
    what is older than the highest one it is told of.
    """

    people: Mapping[str, Person]
    rights: Mapping[str, frozenset[Right]]
    demo: bool
    version: int
    sha256: str
    root: int = 0

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Every key listed, by its id, expired and revoked ones too: what `envelope.opened` checks by."""
        return {held.key.keyid: held.key for person in self.people.values() for held in person.keys}

    @cached_property
    def _holders(self) -> dict[str, tuple[Person, KeyAssignment]]:
        return {held.key.keyid: (person, held) for person in self.people.values() for held in person.keys}

    def owner(self, keyid: str) -> Person | None:
        """Whose key it is, whether or not it is valid; None when it is not listed."""
        found = self._holders.get(keyid)
        return found and found[0]

    def person(self, keyid: str, at: dt.datetime) -> Person | None:
        """Whom a signature with this key, recorded at `at`, stands for; None when for nobody."""
        return self.owner(keyid) if self.key_fault(keyid, at) is None else None

    def key_fault(self, keyid: str, at: dt.datetime) -> str | None:
        """Why a signature with this key, recorded at `at`, stands for nobody; None when it stands for one."""
        found = self._holders.get(keyid)
        return "is not in policies/roles.yaml" if found is None else found[1].fault(at)

    def may(self, keyid: str, right: Right, at: dt.datetime) -> bool:
        """Whether the holder of this key had `right` at `at`; False for a key that was not valid then."""
        person = self.person(keyid, at)
        return person is not None and bool(self.roles_giving(person, right, at))

    def roles_giving(self, person: Person, right: Right, at: dt.datetime) -> frozenset[str]:
        """Those of the person's roles at `at` that give `right`."""
        return frozenset(role for role in person.roles(at) if right in self.rights.get(role, ()))

    def holder(self, issuer: str, subject: str, at: dt.datetime) -> Person | None:
        """Whose account this was at `at`, compared to the letter; None when nobody's."""
        for person in self.people.values():
            for each in person.accounts:
                if (each.issuer, each.subject) == (issuer, subject) and each.holds(at):
                    return person
        return None

    def author(self, email: str) -> Person | None:
        """Who commits under this address; None when nobody is listed with it. Letter case does not count."""
        wanted = email.strip().casefold()
        return next((person for person in self.people.values() if wanted in person.emails), None)


def format_time(at: dt.datetime) -> str:
    """The time in UTC, to the second, as every message and statement writes it."""
    return _aware(at).astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _aware(at: dt.datetime) -> dt.datetime:
    if at.utcoffset() is None:
        raise ValueError("a time without a time zone says no moment")
    return at
