"""Verifying a ledger where it lives, while others append to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from clearance.ledger import checkpoint_files, reading, verification, waiting
from clearance.ledger.checkpoint_reader import CheckpointCopy, VerifyEnvelope
from clearance.ledger.reading import Ledger
from clearance.ledger.report import LedgerReport


def verify(ledger: Ledger, kept: Sequence[Path], opened: VerifyEnvelope) -> LedgerReport:
    """Verify the open ledger against the checkpoints in `kept`; nothing is locked and nothing is changed.

    Raises UnavailableError when the database or a place cannot be read. A place that is not there is a
    finding: it has no checkpoint.
    """
    until, copies = snapshot(ledger, kept)
    return verification.verify(ledger.id, lambda: reading.entries(ledger, until=until), copies, opened)


def snapshot(ledger: Ledger, kept: Sequence[Path]) -> tuple[int, list[CheckpointCopy]]:
    """The newest entry's number and the checkpoints as they were at one moment.

    A checkpoint is written before its batch is committed, so no moment counts in which one was added.
    """
    found: list[tuple[int, tuple[int, ...]]] = []

    def still() -> bool:
        before = checkpoint_files.sizes(kept)
        number = reading.newest(ledger)
        found.append((number, before))
        return checkpoint_files.sizes(kept) == before

    waiting.until(still, ledger.database.patience, "the ledger busy")
    number, sizes = found[-1]
    return number, [
        CheckpointCopy(name=str(place), lines=partial(checkpoint_files.lines, place, size))
        for place, size in zip(kept, sizes, strict=True)
    ]
