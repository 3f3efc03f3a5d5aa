"""The ledger: an append-only, hash-chained log of who did what to which model, with signed checkpoints.

It records and answers; what may be recorded, and whose signature counts, is decided elsewhere. A person's
name stands in every entry, never a secret.
"""

from clearance.ledger.audit import verify
from clearance.ledger.checkpoint import Seal
from clearance.ledger.entry import Draft, Entry
from clearance.ledger.fencing import Fence
from clearance.ledger.history import Reign, champion_at, reigns, served, unfinished
from clearance.ledger.kinds import Kind
from clearance.ledger.log import ERASABLE, append, ensure, lock, redact
from clearance.ledger.reading import Ledger, entries, head, open  # noqa: A004
from clearance.ledger.report import Fault, Finding, Report

__all__ = [
    "ERASABLE",
    "Draft",
    "Entry",
    "Fault",
    "Fence",
    "Finding",
    "Kind",
    "Ledger",
    "Reign",
    "Report",
    "Seal",
    "append",
    "champion_at",
    "ensure",
    "entries",
    "head",
    "lock",
    "open",
    "redact",
    "reigns",
    "served",
    "unfinished",
    "verify",
]
