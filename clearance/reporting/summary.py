"""The verdict in brief: lines for a terminal, Markdown for Prefect, a CI job or a chat.

Reads `reports/verdict.json` as data. It repeats what the judge decided and never decides anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files, wording
from clearance.documents.measurement import Outcome
from clearance.reporting import headline, test_set_notice

VERDICT = Path("reports") / "verdict.json"
REPORT = Path("reports") / "report.html"
_MARKS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "**fail**",
    Outcome.INSUFFICIENT_EVIDENCE: "**insufficient evidence**",
    Outcome.NOT_EVALUATED: "**not evaluated**",
    None: "report only",
}

_SPOKEN = {
    Outcome.FAIL: "Fail",
    Outcome.NOT_EVALUATED: "Not evaluated",
    Outcome.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
    Outcome.PASS: "Pass",
    None: "Reported, not decided",
}


def read(folder: Path) -> dict[str, Any]:
    """The verdict of the project, or workspace, at `folder`. Raises IntegrityError when there is none."""
    verdict: dict[str, Any] = files.read_json(folder / VERDICT)
    return verdict


def outcome(verdict: Mapping[str, Any]) -> Outcome:
    """The verdict's value. Raises ValueError on any but the four."""
    return Outcome(verdict["verdict"])


def title(verdict: Mapping[str, Any]) -> str:
    """One line: the verdict's word, the model, the policy, and whether it is only hypothetical."""
    policy = verdict["policy"]
    word = headline.VERDICTS[outcome(verdict)]
    under = f"{policy['id']} {policy['version']} as of {policy['as_of']}"
    return f"{word}: {verdict['name']} under {under}" + (" (what-if)" if verdict["what_if"] else "")


def reasons(verdict: Mapping[str, Any]) -> list[str]:
    """A sentence for each blocking finding that is no pass, or else what made the verdict."""
    short = [
        found["reason"]
        for found in verdict["findings"]
        if found["severity"] == "block" and found["outcome"] not in (None, Outcome.PASS)
    ]
    if outcome(verdict) == Outcome.PASS:
        return [headline.sentence(verdict)]
    return short or [headline.sentence(verdict)]


def findings(verdict: Mapping[str, Any]) -> list[str]:
    """Every finding as a sentence under its outcome, the policy's order kept, and the rules not in force."""
    lines = []
    for outcome_, word in _SPOKEN.items():
        found = [each for each in verdict["findings"] if each["outcome"] == outcome_]
        if found:
            lines += [f"{word} ({len(found)}):", *(f"  {_spoken(each)}" for each in found)]
    if verdict["not_in_force"]:
        lines.append(f"Not in force on {verdict['policy']['as_of']} ({len(verdict['not_in_force'])}):")
        lines += [f"  {_outside(rule)}" for rule in verdict["not_in_force"]]
    return lines


def _spoken(found: Mapping[str, Any]) -> str:
    said = "" if found["outcome"] is None else {"block": "blocks, ", "warn": "warns, "}[found["severity"]]
    return f"{found['rule']} ({said}{found['kind']}): {found['reason']}"


def _outside(rule: Mapping[str, Any]) -> str:
    until = f" until {rule['valid_until']}" if rule["valid_until"] else ""
    return f"{rule['id']}: from {rule['valid_from']}{until}"


def test_uses(folder: Path, verdict: Mapping[str, Any]) -> list[str]:
    """How often the test rows of the project at `folder` have judged a model; nothing where none judge."""
    found = test_set_notice.latest(folder, verdict["policy"])
    return [] if found is None else [f"warning: {found[0]}" if found[1] else found[0]]


def markdown(verdict: Mapping[str, Any], folder: Path | None = None) -> str:
    """The verdict, why, what would settle it, and a table of every finding.

    With the `folder` of the project, how often its test rows have judged a model as well.
    """
    lines = [f"## {title(verdict)}", "", headline.sentence(verdict), ""]
    lines += ["| rule | by | outcome | severity | measured | limit |", "|---|---|---|---|---|---|"]
    lines += [_row(found) for found in verdict["findings"]]
    uses = [] if folder is None else [wording.sentence(line) for line in test_uses(folder, verdict)]
    lines += ["", *(f"- {line}" for line in (*headline.next_steps(verdict), *uses)), ""]
    return "\n".join(lines)


def _row(found: Mapping[str, Any]) -> str:
    cells = (
        found["rule"],
        found["attribute"] or "all rows",
        _MARKS[found["outcome"]],
        found["severity"],
        "none" if found["value"] is None else wording.measurement(found, (found["limit"] or {}).values()),
        wording.limit(found["limit"]),
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
