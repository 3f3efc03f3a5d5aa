"""The receipt of the last release, in lines for a terminal. It is a note, never evidence."""

from __future__ import annotations

from pathlib import Path

from clearance import paths
from clearance.documents.release_receipt import ReceiptVersion, ReleaseReceipt
from clearance.promotion.next_step import Status


def release_lines(folder: Path) -> list[str]:
    """What the last release of the project at `folder` did, a line each; none where there was none."""
    if not (folder / paths.RELEASE_RECEIPT).exists():
        return []
    receipt = ReleaseReceipt.read(folder)
    versions = [("registered", receipt.candidate), ("champion", receipt.champion)]
    lines = [f"{word} {describe_version(version)}" for word, version in versions if version]
    lapsed = [f"lapsed: {receipt.lapsed}"] if receipt.lapsed and receipt.status != Status.LAPSED else []
    ending = waiting_lines(folder) or [*receipt.request, f"{receipt.status}: {receipt.reason}"]
    return [*lines, *ending, *lapsed]


def has_lapsed(folder: Path) -> bool:
    """Whether the last release found that what allowed the champion no longer holds, and the policy minds."""
    if not (folder / paths.RELEASE_RECEIPT).exists():
        return False
    return ReleaseReceipt.read(folder).lapsed is not None


def describe_version(version: ReceiptVersion) -> str:
    """A version of a receipt, with what must be said wherever it is named."""
    return f"{version.name} version {version.version}" + (f" ({version.note})" if version.note else "")


def waiting_lines(folder: Path) -> list[str]:
    """What approvers must know of what was last released at `folder`, who must still agree, and how.

    Empty where nothing waits.
    """
    if not (folder / paths.RELEASE_RECEIPT).exists():
        return []
    receipt = ReleaseReceipt.read(folder)
    if receipt.status != Status.AWAITING_APPROVAL or not receipt.candidate:
        return []
    number = receipt.candidate.version
    return [
        *receipt.request,
        f"{receipt.status}: {receipt.reason}",
        f"see `clearance verify {number}`, then `clearance approve {number} --as NAME --reason TEXT` "
        "(or `reject`)",
    ]
