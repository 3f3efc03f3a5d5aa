"""What the checkpoints of all files say together: the digest that each entry must have.

The files are read side by side, one line of each at a time. A line is trusted when it belongs to the chain of
checkpoints and the newest of them is signed. With `thorough`, every signature is verified.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clearance.ledger import checkpoint
from clearance.ledger.checkpoint import Checkpoint, Confirmation, SignedStatement
from clearance.ledger.verification_report import FindingCounter, LedgerFault

VerifyEnvelope = Callable[[Mapping[str, Any]], SignedStatement]


@dataclass(frozen=True, kw_only=True)
class CheckpointCopy:
    """The lines of one checkpoint file, oldest first, read again at each call. `name` is for people.

    `lags`: it is a checkout's own copy, which may lack checkpoints that other checkouts wrote.
    """

    name: str
    lines: Callable[[], Iterable[str]]
    lags: bool = False


class Expected(NamedTuple):
    """The digest that checkpoint `by` states for an entry; `sure`: its batch is known to be committed."""

    number: int
    digest: str
    by: Checkpoint
    sure: bool


class CheckpointReader:
    """One pass over the checkpoints; what is wrong with them is added to `counter` on the way."""

    def __init__(
        self,
        ledger: str,
        copies: Sequence[CheckpointCopy],
        verify_envelope: VerifyEnvelope,
        counter: FindingCounter,
        *,
        thorough: bool,
    ) -> None:
        self.count = 0
        self.given_up: list[Checkpoint] = []
        self._ledger, self._copies, self._verify_envelope, self._counter = (
            ledger,
            copies,
            verify_envelope,
            counter,
        )
        self._thorough = thorough
        self._confirmed = 0

    def expected(self) -> Iterator[Expected]:
        """The digests in order of their entries. A batch that the next one replaced is skipped."""
        for this, following in itertools.pairwise(itertools.chain(self._trusted(), (None,))):
            if this is None:
                continue
            if following is not None and following.replaces(this) and not following.follows(this):
                self.given_up.append(this)
                continue
            sure = following is not None or self._confirmed >= this.sequence
            for number, digest in enumerate(this.digests, this.after + 1):
                yield Expected(number, digest, this, sure)

    def close(self) -> None:
        """Report each batch that was given up although it had been confirmed: it was cut off."""
        lost = {batch.sequence: batch for batch in self.given_up}
        for copy in self._copies if lost else ():
            for line in copy.lines():
                if line.startswith('{"confirmed"'):
                    content = checkpoint.read(line)
                    if isinstance(content, Confirmation) and (gone := lost.pop(content.sequence, None)):
                        first = gone.after + 1
                        detail = f"entry {first} was confirmed by {gone}, and another entry has replaced it"
                        self._counter.add(LedgerFault.CUT, first, detail)

    def _trusted(self) -> Iterator[Checkpoint]:
        """The checkpoints that are chained to each other, or whose own signature is valid."""
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
            self._check_order(before, picked)
            self.count += 1
            before = picked
            yield picked

    def _groups(self) -> Iterator[list[tuple[int, Checkpoint]]]:
        """For each sequence, its checkpoint in every file that has it, with the index of the file."""
        streams = [self._read(index) for index in range(len(self._copies))]
        merged = heapq.merge(*streams, key=_sequence) if len(streams) > 1 else itertools.chain(*streams)
        for _, group in itertools.groupby(merged, key=_sequence):
            yield list(group)

    def _read(self, index: int) -> Iterator[tuple[int, Checkpoint]]:
        for line in self._copies[index].lines():
            content = checkpoint.read(line)
            if isinstance(content, Confirmation):
                self._confirmed = max(self._confirmed, content.sequence)
            elif content is not None:
                yield index, content

    def _pick(self, group: list[tuple[int, Checkpoint]], *, check: bool) -> Checkpoint | None:
        """The checkpoint of this sequence that can be trusted; None when there is none."""
        first = group[0][1]
        versions = [first, *(other for _, other in group[1:] if other.line != first.line)]
        differ = len(versions) > 1
        if differ:
            what = f"checkpoint {first.sequence} differs from file to file"
            self._counter.add(LedgerFault.CHECKPOINT_EDITED, None, what)
        trusted = None
        for version in versions:
            fault = checkpoint.fault_in(version, self._verify_envelope) if check or differ else None
            if fault is not None:
                self._counter.add(LedgerFault.WRONG_KEY, version.after + 1, f"{version}: {fault}")
            elif version.ledger != self._ledger:
                detail = f"{version} belongs to ledger {version.ledger}"
                self._counter.add(LedgerFault.OTHER_LEDGER, None, detail)
            else:
                trusted = trusted or version
        return trusted

    def _compare(self, group: list[tuple[int, Checkpoint]], *, newest: bool) -> None:
        """Report the files that lack this checkpoint, unless a crash may have left them without it."""
        present = group[0][1]
        if newest and self._confirmed < present.sequence:
            return
        complete = {index for index, copy in enumerate(self._copies) if not copy.lags}
        for index in sorted(complete - {index for index, _ in group}):
            detail = f"{self._copies[index].name} lacks {present}"
            self._counter.add(LedgerFault.CHECKPOINT_REMOVED, present.after + 1, detail)

    def _check_order(self, before: Checkpoint | None, this: Checkpoint) -> None:
        """Report where a checkpoint does not follow the previous one."""
        sequence = 1 if before is None else before.sequence + 1
        if this.sequence != sequence:
            first = 1 if before is None else before.last + 1
            self._counter.add(
                LedgerFault.CHECKPOINT_REMOVED,
                first,
                f"checkpoint {sequence} is missing from every file",
                this.sequence - sequence,
            )
        elif this.previous != (checkpoint.FIRST if before is None else before.sha256):
            number = this.after + 1 if before is None else before.after + 1
            self._counter.add(
                LedgerFault.CHECKPOINT_EDITED, number, f"{this} does not follow the previous checkpoint"
            )
        elif before is not None and not (this.follows(before) or this.replaces(before)):
            self._counter.add(LedgerFault.CUT, this.after + 1, f"{this} starts where no earlier batch ended")


def _sequence(line: tuple[int, Checkpoint]) -> int:
    return line[1].sequence
