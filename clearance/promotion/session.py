"""The project's open ledger with the roles in force: to read, or to record under somebody's signature.

It opens, reads and records. What may be recorded is decided by its callers.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from clearance import ledger, paths
from clearance.errors import ConfigurationError, IntegrityError
from clearance.ledger import checkpoint_files, settings
from clearance.promotion import faults, signer_audit
from clearance.trust import dsse, roles_in_force, signed_roles, signers
from clearance.trust.roles import Right, Roles


@dataclass(frozen=True, kw_only=True)
class ReadOnlySession:
    """An open ledger and the roles in force. Reading needs no key.

    `audited` is the head (number and digest) up to which the ledger has been verified in this command,
    `compared` are the digests of the comparisons that it made itself.
    """

    root: Path
    roles: Roles
    book: ledger.Ledger
    audited: deque[tuple[int, str]] = field(default_factory=partial(deque, maxlen=1), repr=False)
    compared: set[str] = field(default_factory=set, repr=False)

    def now(self) -> dt.datetime:
        """The time in UTC."""
        return self.book.clock()

    def verify_envelope(self, envelope: Mapping[str, Any]) -> dsse.VerifiedStatement:
        """The statement in an envelope that a key of the roles file signed. Raises IntegrityError."""
        return dsse.verify(envelope, self.roles.keys)

    def entries(self, model: str | None = None, after: int = 0) -> list[ledger.Entry]:
        """The entries after number `after`, of one model where it is named."""
        return list(ledger.entries(self.book, model=model, after=after))

    def audit(self) -> ledger.LedgerReport:
        """The ledger verified against all copies of its checkpoints, with an audit of who signed them."""
        copies = settings.checkpoint_paths(self.root)
        report = ledger.verify(self.book, copies, self.verify_envelope)
        if report.ok:
            lines = checkpoint_files.lines(copies[0])
            report = replace(report, findings=tuple(signer_audit.findings(self.entries(), lines, self.roles)))
        return report

    def ensure_sound(self) -> None:
        """Raise IntegrityError unless the ledger verifies: nothing is decided on entries that were changed.

        Verifies once a command: again only when others have recorded something since.
        """
        if self.audited and self._head() == self.audited[-1]:
            return
        report = self.audit()
        if not report.ok:
            raise faults.LEDGER_UNSOUND(finding=report.findings[0])
        head = self._head()
        if head is not None and head[0] == report.entries:  # nothing was appended meanwhile
            self.audited.append(head)

    def _head(self) -> tuple[int, str] | None:
        try:
            return ledger.head(self.book)
        except IntegrityError:
            return None


@dataclass(frozen=True, kw_only=True)
class LedgerSession(ReadOnlySession):
    """An open ledger in the hands of a person who signs the checkpoints of what they record."""

    acting: signers.Actor

    @property
    def keyid(self) -> str:
        """The id of the key that this person signs with."""
        return str(self.acting.signer.public_key.keyid)

    def acting_as(self, identity: str | None) -> LedgerSession:
        """The same open ledger in the hands of another person; see `open_session` for `identity`.

        Raises ConfigurationError when the signer is not usable.
        """
        actor = roles_in_force.actor(self.root, self.roles, self.now(), identity)
        return replace(self, acting=actor, book=_sealed(self.root, self.roles, self.book, actor))

    def may(self, right: Right) -> bool:
        """Whether this person has the right now."""
        return self.roles.may(self.keyid, right, self.now())

    def demand(self, right: Right, model: str, action: str) -> None:
        """Raise ReleaseRefused, and record the attempt, unless this person has the right to do `action`."""
        if not self.may(right):
            refusal = faults.RIGHT_MISSING(
                identity=self.acting.person.identity, action=action, right=right, variable=signers.IDENTITY
            )
            self.record(self.draft(ledger.EntryKind.REFUSAL, model, reason=refusal.fault))
            raise refusal

    @contextmanager
    def recording_refusal(self, action: str, model: str, **about: Any) -> Iterator[None]:
        """Record an error inside the block as a refusal of `action`, then raise it again."""
        try:
            yield
        except (ConfigurationError, IntegrityError) as error:
            reason = f"{self.acting.person.identity} could not {action}: {error.fault}"
            self.record(self.draft(ledger.EntryKind.REFUSAL, model, **about, reason=reason))
            raise

    def sign(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """The statement in an envelope signed by this person."""
        return dsse.sign(statement, self.acting.signer)

    def draft(self, kind: ledger.EntryKind, model: str | None, **body: Any) -> ledger.Draft:
        """An entry by this person, not yet recorded."""
        return ledger.Draft(
            kind=kind, model=model, actor=self.acting.person.identity, keyid=self.keyid, body=body
        )

    def record(self, *drafts: ledger.Draft, fence: ledger.Fence | None = None) -> tuple[ledger.Entry, ...]:
        """Record the drafts as one batch; see `ledger.append`."""
        batch = ledger.append(self.book, drafts, fence=fence)
        if self.audited and batch[0].previous == self.audited[-1][1]:
            self.audited.append((batch[-1].number, batch[-1].digest))
        return batch


@contextmanager
def open_session(root: Path, identity: str | None = None) -> Iterator[LedgerSession]:
    """The project's ledger for `identity`; None: the environment's, in the demo the pipeline account.

    Records the roles file first when the ledger does not know it. Raises ConfigurationError when roles,
    signer or ledger are not usable, and IntegrityError when the root did not sign the roles file or it is
    older than one that the ledger knows.
    """
    with _open_ledger(root) as book:
        newest = _newest_roles_file(ledger.entries(book, model=None))
        roles = roles_in_force.load(root, newest)
        actor = roles_in_force.actor(root, roles, book.clock(), identity)
        session = LedgerSession(root=root, roles=roles, book=_sealed(root, roles, book, actor), acting=actor)
        if (roles.version, roles.sha256, roles.root) != (newest.version, newest.sha256, newest.root):
            body = {"roles_version": roles.version, "sha256": roles.sha256, "demo": roles.demo}
            body |= {"root_version": roles.root}
            session.record(session.draft(ledger.EntryKind.ROLES, None, **body))
        yield session


@contextmanager
def open_read_only(root: Path) -> Iterator[ReadOnlySession]:
    """The project's ledger and roles to read: records nothing, and needs no key.

    Raises as `open_session` does, except for the signer.
    """
    with _open_ledger(root) as book:
        roles = roles_in_force.load(root, _newest_roles_file(ledger.entries(book, model=None)))
        yield ReadOnlySession(root=root, roles=roles, book=book)


def newest_roles_file(root: Path) -> signed_roles.TrustedVersion:
    """The newest roles file that the project's ledger knows; reading it needs no roles file."""
    with _open_ledger(root) as book:
        return _newest_roles_file(ledger.entries(book, model=None))


@contextmanager
def _open_ledger(root: Path) -> Iterator[ledger.Ledger]:
    (root / paths.STATE).mkdir(exist_ok=True)
    with ledger.open(settings.address(root)) as book:
        yield book


def _sealed(root: Path, roles: Roles, book: ledger.Ledger, actor: signers.Actor) -> ledger.Ledger:
    """The ledger to append to: `actor` signs the checkpoints."""
    seal = ledger.Seal(
        sign=partial(dsse.sign, signer=actor.signer),
        verify_envelope=partial(dsse.verify, keys=roles.keys),
        places=settings.checkpoint_paths(root),
    )
    return replace(book, seal=seal)


def _newest_roles_file(entries: Iterable[ledger.Entry]) -> signed_roles.TrustedVersion:
    newest = signed_roles.TrustedVersion()
    for entry in entries:
        if update := entry.read(ledger.events.RolesUpdate):
            version = signed_roles.TrustedVersion(
                version=update.roles_version, sha256=update.sha256, root=update.root_version
            )
            if (version.version, version.root) >= (newest.version, newest.root):
                newest = version
    return newest
