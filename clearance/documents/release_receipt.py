"""`.clearance/release.json`: what the last release did. It is a note, never evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from clearance import paths
from clearance.documents.codec import WHEN_SET, Count
from clearance.documents.evidence_document import Document
from clearance.documents.measurement import Outcome


@dataclass(frozen=True, kw_only=True)
class ReceiptVersion:
    """A version in the registry, and what must be said wherever it is named."""

    name: str
    version: int
    note: str | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class AttemptReceipt:
    """Which attempt at the model name it was, and what was tried so far in a sentence."""

    number: Count
    sentence: str


@dataclass(frozen=True, kw_only=True)
class ReleaseReceipt(Document):
    """How the release ended and why, and who is candidate and champion now.

    `test_uses` counts the models that the test rows have judged; None where no rows judge, or nothing counts.
    `lapsed` is why what allowed the champion no longer holds.
    `request` is what approvers must know of the candidate, a sentence each.
    `ledger` is the digest of the last ledger entry that the release knew.
    """

    path: ClassVar[Path] = paths.RELEASE_RECEIPT

    status: str
    reason: str
    fingerprint: str
    verdict: Outcome
    is_champion: bool
    candidate: ReceiptVersion | None
    champion: ReceiptVersion | None
    test_uses: Count | None = None
    lapsed: str | None = field(default=None, metadata=WHEN_SET)
    request: tuple[str, ...] = ()
    attempt: AttemptReceipt | None = field(default=None, metadata=WHEN_SET)
    ledger: str | None = field(default=None, metadata=WHEN_SET)
