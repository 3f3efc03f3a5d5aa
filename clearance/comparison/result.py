"""The result of a comparison: which models, which rows, which terms, and the findings.

Values only, the same for the same inputs: people approve its digest. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clearance import files, wording
from clearance.comparison.decision import CriterionFinding
from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.policy import judgement
from clearance.policy.comparison_terms import ComparisonTerms

_DIGITS = 10
_FIRST = "first version: there is no champion"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model by content; `version` is its number in the registry, None for the candidate."""

    fingerprint: str
    sha256: str
    threshold: float
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The candidate's test rows: those that the champion was fitted or tuned on, and the compared rest.

    `sha256` is of the hashes of the compared rows. `left_out` counts the former, None when unknown.
    """

    test: int
    left_out: int | None
    compared: int
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate compared with the champion, or alone when there is none.

    `figures` are reported beside the findings and decide nothing; `notes` say what to know about them.
    """

    name: str
    candidate: Model
    champion: Model | None
    policy: str
    terms: ComparisonTerms
    rows: Rows
    findings: tuple[CriterionFinding, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the blocking findings; a pass only if there is one and all of them pass."""
        blocking = [finding.outcome for finding in self.findings if finding.criterion.severity == "block"]
        if not blocking:
            return Outcome.PASS if self.terms.severity == "warn" and self.findings else Outcome.NOT_EVALUATED
        return judgement.worst(blocking)

    @property
    def approvals(self) -> int:
        """The least number of people who must approve a first version; 0 for any other."""
        return 0 if self.champion else self.terms.first_version.approvals

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON; numbers have ten digits, so that a second run gives the same."""
        document = {
            "name": self.name,
            "candidate": asdict(self.candidate),
            "champion": self.champion and asdict(self.champion),
            "policy_sha256": self.policy,
            "asked": self.terms.model_dump(mode="json"),
            "rows": asdict(self.rows),
            "outcome": self.outcome,
            "approvals": self.approvals,
            "findings": [finding.to_json() for finding in self.findings],
            "figures": self.figures,
            "notes": list(self.notes),
        }
        return ComparisonDocument.create(**_plain(document)).to_json()


def digest(comparison: Comparison) -> str:
    """The SHA-256 of the comparison's canonical JSON, 64 hex digits: an approval binds to it."""
    return files.sha256_json(comparison.to_json())


def summary(comparison: Mapping[str, Any]) -> list[str]:
    """The lines for a terminal of a comparison, given as `Comparison.to_json`."""
    champion, rows = comparison["champion"], comparison["rows"]
    word = str(comparison["outcome"]).replace("_", " ")
    against = f"the candidate against the champion (version {champion['version']})" if champion else _FIRST
    lines = [f"{wording.sentence(word, ':')} {comparison['name']}, {against}"]
    if champion:
        lines.append(f"  {_row_counts(rows)}")
    for finding in comparison["findings"]:
        outcome = str(finding["outcome"]).replace("_", " ")
        severity = " (warning only)" if finding["severity"] == "warn" else ""
        lines.append(f"  {outcome}{severity}: {finding['reason']}")
    return lines + [f"  note: {note}" for note in comparison["notes"]]


def _row_counts(rows: Mapping[str, Any]) -> str:
    if rows["left_out"] is None:
        return f"0 of {wording.count(rows['test'])} test rows compared"
    return (
        f"{wording.count(rows['compared'])} of {wording.count(rows['test'])} test rows compared; "
        f"{wording.count(rows['left_out'])} left out because the champion was fitted or tuned on them"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Measurement):
        return _plain(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
