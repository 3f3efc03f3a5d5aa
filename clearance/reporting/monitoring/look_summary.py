"""Looks as lines for a terminal: one each, and below it what fails, the surest first. Decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from clearance import wording
from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome

SHOWN = 3
"""Most subjects of a rule that are told one by one."""


def lines(looks: Sequence[Look]) -> Iterator[str]:
    """A line for each look; each rule that fails with its worst subjects; what was never evaluated, once."""
    for look in looks:
        yield _head(look)
        for rule, findings in _by_rule(look.failing):
            yield from _failures(rule, findings, _subjects(look, rule))
    yield from _not_evaluated(looks)


def newest_first(looks: Iterable[Look]) -> list[Look]:
    """The looks by the end of their windows, the latest first; of windows that end together the longest."""
    return sorted(looks, key=lambda look: (look.window.end, -_start(look), look.basis), reverse=True)


def _start(look: Look) -> float:
    return dt.datetime.fromisoformat(look.window.start).timestamp()


def details(look: Look) -> Iterator[str]:
    """The look with every finding, in the order of its rules, and its notes."""
    yield _head(look)
    for finding in look.findings:
        yield f"  {finding.outcome}: {finding.reason}"
    for note in look.notes:
        yield f"  note: {note}"


def name(look: Look) -> str:
    """The window, such as `day 2026-11-30`."""
    return f"{look.window.period} {look.window.start[: 7 if look.window.period == 'month' else 10]}"


def _head(look: Look) -> str:
    counts = [
        (Outcome.FAIL, "fails", "fail"),
        (Outcome.INSUFFICIENT_EVIDENCE, "lacks evidence", "lack evidence"),
        (Outcome.NOT_EVALUATED, "is not evaluated", "are not evaluated"),
        (Outcome.PASS, "keeps its limit", "keep their limit"),
    ]
    parts = []
    for outcome, one, many in counts:
        number = sum(finding.outcome is outcome for finding in look.findings)
        if number:
            parts.append(f"{wording.count(number)} {one if number == 1 else many}")
    if not look.rows:
        return f"{name(look)}, version {look.version}: no decision"
    rows = wording.counted(look.rows, "decision")
    nothing = "too few labels are in" if look.basis == "unlabelled" else "no rule applies"
    rules = ", rules on labels" if look.basis in ("labels", "unlabelled") else ""
    return f"{name(look)}, version {look.version}, {rows}{rules}: {', '.join(parts) or nothing}"


def _by_rule(findings: Iterable[LiveFinding]) -> Iterator[tuple[str, list[LiveFinding]]]:
    """The findings of each rule together, the surest first."""
    ordered = sorted(findings, key=lambda finding: finding.rule)
    groups = {rule: list(group) for rule, group in groupby(ordered, key=lambda finding: finding.rule)}
    for rule in dict.fromkeys(finding.rule for finding in findings):
        yield rule, sorted(groups[rule], key=_sureness)


def _sureness(finding: LiveFinding) -> tuple[float, float]:
    """Sorts the surest failure first, and of equally sure ones the one farthest from its limit."""
    value = 0.0 if finding.value is None else finding.value
    ends = [end for end in (finding.at_least, finding.at_most) if end is not None]
    return finding.p_value or 0.0, -min((abs(value - end) for end in ends), default=0.0)


def _subjects(look: Look, rule: str) -> int:
    return sum(finding.rule == rule for finding in look.findings)


def _failures(rule: str, findings: Sequence[LiveFinding], subjects: int) -> Iterator[str]:
    of = f", {wording.count(len(findings))} of {wording.count(subjects)}" if subjects > 1 else ""
    yield f"  fails: {rule}{of} ({_consequence(findings[0])})"
    for finding in findings[:SHOWN]:
        yield f"    {finding.reason}"
    if (rest := len(findings) - SHOWN) > 0:
        yield f"    and {wording.count(rest)} more: {wording.join_names(_named(findings[SHOWN:]))}"


def _consequence(finding: LiveFinding) -> str:
    reaction = {
        "record": "recorded",
        "alert": "alert",
        "hold": "alert; decisions are held for review",
        "stop": "alert; decisions stop",
    }[finding.on_fail]
    return "; ".join(
        [
            reaction,
            *(["incident"] if finding.severity == "serious" else []),
            *(["retraining"] if finding.retrain else []),
        ]
    )


def _named(findings: Iterable[LiveFinding]) -> list[str]:
    return [finding.subject or "the model" for finding in findings]


def _not_evaluated(looks: Sequence[Look]) -> Iterator[str]:
    """What no look could evaluate, once for each rule and reason, with how many looks it concerns."""
    seen: dict[tuple[str, str], set[int]] = {}
    for place, look in enumerate(looks):
        for finding in look.findings:
            if finding.outcome is Outcome.NOT_EVALUATED:
                key = (finding.rule, finding.undefined or "no reason was given")
                seen.setdefault(key, set()).add(place)
    for (rule, reason), places in seen.items():
        yield f"not evaluated in {wording.counted(len(places), 'look')}: {rule}: {reason}"
