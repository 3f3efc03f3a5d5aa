"""The project's ledger in the hands of one person: whoever acts signs the checkpoint of what they record.

It opens, reads and records. What may be recorded is decided by those who call it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from clearance import ledger
from clearance.errors import ConfigurationError, IntegrityError, ReleaseRefused
from clearance.ledger import checkpoint_files, settings
from clearance.promotion import signer_audit
from clearance.trust import dsse, roles_in_force, signed_roles, signers
from clearance.trust.roles import Right, Roles


@dataclass(frozen=True, kw_only=True)
class ReadOnlySession:
    """An open ledger and the roles in force: whoever reads needs no key."""

    root: Path
    roles: Roles
    book: ledger.Ledger

    def now(self) -> dt.datetime:
        """The time in UTC."""
        return self.book.clock()

    def opened(self, signed: Mapping[str, Any]) -> dsse.VerifiedStatement:
        """What is in an envelope that a key of the roles file signed. Raises IntegrityError."""
        return dsse.verify(signed, self.roles.keys)

    def entries(self, model: str | None = None) -> list[ledger.Entry]:
        """The entries, of one model where it is named."""
        return list(ledger.entries(self.book, model=model))

    def audit(self) -> ledger.LedgerReport:
        """The ledger verified against every place of its checkpoints, and who sealed what by the newest."""
        kept = settings.checkpoint_paths(self.root)
        report = ledger.verify(self.book, kept, self.opened)
        more = (
            signer_audit.findings(self.entries(), checkpoint_files.lines(kept[0]), self.roles)
            if report.ok
            else ()
        )
        return replace(report, findings=(*report.findings, *more))

    def ensure_sound(self) -> None:
        """Raise IntegrityError unless the ledger verifies: on what was changed nothing is decided."""
        report = self.audit()
        if not report.ok:
            raise IntegrityError(
                f"the ledger does not verify: {report.findings[0]}",
                "run `clearance ledger verify`; put database and checkpoints back from a backup",
            )


@dataclass(frozen=True, kw_only=True)
class LedgerSession(ReadOnlySession):
    """A reader in the hands of somebody who acts."""

    acting: signers.Actor

    @property
    def keyid(self) -> str:
        """The key that whoever acts signs with."""
        return str(self.acting.signer.public_key.keyid)

    def may(self, right: Right) -> bool:
        """Whether whoever acts has this right now."""
        return self.roles.may(self.keyid, right, self.now())

    def demand(self, right: Right, model: str, what: str) -> None:
        """Raise ReleaseRefused, and record the attempt, unless whoever acts has the right to do `what`."""
        if not self.may(right):
            who = self.acting.person.identity
            said = f"{who} may not {what}: no role of theirs gives the right {right}"
            self.record(self.draft(ledger.EntryKind.REFUSAL, model, reason=said))
            raise ReleaseRefused(
                said,
                f"set {signers.IDENTITY} to somebody whose role in policies/roles.yaml gives it",
            )

    @contextmanager
    def recording_refusal(self, what: str, model: str, **about: Any) -> Iterator[None]:
        """Record as refused what ends with a fault inside; the error goes on."""
        try:
            yield
        except (ConfigurationError, IntegrityError) as error:
            reason = f"{self.acting.person.identity} could not {what}: {error.fault}"
            self.record(self.draft(ledger.EntryKind.REFUSAL, model, **about, reason=reason))
            raise

    def sign(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """The statement in an envelope signed by whoever acts."""
        return dsse.sign(statement, self.acting.signer)

    def draft(self, kind: ledger.EntryKind, model: str | None, **body: Any) -> ledger.Draft:
        """An entry by whoever acts."""
        return ledger.Draft(
            kind=kind, model=model, actor=self.acting.person.identity, keyid=self.keyid, body=body
        )

    def record(self, *drafts: ledger.Draft, fence: ledger.Fence | None = None) -> tuple[ledger.Entry, ...]:
        """Record them as one batch; see `ledger.append`."""
        return ledger.append(self.book, drafts, fence=fence)


@contextmanager
def open_session(root: Path, identity: str | None = None) -> Iterator[LedgerSession]:
    """The project's office for `identity`, else the environment's, else in the demo the machine account.

    A roles file that is new to the ledger is recorded first. Raises ConfigurationError when roles, signer or
    ledger are not usable, and IntegrityError when the roles file is not what the root signed, or too old.
    """
    with _book(root) as book:
        seen = _seen(ledger.entries(book, model=None))
        roles = roles_in_force.load(root, seen)
        acting = roles_in_force.actor(root, roles, book.clock(), identity)
        seal = ledger.Seal(
            sign=partial(dsse.sign, signer=acting.signer),
            opened=partial(dsse.verify, keys=roles.keys),
            places=settings.checkpoint_paths(root),
        )
        office = LedgerSession(root=root, roles=roles, book=replace(book, seal=seal), acting=acting)
        if (roles.version, roles.sha256, roles.root) != (seen.version, seen.sha256, seen.root):
            body = {"roles_version": roles.version, "sha256": roles.sha256, "demo": roles.demo}
            body |= {"root_version": roles.root}
            office.record(office.draft(ledger.EntryKind.ROLES, None, **body))
        yield office


@contextmanager
def open_read_only(root: Path) -> Iterator[ReadOnlySession]:
    """The project's ledger and roles to read: nothing is recorded, and nobody's key is asked for.

    Raises as `opened` does, but for the signer.
    """
    with _book(root) as book:
        roles = roles_in_force.load(root, _seen(ledger.entries(book, model=None)))
        yield ReadOnlySession(root=root, roles=roles, book=book)


@contextmanager
def _book(root: Path) -> Iterator[ledger.Ledger]:
    (root / ".clearance").mkdir(exist_ok=True)
    with ledger.open(settings.address(root)) as book:
        yield book


def newest_roles_file(root: Path) -> signed_roles.TrustedVersion:
    """The newest roles file that the project's ledger knows; it takes no roles file to read that."""
    with _book(root) as book:
        return _seen(ledger.entries(book, model=None))


def _seen(entries: Iterable[ledger.Entry]) -> signed_roles.TrustedVersion:
    """The newest roles file that the ledger knows."""
    seen = signed_roles.TrustedVersion()
    for each in entries:
        if each.kind == ledger.EntryKind.ROLES:
            body = each.body
            root = body.get("root_version", 0)
            found = signed_roles.TrustedVersion(
                version=body["roles_version"], sha256=body["sha256"], root=root
            )
            if (found.version, found.root) >= (seen.version, seen.root):
                seen = found
    return seen
