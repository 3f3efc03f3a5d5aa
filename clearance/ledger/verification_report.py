"""The result of a verification: its findings by class of fault, each with the first entry concerned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol


class LedgerFault(StrEnum):
    """A class of damage. Those from `CUT` on are found only through checkpoints."""

    EDITED = "edited"
    UNLINKED = "unlinked"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    ERASED = "erased without a redaction"
    UNREADABLE = "unreadable"
    CUT = "tail cut or older database"
    REWRITTEN = "rewritten"
    UNCOVERED = "not covered by a checkpoint"
    CHECKPOINT_REMOVED = "checkpoint removed"
    CHECKPOINT_EDITED = "checkpoint edited"
    WRONG_KEY = "checkpoint not signed by a valid key"
    OTHER_LEDGER = "checkpoint of another ledger"
    CLOCK = "clock behind"


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
    """The first occurrence of a fault, and the number of occurrences of its class.

    `number` is that of the first bad or missing entry; None where no entry can be named.
    """

    fault: LedgerFault
    number: int | None
    detail: str
    count: int = 1

    def __str__(self) -> str:
        more = f" ({self.count} in total)" if self.count > 1 else ""
        return f"{self.fault}: {self.detail}{more}"


class VoidFinding(Protocol):
    """An entry that does not count, and why."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class LedgerReport:
    """What a verification read, and what it found.

    `entries` and `checkpoints` count what was read, `places` the checkpoint files. `notes` are not faults:
    erasures, and batches that a crash left uncommitted. `voids` are intact entries that do not count; only
    who knows the roles files finds them.
    """

    ledger: str
    entries: int
    checkpoints: int
    places: int
    findings: Sequence[LedgerFinding]
    notes: Sequence[str]
    voids: Sequence[VoidFinding] = ()

    @property
    def ok(self) -> bool:
        """Whether every entry is as it was recorded and covered by a checkpoint."""
        return not self.findings

    @property
    def first(self) -> int | None:
        """The number of the first bad or missing entry; None when no finding names one."""
        return min((finding.number for finding in self.findings if finding.number is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "ledger": self.ledger,
            "ok": self.ok,
            "first": self.first,
            "entries": self.entries,
            "checkpoints": self.checkpoints,
            "places": self.places,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
            "voids": [void.to_json() for void in self.voids],
        }

    @property
    def counts(self) -> str:
        """What was read, in words."""
        entries = "1 entry" if self.entries == 1 else f"{self.entries} entries"
        voids = f" ({len(self.voids)} void)" if self.voids else ""
        checkpoints = "1 checkpoint" if self.checkpoints == 1 else f"{self.checkpoints} checkpoints"
        files = "1 file" if self.places == 1 else f"{self.places} files"
        return f"{entries}{voids}, {checkpoints} in {files}"

    def __str__(self) -> str:
        notes = [*(f"  {void}" for void in self.voids), *(f"  note: {note}" for note in self.notes)]
        if self.ok:
            return "\n".join([f"The ledger verifies: {self.counts}.", *notes])
        lines = [
            f"The ledger does not verify: {self.counts}.",
            *(f"  {finding}" for finding in self.findings),
        ]
        if not self.places:
            lines.append("  Without a checkpoint, a cut tail or a complete rewrite cannot be detected.")
        return "\n".join([*lines, *notes])


class FindingCounter:
    """Collects findings: keeps the first of each class of fault, and counts the others."""

    def __init__(self) -> None:
        self._first: dict[LedgerFault, tuple[int | None, str]] = {}
        self._count: dict[LedgerFault, int] = {}

    def add(self, fault: LedgerFault, number: int | None, detail: str, count: int = 1) -> None:
        """Add `count` occurrences."""
        self._first.setdefault(fault, (number, detail))
        self._count[fault] = self._count.get(fault, 0) + count

    def all(self) -> tuple[LedgerFinding, ...]:
        """The findings, those about the earliest entry first."""
        findings = [
            LedgerFinding(fault=fault, number=number, detail=detail, count=self._count[fault])
            for fault, (number, detail) in self._first.items()
        ]
        return tuple(sorted(findings, key=lambda finding: (finding.number is None, finding.number or 0)))
