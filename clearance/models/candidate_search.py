"""All candidates of a grid, fitted side by side, and the one that ships.

Each is fitted in a process of its own with one thread, so that neither their number nor their order moves a
byte. What cannot be fitted is listed with its reason, never dropped.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import threadpoolctl

from clearance import params
from clearance.errors import ConfigurationError
from clearance.models import candidates, selection_rule
from clearance.models.candidates import Candidate, Setting
from clearance.models.mitigations import MITIGATIONS, IncompatibleMitigation
from clearance.models.tune_constraints import Stance

Pair = tuple[params.EstimatorChoice, params.Mitigation]


@dataclass(frozen=True, kw_only=True)
class SkippedCandidate:
    """A candidate that was not fitted, and why."""

    estimator: params.EstimatorChoice
    way: params.Mitigation
    because: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """All candidates in the order of the grid, and the choice among those that were fitted.

    `reference` is the chosen estimator without its mitigation, fitted after the choice where that was no
    candidate: it is there to be compared with and can never be chosen. None where it is not needed.
    """

    tried: tuple[Candidate | SkippedCandidate, ...]
    choice: selection_rule.Choice
    reference: Candidate | None = None

    @property
    def fitted(self) -> tuple[Candidate, ...]:
        """The candidates that were fitted: what `choice` counts."""
        return tuple(each for each in self.tried if isinstance(each, Candidate))

    @property
    def chosen(self) -> Candidate:
        """The candidate that ships."""
        return self.fitted[self.choice.chosen]

    @property
    def before(self) -> Candidate | None:
        """The chosen estimator without a mitigation: a candidate, or else the reference."""
        plain = (each for each in self.fitted if each.way.method == "none")
        return next((each for each in plain if each.estimator == self.chosen.estimator), self.reference)


def select(setting: Setting, pairs: Sequence[Pair], *, allowed: bool, stance: Stance) -> Selection:
    """Fit every pair and choose one.

    `allowed` is what the parameters say about protected attributes at decision time, `stance` what the policy
    says. Raises ConfigurationError when the parameters ask for what they do not allow, when nothing could be
    fitted, and, where one pair is all there is, why that one could not.
    """
    _refuse_forbidden(pairs, allowed=allowed)
    tried = list(_fit_all(setting, pairs, stance))
    fitted = [each.scored for each in tried if isinstance(each, Candidate)]
    if not fitted:
        reasons = dict.fromkeys(each.because for each in tried if isinstance(each, SkippedCandidate))
        raise ConfigurationError(
            f"no candidate could be fitted: {'; '.join(reasons)}",
            "name other mitigations or estimators in `train`, or ask whoever owns the policy",
        )
    found = Selection(tried=tuple(tried), choice=selection_rule.choose(fitted))
    return found if found.before else replace(found, reference=_unmitigated(setting, found.chosen))


def _unmitigated(setting: Setting, chosen: Candidate) -> Candidate:
    """The same estimator with the same arguments, search, seed and threshold rule, and no mitigation."""
    return candidates.fit(setting, chosen.estimator, params.Mitigation(method="none"))


def _refuse_forbidden(pairs: Sequence[Pair], *, allowed: bool) -> None:
    asking = sorted({way.method for _, way in pairs if MITIGATIONS[way.method].needs_protected_at_decision})
    if asking and not allowed:
        raise ConfigurationError(
            f"{', '.join(asking)} takes in protected attributes for every decision, which nobody has allowed",
            "choose another mitigation, or set `train.protected_at_decision`; the policy must allow it too",
        )


def _fit_all(setting: Setting, pairs: Sequence[Pair], stance: Stance) -> list[Candidate | SkippedCandidate]:
    if len(pairs) == 1:
        chosen, way = pairs[0]
        if refusal := _refusal(way, stance, alone=True):
            return [SkippedCandidate(estimator=chosen, way=way, because=refusal)]
        return [candidates.fit(setting, chosen, way)]
    refusals = [_refusal(way, stance, alone=False) for _, way in pairs]
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    workers = max(1, min(len(pairs), os.cpu_count() or 1))
    with ProcessPoolExecutor(workers, context, initializer=_settle, initargs=(setting,)) as pool:
        waiting = [
            None if refusal else pool.submit(_fit, *pair)
            for pair, refusal in zip(pairs, refusals, strict=True)
        ]
        return [
            SkippedCandidate(estimator=pair[0], way=pair[1], because=refusal or "")
            if future is None
            else future.result()
            for pair, refusal, future in zip(pairs, refusals, waiting, strict=True)
        ]


def _refusal(way: params.Mitigation, stance: Stance, *, alone: bool) -> str | None:
    """Why a mitigation is not even fitted. One that is named alone is judged, and refused there."""
    if not MITIGATIONS[way.method].needs_protected_at_decision or stance == "allowed":
        return None
    if stance == "not named":
        return f"{way.method} takes in protected attributes, and no rule of the policy says that it may"
    return None if alone else f"{way.method} takes in protected attributes, which the policy forbids"


_shared: list[Setting] = []


def _settle(setting: Setting) -> None:
    """In a worker: what all candidates share, handed over once."""
    _shared[:] = [setting]


def _fit(chosen: params.EstimatorChoice, way: params.Mitigation) -> Candidate | SkippedCandidate:
    with threadpoolctl.threadpool_limits(1):
        try:
            return candidates.fit(_shared[0], chosen, way)
        except IncompatibleMitigation as error:
            return SkippedCandidate(estimator=chosen, way=way, because=error.fault)
