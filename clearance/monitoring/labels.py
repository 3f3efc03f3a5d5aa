"""Labels of decisions, as they come in: from a file to further counts, once each, corrections included.

A label names a decision, or an entity whose decision it is. What is kept of it is a digest of the decision's
id with the label, so that the same label counts once and another one corrects it; after `KEPT` it is deleted,
and later labels of such a decision are refused.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clearance import labels as texts
from clearance import params, paths
from clearance.inference_log import InferenceLog
from clearance.inference_log.reading import LoggedDecision
from clearance.inference_log.records import FAVOURABLE
from clearance.monitoring import faults, run
from clearance.monitoring.counting import database, decision_counts, store, sums
from clearance.monitoring.counting.store import VersionHour
from clearance.monitoring.counting.window_counts import Groups, WindowCounts
from clearance.monitoring.run import Monitor

KEPT = dt.timedelta(days=2 * 366)
"""How long after a decision its label may be added or corrected."""
REASON = "labels"


@dataclass(frozen=True, kw_only=True)
class GivenLabel:
    """A row of a file: the decision's id or the entity, the label (1: favourable), and its row number.

    `time` is when the label was known; of an entity with several decisions, it is that of the last before.
    """

    row: int
    decision: str | None
    entity: str | None
    label: int
    time: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class LabelsAdded:
    """What became of the rows of a file.

    `unknown` are the row numbers whose decision or entity is not on record, or was erased; `late` those of
    decisions longer ago than `KEPT`.
    """

    rows: int
    added: int
    corrected: int
    repeated: int
    unknown: tuple[int, ...]
    late: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "rows": self.rows,
            "added": self.added,
            "corrected": self.corrected,
            "repeated": self.repeated,
            "unknown_rows": list(self.unknown),
            "late_rows": list(self.late),
        }


def read(path: Path, data: params.Data, now: dt.datetime) -> list[GivenLabel]:
    """The labels in a CSV or Parquet file: columns `decision` or `entity`, `label`, and perhaps `time`.

    `id` is the id of a decision as well, as in what `clearance predict` writes, and goes before the others. A
    label is a value of the target column. Rows that say the same are one. Raises DataError where the file
    cannot be read, lacks a column, has a label that the target does not have, or one from after `now`.
    """
    table = _table(path)
    columns = set(table.columns)
    ids = {"id"} & columns or columns & {"decision", "entity"}
    if "label" not in columns or len(ids) != 1:
        listed = ", ".join(map(str, table.columns)) or "none"
        raise faults.LABELS_COLUMNS(path=path, columns=listed)
    (by,) = ids
    times = _times(path, table) if "time" in columns else [None] * len(table)
    values = [_text(value) for value in table["label"]]
    favourable = texts.text(data.favourable)
    known = _known_values(data, values)
    given = []
    for row, (name, value, time) in enumerate(zip(table[by], values, times, strict=True), start=1):
        if time is not None and time > now:
            raise faults.LABEL_AHEAD(path=path, row=row, time=time.isoformat())
        if value is None or value not in known or _text(name) is None:
            raise faults.LABEL_UNKNOWN(
                path=path, row=row, label=value, target=data.target, favourable=data.favourable
            )
        given.append(
            GivenLabel(
                row=row,
                decision=None if by == "entity" else _text(name),
                entity=_text(name) if by == "entity" else None,
                label=int(value == favourable),
                time=time,
            )
        )
    return given


def _known_values(data: params.Data, values: Sequence[str | None]) -> set[str | None]:
    """The values of the target: those declared, or the favourable one and the first other one given."""
    favourable = texts.text(data.favourable)
    declared = data.columns[data.target].values if data.target in data.columns else None
    if declared:
        return {favourable, *map(texts.text, declared)}
    return {favourable, next((value for value in values if value not in (None, favourable)), None)}


def _table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError, pd.errors.ParserError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise faults.LABELS_NOT_READABLE(path=path, why=why) from None


def _times(path: Path, table: pd.DataFrame) -> list[dt.datetime | None]:
    try:
        moments = pd.to_datetime(table["time"], utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise faults.LABELS_NOT_READABLE(path=path, why=f"column time: {error}") from None
    return [None if pd.isna(moment) else moment.to_pydatetime() for moment in moments]


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else texts.text(value.item() if isinstance(value, np.generic) else value)


def matched(given: Sequence[GivenLabel], decisions: Sequence[LoggedDecision]) -> dict[int, LoggedDecision]:
    """The decision of each label by the label's row number; labels of no decision on record are left out.

    Of an entity it is the last decision before the label's time; the last of all without a time.
    """
    readable = [decision for decision in decisions if decision.inference is not None]
    by_id = {decision.id: decision for decision in readable}
    by_entity: dict[str, list[LoggedDecision]] = {}
    for decision in readable:
        if decision.inference and decision.inference.subject is not None:
            by_entity.setdefault(decision.inference.subject, []).append(decision)
    pairs = {}
    for label in given:
        match = by_id.get(label.decision or "")
        if label.entity is not None:
            before = [
                candidate
                for candidate in by_entity.get(label.entity, ())
                if label.time is None or (candidate.inference and candidate.inference.time <= label.time)
            ]
            match = before[-1] if before else None
        if match is not None:
            pairs[label.row] = match
    return pairs


def add(monitor: Monitor, log: InferenceLog, path: Path) -> LabelsAdded:
    """Count the labels in a file. The same file again, or after a kill, counts nothing twice.

    Raises as `read`, and DataError where the file has two labels for one decision.
    """
    given = read(path, params.load(monitor.acting.root / paths.PARAMS).data, monitor.now)
    decisions = log.find(
        ids=[label.decision for label in given if label.decision is not None],
        subjects=[label.entity for label in given if label.entity is not None],
        reader=monitor.acting.acting.person.identity,
        reason=REASON,
    )
    own = [decision for decision in decisions if run.is_own(monitor, decision)]
    pairs = matched(given, own)
    fresh = {
        row: decision
        for row, decision in pairs.items()
        if decision_counts.hour_of(decision) >= monitor.now - KEPT
    }
    first = _one_each(path, given, fresh)
    before, outcome = _put(monitor, [(label, fresh[label.row]) for label in first.values()]), Counter[str]()
    for label in first.values():
        known = before.get(store.label_key(fresh[label.row].id))
        outcome["added" if known is None else "repeated" if known == label.label else "corrected"] += 1
    return LabelsAdded(
        rows=len(given),
        added=outcome["added"],
        corrected=outcome["corrected"],
        repeated=outcome["repeated"] + len(fresh) - len(first),
        unknown=tuple(label.row for label in given if label.row not in pairs),
        late=tuple(sorted(pairs.keys() - fresh.keys())),
    )


def _one_each(
    path: Path, given: Sequence[GivenLabel], pairs: Mapping[int, LoggedDecision]
) -> dict[str, GivenLabel]:
    """The label of each decision by its id. Raises DataError where two rows contradict each other."""
    first: dict[str, GivenLabel] = {}
    for label in given:
        if label.row in pairs:
            earlier = first.setdefault(pairs[label.row].id, label)
            if earlier.label != label.label:
                raise faults.LABEL_CONTRADICTION(path=path, first=earlier.row, second=label.row)
    return first


def _put(monitor: Monitor, labelled: Sequence[tuple[GivenLabel, LoggedDecision]]) -> dict[str, int]:
    """Store the labels with the counts they change, in one transaction; the labels that were there before."""
    cells = {decision.id: (_hour(monitor, decision), _cell(monitor, decision)) for _, decision in labelled}
    with database.transaction(monitor.engine) as connection:
        names = [store.label_key(decision.id) for _, decision in labelled]
        before = store.known_labels(connection, monitor.name, names)
        changes: dict[VersionHour, Counter[Any]] = {}
        for label, decision in labelled:
            hour, cell = cells[decision.id]
            known = before.get(store.label_key(decision.id))
            if known != label.label:
                own = changes.setdefault(hour, Counter())
                own[*cell, label.label] += 1
                if known is not None:
                    own[*cell, known] -= 1
        store.insert_counts(connection, monitor.name, {hour: _of(own) for hour, own in changes.items()})
        new = {
            store.label_key(decision.id): (label.label, cells[decision.id][0].hour)
            for label, decision in labelled
        }
        store.put_labels(connection, monitor.name, new, before, oldest=monitor.now - KEPT)
    return before


def _of(labelled: Mapping[Any, int]) -> WindowCounts:
    return replace(sums.empty(), labelled={key: count for key, count in labelled.items() if count})


def _hour(monitor: Monitor, decision: LoggedDecision) -> VersionHour:
    version = monitor.version(decision.model.version)
    hour = decision_counts.hour_of(decision)
    return VersionHour(version=version.version, content=version.content, hour=hour)


def _cell(monitor: Monitor, decision: LoggedDecision) -> tuple[Groups, int, int]:
    """The groups, the score cell and the decision."""
    version, inference = monitor.version(decision.model.version), decision.inference
    if inference is None:
        raise ValueError("a decision whose content was erased has no cell")
    score = np.array([np.nan if inference.score is None else inference.score])
    at = 0 if version.baseline is None else int(decision_counts.score_places(version.baseline, score)[0])
    groups = monitor.groups(inference.subject, inference.time)
    return groups, at, int(inference.decision == FAVOURABLE)
