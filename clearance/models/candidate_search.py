"""All candidates of a grid, fitted in parallel, and the one that ships.

Each is fitted in its own process with one thread, so that neither their number nor their order changes a
byte. A candidate that cannot be fitted is listed with the reason, never dropped.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import threadpoolctl

from clearance import params, stage
from clearance.models import candidates, faults, selection_rule
from clearance.models.candidates import Candidate, Setting
from clearance.models.faults import IncompatibleMitigation
from clearance.models.mitigations import MITIGATIONS
from clearance.models.tune_constraints import Stance

logger = logging.getLogger(__name__)

Pair = tuple[params.EstimatorChoice, params.Mitigation]


@dataclass(frozen=True, kw_only=True)
class SkippedCandidate:
    """A candidate that was not fitted, and why."""

    estimator: params.EstimatorChoice
    mitigation: params.Mitigation
    reason: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """All candidates in the order of the grid, and the choice among those that were fitted.

    `reference` is the chosen estimator without its mitigation, fitted after the choice where it was not a
    candidate: it serves as a comparison and can never be chosen. None where it is not needed.
    """

    tried: tuple[Candidate | SkippedCandidate, ...]
    choice: selection_rule.Choice
    reference: Candidate | None = None

    @property
    def fitted(self) -> tuple[Candidate, ...]:
        """The candidates that were fitted: what `choice` counts."""
        return tuple(candidate for candidate in self.tried if isinstance(candidate, Candidate))

    @property
    def chosen(self) -> Candidate:
        """The candidate that ships."""
        return self.fitted[self.choice.chosen]

    @property
    def before(self) -> Candidate | None:
        """The chosen estimator without a mitigation: a candidate, or else the reference."""
        unmitigated = (
            candidate
            for candidate in self.fitted
            if candidate.mitigation.method == "none" and candidate.estimator == self.chosen.estimator
        )
        return next(unmitigated, self.reference)


def select(setting: Setting, pairs: Sequence[Pair], *, allowed: bool, stance: Stance) -> Selection:
    """Fit every pair and choose one.

    `allowed` says whether the parameters allow protected attributes at decision time, `stance` what the
    policy says about them. Raises ConfigurationError when a pair needs what the parameters do not allow, when
    no pair could be fitted, and, for a single pair, with the reason why it could not.
    """
    _refuse_forbidden(pairs, allowed=allowed)
    tried = list(_fit_all(setting, pairs, stance))
    results = [candidate.result for candidate in tried if isinstance(candidate, Candidate)]
    if not results:
        reasons = dict.fromkeys(skipped.reason for skipped in tried if isinstance(skipped, SkippedCandidate))
        raise faults.NO_CANDIDATE_FITTED(reasons="; ".join(reasons))
    selection = Selection(tried=tuple(tried), choice=selection_rule.choose(results))
    if selection.before is not None:
        return selection
    return replace(selection, reference=_unmitigated(setting, selection.chosen))


def _unmitigated(setting: Setting, chosen: Candidate) -> Candidate:
    """The same estimator with the same arguments, search, seed and threshold rule, and no mitigation."""
    return candidates.fit(setting, chosen.estimator, params.Mitigation(method="none"))


def _refuse_forbidden(pairs: Sequence[Pair], *, allowed: bool) -> None:
    methods = {mitigation.method for _, mitigation in pairs}
    needing = sorted(method for method in methods if MITIGATIONS[method].needs_protected_at_decision)
    if needing and not allowed:
        raise faults.PROTECTED_NOT_ALLOWED(methods=", ".join(needing))


def _fit_all(setting: Setting, pairs: Sequence[Pair], stance: Stance) -> list[Candidate | SkippedCandidate]:
    if len(pairs) == 1:
        chosen, mitigation = pairs[0]
        if refusal := _refusal(mitigation, stance, alone=True):
            return [SkippedCandidate(estimator=chosen, mitigation=mitigation, reason=refusal)]
        return [candidates.fit(setting, chosen, mitigation)]
    refusals = [_refusal(mitigation, stance, alone=False) for _, mitigation in pairs]
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    workers = max(1, min(len(pairs), os.cpu_count() or 1))
    with ProcessPoolExecutor(workers, context, initializer=_share, initargs=(setting,)) as pool:
        futures = [
            None if refusal else pool.submit(_fit, *pair)
            for pair, refusal in zip(pairs, refusals, strict=True)
        ]
        _report_progress([future for future in futures if future is not None])
        return [
            SkippedCandidate(estimator=pair[0], mitigation=pair[1], reason=refusal or "")
            if future is None
            else future.result()
            for pair, refusal, future in zip(pairs, refusals, futures, strict=True)
        ]


def _report_progress(futures: Sequence[Future[Candidate | SkippedCandidate]]) -> None:
    """Log how many of the candidates are done, now and whenever one of them ends."""
    number = itertools.count(1)

    def log(_: object) -> None:
        logger.info(stage.PROGRESS, next(number), len(futures), "candidates")

    logger.info(stage.PROGRESS, 0, len(futures), "candidates")
    for future in futures:
        future.add_done_callback(log)


def _refusal(mitigation: params.Mitigation, stance: Stance, *, alone: bool) -> str | None:
    """Why a mitigation is not even fitted. A single one is fitted: the judgement refuses it."""
    if not MITIGATIONS[mitigation.method].needs_protected_at_decision or stance == "allowed":
        return None
    if stance == "not named":
        return (
            f"{mitigation.method} takes in protected attributes, and no rule of the policy says that it may"
        )
    return None if alone else f"{mitigation.method} takes in protected attributes, which the policy forbids"


_shared: list[Setting] = []


def _share(setting: Setting) -> None:
    """In a worker: keep what all candidates share."""
    _shared[:] = [setting]


def _fit(chosen: params.EstimatorChoice, mitigation: params.Mitigation) -> Candidate | SkippedCandidate:
    with threadpoolctl.threadpool_limits(1):
        try:
            return candidates.fit(_shared[0], chosen, mitigation)
        except IncompatibleMitigation as error:
            return SkippedCandidate(estimator=chosen, mitigation=mitigation, reason=error.fault)
