"""Sums of independent rates, each times a weight: the probability of one so high, far into the tail.

A difference of two rates has the weights 1 and -1, a ratio's test 1 and minus the limit, a balanced accuracy
one half and one half. Normal bounds are wrong where an error of one in a million counts; this is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scipy import optimize, special, stats

_NEAR = 1e-3
_CERTAIN = 1e-14
_ROUNDING = 1e-9


class Term(NamedTuple):
    """`successes` in `rows`, and what the rate is multiplied by."""

    successes: float
    rows: float
    weight: float = 1.0


Terms = Sequence[Term]


def value(terms: Terms) -> float:
    """The sum of the weighted rates."""
    return sum(term.weight * term.successes / term.rows for term in terms)


def p_above(terms: Terms, limit: float) -> float:
    """The probability of a sum at least as high as that of `terms` if it were truly `limit`, in [0, 1].

    Exact for one rate (binomial). For more, the rates are those of highest likelihood that sum to `limit`,
    and the tail is the saddlepoint's of R. Lugannani and S. Rice, Adv. Appl. Probab. 12 (1980) 475-490, with
    H. E. Daniels' continuity correction (Int. Stat. Rev. 55 (1987) 37-48): it keeps its relative accuracy
    where probabilities are tiny. Every term has rows and a weight other than 0.
    """
    lowest = sum(min(0.0, term.weight) for term in terms)
    highest = sum(max(0.0, term.weight) for term in terms)
    if limit >= highest:
        return 1.0
    if limit <= lowest:
        return 0.0 if value(terms) > limit else 1.0
    if len(terms) == 1:
        return _binomial(terms[0], limit)
    rates = constrained_rates(terms, limit)
    return _tail(terms, rates, value(terms))


def p_below(terms: Terms, limit: float) -> float:
    """The probability of a sum at least as low as that of `terms` if it were truly `limit`, in [0, 1]."""
    return p_above([term._replace(weight=-term.weight) for term in terms], -limit)


def constrained_rates(terms: Terms, limit: float) -> list[float]:
    """The rates of highest likelihood whose weighted sum is `limit`, which lies within its range."""

    def rates(multiplier: float) -> list[float]:
        return [_rate(term, multiplier * term.weight) for term in terms]

    def excess(multiplier: float) -> float:
        pairs = zip(terms, rates(multiplier), strict=True)
        return sum(term.weight * rate for term, rate in pairs) - limit

    reach = max(term.rows for term in terms)
    direction = 1.0 if excess(0.0) > 0 else -1.0
    far = direction * reach
    while excess(far) * direction > 0 and abs(far) < 1e15 * reach:
        far *= 4
    if excess(far) * direction > 0:
        return rates(far)
    return rates(optimize.brentq(excess, *sorted((0.0, far)), xtol=1e-12 * reach, rtol=1e-12))


def _rate(term: Term, pull: float) -> float:
    """The root in [0, 1] of pull p^2 - (rows + pull) p + successes = 0."""
    hits, against = (term.successes, abs(pull)) if pull >= 0 else (term.rows - term.successes, abs(pull))
    both = term.rows + against
    root = 2 * hits / (both + math.sqrt(max(0.0, both * both - 4 * against * hits)))
    rate = root if pull >= 0 else 1 - root
    return rate if _CERTAIN < rate < 1 - _CERTAIN else float(round(rate))


def _binomial(term: Term, limit: float) -> float:
    rate, hits = limit / term.weight, term.successes
    if term.weight > 0:
        return float(special.betainc(hits, term.rows - hits + 1, rate)) if hits > 0 else 1.0
    return float(special.betaincc(hits + 1, term.rows - hits, rate)) if hits < term.rows else 1.0


def _tail(terms: Terms, rates: Sequence[float], at: float) -> float:
    """The probability of a sum of at least `at` under these rates."""
    certain = sum(term.weight * rate for term, rate in zip(terms, rates, strict=True) if rate in (0.0, 1.0))
    parts = [
        (term.rows, term.weight / term.rows, rate)
        for term, rate in zip(terms, rates, strict=True)
        if rate not in (0.0, 1.0)
    ]
    if not parts:
        return 1.0 if certain >= at - _ROUNDING else 0.0
    if len(parts) == 1:
        rows, size, rate = parts[0]
        return _binomial_tail(rows, rate, (at - certain) / size, above=size > 0)
    step = min(abs(size) for _, size, _ in parts)
    target = at - certain - step / 2

    def cumulants(tilt: float) -> tuple[float, float, float]:
        log, mean, variance = 0.0, 0.0, 0.0
        for rows, size, rate in parts:
            share = _tilted(rate, tilt * size)
            log += rows * _log_moment(rate, tilt * size)
            mean += rows * size * share
            variance += rows * size * size * share * (1 - share)
        return log, mean, variance

    return lugannani_rice(target, cumulants, step)


def lugannani_rice(
    target: float, cumulants: Callable[[float], tuple[float, float, float]], step: float
) -> float:
    """The probability of at least `target`, half a `step` below a value of the lattice, in [0, 1].

    `cumulants` gives the logarithm of the moment generating function and its first two derivatives.
    """
    _, mean, variance = cumulants(0.0)
    if variance <= 0:
        return 1.0 if target <= mean else 0.0
    scale = 1 / math.sqrt(variance)
    if abs(target - mean) * scale < _NEAR:
        return float(stats.norm.sf((target - mean) * scale))
    direction = 1.0 if target > mean else -1.0
    far = direction * scale
    while (cumulants(far)[1] - target) * direction < 0:
        far *= 2
        if abs(far) > 1e6 * scale or not math.isfinite(cumulants(far)[1]):
            return 0.0 if direction > 0 else 1.0
    tilt = optimize.brentq(lambda at: cumulants(at)[1] - target, *sorted((0.0, far)), rtol=1e-10)
    log, _, curvature = cumulants(tilt)
    root = direction * math.sqrt(max(0.0, 2 * (tilt * target - log)))
    slope = 2 / step * math.sinh(tilt * step / 2) * math.sqrt(curvature)
    tail = float(stats.norm.sf(root)) + float(stats.norm.pdf(root)) * (1 / slope - 1 / root)
    return min(1.0, max(0.0, tail))


def _binomial_tail(rows: float, rate: float, hits: float, *, above: bool) -> float:
    """The probability of so many successes or more; of so many or fewer where not `above`."""
    if above:
        return float(stats.binom.sf(math.ceil(hits - _ROUNDING) - 1, rows, rate))
    return float(stats.binom.cdf(math.floor(hits + _ROUNDING), rows, rate))


def _tilted(rate: float, tilt: float) -> float:
    return float(special.expit(math.log(rate) - math.log1p(-rate) + tilt))


def _log_moment(rate: float, tilt: float) -> float:
    """log(1 - rate + rate * exp(tilt)), without overflow."""
    return float(math.log1p(-rate) + _softplus(math.log(rate) - math.log1p(-rate) + tilt))


def _softplus(number: float) -> float:
    return max(number, 0.0) + math.log1p(math.exp(-abs(number)))
