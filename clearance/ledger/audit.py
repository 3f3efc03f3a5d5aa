"""Verification of a ledger in place, while other processes append to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from clearance.ledger import checkpoint_files, reading, verification, waiting
from clearance.ledger.checkpoint_reader import CheckpointCopy, VerifyEnvelope
from clearance.ledger.reading import Ledger
from clearance.ledger.verification_report import LedgerReport


def verify(
    ledger: Ledger, files: Sequence[Path], verify_envelope: VerifyEnvelope, *, witness: Path | None = None
) -> LedgerReport:
    """Verify the open ledger against its checkpoint files; nothing is locked and nothing is changed.

    Raises UnavailableError when the database or a file cannot be read, ConfigurationError when two files are
    one. A missing file is a finding: it has no checkpoint. The `witness` may lag behind.
    """
    until, copies = snapshot(ledger, files, witness)
    return verification.verify(
        ledger.id, lambda: reading.entries(ledger, until=until), copies, verify_envelope
    )


def snapshot(
    ledger: Ledger, places: Sequence[Path], witness: Path | None = None
) -> tuple[int, list[CheckpointCopy]]:
    """The number of the newest entry and the checkpoints, all as of one moment.

    A checkpoint is written before its batch is committed, so a moment counts only when none was added in it.
    """
    files = (*places, *([witness] if witness else []))
    checkpoint_files.ensure_distinct(files)
    moments: list[tuple[int, tuple[int, ...]]] = []

    def is_stable() -> bool:
        before = checkpoint_files.sizes(files)
        moments.append((reading.newest(ledger), before))
        return checkpoint_files.sizes(files) == before

    waiting.until(is_stable, ledger.database.patience, "the ledger")
    number, sizes = moments[-1]
    return number, [
        CheckpointCopy(
            name=str(file), lines=partial(checkpoint_files.lines, file, size), lags=file == witness
        )
        for file, size in zip(files, sizes, strict=True)
    ]
