"""Champion and challenger on the same live rows: the paired test of their decisions, from counts alone.

The label of a live row is not known, so quality cannot be compared here; how often each decides favourably
can. Nothing here decides whether the challenger may follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clearance import params, paths, registry, wording
from clearance.documents.measurement import Measurement
from clearance.metrics import paired, paired_intervals
from clearance.policy.serving_terms import ServingTerms
from clearance.promotion import challenger, session, version_record
from clearance.serving.live_counts import FILE, Key, LiveCounts

CONFIDENCE = 0.95
PAIRS, LOST = "shadow_pairs", "shadow_lost"
"""The kinds of counts: decisions of champion and challenger on the same row, and rows without a score."""


@dataclass(frozen=True, kw_only=True)
class ShadowSummary:
    """What is known of two versions on `rows` that both decided.

    `change` is the challenger's selection rate minus the champion's, in [-1, 1], 0 for no change, with
    Tango's score interval. `mcnemar_p`, in (0, 1], is small where the difference is hardly chance. `lost` are
    rows without a score, by reason.
    """

    champion: int
    challenger: int
    hours: int
    rows: int
    champion_favourable: int
    challenger_favourable: int
    decided_differently: int
    change: Measurement
    mcnemar_p: float
    lost: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON value."""
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "window_hours": self.hours,
            "rows": self.rows,
            "favourable": {"champion": self.champion_favourable, "challenger": self.challenger_favourable},
            "decided_differently": self.decided_differently,
            "selection_rate_change": self.change.to_json(),
            "mcnemar_p": self.mcnemar_p,
            "lost": dict(self.lost),
        }

    def lines(self) -> list[str]:
        """The summary for a terminal."""
        rows = wording.count(self.rows)
        versions = f"version {self.challenger} in shadow of version {self.champion}"
        lines = [f"{versions}, last {self.hours} h: {rows} rows"]
        if self.rows:
            value = wording.measurement(self.change.to_json())
            lines += [
                f"  decided differently: {wording.count(self.decided_differently)} "
                f"(McNemar's exact p {self.mcnemar_p:.3g})",
                f"  selection rate, challenger - champion: {value}",
            ]
        lost = ", ".join(f"{reason} {count}" for reason, count in sorted(self.lost.items()))
        return [*lines, f"  not scored: {lost or 'none'}"]


def summarise(
    pairs: Mapping[Key, int],
    lost: Mapping[Key, int],
    *,
    champion: tuple[int, str],
    challenger: tuple[int, str],
    hours: int,
) -> ShadowSummary:
    """The summary of two versions, each given by number and evidence digest, from the counts of a window."""
    square = np.zeros((2, 2), dtype=np.int64)
    for (*versions, one, other), count in pairs.items():
        if tuple(versions) == (*champion, *challenger):
            square[one, other] += count
    return ShadowSummary(
        champion=champion[0],
        challenger=challenger[0],
        hours=hours,
        rows=int(square.sum()),
        champion_favourable=int(square[1].sum()),
        challenger_favourable=int(square[:, 1].sum()),
        decided_differently=int(square[0, 1] + square[1, 0]),
        change=paired.change(square, CONFIDENCE),
        mcnemar_p=paired_intervals.mcnemar(square),
        lost={
            str(reason): count for (version, reason), count in lost.items() if version in (0, challenger[0])
        },
    )


def read(root: Path, hours: int | None = None) -> ShadowSummary | None:
    """The summary of the project's champion and challenger on this machine; None without one of them.

    `hours` None: as many as a policy asks for by default. Raises IntegrityError when ledger and registry name
    different challengers.
    """
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        named = challenger.present(reader, registry.connect(), name)
        tenure = version_record.champion(reader.entries(name), name)
    if named is None or tenure is None:
        return None
    counts, window = LiveCounts(root / FILE), hours or ServingTerms().window_hours
    return summarise(
        counts.since(PAIRS, window),
        counts.since(LOST, window),
        champion=(tenure.version, tenure.content or ""),
        challenger=(named.version, named.content),
        hours=window,
    )
