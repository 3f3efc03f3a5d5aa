"""What a verdict says in one sentence, and what would settle it: for the page, the terminal and a notice.

Reads `reports/verdict.json` as data. It repeats what the judge decided and never decides anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from clearance import wording
from clearance.documents.measurement import Outcome

VERDICTS = {
    Outcome.PASS: "Pass",
    Outcome.FAIL: "Refused",
    Outcome.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
    Outcome.NOT_EVALUATED: "Not evaluated",
}
"""The word for a whole verdict; a single finding that fails is a "Fail", a run that fails is refused."""

_DO = {
    Outcome.PASS: ("passes", "pass"),
    Outcome.FAIL: ("fails", "fail"),
    Outcome.INSUFFICIENT_EVIDENCE: ("lacks evidence", "lack evidence"),
    Outcome.NOT_EVALUATED: ("is not evaluated", "are not evaluated"),
}
_DATA_DOCUMENTS = ("validation_raw", "validation_prepared", "split")
_PLACES = {"validation_raw": " in the raw table", "validation_prepared": " in the prepared tables"}


def deciding_findings(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings that made the verdict: of blocking rules, with the verdict's own outcome.

    Empty where the verdict rests on no finding (the policy and the parameters do not fit together).
    """
    found = [each for each in _blocking(verdict) if each["outcome"] == verdict["verdict"]]
    if verdict["verdict"] != Outcome.PASS and [each["reason"] for each in found] != verdict["reasons"]:
        return []
    return found


def sentence(verdict: Mapping[str, Any]) -> str:
    """One plain sentence: which rules made the verdict, and the numbers where it is a single one."""
    found, outcome = deciding_findings(verdict), Outcome(verdict["verdict"])
    if not found:
        return wording.sentence("; ".join(verdict["reasons"]) or "no reason was recorded")
    if len(found) == 1 and outcome != Outcome.PASS:
        return wording.sentence(found[0]["reason"])
    total = len(_blocking(verdict))
    rest = "" if outcome == Outcome.PASS else f": {wording.listed(subject(each) for each in found)}"
    share = f"All {total}" if len(found) == total else f"{len(found)} of {total}"
    return f"{share} blocking checks {_DO[outcome][len(found) > 1]}{rest}."


def next_steps(verdict: Mapping[str, Any]) -> list[str]:
    """What would settle or change the verdict, a sentence each; what it holds for, where it is a pass."""
    policy, found = verdict["policy"], deciding_findings(verdict)
    if verdict["verdict"] == Outcome.PASS:
        return [
            f"It holds for this model, these data and policy {policy['id']} {policy['version']} read as of "
            f"{policy['as_of']}; a change in any of them asks for a new run."
        ]
    if not found:
        return ["Mend what the sentence above names, in the policy or in params.yaml, and run again."]
    mend = _HINTS[Outcome(verdict["verdict"])]
    about: dict[str, list[str]] = {}
    for each in found:
        about.setdefault(mend(each), []).append(subject(each))
    return [f"For {wording.listed(names)}: {advice}" for advice, names in about.items()]


def subject(finding: Mapping[str, Any]) -> str:
    """What a finding is about: "demographic parity ratio by race"."""
    by = f" by {finding['attribute']}" if finding["attribute"] else ""
    place = _PLACES.get(finding["metric"].partition(".")[0], "")
    return f"{wording.metric(finding['metric'])}{by}{place}"


def _blocking(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in verdict["findings"] if each["severity"] == "block" and each["outcome"]]


def _after_fail(finding: Mapping[str, Any]) -> str:
    limit = wording.limit(finding["limit"])
    if finding["metric"].partition(".")[0] in _DATA_DOCUMENTS:
        return f"other data, so that it is {limit}; no model can mend this."
    whole = " with the whole interval" if finding["low"] is not None else ""
    return f"another model or other data, so that it is {limit}{whole}."


def _after_insufficient(finding: Mapping[str, Any]) -> str:
    if finding["value"] is None:
        return "rows for which it is defined."
    times = _times_the_rows(finding)
    if times is None:
        return (
            "another model or other data; the number itself breaks the limit, "
            "so more rows would sooner confirm that than lift it."
        )
    fewest = min(finding["support"].items(), key=lambda item: (item[1], item[0]), default=None)
    now = "" if fewest is None else f" (fewest now: {fewest[0]}, {wording.count(fewest[1])})"
    if times <= 1:
        return f"more rows in the smallest group{now}."
    return f"very roughly {_about(times)} times the rows{now}, if the number itself stays as it is."


def _after_not_evaluated(_: Mapping[str, Any]) -> str:
    return "the evidence, measured."


_HINTS = {
    Outcome.FAIL: _after_fail,
    Outcome.INSUFFICIENT_EVIDENCE: _after_insufficient,
    Outcome.NOT_EVALUATED: _after_not_evaluated,
}


def _times_the_rows(finding: Mapping[str, Any]) -> float | None:
    """By how much the rows must grow until the interval, shrinking with their root, keeps the limit.

    None when the number breaks the limit or touches it: no number of rows is then enough.
    """
    times, limit = 0.0, finding["limit"] or {}
    for bound, end, sign in (("at_most", "high", 1), ("at_least", "low", -1)):
        if limit.get(bound) is None or finding[end] is None:
            continue
        room = sign * (limit[bound] - finding["value"])
        if room <= 0:
            return None
        times = max(times, (sign * (finding[end] - finding["value"]) / room) ** 2)
    return times


def _about(times: float) -> str:
    times = round(times, 6)
    if times < 10:
        return wording.plain(math.ceil(times * 2) / 2)
    step = 10 ** (math.floor(math.log10(times)) - 1)
    return wording.count(math.ceil(times / step) * step)
