"""Reads from the ledger alone whether the served version is held for review or stopped.

It needs no registry, so that a stop takes effect while the registry is away.
"""

from __future__ import annotations

from pathlib import Path

from clearance import ledger
from clearance.ledger import settings
from clearance.promotion import restrictions, session
from clearance.promotion.restrictions import Restriction
from clearance.serving import faults


class RestrictionReader:
    """The restriction of a version. The ledger is read again only where it has grown."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._entries = 0
        self._read: tuple[object, ...] = ()
        self._restriction: Restriction | None = None

    def __call__(self, name: str, version: int) -> Restriction | None:
        """How the version is restricted now; None: not at all.

        Raises UnavailableError where the ledger does not answer or has fewer entries than before,
        IntegrityError where it is damaged.
        """
        with ledger.open(settings.address(self._root)) as book:
            entries, digest = ledger.head(book)
        if entries < self._entries:
            raise faults.LEDGER_BEHIND(entries=entries, seen=self._entries)
        if (digest, name, version) != self._read:
            with session.open_read_only(self._root) as reader:
                self._restriction = restrictions.find(reader.entries(name), version)
            self._entries, self._read = entries, (digest, name, version)
        return self._restriction
