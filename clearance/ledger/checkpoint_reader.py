"""What the checkpoints of all places say together: which entry must have which digest.

It reads the places side by side, one line of each at a time, and decides which lines are to be believed:
they are chained, and the newest is signed. With `thorough`, every signature is checked for itself.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clearance.ledger import checkpoint
from clearance.ledger.checkpoint import Checkpoint, Confirmation, SignedStatement
from clearance.ledger.report import FindingCounter, LedgerFault

VerifyEnvelope = Callable[[Mapping[str, Any]], SignedStatement]


@dataclass(frozen=True, kw_only=True)
class CheckpointCopy:
    """One place's lines, oldest first, each time they are asked for anew. `name` is for people."""

    name: str
    lines: Callable[[], Iterable[str]]


class Expected(NamedTuple):
    """The digest that a checkpoint gives to an entry; `sure` once its batch is known to be committed."""

    number: int
    digest: str
    by: Checkpoint
    sure: bool


class CheckpointReader:
    """One reading of the checkpoints; what is wrong with them goes to `tally` while it is read."""

    def __init__(
        self,
        ledger: str,
        copies: Sequence[CheckpointCopy],
        opened: VerifyEnvelope,
        tally: FindingCounter,
        *,
        thorough: bool,
    ) -> None:
        self.count = 0
        self.given_up: list[Checkpoint] = []
        self._ledger, self._copies, self._opened, self._tally = ledger, copies, opened, tally
        self._thorough = thorough
        self._confirmed = 0

    def expected(self) -> Iterator[Expected]:
        """The digests in order of their numbers. A batch that the next one replaced is passed over."""
        for this, following in itertools.pairwise(itertools.chain(self._believed(), (None,))):
            if this is None:
                continue
            if following is not None and following.replaces(this) and not following.follows(this):
                self.given_up.append(this)
                continue
            sure = following is not None or self._confirmed >= this.sequence
            for number, digest in enumerate(this.digests, this.after + 1):
                yield Expected(number, digest, this, sure)

    def close(self) -> None:
        """Look whether a batch that was given up had been confirmed: then it was cut off, not given up."""
        lost = {each.sequence: each for each in self.given_up}
        for copy in self._copies if lost else ():
            for line in copy.lines():
                if line.startswith('{"confirmed"'):
                    found = checkpoint.read(line)
                    if isinstance(found, Confirmation) and (gone := lost.pop(found.sequence, None)):
                        self._tally.add(
                            LedgerFault.CUT,
                            gone.after + 1,
                            f"entry {gone.after + 1} was confirmed by {gone}, and another took its place",
                        )

    def _believed(self) -> Iterator[Checkpoint]:
        """The checkpoints that are chained to each other, or whose own signature holds."""
        before: Checkpoint | None = None
        for this, following in itertools.pairwise(itertools.chain(self._groups(), (None,))):
            if this is None:
                continue
            newest = following is None
            picked = self._pick(this, check=newest or self._thorough)
            if len(this) < len(self._copies):
                self._compare(this, newest=newest)
            if picked is None:
                continue
            self._hold(before, picked)
            self.count += 1
            before = picked
            yield picked

    def _groups(self) -> Iterator[list[tuple[int, Checkpoint]]]:
        """The checkpoints of one sequence in all places, each with its place; by sequence."""
        streams = [self._read(place) for place in range(len(self._copies))]
        merged = heapq.merge(*streams, key=_sequence) if len(streams) > 1 else itertools.chain(*streams)
        for _, group in itertools.groupby(merged, key=_sequence):
            yield list(group)

    def _read(self, place: int) -> Iterator[tuple[int, Checkpoint]]:
        for line in self._copies[place].lines():
            found = checkpoint.read(line)
            if isinstance(found, Confirmation):
                self._confirmed = max(self._confirmed, found.sequence)
            elif found is not None:
                yield place, found

    def _pick(self, group: list[tuple[int, Checkpoint]], *, check: bool) -> Checkpoint | None:
        """The line of this sequence to believe; None when there is none."""
        first = group[0][1]
        lines = [first, *(found for _, found in group[1:] if found.line != first.line)]
        differ = len(lines) > 1
        if differ:
            what = f"checkpoint {first.sequence} differs from place to place"
            self._tally.add(LedgerFault.CHECKPOINT_EDITED, None, what)
        believed = None
        for found in lines:
            fault = checkpoint.fault_in(found, self._opened) if check or differ else None
            if fault is not None:
                self._tally.add(LedgerFault.WRONG_KEY, found.after + 1, f"{found}: {fault}")
            elif found.ledger != self._ledger:
                self._tally.add(LedgerFault.OTHER_LEDGER, None, f"{found} is of ledger {found.ledger}")
            else:
                believed = believed or found
        return believed

    def _compare(self, group: list[tuple[int, Checkpoint]], *, newest: bool) -> None:
        """Note the places that lack this checkpoint, unless a crash may have left them without it."""
        found = group[0][1]
        if newest and self._confirmed < found.sequence:
            return
        for place in sorted(set(range(len(self._copies))) - {place for place, _ in group}):
            name = self._copies[place].name
            self._tally.add(LedgerFault.CHECKPOINT_REMOVED, found.after + 1, f"{name} lacks {found}")

    def _hold(self, before: Checkpoint | None, this: Checkpoint) -> None:
        """Note what is wrong between a checkpoint and the one before."""
        wanted = 1 if before is None else before.sequence + 1
        if this.sequence != wanted:
            first = 1 if before is None else before.last + 1
            self._tally.add(
                LedgerFault.CHECKPOINT_REMOVED,
                first,
                f"checkpoint {wanted} is in no place",
                this.sequence - wanted,
            )
        elif this.previous != (checkpoint.FIRST if before is None else before.sha256):
            number = this.after + 1 if before is None else before.after + 1
            self._tally.add(
                LedgerFault.CHECKPOINT_EDITED, number, f"{this} does not follow the one before it"
            )
        elif before is not None and not (this.follows(before) or this.replaces(before)):
            self._tally.add(LedgerFault.CUT, this.after + 1, f"{this} goes on from where none ended")


def _sequence(found: tuple[int, Checkpoint]) -> int:
    return found[1].sequence
