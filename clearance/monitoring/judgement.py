"""Judge one look: every hypothesis gets one of four outcomes, and a sentence with its numbers.

Pure. All rules of a look share its level by Holm's method, which holds under any dependence. What is missing,
undefined, too few or too uncertain never passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearance import wording
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.monitoring.figures import effects
from clearance.monitoring.figures.effects import Effect, Hypothesis

CONFIDENCE = 0.95
"""The confidence of the interval that is printed, and that a pass needs."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An outcome, why (where the numbers do not say it), and what was decided with."""

    outcome: Outcome
    why: str | None = None
    ends: tuple[float, float] | None = None
    p_value: float | None = None
    level: float | None = None
    rows_needed: int | None = None
    false_alarm: float | None = None


def judge(hypotheses: Sequence[Hypothesis], level: float) -> tuple[LiveFinding, ...]:
    """A finding for each hypothesis, in their order; any of them fails by chance with at most `level`.

    That is the probability if no effect is beyond its limit. Rules that decide by `point`, and exact counts,
    spend nothing of it. Raises ValueError on a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of a look lies between 0 and 1, not at {level}")
    holes = {place: hole for place, hypothesis in enumerate(hypotheses) if (hole := _hole(hypothesis))}
    p_values = {
        place: p_value(hypothesis)
        for place, hypothesis in enumerate(hypotheses)
        if place not in holes and _tested(hypothesis)
    }
    levels = holm(p_values, level)
    return tuple(
        _finding(
            hypothesis,
            holes.get(place) or _decide(hypothesis, p_values.get(place), levels.get(place)),
        )
        for place, hypothesis in enumerate(hypotheses)
    )


def holm(p_values: Mapping[int, float], level: float) -> dict[int, float]:
    """What each p-value must not exceed to be rejected: with all of them, falsely with at most `level`.

    Rejected are those at or below theirs. Source: S. Holm, Scand. J. Stat. 6 (1979) 65-70.
    """
    levels: dict[int, float] = {}
    stopped = None
    ordered = sorted(p_values, key=lambda key: (math.isnan(p_values[key]), p_values[key], key))
    for place, key in enumerate(ordered):
        levels[key] = level / (len(p_values) - place) if stopped is None else stopped
        if stopped is None and not p_values[key] <= levels[key]:
            stopped = levels[key]
    return levels


def p_value(hypothesis: Hypothesis) -> float:
    """The p-value of "the effect keeps the limit"; of a limit with two ends, twice the smaller one's."""
    limit, effect = hypothesis.rule.limit, hypothesis.effect
    ends = [
        *([] if limit.at_most is None else [effect.p_above(limit.at_most)]),
        *([] if limit.at_least is None else [effect.p_below(limit.at_least)]),
    ]
    return min(1.0, len(ends) * min(ends)) if not any(math.isnan(end) for end in ends) else math.nan


def _tested(hypothesis: Hypothesis) -> bool:
    return hypothesis.effect.spends and hypothesis.rule.decides_by == "interval"


def _hole(hypothesis: Hypothesis) -> Decision | None:
    """Why nothing can be judged; None where it can."""
    effect, rule = hypothesis.effect, hypothesis.rule
    if effect.undefined is not None:
        return Decision(outcome=_without_value(effect), why=effect.undefined)
    if effect.value is None or not math.isfinite(effect.value):
        return Decision(outcome=Outcome.NOT_EVALUATED, why="it is not a number")
    if effect.spends and effect.rows < rule.minimum_support:
        return Decision(
            outcome=Outcome.INSUFFICIENT_EVIDENCE,
            why=f"{wording.counted(effect.rows, 'row')}, and the rule needs {rule.minimum_support:,}",
            rows_needed=rule.minimum_support,
        )
    return None


def _without_value(effect: Effect) -> Outcome:
    short_of_rows = isinstance(effect, effects.MayWait) and effect.evaluated
    return Outcome.INSUFFICIENT_EVIDENCE if short_of_rows else Outcome.NOT_EVALUATED


def _decide(hypothesis: Hypothesis, p_value: float | None, level: float | None) -> Decision:
    if p_value is None or level is None:
        return _by_number(hypothesis)
    limit, effect = hypothesis.rule.limit, hypothesis.effect
    if math.isnan(p_value):
        return Decision(outcome=Outcome.NOT_EVALUATED, why="its p-value is not a number")
    if p_value <= level:
        return Decision(outcome=Outcome.FAIL, p_value=p_value, level=level)
    ends = effect.interval(CONFIDENCE)
    if limit.encloses(*ends):
        return Decision(outcome=Outcome.PASS, p_value=p_value, level=level, ends=ends)
    return Decision(
        outcome=Outcome.INSUFFICIENT_EVIDENCE,
        ends=ends,
        p_value=p_value,
        level=level,
        rows_needed=_rows_needed(hypothesis, level),
    )


def _by_number(hypothesis: Hypothesis) -> Decision:
    """A rule that compares the number alone: by `point`, or an exact count."""
    number, limit = _number(hypothesis), hypothesis.rule.limit
    kept = limit.encloses(number, number)
    chances = (
        [hypothesis.effect.false_alarm(end) for end in limit.ends] if hypothesis.effect.spends else [None]
    )
    known = [chance for chance in chances if chance is not None]
    return Decision(
        outcome=Outcome.PASS if kept else Outcome.FAIL,
        false_alarm=min(1.0, sum(known)) if known else None,
    )


def _number(hypothesis: Hypothesis) -> float:
    """What is compared with the limit, and printed: by `point` the customary estimate, noise and all."""
    effect = hypothesis.effect
    by_point = hypothesis.rule.decides_by == "point"
    plain = effect.plain if by_point and isinstance(effect, effects.LessNoise) else None
    number = effect.value if plain is None else plain
    return math.nan if number is None else number


def _rows_needed(hypothesis: Hypothesis, level: float) -> int | None:
    """The rows that make it fail, where the estimate is beyond the limit, or else pass."""
    limit, effect = hypothesis.rule.limit, hypothesis.effect
    value = _number(hypothesis)
    kept = limit.encloses(value, value)
    end = min(limit.ends, key=lambda end: abs(value - end))
    return effect.rows_needed(end, (1 - CONFIDENCE) / 2 if kept else level)


_SMALLEST = 1e-12


def _finding(hypothesis: Hypothesis, decision: Decision) -> LiveFinding:
    rule, effect = hypothesis.rule, hypothesis.effect
    number = _finite(_number(hypothesis))
    undefined = effect.undefined or (None if number is not None else decision.why or "it is not a number")
    low, high = (None, None) if undefined or not effect.spends else _ends(effect, decision)
    return LiveFinding(
        rule=rule.id,
        metric=rule.metric,
        subject=hypothesis.subject,
        outcome=decision.outcome,
        severity=rule.severity,
        on_fail=rule.on_fail,
        retrain=rule.retrain,
        at_least=rule.limit.at_least,
        at_most=rule.limit.at_most,
        value=None if undefined else number,
        low=_finite(low),
        high=_finite(high),
        p_value=decision.p_value,
        level=decision.level,
        rows=effect.rows,
        reference_rows=effect.reference_rows,
        rows_needed=decision.rows_needed,
        false_alarm=decision.false_alarm,
        undefined=undefined,
        assumption=effect.assumption,
        reason=_sentence(hypothesis, decision, number, _finite(low), _finite(high)),
    )


def _ends(effect: Effect, decision: Decision) -> tuple[float, float]:
    return effect.interval(CONFIDENCE) if decision.ends is None else decision.ends


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _sentence(
    hypothesis: Hypothesis, decision: Decision, value: float | None, low: float | None, high: float | None
) -> str:
    rule = hypothesis.rule
    subject = f"{rule.metric} of {hypothesis.subject}" if hypothesis.subject else rule.metric
    if decision.outcome is Outcome.NOT_EVALUATED:
        return f"{subject} is not evaluated: {decision.why}"
    if value is None:
        return f"{subject} has no value: not enough evidence: {decision.why}"
    measured = {"value": value, "low": low, "high": high} if None not in (low, high) else {"value": value}
    number = wording.measurement(measured, rule.limit.ends)
    limit = wording.limit(rule.limit.model_dump())
    return f"{subject} is {number}, limit {limit}: {_because(hypothesis, decision)}"


def _because(hypothesis: Hypothesis, decision: Decision) -> str:
    if decision.why is not None:
        return f"not enough evidence: {decision.why}"
    chance = _chance(hypothesis, decision)
    if decision.outcome is Outcome.PASS:
        return f"kept{chance}"
    if decision.outcome is Outcome.FAIL and decision.p_value is not None and decision.level is not None:
        return (
            "broken, and hardly by chance "
            f"({_p(decision.p_value)}, at most {wording.number(decision.level)} allowed)"
        )
    if decision.outcome is Outcome.FAIL:
        return f"broken{chance}"
    rows = wording.counted(hypothesis.effect.rows, "row")
    needed = (
        "more rows alone would not decide it: it takes a larger reference, or another limit"
        if decision.rows_needed is None
        else f"about {wording.count(decision.rows_needed)} would decide it"
    )
    return f"not enough evidence in {rows}{_not_sure_enough(hypothesis, decision)}: {needed}"


def _not_sure_enough(hypothesis: Hypothesis, decision: Decision) -> str:
    """Why an interval that lies wholly beyond the limit does not fail; nothing where it does not."""
    low, high = hypothesis.effect.interval(CONFIDENCE)
    if not hypothesis.rule.limit.excludes(low, high) or decision.p_value is None or decision.level is None:
        return ""
    p_value, level = _p(decision.p_value), wording.number(decision.level)
    return f", though beyond the limit: so many looks need more certainty ({p_value}, at most {level})"


def _p(value: float) -> str:
    """A p-value in words. One too small to print is below the smallest that means anything, never 0."""
    return f"p < {_SMALLEST:g}" if value < _SMALLEST else f"p {wording.number(value)}"


def _chance(hypothesis: Hypothesis, decision: Decision) -> str:
    if hypothesis.rule.decides_by != "point" or not hypothesis.effect.spends:
        return ""
    if decision.false_alarm is None:
        return "; decided by the number alone, how often that fails without any change is not known"
    chance = wording.percent(decision.false_alarm)
    return f"; decided by the number alone, which fails in {chance} of such windows without any change"
