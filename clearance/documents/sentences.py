"""The sentences that a document for people is made of: derived claims, signed statements and visible gaps.

A claim says which artefact each of its numbers was read from, so that it can be derived again; a statement
says who wrote it. A document holds fixed headings beside them and no other text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from clearance.documents import codec
from clearance.documents.codec import Sha256


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A place in an artefact: its path below the project, and a JSON Pointer (RFC 6901) into it."""

    artefact: str
    pointer: str


@dataclass(frozen=True, kw_only=True)
class Source(Reference):
    """Where a value of a claim is read, and the formatter that words it.

    `beside` are the limits that the value may be read against: its rounding never moves it past one.
    """

    formatter: str
    beside: tuple[Reference, ...] | None = field(default=None, metadata=codec.WHEN_SET)


@dataclass(frozen=True, kw_only=True)
class DerivedClaim:
    """A sentence derived from artefacts.

    `text` is `template` with each of its `values` in place, and `sources` says where each was read;
    `digests` are the SHA-256 of the artefacts, by path.
    """

    template: str
    sources: Mapping[str, Source]
    values: Mapping[str, str]
    text: str
    digests: Mapping[str, Sha256]
    kind: Literal["claim"] = "claim"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sentence that a person wrote: who, and on which day; `source` is where it stands, word for word."""

    text: str
    by: str
    on: str
    source: Reference
    digest: Sha256
    kind: Literal["statement"] = "statement"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What a document lacks, and the command or step that would fill it."""

    what: str
    command: str
    kind: Literal["gap"] = "gap"


Sentence = DerivedClaim | Statement | Gap
