"""The verdict in brief: lines for a terminal, Markdown for Prefect, a CI job or a chat.

Reads `reports/verdict.json` as data. It repeats what was decided and never decides again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files, paths, wording
from clearance.documents.measurement import Outcome
from clearance.reporting import headline, test_set_notice

VERDICT, REPORT = paths.VERDICT, paths.REPORT_PAGE
_MARKS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "**fail**",
    Outcome.INSUFFICIENT_EVIDENCE: "**insufficient evidence**",
    Outcome.NOT_EVALUATED: "**not evaluated**",
    None: "report only",
}

_HEADINGS = {
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
    """One line: the verdict, the model, the policy, and whether it is only hypothetical."""
    policy = verdict["policy"]
    word = headline.VERDICTS[outcome(verdict)]
    under = f"{policy['id']} {policy['version']} as of {policy['as_of']}"
    return f"{word}: {verdict['name']} under {under}" + (" (what-if)" if verdict["what_if"] else "")


def reasons(verdict: Mapping[str, Any]) -> list[str]:
    """A sentence for each blocking finding that is not a pass; without any, what made the verdict."""
    reasons_ = [
        finding["reason"]
        for finding in verdict["findings"]
        if finding["severity"] == "block" and finding["outcome"] not in (None, Outcome.PASS)
    ]
    if outcome(verdict) == Outcome.PASS:
        return [headline.sentence(verdict)]
    return reasons_ or [headline.sentence(verdict)]


def findings(verdict: Mapping[str, Any]) -> list[str]:
    """Every finding as a sentence under its outcome, in the policy's order, and the rules not in force."""
    lines = []
    for outcome_, heading in _HEADINGS.items():
        group = [finding for finding in verdict["findings"] if finding["outcome"] == outcome_]
        if group:
            lines += [f"{heading} ({len(group)}):", *(f"  {_sentence(finding)}" for finding in group)]
    if verdict["not_in_force"]:
        lines.append(f"Not in force on {verdict['policy']['as_of']} ({len(verdict['not_in_force'])}):")
        lines += [f"  {_dates(rule)}" for rule in verdict["not_in_force"]]
    return lines


def _sentence(finding: Mapping[str, Any]) -> str:
    effect = (
        "" if finding["outcome"] is None else {"block": "blocks, ", "warn": "warns, "}[finding["severity"]]
    )
    return f"{finding['rule']} ({effect}{finding['kind']}): {finding['reason']}"


def _dates(rule: Mapping[str, Any]) -> str:
    until = f" until {rule['valid_until']}" if rule["valid_until"] else ""
    return f"{rule['id']}: from {rule['valid_from']}{until}"


def test_uses(folder: Path, verdict: Mapping[str, Any]) -> list[str]:
    """How often the test set of the project at `folder` has judged a model; empty without test rows."""
    notice = test_set_notice.latest(folder, verdict["policy"])
    if notice is None:
        return []
    sentence, is_warning = notice
    return [f"warning: {sentence}" if is_warning else sentence]


def markdown(verdict: Mapping[str, Any], folder: Path | None = None) -> str:
    """The verdict, the reason, a table of every finding, and the next steps.

    With the `folder` of the project, also how often its test set has judged a model.
    """
    lines = [f"## {title(verdict)}", "", headline.sentence(verdict), ""]
    lines += ["| rule | by | outcome | severity | measured | limit |", "|---|---|---|---|---|---|"]
    lines += [_row(finding) for finding in verdict["findings"]]
    uses = [] if folder is None else [wording.sentence(line) for line in test_uses(folder, verdict)]
    lines += ["", *(f"- {line}" for line in (*headline.next_steps(verdict), *uses)), ""]
    return "\n".join(lines)


def _row(finding: Mapping[str, Any]) -> str:
    cells = (
        finding["rule"],
        finding["attribute"] or "all rows",
        _MARKS[finding["outcome"]],
        finding["severity"],
        "none"
        if finding["value"] is None
        else wording.measurement(finding, (finding["limit"] or {}).values()),
        wording.limit(finding["limit"]),
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
