"""Who sealed what: a batch of entries counts only under a key of the one that its entries name.

The ledger's own verification believes checkpoints through their chain and the newest signature. Here each
signature is checked, of the newest `WINDOW` checkpoints: a forged batch does not outlive a decision, for
every decision looks.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from clearance.errors import IntegrityError
from clearance.ledger import Entry, EntryKind, checkpoint, times
from clearance.ledger.checkpoint import Checkpoint
from clearance.ledger.report import LedgerFault, LedgerFinding
from clearance.trust import dsse
from clearance.trust.roles import Right, Roles

WINDOW = 2_000
"""Checkpoints whose signatures are checked one by one: a tenth of a second."""


def findings(entries: Iterable[Entry], lines: Iterable[str], roles: Roles) -> Iterator[LedgerFinding]:
    """What is wrong with who recorded the entries, by the checkpoints of one place, oldest first."""
    listed = list(entries)
    named = {each.digest: each for each in listed}
    newest: deque[Checkpoint] = deque(maxlen=WINDOW)
    newest.extend(each for each in map(checkpoint.read, lines) if isinstance(each, Checkpoint))
    since = max((each.time for each in listed if each.kind == EntryKind.ROLES), default="")
    for each in newest:
        yield from _unlike(each, named, roles, since)
    yield from _unentitled(listed, roles)


def _unlike(
    sealed: Checkpoint, named: Mapping[str, Entry], roles: Roles, since: str
) -> Iterator[LedgerFinding]:
    """What is wrong with one batch; `since` is when the roles file in force was first recorded.

    A key that it revokes for a time before that sealed in good faith until then.
    """
    batch = [named[digest] for digest in sealed.digests if digest in named]
    if not batch:
        return  # it was never committed
    try:
        keyids = dsse.verify(json.loads(sealed.line), roles.keys).keyids
    except IntegrityError as error:
        yield LedgerFinding(
            fault=LedgerFault.WRONG_KEY, number=batch[0].number, detail=f"{sealed}: {error.fault}"
        )
        return
    faults = {keyid: roles.key_fault(keyid, times.parse(sealed.at)) for keyid in sorted(keyids)}
    if sealed.at >= since and all(faults.values()):
        said = "; ".join(f"key {keyid[:12]}… {fault}" for keyid, fault in faults.items())
        detail = f"{sealed}: nobody who could then has signed it ({said})"
        yield LedgerFinding(fault=LedgerFault.WRONG_KEY, number=batch[0].number, detail=detail)
    for each in batch:
        if each.keyid not in keyids:
            who = " and ".join(sorted(_owner(roles, keyid) for keyid in keyids))
            said = f"entry {each.number} names a key of {_owner(roles, each.keyid)}, and {who} sealed it"
            yield LedgerFinding(fault=LedgerFault.WRONG_KEY, number=each.number, detail=said)


def _unentitled(entries: Iterable[Entry], roles: Roles) -> Iterator[LedgerFinding]:
    """Erasures by somebody who may not, and a roles file that is older than one before it."""
    highest = 0
    for each in entries:
        if each.kind == EntryKind.REDACTION and not roles.may(each.keyid or "", Right.ERASE, each.at):
            said = f"entry {each.number}: {each.actor} may not erase"
            yield LedgerFinding(fault=LedgerFault.NOT_ENTITLED, number=each.number, detail=said)
        if each.kind == EntryKind.ROLES:
            version = each.body.get("roles_version")
            if not isinstance(version, int) or version < highest:
                said = f"entry {each.number}: version {version} of the roles file came after {highest}"
                yield LedgerFinding(fault=LedgerFault.NOT_ENTITLED, number=each.number, detail=said)
            else:
                highest = version


def _owner(roles: Roles, keyid: str | None) -> str:
    person = roles.owner(keyid or "")
    return person.identity if person else "nobody known"
