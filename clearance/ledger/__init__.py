"""The ledger: an append-only, hash-chained log of who did what to which model, with signed checkpoints.

It records and answers; what may be recorded, and whose signature counts, is decided elsewhere. A person's
name stands in every entry, never a secret.
"""

from clearance.ledger import events
from clearance.ledger.audit import verify
from clearance.ledger.checkpoint import Seal
from clearance.ledger.entry import Draft, Entry
from clearance.ledger.events import ERASABLE, EntryKind, Event
from clearance.ledger.fencing import Fence
from clearance.ledger.history import Tenure, champion_at, champion_versions, open_intents, tenures
from clearance.ledger.log import append, ensure, lock, redact
from clearance.ledger.reading import Ledger, entries, head, open  # noqa: A004
from clearance.ledger.verification_report import LedgerFault, LedgerFinding, LedgerReport

__all__ = [
    "ERASABLE",
    "Draft",
    "Entry",
    "EntryKind",
    "Event",
    "Fence",
    "Ledger",
    "LedgerFault",
    "LedgerFinding",
    "LedgerReport",
    "Seal",
    "Tenure",
    "append",
    "champion_at",
    "champion_versions",
    "ensure",
    "entries",
    "events",
    "head",
    "lock",
    "open",
    "open_intents",
    "redact",
    "tenures",
    "verify",
]
