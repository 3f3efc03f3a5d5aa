"""Whether a ledger is what was recorded: its entries held against each other and against the checkpoints.

Everything is read once, in order, and nothing is kept: the memory does not grow with the ledger. It stays
silent only when every entry is sound, chained and covered by a checkpoint that a key that counts has signed.
What no checkpoint can show: the ledger and every place cut back alike, to an end that was once signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from clearance.errors import IntegrityError
from clearance.ledger import entry
from clearance.ledger.checkpoint_reader import CheckpointCopy, CheckpointReader, Expected, VerifyEnvelope
from clearance.ledger.entry import Entry
from clearance.ledger.events import EntryKind
from clearance.ledger.report import CHECKPOINT_FAULTS, FindingCounter, LedgerFault, LedgerReport


def verify(
    ledger: str,
    entries: Callable[[], Iterable[Entry]],
    copies: Sequence[CheckpointCopy],
    opened: VerifyEnvelope,
) -> LedgerReport:
    """Verify the ledger with this id: its entries, as they are stored, and the checkpoints of every place.

    The checkpoints are believed through their chain and the signature of the newest; once anything is wrong
    with one of them, all are read again and each signature is checked. `opened` is that of a `Seal`. Without
    `copies` every entry is a finding, for nothing outside the database covers it.
    """
    report = _verify(ledger, entries(), copies, opened, thorough=False)
    if any(each.fault in CHECKPOINT_FAULTS for each in report.findings):
        return _verify(ledger, entries(), copies, opened, thorough=True)
    return report


def _verify(
    ledger: str,
    entries: Iterable[Entry],
    copies: Sequence[CheckpointCopy],
    opened: VerifyEnvelope,
    *,
    thorough: bool,
) -> LedgerReport:
    tally, notes = FindingCounter(), _Erasures()
    witness = CheckpointReader(ledger, copies, opened, tally, thorough=thorough)
    expected = witness.expected()
    ahead = next(expected, None)
    last = _Last(entry.origin(ledger))
    for each in _readable(entries, last, tally):
        fault = entry.fault_in(each)
        if fault is not None:
            tally.add(LedgerFault.EDITED, _number(each, last), f"entry {_number(each, last)}: {fault}")
        if type(each.number) is not int:
            continue
        last.follow(each, tally)
        while ahead is not None and ahead.number < each.number:
            ahead = next(expected, None)
        _hold(each, ahead, tally)
        if fault is None:
            notes.read(each, tally)
    while ahead is not None and ahead.number <= last.number:
        ahead = next(expected, None)
    told = _end(last, ahead, expected, tally)
    witness.close()
    notes.close(tally)
    given_up = [f"{gone} was never committed: a crash, and nobody was answered" for gone in witness.given_up]
    return LedgerReport(
        ledger=ledger,
        entries=last.count,
        checkpoints=witness.count,
        places=len(copies),
        findings=tally.all(),
        notes=(*notes.said, *given_up, *told),
    )


class _Last:
    """The entry before, as far as the next one must fit to it."""

    def __init__(self, origin: str) -> None:
        self.number, self.digest, self.time, self.count = 0, origin, "", 0

    def follow(self, each: Entry, tally: FindingCounter) -> None:
        """Note where `each` does not follow, and go on from it."""
        number, wanted = each.number, self.number + 1
        if number == self.number:
            tally.add(LedgerFault.DUPLICATE, number, f"entry {number} is there twice")
        elif number < wanted:
            tally.add(LedgerFault.REORDERED, number, f"entry {number} stands after entry {self.number}")
        elif number > wanted:
            tally.add(LedgerFault.MISSING, wanted, f"entry {wanted} is missing", number - wanted)
        elif each.previous != self.digest:
            tally.add(LedgerFault.UNLINKED, number, f"entry {number} does not follow the one before it")
        if number >= wanted and isinstance(each.time, str):
            if each.time < self.time:
                tally.add(
                    LedgerFault.TIME, number, f"entry {number} is of {each.time}, before the one before it"
                )
            self.time = each.time
        self.count += 1
        if number >= self.number:
            self.number, self.digest = number, each.digest


class _Erasures:
    """Bodies that are gone, until the redaction that says why is read."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._bare: set[int] = set()

    def read(self, each: Entry, tally: FindingCounter) -> None:
        """Note what is gone, and take back what this entry explains."""
        if each.redacted:
            self._bare.add(each.number)
        if each.kind != EntryKind.REDACTION:
            return
        try:
            numbers, why = each.body["entries"], each.body["reason"]
            self._bare.difference_update(numbers)
            told = ", ".join(map(str, numbers))
        except (IntegrityError, KeyError, TypeError):
            tally.add(LedgerFault.UNREADABLE, each.number, f"entry {each.number} does not say what it erased")
            return
        self.said.append(f"{each.actor} erased the content of entries {told} on {each.time[:10]}: {why}")

    def close(self, tally: FindingCounter) -> None:
        """Note what is gone without a reason."""
        for number in sorted(self._bare):
            tally.add(
                LedgerFault.ERASED, number, f"the content of entry {number} is gone, and no entry says why"
            )


def _readable(entries: Iterable[Entry], last: _Last, tally: FindingCounter) -> Iterator[Entry]:
    """The entries up to the first that the database cannot give."""
    try:
        yield from entries
    except IntegrityError as error:
        tally.add(LedgerFault.UNREADABLE, last.number + 1, f"what follows entry {last.number}: {error.fault}")


def _number(each: Entry, last: _Last) -> int:
    return each.number if type(each.number) is int else last.number + 1


def _hold(each: Entry, ahead: Expected | None, tally: FindingCounter) -> None:
    """Hold an entry against the digest that a checkpoint gives it."""
    if ahead is None or ahead.number != each.number:
        tally.add(LedgerFault.UNCOVERED, each.number, f"entry {each.number} is in no checkpoint")
    elif ahead.digest != each.digest:
        tally.add(
            LedgerFault.REWRITTEN, each.number, f"entry {each.number} is not the one that {ahead.by} covers"
        )


def _end(last: _Last, ahead: Expected | None, rest: Iterator[Expected], tally: FindingCounter) -> list[str]:
    """What the checkpoints say that the entries lack: a cut tail, or a batch that nobody confirmed."""
    if ahead is None:
        return []
    missing = 1 + sum(1 for _ in rest)
    if not ahead.sure and ahead.by.after == last.number and ahead.by.head == last.digest:
        return [f"{ahead.by} was never committed: a crash, and nobody was answered"]
    when = f", the ledger is as it was before {ahead.by}" if ahead.by.after == last.number else ""
    tally.add(
        LedgerFault.CUT, ahead.number, f"entry {ahead.number} and what follows it is gone{when}", missing
    )
    return []
