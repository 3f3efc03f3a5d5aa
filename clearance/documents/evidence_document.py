"""What every evidence document is: frozen and typed, with one reader, one writer and a schema version.

A stage that ran writes a `MeasuredDocument`; one that an earlier stage blocked writes a `BlockedDocument`
that says why. Both are read by the same call. Nothing here measures or decides.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from clearance import files, paths
from clearance.documents import codec, faults
from clearance.documents.measurement import Measurement

Measurements = Mapping[str, Measurement | Mapping[str, Measurement]]
"""A measurement by metric, or by metric and protected attribute."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What can be written: with the version of its schema, at a place in the project.

    `schema_version` 1 is also the version of documents written before they carried one.
    """

    schema_version: Literal[1] = 1

    path: ClassVar[Path]
    """Where the document lies, relative to the project's root."""

    @classmethod
    def create(cls, **content: Any) -> Self:
        """The document with these fields, typed or as JSON has them.

        Raises IntegrityError where one does not fit.
        """
        document: Self = _read(cls, json.loads(files.dumps(codec.write(content))), cls.path.as_posix())
        return document

    def to_json(self) -> dict[str, Any]:
        """The document as JSON can hold it."""
        content: dict[str, Any] = codec.write(self)
        return content

    def write(self, root: Path, path: Path | None = None) -> None:
        """Write the document below `root`, at its own path or at another one.

        Raises IntegrityError, and writes nothing, when its reader would refuse what would be written.
        """
        target = path or self.path
        text = files.dumps(self.to_json())
        _read(type(self), json.loads(text), target.as_posix())
        files.write_text(root / target, text)


@dataclass(frozen=True, kw_only=True)
class Document(_Written):
    """A JSON document with one reader."""

    @classmethod
    def from_json(cls, data: Any, name: str = "") -> Self:
        """The document in `data`. Raises IntegrityError that says where `data` does not fit.

        `name` is what the error calls the document; without it, where the document lies in a project.
        """
        document: Self = _read(cls, data, name or cls.path.as_posix())
        return document

    @classmethod
    def read(cls, root: Path) -> Self:
        """The document of the project at `root`. Raises IntegrityError when it is missing or does not fit."""
        return cls.from_json(files.read_json(root / cls.path))


@dataclass(frozen=True, kw_only=True)
class BlockedDocument(_Written):
    """The document of a stage that did not run because an earlier one blocked."""

    path: ClassVar[Path] = paths.BLOCKED

    because: str
    status: Literal["blocked"] = "blocked"
    measurements: Mapping[str, Measurement] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """False: nothing was measured."""
        return False

    @property
    def blocked_because(self) -> str:
        """Why nothing may follow from it."""
        return self.because

    @property
    def model_digest(self) -> None:
        """None: it is about no model."""
        return None

    def pass_on(self, report: Path, *folders: Path) -> None:
        """Write this as `report`, and as the only file of each output folder, below the working folder."""
        for folder in folders:
            with files.replacing_folder(folder) as empty:
                self.write(empty, paths.BLOCKED)
        self.write(Path(), report)
        logger.info("blocked: %s", self.because)


@dataclass(frozen=True, kw_only=True)
class MeasuredDocument(_Written):
    """The document of a stage that ran, with its measurements; a blocked document may be in its place."""

    blocked_document: ClassVar[type[BlockedDocument]] = BlockedDocument
    """What takes its place where an earlier stage blocked."""

    status: Literal["measured"] = "measured"
    because: None = None
    measurements: Measurements = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """True: its measurements were taken."""
        return True

    @property
    def blocked_because(self) -> str | None:
        """Why the stages that follow may not run; None where they may."""
        return None

    @property
    def model_digest(self) -> str | None:
        """The SHA-256 of the model it is about; None where it is about no model."""
        return None

    @classmethod
    def from_json(cls, data: Any, name: str = "") -> Self | BlockedDocument:
        """The document in `data`. Raises IntegrityError that says where `data` does not fit.

        `name` is what the error calls the document; without it, where the document lies in a project.
        """
        document: Self | BlockedDocument = _read(
            cls | cls.blocked_document, data, name or cls.path.as_posix()
        )
        return document

    @classmethod
    def read(cls, root: Path) -> Self | BlockedDocument:
        """The document of the project at `root`. Raises IntegrityError when it is missing or does not fit."""
        return cls.from_json(files.read_json(root / cls.path))


@dataclass(frozen=True, kw_only=True)
class UnusableDocument:
    """Stands for a document that is missing, unreadable, or about another model than the trained one."""

    status: Literal["missing", "unreadable", "stale"]
    because: str
    measurements: Mapping[str, Measurement] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """False: nothing may be read from it."""
        return False

    @property
    def model_digest(self) -> None:
        """None: it is about no model that could be compared."""
        return None


Evidence = MeasuredDocument | BlockedDocument | UnusableDocument
"""What a rule of a policy may find in the place of an evidence document."""

M = TypeVar("M", bound=MeasuredDocument)


def unless_blocked(document: M | BlockedDocument, report: Path, *folders: Path) -> M | None:
    """The document, or None where it blocks this stage; then the reason is passed on to the stage's outputs.

    `report` is what the stage writes, `folders` are its output folders, below the working folder.
    """
    because = document.blocked_because
    if isinstance(document, BlockedDocument) or because is not None:
        BlockedDocument(because=str(because)).pass_on(report, *folders)
        return None
    return document


def _read(kind: Any, data: Any, name: str) -> Any:
    try:
        return codec.read(kind, data)
    except codec.Misfit as misfit:
        raise faults.DOES_NOT_FIT(
            document=name,
            pointer=misfit.pointer or "/",
            expected=misfit.expected,
            actual=misfit.actual,
        ) from None
