"""A look at two tables in plain words: what failed first, and what was quiet in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from clearance import foreign_text, wording
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.documents.table_look_document import TableLook

_WORDS = {
    Outcome.PASS: "no drift",
    Outcome.FAIL: "drift",
    Outcome.INSUFFICIENT_EVIDENCE: "not enough evidence",
    Outcome.NOT_EVALUATED: "not evaluated",
}
_MOST_LINES = 12
"""Findings that did not pass have a line each; beyond so many, only failed ones have."""

_MOST_NAMES = 20
"""So many names stand in a line; the JSON has all of them."""

_ORDER = (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE)


def text(look: TableLook) -> str:
    """The look as lines for a terminal. Whatever the tables hold is inert in it."""
    return "".join(f"{foreign_text.inert(line)}\n" for line in _lines(look))


def _lines(look: TableLook) -> Iterator[str]:
    reference, current = look.reference, look.current
    yield (
        f"{_WORDS[look.outcome]}{_judged(look)}: {current.path} ({wording.counted(current.rows, 'row')}) "
        f"against {reference.path} ({wording.counted(reference.rows, 'row')})"
    )
    loud = sorted((finding for finding in look.findings if finding.outcome is not Outcome.PASS), key=_badness)
    fails = sum(finding.outcome is Outcome.FAIL for finding in loud)
    for finding in loud[: max(fails, _MOST_LINES)]:
        yield f"  {_words(finding.outcome)}: {finding.reason}"
    for outcome in _ORDER:
        if rest := [finding for finding in loud[max(fails, _MOST_LINES) :] if finding.outcome is outcome]:
            yield f"  {_words(outcome)}: also {_names(rest)}"
    yield from _quiet([finding for finding in look.findings if finding.outcome is Outcome.PASS])
    for why in dict.fromkeys(look.not_judged.values()):
        names = [name for name, reason in look.not_judged.items() if reason == why]
        yield f"  not judged: {_listed(names)} ({why})"
    for note in look.notes:
        yield f"  note: {note}"
    yield from _errors(look)


def _judged(look: TableLook) -> str:
    """Of how many columns nothing but a pass is said, and how many were not judged; empty for no pass."""
    if look.outcome is not Outcome.PASS:
        return ""
    judged = {finding.subject for finding in look.findings} - {None}
    left_out = f", {wording.count(len(look.not_judged))} not judged" if look.not_judged else ""
    return f" in {wording.counted(len(judged), 'column')}{left_out}"


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def _names(findings: Sequence[LiveFinding]) -> str:
    return _listed(list(dict.fromkeys(str(finding.subject) for finding in findings)))


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return wording.join_names(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def _badness(finding: LiveFinding) -> tuple[int, float, float]:
    """The worst first: by outcome, then how improbable, then how large."""
    p_value = 0.0 if finding.p_value is None else finding.p_value
    return _ORDER.index(finding.outcome), p_value, -abs(finding.value or 0.0)


def _quiet(findings: Sequence[LiveFinding]) -> Iterator[str]:
    by_rule: dict[str, list[LiveFinding]] = {}
    for finding in findings:
        if finding.subject is not None:
            by_rule.setdefault(finding.rule, []).append(finding)
    for rule, quiet in by_rule.items():
        largest = max(quiet, key=lambda finding: abs(finding.value or 0.0))
        yield (
            f"  pass ({rule}, {wording.counted(len(quiet), 'column')}, at most "
            f"{wording.number(abs(largest.value or 0.0))}): {_names(quiet)}"
        )


def _errors(look: TableLook) -> Iterator[str]:
    """How often such a look is wrong."""
    if any(finding.level is not None for finding in look.findings):
        yield f"  without any change, such a look fails with a probability of at most {look.level:.3g}"
    chances = [finding.false_alarm for finding in look.findings if finding.false_alarm is not None]
    if chances:
        chance = 1 - math.prod(1 - chance for chance in chances)
        yield (
            f"  without any change, the plain numbers fail in {wording.percent(chance)} of such looks "
            "(columns taken as independent)"
        )
    for assumption in dict.fromkeys(finding.assumption for finding in look.findings if finding.assumption):
        yield f"  assumed: {assumption}"
    if look.sampled_rows < look.reference.rows:
        yield (
            f"  bins are from {wording.count(look.sampled_rows)} rows of the reference, evenly spread; "
            "counts are of all rows"
        )
