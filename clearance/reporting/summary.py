"""The verdict in brief: lines for a terminal, Markdown for Prefect, a CI job or a chat.

It repeats what was decided and never decides again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clearance import paths, wording
from clearance.documents.measurement import Outcome
from clearance.documents.training_document import ExternalModel, TrainingDocument
from clearance.documents.validation_document import ValidationDocument
from clearance.documents.verdict_document import RuleFinding, RuleNotInForce, VerdictDocument
from clearance.params import data_contract
from clearance.policy import project_verdict
from clearance.reporting import attempt_notice, causes, headline, test_set_notice

REPORT = paths.REPORT_PAGE
COLUMNS = ("rule", "by", "outcome", "severity", "measured", "limit")
"""The columns of the table of findings, wherever one is shown."""

_OUTCOMES = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.INSUFFICIENT_EVIDENCE: "insufficient evidence",
    Outcome.NOT_EVALUATED: "not evaluated",
    None: "report only",
}

_HEADINGS = {
    Outcome.FAIL: "Fail",
    Outcome.NOT_EVALUATED: "Not evaluated",
    Outcome.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
    Outcome.PASS: "Pass",
    None: "Reported, not decided",
}


_LONGEST = 2000
_WARNINGS = 2
"""How many warnings about the data are told in a terminal."""


def title(verdict: VerdictDocument) -> str:
    """One line: the verdict, the model, the policy, and whether it is only hypothetical."""
    policy = verdict.policy
    word = headline.VERDICTS[verdict.verdict]
    under = f"{policy.id} {policy.version} as of {policy.as_of}"
    return f"{word}: {verdict.name} under {under}" + (" (what-if)" if verdict.what_if else "")


def brief(verdict: VerdictDocument) -> str:
    """The verdict in a few sentences: the title, who is worse off, and why; at most 2,000 characters."""
    who = [f"{line}." for line in headline.who(verdict)]
    text = "\n\n".join([title(verdict), *who, headline.sentence(verdict)])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def reasons(verdict: VerdictDocument) -> list[str]:
    """A sentence for each blocking finding that is not a pass; without any, what made the verdict.

    What several findings wait for is said once.
    """
    blocking = [
        finding
        for finding in sorted(verdict.findings, key=headline.worst_first)
        if finding.severity == "block" and finding.outcome not in (None, Outcome.PASS)
    ]
    reasons_ = [finding.reason for finding in blocking]
    if verdict.verdict == Outcome.PASS:
        return [headline.sentence(verdict)]
    if reasons_ and (told := causes.of(blocking)):
        decided = [finding.reason for finding in blocking if finding.outcome is not Outcome.NOT_EVALUATED]
        return [*map(str, told), *decided]
    return reasons_ or [headline.sentence(verdict)]


def findings(verdict: VerdictDocument) -> list[str]:
    """Every finding as a sentence under its outcome, in the policy's order, and the rules not in force."""
    lines = []
    for outcome_, heading in _HEADINGS.items():
        group = [finding for finding in verdict.findings if finding.outcome == outcome_]
        if group:
            lines += [f"{heading} ({len(group)}):", *(f"  {_sentence(finding)}" for finding in group)]
    if verdict.not_in_force:
        lines.append(f"Not in force on {verdict.policy.as_of} ({len(verdict.not_in_force)}):")
        lines += [f"  {_dates(rule)}" for rule in verdict.not_in_force]
    return lines


def _sentence(finding: RuleFinding) -> str:
    effect = "" if finding.outcome is None else {"block": "blocks, ", "warn": "warns, "}[finding.severity]
    return f"{finding.rule} ({effect}{finding.kind}): {finding.reason}"


def _dates(rule: RuleNotInForce) -> str:
    until = f" until {rule.valid_until}" if rule.valid_until else ""
    return f"{rule.id}: from {rule.valid_from}{until}"


def choice(folder: Path) -> list[str]:
    """Which of several candidates was chosen, and why, or who declares a model made elsewhere, as a line.

    None where there was nothing to choose.
    """
    training = project_verdict.read_document(folder, "training")
    if not isinstance(training, TrainingDocument):
        return []
    if training.external is not None:
        return [headline.declaration(training.external)]
    if len(training.candidates) < 2:
        return []
    chosen = next(candidate for candidate in training.candidates if candidate.chosen)
    name = f"{chosen.estimator.rpartition('.')[2]} with mitigation {chosen.mitigation}"
    return [f"of {len(training.candidates)} candidates {name} was {chosen.why}"]


def data_warnings(folder: Path) -> list[str]:
    """How many expectations of the data warn, and the first of them, as a line; none where all are met."""
    details = [
        entry.detail
        for name in ("validation_raw", "validation_prepared")
        if isinstance(document := project_verdict.read_document(folder, name), ValidationDocument)
        for entry in document.expectations
        if not entry.success and entry.severity == "warn"
    ]
    if not details:
        return []
    more = [f"and {len(details) - _WARNINGS} more"] if len(details) > _WARNINGS else []
    number = f"{len(details)} warning{'' if len(details) == 1 else 's'} about the data"
    return [f"{number}: {'; '.join([*details[:_WARNINGS], *more])}"]


def counts(folder: Path, verdict: VerdictDocument) -> list[str]:
    """Which attempt at its model the project at `folder` is, and how often its test set has judged one.

    Empty without test rows.
    """
    uses = test_set_notice.latest(folder, verdict.policy)
    notices = [] if uses is None else [attempt_notice.latest(folder, verdict.policy), uses]
    return [f"warning: {sentence}" if is_warning else sentence for sentence, is_warning in notices]


def overrides(verdict: VerdictDocument) -> list[str]:
    """Every parameter that the run replaced, a line each; empty where it replaced none."""
    replaced = data_contract.describe_overrides(verdict.overrides)
    return [f"parameter replaced for this run: {override}" for override in replaced]


def markdown(verdict: VerdictDocument, folder: Path | None = None) -> str:
    """The verdict, the reason, a table of every finding, and the next steps.

    With the `folder` of the project, also which attempt it was and how often its test set judged a model.
    """
    worse_off = [f"**{line}.**" for line in headline.who(verdict)]
    lines = [f"## {title(verdict)}", "", *worse_off, *([""] if worse_off else [])]
    lines += [headline.sentence(verdict), *([] if folder is None else choice(folder)), ""]
    lines += [_table_line(COLUMNS), "|---" * len(COLUMNS) + "|"]
    lines += [_table_line(row.marked()) for row in rows(verdict)]
    external = None if folder is None else _external(folder)
    told = [] if folder is None else [*data_warnings(folder), *counts(folder, verdict)]
    notices = [wording.sentence(line) for line in told]
    lines += [
        "",
        *(
            f"- {line}"
            for line in (*headline.next_steps(verdict, external), *_next(verdict, external), *notices)
        ),
    ]
    lines += [*(f"- {_as_code(line)}" for line in overrides(verdict)), ""]
    return "\n".join(lines)


def _external(folder: Path) -> ExternalModel | None:
    """The model that was judged where it was made elsewhere, else None."""
    training = project_verdict.read_document(folder, "training")
    return training.external if isinstance(training, TrainingDocument) else None


def _next(verdict: VerdictDocument, external: ExternalModel | None) -> list[str]:
    """What to do next, by whom, as Markdown."""
    return [
        f"Next, {action.by}: {action.what}" + (f": `{action.command}`" if action.command else "")
        for action in headline.actions(verdict, external)
    ]


def _as_code(line: str) -> str:
    """A line whose end somebody typed, so that Markdown shows it as it is."""
    what, _, value = line.partition(": ")
    return f"{what}: ``{value.replace('``', '` `')}``"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A finding as the texts of a table, one for each of `COLUMNS`; `holds`: nothing is wrong with it."""

    cells: tuple[str, ...]
    holds: bool

    def marked(self) -> tuple[str, ...]:
        """The cells in Markdown: an outcome that is not a pass is bold."""
        rule, by, outcome, *rest = self.cells
        return rule, by, outcome if self.holds else f"**{outcome}**", *rest


def rows(verdict: VerdictDocument) -> list[Row]:
    """Every finding, those that decide first."""
    return [_row(finding) for finding in sorted(verdict.findings, key=headline.worst_first)]


def _row(finding: RuleFinding) -> Row:
    limit = vars(finding.limit) if finding.limit else None
    measured = "none" if finding.value is None else wording.measurement(vars(finding), (limit or {}).values())
    cells = (
        *(finding.rule, finding.attribute or "all rows", _OUTCOMES[finding.outcome]),
        *(finding.severity, measured, wording.limit(limit)),
    )
    return Row(cells=cells, holds=finding.outcome in (None, Outcome.PASS))


def _table_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
