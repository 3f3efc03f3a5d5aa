"""Verification: whether a ledger is what was recorded, by its own chain and by its checkpoints.

Everything is read once, in order, and nothing is kept: memory does not grow with the ledger. There are no
findings only when every entry is intact, chained, and covered by a checkpoint that a valid key signed. What
no checkpoint can show: the ledger and every checkpoint file cut back alike, to an end that was once signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from clearance.errors import IntegrityError
from clearance.ledger import entry
from clearance.ledger.checkpoint_reader import CheckpointCopy, CheckpointReader, Expected, VerifyEnvelope
from clearance.ledger.entry import Entry
from clearance.ledger.events import EntryKind, RedactionEvent
from clearance.ledger.verification_report import CHECKPOINT_FAULTS, FindingCounter, LedgerFault, LedgerReport


def verify(
    ledger: str,
    entries: Callable[[], Iterable[Entry]],
    copies: Sequence[CheckpointCopy],
    verify_envelope: VerifyEnvelope,
) -> LedgerReport:
    """Verify the ledger with this id: its entries as they are stored, and the checkpoints of every file.

    The checkpoints are trusted through their chain and the signature of the newest. If anything is wrong with
    one of them, all are read again and every signature is verified. `verify_envelope` is that of a
    `Seal`. Without `copies` every entry is a finding, because nothing outside the database covers it.
    """
    report = _verify(ledger, entries(), copies, verify_envelope, thorough=False)
    if any(finding.fault in CHECKPOINT_FAULTS for finding in report.findings):
        return _verify(ledger, entries(), copies, verify_envelope, thorough=True)
    return report


def _verify(
    ledger: str,
    entries: Iterable[Entry],
    copies: Sequence[CheckpointCopy],
    verify_envelope: VerifyEnvelope,
    *,
    thorough: bool,
) -> LedgerReport:
    counter, erasures = FindingCounter(), _Erasures()
    reader = CheckpointReader(ledger, copies, verify_envelope, counter, thorough=thorough)
    expected = reader.expected()
    ahead = next(expected, None)
    last = _Last(entry.origin(ledger))
    for this in _readable(entries, last, counter):
        fault = entry.fault_in(this)
        if fault is not None:
            number = _number(this, last)
            counter.add(LedgerFault.EDITED, number, f"entry {number}: {fault}")
        if type(this.number) is not int:
            continue
        last.follow(this, counter)
        while ahead is not None and ahead.number < this.number:
            ahead = next(expected, None)
        _compare(this, ahead, counter)
        if fault is None:
            erasures.read(this)
    while ahead is not None and ahead.number <= last.number:
        ahead = next(expected, None)
    uncommitted = _end(last, ahead, expected, counter)
    reader.close()
    erasures.close(counter)
    given_up = [_UNCOMMITTED.format(checkpoint=batch) for batch in reader.given_up]
    return LedgerReport(
        ledger=ledger,
        entries=last.count,
        checkpoints=reader.count,
        places=len(copies),
        findings=counter.all(),
        notes=(*erasures.notes, *given_up, *uncommitted),
    )


class _Last:
    """The last entry that was read: what the next one must follow."""

    def __init__(self, origin: str) -> None:
        self.number, self.digest, self.count = 0, origin, 0

    def follow(self, this: Entry, counter: FindingCounter) -> None:
        """Report where `this` does not follow, and continue from it."""
        number, next_number = this.number, self.number + 1
        if number == self.number:
            counter.add(LedgerFault.DUPLICATE, number, f"entry {number} appears twice")
        elif number < next_number:
            counter.add(LedgerFault.REORDERED, number, f"entry {number} comes after entry {self.number}")
        elif number > next_number:
            counter.add(
                LedgerFault.MISSING, next_number, f"entry {next_number} is missing", number - next_number
            )
        elif this.previous != self.digest:
            counter.add(LedgerFault.UNLINKED, number, f"entry {number} does not follow the previous entry")
        self.count += 1
        if number >= self.number:
            self.number, self.digest = number, this.digest


class _Erasures:
    """Erased bodies whose redaction has not been read yet, and notes of those that have."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._unexplained: set[int] = set()

    def read(self, this: Entry) -> None:
        """Add the entry if its body is erased, and remove those that it explains."""
        if this.redacted:
            self._unexplained.add(this.number)
        if this.kind != EntryKind.REDACTION:
            return
        try:
            event = this.read(RedactionEvent)
        except IntegrityError:
            event = None
        if event is None:
            return  # it explains nothing; whether the entry counts is judged elsewhere
        if self._unexplained.isdisjoint(event.entries):
            return  # it was recorded, and erased nothing
        self._unexplained.difference_update(event.entries)
        listed = ", ".join(map(str, event.entries))
        when = f"on {this.time[:10]}: {event.reason}"
        self.notes.append(f"{this.actor} erased the content of entries {listed} {when}")

    def close(self, counter: FindingCounter) -> None:
        """Report what was erased without a reason."""
        for number in sorted(self._unexplained):
            detail = f"the content of entry {number} is erased, and no entry says why"
            counter.add(LedgerFault.ERASED, number, detail)


_UNCOMMITTED = "{checkpoint} was never committed: the process crashed before its command returned"


def _readable(entries: Iterable[Entry], last: _Last, counter: FindingCounter) -> Iterator[Entry]:
    """The entries up to the first that cannot be read."""
    try:
        yield from entries
    except IntegrityError as error:
        counter.add(
            LedgerFault.UNREADABLE, last.number + 1, f"the entries after {last.number}: {error.fault}"
        )


def _number(this: Entry, last: _Last) -> int:
    return this.number if type(this.number) is int else last.number + 1


def _compare(this: Entry, ahead: Expected | None, counter: FindingCounter) -> None:
    """Compare the digest of an entry with the one that a checkpoint states for it."""
    if ahead is None or ahead.number != this.number:
        counter.add(LedgerFault.UNCOVERED, this.number, f"entry {this.number} has no checkpoint")
    elif ahead.digest != this.digest:
        detail = f"entry {this.number} is not the one that {ahead.by} covers"
        counter.add(LedgerFault.REWRITTEN, this.number, detail)


def _end(last: _Last, ahead: Expected | None, rest: Iterator[Expected], counter: FindingCounter) -> list[str]:
    """What the checkpoints cover beyond the last entry: a note on an uncommitted batch, or a finding."""
    if ahead is None:
        return []
    missing = 1 + sum(1 for _ in rest)
    if not ahead.sure and ahead.by.after == last.number and ahead.by.head == last.digest:
        return [_UNCOMMITTED.format(checkpoint=ahead.by)]
    when = f"; the ledger is as it was before {ahead.by}" if ahead.by.after == last.number else ""
    counter.add(
        LedgerFault.CUT, ahead.number, f"entry {ahead.number} and all later entries are gone{when}", missing
    )
    return []
