"""Rows of a window and of the reference side by side: for the one rule that counts cannot answer.

The live rows are a seeded sample of the log. The reference rows are those of the version's own training,
by the digests in its signed evidence; rows that are not those are never compared.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clearance import wording
from clearance.data.tables import prepared
from clearance.errors import ClearanceError
from clearance.inference_log import InferenceLog
from clearance.models import scoring
from clearance.monitoring.counting import decision_counts, window_decisions
from clearance.monitoring.counting.windows import Span
from clearance.monitoring.watched_version import WatchedVersion
from clearance.versioning import dvc_objects

MOST_ROWS = 2_000
"""Decisions of a window that are read again from the log; of more, a random part."""
STILL_THERE = 0.9
"""The share of a window's decisions that the log must still hold for a sample to speak for them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowRows:
    """What the model was given: in `live` decisions, a sample of `decided` ones, and in `reference` rows."""

    live: pd.DataFrame
    reference: pd.DataFrame
    decided: int


def reference(root: Path, version: WatchedVersion) -> pd.DataFrame | str:
    """The inputs of the rows that the version's baseline counted its features in, or why there are none.

    From the checkout's prepared tables where these are the version's, else from DVC's cache or remote.
    """
    if version.baseline is None or version.prepared is None:
        return "the version has no baseline or no prepared tables"
    split, kinds = version.baseline.counted_in, version.kinds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        version.prepared.document.write(folder)
        place = folder / prepared.FOLDER
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to((root / prepared.FOLDER).resolve())
        try:
            return scoring.inputs(prepared.read(folder, split).inputs(kinds), kinds)
        except ClearanceError:  # another version's tables, or none: DVC keeps those of this one
            place.unlink()
        try:
            with dvc_objects.open_stores(root) as stores:
                stores.restore(version.prepared.name, place)
            return scoring.inputs(prepared.read(folder, split).inputs(kinds), kinds)
        except ClearanceError as error:
            return f"the {split} rows of the version are not to be had unchanged ({error.fault})"


def draw(
    log: InferenceLog, version: WatchedVersion, span: Span, rows: int, reader: str
) -> pd.DataFrame | str:
    """The inputs of at most `MOST_ROWS` of the `rows` decisions of a window, or why they say nothing.

    The same log gives the same sample. That `reader` read them is recorded. Raises IntegrityError when a
    record is not what was recorded.
    """
    sample = window_decisions.sample(
        log, (version.model, version.version), span.start, span.end, most=MOST_ROWS, reader=reader
    )
    own = [inference for inference in sample.inferences if inference.model.digest == version.content]
    there = len(own) * sample.each
    if not own or there < STILL_THERE * rows:
        return (
            f"the log still has {wording.count(round(there))} of the {wording.counted(rows, 'decision')}: "
            "the others were erased or deleted"
        )
    return decision_counts.frame(version, own)
