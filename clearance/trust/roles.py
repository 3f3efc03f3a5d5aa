"""People, their keys and accounts, and what each person may do at a given time.

`at` is always the time of the ledger entry that holds a statement, passed in by the caller. It is never a
time that the statement claims: a signer with an expired or stolen key would claim an earlier one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securesystemslib.signer import Key


class Right(StrEnum):
    """What a role may do. A person may do only what one of their roles allows."""

    TRAIN = "train"
    PROPOSE = "propose"
    REBUILD = "rebuild"
    APPROVE = "approve"
    OVERRIDE = "override"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ERASE = "erase"
    READ = "read"
    ATTEST_IDENTITY = "attest_identity"
    WATCH = "watch"


IMPLIED = {Right.WATCH: Right.PROMOTE}
"""Rights that another one includes: whoever may promote may also report incidents and restrict decisions."""


@dataclass(frozen=True, kw_only=True)
class KeyAssignment:
    """A person's key: valid from `since` until before `until`, and revoked from `revoked` on."""

    key: Key
    since: dt.datetime
    until: dt.datetime | None = None
    revoked: dt.datetime | None = None

    def fault(self, at: dt.datetime) -> str | None:
        """Why a signature with this key, recorded at `at`, is not valid; None when it is."""
        at = _aware(at)
        if self.revoked is not None and at >= self.revoked:
            return f"was revoked as of {format_time(self.revoked)}"
        if at < self.since:
            return f"is valid only from {format_time(self.since)}"
        if self.until is not None and at >= self.until:
            return f"expired at {format_time(self.until)}"
        return None


@dataclass(frozen=True, kw_only=True)
class _Period:
    """From `since` (None: always) until before `until` (None: without an end)."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def includes(self, at: dt.datetime) -> bool:
        """Whether `at` is in the period."""
        at = _aware(at)
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, kw_only=True)
class RoleAssignment(_Period):
    """A role of a person."""

    role: str


@dataclass(frozen=True, kw_only=True)
class Account(_Period):
    """An account of a person at an identity provider."""

    issuer: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person or machine account: what the roles file says about one identity."""

    identity: str
    emails: frozenset[str]
    assigned: tuple[RoleAssignment, ...]
    keys: tuple[KeyAssignment, ...]
    accounts: tuple[Account, ...] = ()

    def can_decide(self, at: dt.datetime) -> bool:
        """Whether they had a valid key or an account at `at`."""
        has_key = any(key.fault(at) is None for key in self.keys)
        return has_key or any(account.includes(at) for account in self.accounts)

    def roles(self, at: dt.datetime) -> frozenset[str]:
        """The roles they had at `at`."""
        return frozenset(assignment.role for assignment in self.assigned if assignment.includes(at))


@dataclass(frozen=True, kw_only=True)
class Roles:
    """A roles file in force. `demo`: its keys are stored beside the code, and valid only in the demo.

    `version` only increases; `sha256` is the digest of the file, `root` the version of the root that signed
    it and `root_digest` its digest. The ledger records them, and `roles_in_force.load` refuses an older file
    than the newest one recorded. `earlier` are the files that were in force before, oldest first, each with
    the time until which it was: what a person might do at a time is what the file of that time says. A later
    file can only revoke a key.
    """

    people: Mapping[str, Person]
    rights: Mapping[str, frozenset[Right]]
    demo: bool
    version: int
    sha256: str
    root: int = 0
    root_digest: str | None = None
    earlier: tuple[tuple[dt.datetime, Roles], ...] = ()

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Every key ever listed by its id, expired and revoked keys included: `dsse.verify` takes them."""
        return {keyid: listed.key for roles in self._files for keyid, (_, listed) in roles._owners.items()}

    @property
    def _files(self) -> tuple[Roles, ...]:
        """All files, oldest first, this one last."""
        return (*(roles for _, roles in self.earlier), self)

    def at(self, at: dt.datetime) -> Roles:
        """The file that was in force at `at`; the oldest one for any time before it."""
        return next((roles for until, roles in self.earlier if _aware(at) < until), self)

    @cached_property
    def _owners(self) -> dict[str, tuple[Person, KeyAssignment]]:
        return {key.key.keyid: (person, key) for person in self.people.values() for key in person.keys}

    def owner(self, keyid: str) -> Person | None:
        """The owner of the key, valid or not, by the newest file that lists it; None when none does."""
        owners = (roles._owners.get(keyid) for roles in reversed(self._files))
        return next((owner[0] for owner in owners if owner), None)

    def person(self, keyid: str, at: dt.datetime) -> Person | None:
        """The person whose valid key this was at `at`; None when there is none."""
        if self.key_fault(keyid, at) is not None:
            return None
        return self.at(at)._owners[keyid][0]

    def key_fault(self, keyid: str, at: dt.datetime) -> str | None:
        """Why a signature with this key, recorded at `at`, is not valid; None when it is."""
        owner = self.at(at)._owners.get(keyid)
        if owner is None:
            return "is not in policies/roles.yaml"
        later = [roles for until, roles in self.earlier if at < until] + [self]
        revoked = (listed[1].revoked for roles in later if (listed := roles._owners.get(keyid)))
        ends = min((time for time in revoked if time), default=None)
        return replace(owner[1], revoked=ends).fault(at)

    def may(self, keyid: str, right: Right, at: dt.datetime) -> bool:
        """Whether the owner of this key had `right` at `at`; False for a key that was not valid then."""
        person = self.person(keyid, at)
        return person is not None and bool(self.roles_giving(person, right, at))

    def roles_giving(self, person: Person, right: Right, at: dt.datetime) -> frozenset[str]:
        """The person's roles at `at` that give `right`."""
        then = self.at(at)
        listed = then.people.get(person.identity)
        roles = listed.roles(at) if listed else ()
        sufficient = {right, IMPLIED.get(right, right)}
        return frozenset(role for role in roles if sufficient & then.rights.get(role, frozenset()))

    def holder(self, issuer: str, subject: str, at: dt.datetime) -> Person | None:
        """The person whose account this was at `at`, compared exactly; None when there is none."""
        for person in self.at(at).people.values():
            for account in person.accounts:
                if (account.issuer, account.subject) == (issuer, subject) and account.includes(at):
                    return person
        return None

    def author(self, email: str) -> Person | None:
        """The person who commits under this address, whatever its case; None when it is not listed."""
        address = email.strip().casefold()
        people = (person for roles in reversed(self._files) for person in roles.people.values())
        return next((person for person in people if address in person.emails), None)


def format_time(at: dt.datetime) -> str:
    """The time in UTC, to the second, as messages and statements write it."""
    return _aware(at).astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _aware(at: dt.datetime) -> dt.datetime:
    if at.utcoffset() is None:
        raise ValueError("the time has no time zone")
    return at
