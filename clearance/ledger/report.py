"""What a verification found: faults by class, each with the first entry it touches, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class LedgerFault(StrEnum):
    """A class of damage. Those from `CUT` on are seen through checkpoints only."""

    EDITED = "edited"
    UNLINKED = "unlinked"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    TIME = "time goes backwards"
    ERASED = "erased without a redaction"
    UNREADABLE = "unreadable"
    CUT = "tail cut or older database"
    REWRITTEN = "rewritten"
    UNCOVERED = "not covered by a checkpoint"
    CHECKPOINT_REMOVED = "checkpoint removed"
    CHECKPOINT_EDITED = "checkpoint edited"
    WRONG_KEY = "checkpoint not signed by a key that counts"
    OTHER_LEDGER = "checkpoint of another ledger"
    NOT_ENTITLED = "recorded by somebody who may not"


CHECKPOINT_FAULTS = frozenset(
    {
        LedgerFault.CHECKPOINT_REMOVED,
        LedgerFault.CHECKPOINT_EDITED,
        LedgerFault.WRONG_KEY,
        LedgerFault.OTHER_LEDGER,
    }
)
"""Faults of the checkpoints themselves."""


@dataclass(frozen=True, kw_only=True)
class LedgerFinding:
    """The first occurrence of a fault, and how many there are of its class.

    `number` is that of the first bad entry or the first missing one; None where no entry can be named.
    """

    fault: LedgerFault
    number: int | None
    detail: str
    count: int = 1

    def __str__(self) -> str:
        more = f" ({self.count} in all)" if self.count > 1 else ""
        return f"{self.fault}: {self.detail}{more}"


@dataclass(frozen=True, kw_only=True)
class LedgerReport:
    """What a verification read, and what it found.

    `entries` and `checkpoints` count what was read, `places` where checkpoints were looked for. `notes` are
    what a reader should know and is no fault: erasures, and batches that a crash gave up.
    """

    ledger: str
    entries: int
    checkpoints: int
    places: int
    findings: Sequence[LedgerFinding]
    notes: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether every entry is what was recorded and each is covered by a checkpoint."""
        return not self.findings

    @property
    def first(self) -> int | None:
        """The number of the first bad or missing entry; None when no finding names one."""
        return min((each.number for each in self.findings if each.number is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "ledger": self.ledger,
            "ok": self.ok,
            "first": self.first,
            "entries": self.entries,
            "checkpoints": self.checkpoints,
            "places": self.places,
            "findings": [asdict(each) for each in self.findings],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        read = f"{self.entries} entries, {self.checkpoints} checkpoints in {self.places} place(s)"
        if self.ok:
            said = [f"The ledger holds: {read}."]
        else:
            said = [f"The ledger does not hold: {read}.", *(f"  {each}" for each in self.findings)]
            if not self.places:
                said.append("  Without a checkpoint, a cut tail or a whole rewrite is not visible.")
        return "\n".join([*said, *(f"  note: {each}" for each in self.notes)])


class FindingCounter:
    """Findings as they come in: the first of each class is kept, the others are counted."""

    def __init__(self) -> None:
        self._first: dict[LedgerFault, tuple[int | None, str]] = {}
        self._count: dict[LedgerFault, int] = {}

    def add(self, fault: LedgerFault, number: int | None, detail: str, count: int = 1) -> None:
        """Note `count` occurrences."""
        self._first.setdefault(fault, (number, detail))
        self._count[fault] = self._count.get(fault, 0) + count

    def all(self) -> tuple[LedgerFinding, ...]:
        """The findings, those about the earliest entry first."""
        made = [
            LedgerFinding(fault=fault, number=number, detail=detail, count=self._count[fault])
            for fault, (number, detail) in self._first.items()
        ]
        return tuple(sorted(made, key=lambda each: (each.number is None, each.number or 0)))
