"""What two tables showed when one was compared with the other: no model, no log, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearance.documents import codec
from clearance.documents.codec import WHEN_SET, Count, Sha256
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome


@dataclass(frozen=True, kw_only=True)
class ComparedTable:
    """A table by its path as given, and its rows."""

    path: str
    rows: Count


@dataclass(frozen=True, kw_only=True)
class TableLook:
    """A comparison of two tables.

    `level` is the probability of a failed rule without any change. `sampled_rows` is how many rows of the
    reference chose the cells; counts are of all rows. `not_judged` says why, by column. `policy` and its
    digest are None where a threshold alone was given.
    """

    reference: ComparedTable
    current: ComparedTable
    policy: str | None = field(default=None, metadata=WHEN_SET)
    policy_sha256: Sha256 | None = field(default=None, metadata=WHEN_SET)
    level: float
    sampled_rows: Count
    outcome: Outcome
    findings: tuple[LiveFinding, ...]
    not_judged: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The comparison as a JSON value."""
        content: dict[str, Any] = codec.write(self)
        return content

    @classmethod
    def from_json(cls, data: Any) -> TableLook:
        """Read a comparison back. Raises `codec.Misfit` on what does not fit."""
        look: TableLook = codec.read(cls, data)
        return look
