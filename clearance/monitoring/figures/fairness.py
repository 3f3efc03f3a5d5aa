"""Fairness of live decisions: by attribute or intersection, alone and against the evidence. From counts.

Groups of the evidence that hardly show in the window are never passed over: what they would show is not
known, so the figure can then fail a limit, but not pass it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from scipy import stats

from clearance.documents.baseline_document import BaselineDocument, GroupReference
from clearance.documents.group_names import MISSING
from clearance.documents.measurement import INTERSECTION
from clearance.metrics import extremes, intervals, rates, significance
from clearance.metrics.counts import Cells
from clearance.monitoring.counting.window_counts import Groups, WindowCounts
from clearance.monitoring.figures import contrasts, estimates, label_coverage
from clearance.monitoring.figures.contrasts import Term
from clearance.monitoring.figures.estimates import Estimate, Figure, Interval, Undefined
from clearance.policy import schema
from clearance.policy.monitoring_terms import LiveRule

PREFIX = "fairness."
DRAWS = 10_000
"""Draws behind the false-alarm probability of a plain figure."""
SEED = 20_260_101

_RATES: Mapping[str, tuple[str, ...]] = {
    "demographic_parity_difference": ("selection_rate",),
    "demographic_parity_ratio": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "average_odds_difference": ("true_positive_rate", "false_positive_rate"),
}
RATIO = "demographic_parity_ratio"
_LABELS = frozenset({"equal_opportunity_difference", "average_odds_difference"})

Tables = Mapping[str, Cells]


def measure(
    rule: LiveRule, name: str, window: WindowCounts, baseline: BaselineDocument, label_share: float
) -> Figure:
    """The rule's `fairness` metric for one attribute or intersection (`race & sex`).

    Undefined with fewer than two groups that have `minimum_support` rows. Figures of error rates are not
    evaluated until labels of `label_share` of the decisions are in, and where labels are selective.
    """
    metric = rule.metric.removeprefix(PREFIX)
    decided = decisions_by_group(name, window, baseline)
    if metric == "unknown_share":
        return _unknown_share(name, decided, baseline)
    if metric not in _LABELS:
        return _compare(rule, decided, references(name, baseline), None)
    coverage = label_coverage.coverage(window)
    if hole := coverage.hole(label_share):
        return Undefined(undefined=hole, rows=sum(coverage.labelled), evaluated=False)
    labelled = labelled_by_group(name, window, baseline)
    share = label_coverage.SELECTIVE * sum(coverage.labelled) / sum(coverage.decisions)
    behind = {group for group, cells in decided.items() if labelled[group].count < share * cells.count}
    return _compare(rule, labelled, references(name, baseline), coverage.assumption, behind)


def selection_rates(
    name: str, window: WindowCounts, baseline: BaselineDocument, minimum: int
) -> dict[str, Figure]:
    """For each group of an attribute or intersection, its selection rate less its rate in the evidence.

    In [-1, 1]. Undefined for a group with fewer than `minimum` decisions, and for one that the evidence does
    not have.
    """
    tables = decisions_by_group(name, window, baseline)
    known = references(name, baseline)
    return {
        group: _selection_rate(group, cells, known.get(group), minimum)
        for group, cells in tables.items()
        if group != MISSING
    }


def decisions_by_group(name: str, window: WindowCounts, baseline: BaselineDocument) -> dict[str, Cells]:
    """All decisions by group, those of the evidence included; as if every label were favourable."""
    counts: Counter[tuple[str, int]] = Counter()
    parts = _parts(name, baseline)
    names: dict[int, str] = {}  # the same groups are mostly the same object, and slow to hash
    for (groups, _, decision), count in window.decisions.items():
        if (group := names.get(id(groups))) is None:
            names[id(groups)] = group = _group(parts, groups)
        counts[group, decision] += count
    return {
        group: Cells(true_positive=counts[group, 1], false_negative=counts[group, 0])
        for group in _names((group for group, _ in counts), name, baseline)
    }


def labelled_by_group(name: str, window: WindowCounts, baseline: BaselineDocument) -> dict[str, Cells]:
    """Labelled decisions by group, those of the evidence included."""
    counts: Counter[tuple[str, int, int]] = Counter()
    parts = _parts(name, baseline)
    for (groups, _, decision, label), count in window.labelled.items():
        counts[_group(parts, groups), decision, label] += count
    return {
        group: Cells(
            true_positive=counts[group, 1, 1],
            false_positive=counts[group, 1, 0],
            false_negative=counts[group, 0, 1],
            true_negative=counts[group, 0, 0],
        )
        for group in _names((group for group, _, _ in counts), name, baseline)
    }


def references(name: str, baseline: BaselineDocument) -> Mapping[str, GroupReference]:
    """The groups of an attribute or intersection in the evidence; none where it does not have it."""
    parts = schema.attribute_set(name)
    return next((groups for key, groups in baseline.groups.items() if schema.attribute_set(key) == parts), {})


def _parts(name: str, baseline: BaselineDocument) -> list[str]:
    """The attributes of an intersection in the order in which the evidence names its groups."""
    parts = schema.attribute_set(name)
    key = next((key for key in baseline.groups if schema.attribute_set(key) == parts), name)
    return [part.strip() for part in key.split(INTERSECTION.strip())]


def _group(parts: Sequence[str], groups: Groups) -> str:
    known = dict(groups)
    own = [known.get(part) for part in parts]
    return MISSING if None in own or MISSING in own else INTERSECTION.join(map(str, own))


def _names(groups: Iterable[str], name: str, baseline: BaselineDocument) -> list[str]:
    return sorted({*groups, *references(name, baseline)})


def _compare(
    rule: LiveRule,
    tables: Tables,
    known: Mapping[str, GroupReference],
    assumption: str | None,
    behind: Collection[str] = (),
) -> Figure:
    """The figure over the groups with enough rows; where one has not, no limit can pass.

    Groups that are `behind` have far fewer of their labels than the others, and are left out like small ones.
    """
    metric = rule.metric.removeprefix(PREFIX)
    support = {
        group: min(int(rates.rate(cells, rate).total) for rate in _RATES[metric])
        for group, cells in tables.items()
        if group != MISSING
    }
    fewest = max(1, rule.minimum_support)
    thin = {group: rows for group, rows in support.items() if rows < fewest or group in behind}
    groups = {group: cells for group, cells in tables.items() if group in support and group not in thin}
    rows = sum(support.values())
    if len(groups) < 2 or (thin and rule.decides_by == "point"):
        return Undefined(undefined=_few(thin, len(groups), metric), rows=rows)
    extreme = _Extreme(metric, groups)
    if hole := extreme.hole:
        return Undefined(undefined=hole, rows=rows)
    return Estimate(
        value=extreme.value,
        rows=rows,
        bounds=lambda confidence: extreme.bounds(confidence, whole=not thin),
        above=extreme.p_above,
        below=extreme.p_below,
        assumption=estimates.assuming(assumption, _left_out(thin)),
        chance=_chance(metric, groups, known),
    )


@dataclass(frozen=True, eq=False)
class _Extreme:
    """A figure that is the extreme of all pairs of groups: the largest gap, or the smallest ratio.

    Bounds are those of the evidence (`clearance.metrics.extremes`). That some pair is beyond a limit is
    corrected for their number (Bonferroni); that none is needs no correction, for the worst pair is one of
    them (R. L. Berger, Technometrics 24 (1982) 295-300).
    """

    metric: str
    groups: Tables

    @property
    def hole(self) -> str | None:
        """Why there is no value, or None."""
        return intervals.ratio_fault(*self._counts) if self.metric == RATIO else None

    @property
    def value(self) -> float:
        """The figure, in [0, 1]."""
        values = [figure.value for figure in self._figures]
        return min(values) if self.metric == RATIO else max(values)

    def bounds(self, confidence: float, *, whole: bool) -> Interval:
        """Bounds on it; open to the worse side where the groups are not the `whole`."""
        strict = extremes.corrected(confidence, len(self._figures))
        plain_ends = [figure.interval(confidence, 1) for figure in self._figures]
        strict_ends = [figure.interval(strict, 1) for figure in self._figures]
        if self.metric == RATIO:
            worst = max(0.0, min(low for low, _ in plain_ends)) if whole else 0.0
            return worst, min(1.0, *(high for _, high in strict_ends))
        worst = min(1.0, max(high for _, high in plain_ends)) if whole else 1.0
        return max(0.0, *(low for low, _ in strict_ends)), worst

    @cached_property
    def _figures(self) -> list[extremes.Figure]:
        """How far each pair of groups lies apart."""
        if self.metric == RATIO:
            return intervals.rate_ratios(*self._counts)
        return intervals.gaps({group: self._mean(group) for group in self.groups}, self._ends)

    @property
    def _counts(self) -> tuple[dict[str, float], dict[str, float]]:
        over = {group: rates.rate(cells, "selection_rate") for group, cells in self.groups.items()}
        return {name: at.successes for name, at in over.items()}, {
            name: at.total for name, at in over.items()
        }

    def _mean(self, group: str) -> float:
        return contrasts.value(self._terms(group, 1.0))

    def _ends(self, group: str, confidence: float, times: int) -> Interval:
        """Bounds on the mean of a group's rates: they stand on different rows (MOVER on Wilson's)."""
        low, high, mean = 0.0, 0.0, self._mean(group)
        for hits, rows, weight in self._terms(group, 1.0):
            ends = intervals.wilson(hits * times, rows * times, confidence)
            low += (weight * (hits / rows - ends[0])) ** 2
            high += (weight * (ends[1] - hits / rows)) ** 2
        return max(0.0, mean - math.sqrt(low)), min(1.0, mean + math.sqrt(high))

    def p_above(self, limit: float) -> float:
        if self.metric == RATIO:
            return max(contrasts.p_above(terms, 0.0) for terms in self._ratios(limit))
        return self._corrected(contrasts.p_above(terms, limit) for terms in self._gaps())

    def p_below(self, limit: float) -> float:
        if self.metric == RATIO:
            return self._corrected(contrasts.p_below(terms, 0.0) for terms in self._ratios(limit))
        return max(contrasts.p_below(terms, limit) for terms in self._gaps())

    def _corrected(self, p_values: Iterable[float]) -> float:
        pairs = list(p_values)
        return min(1.0, len(pairs) * min(pairs))

    def _gaps(self) -> Iterator[list[Term]]:
        for one, other in permutations(self.groups, 2):
            yield [*self._terms(one, 1.0), *self._terms(other, -1.0)]

    def _ratios(self, limit: float) -> Iterator[list[Term]]:
        for one, other in permutations(self.groups, 2):
            yield [*self._terms(one, 1.0), *(self._terms(other, -limit) if limit else ())]

    def _terms(self, group: str, weight: float) -> list[Term]:
        """The rates of a group, whose weights sum to `weight`."""
        names = _RATES[self.metric]
        shares = [rates.rate(self.groups[group], rate) for rate in names]
        return [Term(share.successes, share.total, weight / len(names)) for share in shares]


def _few(thin: Mapping[str, int], groups: int, metric: str) -> str:
    if not thin:
        return f"a comparison needs two groups, there {'is' if groups == 1 else 'are'} {groups}"
    counted = ", ".join(f"{group} has {rows:,}" for group, rows in sorted(thin.items()))
    return f"too few decisions or labels of a group: {counted}" + (
        "" if metric not in _LABELS else " of a label that the rate is taken over"
    )


def _left_out(thin: Mapping[str, int]) -> str | None:
    if not thin:
        return None
    counted = ", ".join(f"{group} ({rows:,})" for group, rows in sorted(thin.items()))
    return f"nothing is known of groups with too few decisions or labels: {counted}; so it cannot pass"


def _chance(
    metric: str, groups: Tables, known: Mapping[str, GroupReference]
) -> Callable[[float], float] | None:
    """How often the plain figure is beyond a limit if the groups have the rates of the evidence.

    From draws; None where the evidence does not have the groups or the rates.
    """
    names = _RATES[metric]
    shares = {group: _reference_rates(known[group]) for group in groups if group in known}
    if len(shares) < len(groups) or any(
        rate not in of_group for of_group in shares.values() for rate in names
    ):
        return None

    def probability(limit: float) -> float:
        random = np.random.default_rng(SEED)
        drawn = np.zeros((len(groups), DRAWS))
        for place, (group, cells) in enumerate(groups.items()):
            for rate in names:
                total = int(rates.rate(cells, rate).total)
                drawn[place] += random.binomial(total, shares[group][rate], DRAWS) / total / len(names)
        lowest, highest = drawn.min(axis=0), drawn.max(axis=0)
        beyond = lowest < limit * highest if metric == RATIO else highest - lowest > limit
        return float(np.mean(beyond))

    return probability


def _reference_rates(group: GroupReference) -> dict[str, float]:
    """The rates of a group in the evidence that have rows to be taken over."""
    negative = group.rows - group.positive
    counted = {
        "selection_rate": (group.selected, group.rows),
        "true_positive_rate": (group.true_positive, group.positive),
        "false_positive_rate": (group.selected - group.true_positive, negative),
    }
    return {rate: hits / rows for rate, (hits, rows) in counted.items() if rows}


def _selection_rate(group: str, cells: Cells, known: GroupReference | None, minimum: int) -> Figure:
    if known is None or not known.rows:
        return Undefined(undefined=f"the evidence has no rows of {group}", rows=cells.count)
    if cells.count < max(1, minimum):
        return Undefined(
            undefined=f"{group} has {cells.count:,} decisions; {max(1, minimum):,} are needed",
            rows=cells.count,
            reference_rows=known.rows,
        )
    live, before = Term(cells.selected, cells.count), Term(known.selected, known.rows, -1.0)
    terms = [live, before]
    spread = [(k + 1) / (n + 2) * (n - k + 1) / (n + 2) / n for k, n, _ in terms]
    deviation = math.sqrt(sum(spread))
    return Estimate(
        value=contrasts.value(terms),
        rows=cells.count,
        reference_rows=known.rows,
        bounds=lambda confidence: intervals.difference(*live[:2], *before[:2], confidence),
        above=lambda limit: contrasts.p_above(terms, limit),
        below=lambda limit: contrasts.p_below(terms, limit),
        assumption=estimates.assuming(),
        live_part=spread[0] / sum(spread),
        chance=lambda limit: float(stats.norm.sf(limit / deviation)),
    )


def _unknown_share(name: str, tables: Tables, baseline: BaselineDocument) -> Figure:
    """Decisions without a known group, of all; in [0, 1]."""
    rows = sum(cells.count for cells in tables.values())
    if not rows:
        return Undefined(undefined="there is no decision in the window", rows=0)
    unknown = tables.get(MISSING, Cells()).count
    terms = [Term(unknown, rows)]
    before = references(name, baseline)
    usual = before[MISSING].rows / sum(group.rows for group in before.values()) if MISSING in before else 0.0
    return Estimate(
        value=unknown / rows,
        rows=rows,
        bounds=lambda confidence: significance.clopper_pearson(unknown, rows, confidence),
        above=lambda limit: contrasts.p_above(terms, limit),
        below=lambda limit: contrasts.p_below(terms, limit),
        assumption=estimates.assuming(),
        chance=lambda limit: float(stats.binom.sf(math.floor(limit * rows + 1e-9), rows, usual)),
    )
