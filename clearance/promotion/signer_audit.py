"""Who signed what: a batch of entries counts only under a key of the person that its entries name.

The ledger's own verification believes checkpoints through their chain and the newest signature. Here each
signature of the newest `WINDOW` checkpoints is checked: a forged batch does not outlive the next decision,
because every decision checks.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from clearance.errors import IntegrityError
from clearance.ledger import Entry, EntryKind, checkpoint, events, times
from clearance.ledger.checkpoint import Checkpoint
from clearance.ledger.verification_report import LedgerFault, LedgerFinding
from clearance.trust import dsse
from clearance.trust.roles import Right, Roles

WINDOW = 2_000
"""Checkpoints whose signatures are checked one by one: a tenth of a second."""


def findings(entries: Iterable[Entry], lines: Iterable[str], roles: Roles) -> Iterator[LedgerFinding]:
    """What is wrong with who recorded the entries, by one copy of the checkpoints, oldest first."""
    listed = list(entries)
    by_digest = {entry.digest: entry for entry in listed}
    newest: deque[Checkpoint] = deque(maxlen=WINDOW)
    newest.extend(read for read in map(checkpoint.read, lines) if isinstance(read, Checkpoint))
    since = max((entry.time for entry in listed if entry.kind == EntryKind.ROLES), default="")
    for signed in newest:
        yield from _wrong_signers(signed, by_digest, roles, since)
    yield from _without_right(listed, roles)


def _wrong_signers(
    signed: Checkpoint, by_digest: Mapping[str, Entry], roles: Roles, since: str
) -> Iterator[LedgerFinding]:
    """What is wrong with who signed one batch; `since` is when the roles file in force was first recorded.

    A key that this file revokes for an earlier time signed in good faith until then.
    """
    batch = [by_digest[digest] for digest in signed.digests if digest in by_digest]
    if not batch:
        return  # it was never committed
    try:
        keyids = dsse.verify(json.loads(signed.line), roles.keys).keyids
    except IntegrityError as error:
        yield _wrong_key(batch[0], f"{signed}: {error.fault}")
        return
    key_faults = {keyid: roles.key_fault(keyid, times.parse(signed.at)) for keyid in sorted(keyids)}
    if signed.at >= since and all(key_faults.values()):
        reasons = "; ".join(f"key {keyid[:12]}… {fault}" for keyid, fault in key_faults.items())
        yield _wrong_key(batch[0], f"{signed}: no signature by a key that was valid then ({reasons})")
    for entry in batch:
        if entry.keyid not in keyids:
            signers = " and ".join(sorted(_owner(roles, keyid) for keyid in keyids))
            detail = (
                f"entry {entry.number} names a key of {_owner(roles, entry.keyid)}, and {signers} signed it"
            )
            yield _wrong_key(entry, detail)


def _wrong_key(entry: Entry, detail: str) -> LedgerFinding:
    return LedgerFinding(fault=LedgerFault.WRONG_KEY, number=entry.number, detail=detail)


def _without_right(entries: Iterable[Entry], roles: Roles) -> Iterator[LedgerFinding]:
    """Erasures by a person who may not, and a roles file that is older than one before it."""
    newest = 0
    for entry in entries:
        if entry.kind == EntryKind.REDACTION and not roles.may(entry.keyid or "", Right.ERASE, entry.at):
            yield _not_entitled(entry, f"entry {entry.number}: {entry.actor} may not erase")
        if entry.kind == EntryKind.ROLES:
            update = entry.read(events.RolesUpdate)
            version = update.roles_version if update else None
            if version is not None and version >= newest:
                newest = version
            else:
                order = f"version {version} of the roles file came after {newest}"
                yield _not_entitled(entry, f"entry {entry.number}: {order}")


def _not_entitled(entry: Entry, detail: str) -> LedgerFinding:
    return LedgerFinding(fault=LedgerFault.NOT_ENTITLED, number=entry.number, detail=detail)


def _owner(roles: Roles, keyid: str | None) -> str:
    person = roles.owner(keyid or "")
    return person.identity if person else "an unknown person"
