"""Whether the source holds the drifted window already, so that a retraining learns from it.

The log of decisions has no labels and no protected attributes, so its rows are never trained on. The source
can have them: this counts how many of those who were decided on are among its rows with a label.
"""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Collection, Set
from dataclasses import dataclass
from pathlib import Path

from clearance import isolation, params, paths, wording
from clearance.data.sources import bindings, column_types, duckdb_engine, source_faults
from clearance.monitoring.alerts import faults
from clearance.monitoring.counting import window_decisions
from clearance.promotion import inference_trail, session
from clearance.trust.roles import Right

PURPOSE = "a retraining asks which of its window the source has"


@dataclass(frozen=True, kw_only=True)
class DecidedKeys:
    """Who was decided on in a window: their keys, and how many decisions name none or were erased."""

    keys: frozenset[str]
    unnamed: int = 0


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of a drifted window the source has labels of: `labelled` of `decided` keys.

    Each of `unnamed` decisions without a key counts as one that the source has not.
    """

    decided: int
    labelled: int
    unnamed: int

    @property
    def share(self) -> float:
        """In [0, 1]: 1 when everybody is among the labelled rows; 0 for a window without decisions."""
        total = self.decided + self.unnamed
        return self.labelled / total if total else 0.0

    def __str__(self) -> str:
        unnamed = f" and {wording.counted(self.unnamed, 'decision')} without a key" if self.unnamed else ""
        return (
            f"the source has labels of {wording.percent(self.share)} of the drifted window "
            f"({wording.count(self.labelled)} of {wording.counted(self.decided, 'key')}{unnamed})"
        )


def coverage(decided: DecidedKeys, labelled: Set[str]) -> Coverage:
    """The coverage of a window by the keys of the rows that have a label."""
    return Coverage(decided=len(decided.keys), labelled=len(decided.keys & labelled), unnamed=decided.unnamed)


def ensure(root: Path, version: int, window: tuple[dt.datetime, dt.datetime], wanted: float) -> Coverage:
    """The coverage of a window of a version's decisions by a fresh copy of the source.

    Raises UnavailableError while it is below `wanted` or the source does not answer, ConfigurationError where
    no key is declared or there is no log, ReleaseRefused without the right to watch, and what reading raises.
    """
    settings = params.load(root / paths.PARAMS)
    key = settings.data.entity or settings.data.row_key
    if key is None:
        raise faults.NO_KEY_DECLARED()
    decided = read_decided(root, settings.name, version, window)
    _take_snapshot(root, settings.source)
    found = coverage(decided, read_labelled(root, settings, key, decided.keys))
    if found.share < wanted:
        raise faults.WINDOW_NOT_IN_SOURCE(coverage=found, wanted=wording.percent(wanted), key=key)
    return found


def read_decided(root: Path, name: str, version: int, window: tuple[dt.datetime, dt.datetime]) -> DecidedKeys:
    """Who the version decided on in the window, from the log; that it was read is recorded there."""
    keys, unnamed = set[str](), 0
    with session.open_session(root) as acting, inference_trail.opened(root) as log:
        acting.demand(Right.WATCH, name, f"watch the decisions of {name}")
        reader = acting.acting.person.identity
        for decision in window_decisions.read(log, (name, version), *window, reader=reader, reason=PURPOSE):
            subject = None if decision.inference is None else decision.inference.subject
            if subject is None:
                unnamed += 1
            else:
                keys.add(subject)
    return DecidedKeys(keys=frozenset(keys), unnamed=unnamed)


def read_labelled(root: Path, settings: params.Params, key: str, wanted: Collection[str]) -> frozenset[str]:
    """Those of the `wanted` keys that a row with a label has in the column `key` of the source, as texts.

    Raises ConfigurationError where the source has no such column, BusyError while another process reads it,
    and what reading it raises.
    """
    source = settings.source.model_copy(update={"path": str(root / settings.source.path)})
    with (
        duckdb_engine.session(root / duckdb_engine.HOME) as connection,
        source_faults.translated_errors(),
    ):
        bindings.bind(connection, source, column_types.ColumnUses.of(source, settings.data))
        select = source.select or "SELECT * FROM source"
        duckdb_engine.check_select(connection, select)
        rows = connection.sql(select)
        target = settings.data.target
        for name in (key, target):
            if name not in rows.columns:
                raise faults.COLUMN_NOT_IN_SOURCE(column=name)
        labelled = rows.filter(f"{duckdb_engine.name(target)} IS NOT NULL")
        keys = labelled.project(f"CAST({duckdb_engine.name(key)} AS VARCHAR)").to_arrow_reader()
        known = frozenset(wanted)
        return frozenset(text for batch in keys for text in batch.column(0).to_pylist() if text in known)


def _take_snapshot(root: Path, source: params.Source) -> None:
    """Ask a source that DVC cannot watch again; other sources are read as they are."""
    if not source.is_snapshot:
        return
    status = subprocess.run(  # noqa: S603 - our own module
        isolation.command("-m", "tasks.snapshot"),
        cwd=root,
        env=isolation.effect_variables(signs=False),
        check=False,
    ).returncode
    if status:
        raise faults.SNAPSHOT_FAILED(status=status)
