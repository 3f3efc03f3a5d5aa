"""The project's open ledger with the roles in force: to read, or to record under somebody's signature.

It opens, reads and records. What may be recorded is decided by its callers.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from clearance import ledger, paths
from clearance.errors import ClearanceError, ConfigurationError, IntegrityError
from clearance.ledger import checkpoint_files, settings
from clearance.ledger.entry import chain
from clearance.promotion import faults, validity
from clearance.trust import dsse, roles_in_force, signed_roles, signers
from clearance.trust.roles import Right, Roles


@dataclass(frozen=True, kw_only=True)
class ReadOnlySession:
    """An open ledger and the roles in force. Reading needs no key.

    `history` says which entries count; everybody reads the ledger through it. `audited` is the head (number
    and digest) up to which the ledger has been verified in this command, `compared` are the digests of the
    comparisons that it made itself.
    """

    root: Path
    roles: Roles
    book: ledger.Ledger
    history: validity.History
    audited: deque[tuple[int, str]] = field(default_factory=partial(deque, maxlen=1), repr=False)
    compared: set[str] = field(default_factory=set, repr=False)

    def now(self) -> dt.datetime:
        """The time in UTC; never before what two people have recorded."""
        return max(self.book.clock(), self.history.floor)

    def verify_envelope(self, envelope: Mapping[str, Any]) -> dsse.VerifiedStatement:
        """The statement in an envelope that a key of the roles file signed. Raises IntegrityError."""
        return dsse.verify(envelope, self.roles.keys)

    def entries(self, model: str | None = None, after: int = 0) -> list[ledger.Entry]:
        """The entries that count after number `after`, of one model where it is named.

        Void entries are left out, and so are objections whose erasure counts. Raises IntegrityError when the
        database is damaged.
        """
        _follow(self.root, self.book, self.history, self.roles.keys)
        stored = ledger.entries(self.book, model=model, after=after, until=self.history.last)
        return [entry for entry in stored if self.history.counts(entry)]

    def voids(self) -> Mapping[int, validity.Void]:
        """The entries that do not count, by number, each with the reason."""
        _follow(self.root, self.book, self.history, self.roles.keys)
        return self.history.voids

    def audit(self) -> ledger.LedgerReport:
        """The ledger verified against all copies of its checkpoints, with the entries that do not count."""
        copies = settings.checkpoint_paths(self.root)
        report = ledger.verify(
            self.book, copies, self.verify_envelope, witness=settings.witness_path(self.root)
        )
        with suppress(IntegrityError):  # what cannot be read is a finding already
            _follow(self.root, self.book, self.history, self.roles.keys)
        findings = list(report.findings)
        if fault := self.history.clock_fault(self.book.clock()):
            findings.append(ledger.LedgerFinding(fault=ledger.LedgerFault.CLOCK, number=None, detail=fault))
        voids = tuple(void for _, void in sorted(self.history.voids.items()))
        return replace(report, findings=tuple(findings), voids=voids)

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

    @property
    def verified_up_to(self) -> str | None:
        """The digest of the last entry verified, or recorded, in this command; None before any was."""
        return self.audited[-1][1] if self.audited else None

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
            reason = ledger.events.quoted(f"{self.acting.person.identity} could not {action}: {error.fault}")
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
        """Record the drafts as one batch; see `ledger.append`.

        Raises ReleaseRefused when an entry would not count, and ConfigurationError when this machine's clock
        is behind; then nothing is recorded.
        """
        self.ensure_counts(*drafts)
        batch = ledger.append(self.book, drafts, fence=fence)
        if self.audited and batch[0].previous == self.audited[-1][1]:
            self.audited.append((batch[-1].number, batch[-1].digest))
        return batch

    def ensure_counts(self, *drafts: ledger.Draft) -> None:
        """Raise an error as `record` does, unless these would count as the next entries."""
        _follow(self.root, self.book, self.history, self.roles.keys)
        if fault := self.history.clock_fault(self.book.clock()):
            raise faults.CLOCK_BEHIND(why=fault)
        for entry in chain(drafts, after=self.history.last, previous="", at=self.now()):
            if why := self.history.draft_fault(entry):
                raise faults.VOID_ENTRY(kind=entry.kind, actor=entry.actor, why=why)


@contextmanager
def open_session(root: Path, identity: str | None = None) -> Iterator[LedgerSession]:
    """The project's ledger for `identity`; None: the environment's, in the demo the pipeline account.

    Records the roles file first when the ledger does not know it. Raises ConfigurationError when roles,
    signer or ledger are not usable, and IntegrityError when the root did not sign the roles file or it is
    older than one that the ledger knows.
    """
    with open_read_only(root) as reader:
        roles, book, history = reader.roles, reader.book, reader.history
        actor = roles_in_force.actor(root, roles, reader.now(), identity)
        session = LedgerSession(
            root=root, roles=roles, book=_sealed(root, roles, book, actor), history=history, acting=actor
        )
        if not history.records(roles):
            text, signed = roles_in_force.source(root)
            update = ledger.events.RolesUpdate(
                roles_version=roles.version,
                sha256=roles.sha256,
                demo=roles.demo,
                root_version=roles.root,
                file=text,
                signed=signed,
            )
            session.record(session.draft(update.kind, None, **update.to_body()))
        yield session


@contextmanager
def open_read_only(root: Path) -> Iterator[ReadOnlySession]:
    """The project's ledger and roles to read: records nothing, and needs no key.

    Raises as `open_session` does, except for the signer.
    """
    with _open_ledger(root) as book:
        listed = roles_in_force.load(root)
        read_roles = _reader(root)
        history = validity.History(
            ledger=book.id,
            first=validity.first_roles(_role_entries(book), read_roles) or listed,
            read_roles=read_roles,
            now=book.clock(),
        )
        keys = dict(listed.keys)
        for roles in _recorded(book, read_roles):
            keys |= roles.keys
        with suppress(IntegrityError):  # whoever reads an entry raises it again, and `audit` reports it
            _follow(root, book, history, keys)
        roles = roles_in_force.load(root, history.trusted)
        yield ReadOnlySession(
            root=root,
            roles=replace(roles, earlier=history.earlier_than(roles, book.clock())),
            book=book,
            history=history,
        )


def newest_roles_file(root: Path) -> signed_roles.TrustedVersion:
    """The newest roles file that the project's ledger knows; reading it needs no roles file."""
    with _open_ledger(root) as book:
        return validity.trusted_version(_role_entries(book), _reader(root))


def _role_entries(book: ledger.Ledger) -> Iterator[ledger.Entry]:
    return ledger.entries(book, kind=ledger.EntryKind.ROLES)


def _reader(root: Path) -> validity.ReadRoles:
    """Reads the roles file in an entry; the same text is verified once."""
    cache: dict[tuple[str, str, int], Roles] = {}

    def read(update: ledger.events.RolesUpdate) -> Roles:
        text, number = update.file or "", update.root_version
        key = (text, json.dumps(update.signed), number)
        if key not in cache:
            cache[key] = roles_in_force.recorded(root, text, update.signed, number)
        return cache[key]

    return read


def _recorded(book: ledger.Ledger, read_roles: validity.ReadRoles) -> Iterator[Roles]:
    """Every roles file in the ledger that the root signed, in order."""
    for entry in _role_entries(book):
        with suppress(ClearanceError):
            update = entry.read(ledger.events.RolesUpdate)
            if update and update.file is not None:
                yield read_roles(update)


def _follow(root: Path, book: ledger.Ledger, history: validity.History, keys: Mapping[str, Any]) -> None:
    """Have the history take what was recorded since.

    Raises IntegrityError when the database is damaged, UnavailableError when the checkpoints cannot be read.
    """
    reader: validity.SignatureReader | None = None
    for entry in ledger.entries(book, after=history.last):
        if reader is None:
            copies = settings.checkpoint_paths(root)
            reader = validity.SignatureReader(checkpoint_files.lines(copies[0]), keys)
        history.add(entry, reader.signature(entry))


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
        witness=settings.witness_path(root),
    )
    return replace(book, seal=seal)
