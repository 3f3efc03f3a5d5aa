"""Verification of an inference log: whether it is what was recorded, as a stream in bounded memory.

The chain alone finds an edit, a deletion and a new order. What the ledger sealed finds a chain that was made
again with matching hashes, and a cut behind the last seal. The key file finds records that were forged or cut
after it: only its holder can move the head. What nothing here finds is an older copy of the whole database,
from after the last seal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clearance.errors import IntegrityError
from clearance.inference_log import chain, database, records
from clearance.inference_log.chain import Head, Row
from clearance.inference_log.database import Connection
from clearance.inference_log.keyring import Keyring
from clearance.inference_log.seals import SealedSegment, Seals
from clearance.inference_log.transaction import read_row

_MOST = 100


class InferenceLogFault(StrEnum):
    """What verification can find."""

    EDITED = "edited"
    MISSING = "missing"
    FORGED = "forged"
    CUT = "cut"
    SEGMENT = "segment"
    KEY = "key"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it was recorded, at a sequence number."""

    fault: InferenceLogFault
    sequence: int | None
    detail: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"


@dataclass(frozen=True, kw_only=True)
class InferenceLogReport:
    """What verification found; `ok` when it found nothing.

    `records` were read; `sealed` is the last sequence number that the ledger covers. The first 100 findings
    are listed, `count` is how many there are. `erased` keys were destroyed. `undeleted` records are past
    their retention period, and a deletion was interrupted after the ledger recorded it. Without the key
    file nothing is `authenticated`: a forgery after the last seal is not found.
    """

    log: str
    records: int
    segments: int
    sealed: int
    count: int
    findings: tuple[Finding, ...]
    by_kind: dict[str, int] = field(default_factory=dict)
    erased: int = 0
    undeleted: int = 0
    authenticated: bool = True

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.count

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "ok": self.ok,
            "log": self.log,
            "records": self.records,
            "by_kind": self.by_kind,
            "segments": self.segments,
            "sealed": self.sealed,
            "erased_keys": self.erased,
            "undeleted": self.undeleted,
            "authenticated": self.authenticated,
            "findings": self.count,
            "first_findings": [
                {"fault": f.fault, "sequence": f.sequence, "detail": f.detail} for f in self.findings
            ],
        }


class _Findings:
    """The first findings, and how many there are."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.count = 0

    def add(self, fault: InferenceLogFault, sequence: int | None, detail: str) -> None:
        self.count += 1
        if len(self.first) < _MOST:
            self.first.append(Finding(fault=fault, sequence=sequence, detail=detail))


def verify(
    connection: Connection, log: str, keyring: Keyring | None, seals: Seals | None
) -> InferenceLogReport:
    """Verify the log with this id; who wrote it only with a `keyring`, what was sealed only with `seals`.

    Appending goes on meanwhile. Raises what the driver raises.
    """
    findings = _Findings()
    with connection.snapshot():
        walk = _Walk(log, findings, keyring, seals)
        columns = ", ".join(database.RECORD_COLUMNS)
        query = f"SELECT {columns} FROM {database.RECORDS} ORDER BY sequence"  # noqa: S608
        for values in connection.stream(query):
            walk.take(read_row(values))
        walk.close(_head(connection))
        erased = _verify_keys(connection, keyring, walk.erasures, findings)
    return InferenceLogReport(
        log=log,
        records=walk.count,
        segments=walk.segments,
        sealed=walk.sealed,
        count=findings.count,
        findings=tuple(findings.first),
        by_kind=dict(sorted(walk.by_kind.items())),
        erased=erased,
        undeleted=walk.undeleted,
        authenticated=keyring is not None,
    )


class _Walk:
    """The chain, record by record."""

    def __init__(self, log: str, findings: _Findings, keyring: Keyring | None, seals: Seals | None) -> None:
        deleted = seals.deleted if seals else None
        self._findings = findings
        self._keyring = keyring
        self._sequence = deleted.last if deleted else 0
        self._hash = deleted.head if deleted else chain.origin(log)
        self._after_deletion = self._sequence
        self._seals = _following(seals, self._sequence)
        self._seal = next(self._seals, None)
        self.count = self.segments = self.undeleted = 0
        self.sealed = self._sequence
        self.by_kind: Counter[str] = Counter()
        self.erasures: set[int] = set()

    def take(self, row: Row) -> None:
        """Verify one record, and go on from it."""
        if row.sequence <= self._after_deletion:
            self.undeleted += 1
            return
        if row.sequence != self._sequence + 1:
            detail = f"records {self._sequence + 1} to {row.sequence - 1} are missing"
            self._findings.add(InferenceLogFault.MISSING, self._sequence + 1, detail)
            self._skip_to(row.sequence)
        elif _digest(row, self._hash) != row.hash:
            detail = f"record {row.sequence} is not what was recorded after the one before it"
            self._findings.add(InferenceLogFault.EDITED, row.sequence, detail)
        if self._keyring is not None and self._keyring.mac(row.hash) != row.mac:
            detail = f"record {row.sequence} was not written with this log's key file"
            self._findings.add(InferenceLogFault.FORGED, row.sequence, detail)
        self._read_header(row)
        self._sequence, self._hash = row.sequence, row.hash
        self.count += 1
        if self._seal is not None and self._seal.last == row.sequence:
            self._compare(self._seal)

    def _compare(self, seal: SealedSegment) -> None:
        if seal.head != self._hash:
            detail = (
                f"records {seal.first} to {seal.last} are not those that ledger entry {seal.entry} sealed"
            )
            self._findings.add(InferenceLogFault.SEGMENT, seal.last, detail)
        self.segments += 1
        self.sealed = seal.last
        self._seal = next(self._seals, None)

    def _skip_to(self, sequence: int) -> None:
        while self._seal is not None and self._seal.last < sequence:
            self._seal = next(self._seals, None)

    def _read_header(self, row: Row) -> None:
        try:
            header = records.read_header(row.header)
        except IntegrityError as error:
            self._findings.add(InferenceLogFault.UNREADABLE, row.sequence, error.fault)
            return
        self.by_kind[str(header["kind"])] += 1
        names = ("id", "kind", "about", "idempotency")
        if any(header.get(name) != getattr(row, name) for name in names):
            detail = f"the columns of record {row.sequence} differ from its header"
            self._findings.add(InferenceLogFault.EDITED, row.sequence, detail)
        if header["kind"] == records.RecordKind.ERASURE and type(header.get("key")) is int:
            self.erasures.add(header["key"])

    def close(self, head: tuple[Head, bytes] | None) -> None:
        """Compare the end with the head of the log, and with what the ledger sealed beyond it."""
        if self._seal is not None:
            detail = f"records {self._sequence + 1} to {self._seal.last} are missing; the ledger sealed them"
            self._findings.add(InferenceLogFault.CUT, self._sequence + 1, detail)
        if head is None:
            self._findings.add(InferenceLogFault.CUT, None, "the log has lost its head")
            return
        end, mac = head
        if (end.sequence, end.hash) != (self._sequence, self._hash):
            detail = f"the log ends with record {self._sequence}, and its head is record {end.sequence}"
            self._findings.add(InferenceLogFault.CUT, self._sequence + 1, detail)
        if self._keyring is not None and self._keyring.head_mac(end) != mac:
            detail = "the head of the log was not written with this log's key file"
            self._findings.add(InferenceLogFault.FORGED, end.sequence, detail)


def _digest(row: Row, previous: str) -> str:
    return chain.digest(row.sequence, row.at, row.key, previous, header=row.header, sealed=row.sealed)


def _following(seals: Seals | None, sequence: int) -> Iterator[SealedSegment]:
    """The sealed segments after a sequence number, each once."""
    last = sequence
    for seal in seals.segments if seals else ():
        if seal.last > last:
            yield seal
            last = seal.last


def _head(connection: Connection) -> tuple[Head, bytes] | None:
    query = f"SELECT sequence, hash, at, keys, erasures, mac FROM {database.HEAD}"  # noqa: S608
    rows = connection.rows(query)
    if len(rows) != 1:
        return None
    sequence, digest, at, keys, erasures, mac = rows[0]
    return Head(sequence=sequence, hash=digest, at=at, keys=keys, erasures=erasures), bytes(mac)


def _verify_keys(
    connection: Connection, keyring: Keyring | None, erasures: set[int], findings: _Findings
) -> int:
    """Compare the keys with the erasures in the log; how many are erased."""
    erased = 0
    missing = (
        f"SELECT r.key, MIN(r.sequence) FROM {database.RECORDS} r LEFT JOIN {database.KEYS} k "  # noqa: S608
        "ON k.number = r.key WHERE k.number IS NULL GROUP BY r.key ORDER BY r.key"
    )
    for number, sequence in connection.stream(missing):
        findings.add(InferenceLogFault.KEY, sequence, f"key {number} is gone, and nothing says why")
    query = f"SELECT number, wrapped FROM {database.KEYS} ORDER BY number"  # noqa: S608
    for number, wrapped in connection.stream(query):
        if wrapped is None:
            erased += 1
            if number not in erasures:
                findings.add(InferenceLogFault.KEY, None, f"key {number} was destroyed, and nothing says why")
        elif number in erasures:
            findings.add(InferenceLogFault.KEY, None, f"key {number} is back, although it was destroyed")
        elif keyring is not None:
            if not keyring.take(number, bytes(wrapped)):
                findings.add(InferenceLogFault.KEY, None, f"key {number} is not one of this log")
            keyring.forget()
    return erased
