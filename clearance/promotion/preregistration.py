"""Preregistration: how a model is judged is in the ledger before its test rows are first scored.

Decides whether the bar of a version was set before its result was known. What no entry shows to be earlier
counts as later: an entry proves that the bar was known then, not that nobody had seen a score elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clearance import files, params, paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.ledger import Entry, EntryKind, events
from clearance.promotion.session import open_session
from clearance.trust.roles import Right
from clearance.versioning import git

E = TypeVar("E", bound=events.Event)


@dataclass(frozen=True, kw_only=True)
class Preregistration:
    """When the bar of a version was set, and when its result was recorded; None where no entry says so.

    `objection` says why the bar does not count as set before the result; None where it does.
    """

    bar_at: dt.datetime | None
    result_at: dt.datetime | None
    entry: int | None
    objection: str | None

    @property
    def is_before_result(self) -> bool:
        """Whether the ledger shows that the bar was set before the result."""
        return self.objection is None

    def __str__(self) -> str:
        if self.objection is not None or self.bar_at is None or self.result_at is None:
            return f"bar known to be set after the result: {self.objection}"
        return f"bar set {_stamp(self.bar_at)} (entry {self.entry}), result {_stamp(self.result_at)}"


def _stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def of_project(root: Path) -> events.PreregistrationEvent | None:
    """How the model trained below `root` is going to be judged; None where no model was trained.

    Raises IntegrityError when a document is missing or does not fit, ConfigurationError when parameters or
    policy cannot be read.
    """
    training, split = TrainingDocument.read(root), SplitDocument.read(root)
    if isinstance(training, BlockedDocument) or isinstance(split, BlockedDocument):
        return None
    settings = params.load(root / paths.PARAMS)
    return events.PreregistrationEvent(
        model_file=training.model.sha256,
        policy=files.sha256(root / settings.policy.file),
        as_of=settings.policy.as_of.isoformat(),
        test_rows=split.row_digests["test"],
        seed=settings.seed,
    )


def record(root: Path) -> Entry | None:
    """Record how the model trained below `root` is going to be judged, unless the ledger holds that already.

    Returns the new entry; None where there is nothing to record, or the person lacks the right to propose.
    Raises as `of_project` and `open_session` do.
    """
    event = of_project(root)
    if event is None:
        return None
    name = params.load(root / paths.PARAMS).name
    with open_session(git.checkout_of(root)) as session:
        if not session.may(Right.PROPOSE):
            return None
        if any(entry.read(events.PreregistrationEvent) == event for entry in session.entries(name)):
            return None
        (entry,) = session.record(session.draft(EntryKind.PREREGISTRATION, name, **event.to_body()))
        return entry


def of_version(
    entries: Sequence[Entry], version: int, model_files: Collection[str], policy: str
) -> Preregistration:
    """Whether the bar of a candidate was set before its result.

    `entries` are those of its model, `model_files` the SHA-256 of the files of the candidate's model,
    `policy` that of the policy that judged it. Only the first entry about this model and these
    test rows counts: one that follows a score could fit it.
    """
    verdicts = _of(entries, events.VerdictEvent)
    result = next(((entry, event) for entry, event in verdicts if event.version == version), None)
    if result is None or (facts := result[1].attempt) is None:
        return _after(None, None, "the ledger holds no verdict on it that names its test rows")
    bar = next(
        (
            (entry, event)
            for entry, event in _of(entries, events.PreregistrationEvent)
            if event.model_file in model_files and event.test_rows == facts.test_rows
        ),
        None,
    )
    if bar is None:
        return _after(None, result[0], "no entry of the ledger states it before")
    entry, event = bar
    pairs = {"policy": (event.policy, policy), "seed": (event.seed, facts.seed)}
    if differing := [name for name, (stated, judged) in pairs.items() if stated != judged]:
        return _after(entry, result[0], f"entry {entry.number} states another {' and '.join(differing)}")
    if entry.number > result[0].number:
        return _after(entry, result[0], f"entry {entry.number} is later than the verdict")
    return Preregistration(bar_at=entry.at, result_at=result[0].at, entry=entry.number, objection=None)


def _of(entries: Sequence[Entry], kind: type[E]) -> Iterator[tuple[Entry, E]]:
    """The entries of a kind, each with what it says."""
    return ((entry, event) for entry in entries if (event := entry.read(kind)))


def _after(bar: Entry | None, result: Entry | None, objection: str) -> Preregistration:
    return Preregistration(
        bar_at=None if bar is None else bar.at,
        result_at=None if result is None else result.at,
        entry=None if bar is None else bar.number,
        objection=objection,
    )
