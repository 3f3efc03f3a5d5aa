"""The comparison as a value: who was compared with whom, on which rows, by what, and what was found.

Values only, the same for the same inputs: its digest is what people approve. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clearance import files, wording
from clearance.comparison.decision import Finding
from clearance.documents.measurement import Measurement, Outcome
from clearance.policy import comparison_terms

_WORST_FIRST = (Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE)
_DIGITS = 10
_FIRST = "the first version: there is no champion"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model by content; `version` is its number in the registry, None for the candidate."""

    fingerprint: str
    sha256: str
    threshold: float
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The candidate's test rows, those of them that the champion was fitted or tuned on, and the rest.

    `sha256` is of the hashes of the rows that were compared. `left_out` is None where it is not known.
    """

    test: int
    left_out: int | None
    compared: int
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate against the champion, or alone where there is none.

    `approvals` is how many people a first version needs at least, 0 for any other. `figures` are told beside
    the findings and decide nothing; `notes` are what a person should know about them.
    """

    name: str
    candidate: Model
    champion: Model | None
    policy: str
    asked: comparison_terms.ComparisonTerms
    rows: Rows
    findings: tuple[Finding, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings that block; a pass only where there is one and all of them pass."""
        seen = {each.outcome for each in self.findings if each.demand.severity == "block"}
        if not seen:
            return Outcome.PASS if self.asked.severity == "warn" and self.findings else Outcome.NOT_EVALUATED
        return next((outcome for outcome in _WORST_FIRST if outcome in seen), Outcome.PASS)

    @property
    def approvals(self) -> int:
        """How many people must agree at least, whatever the policy asks of every promotion."""
        return 0 if self.champion else self.asked.first_version.approvals

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON can hold it; numbers to ten digits, so that it is the same again."""
        whole = {
            "name": self.name,
            "candidate": asdict(self.candidate),
            "champion": self.champion and asdict(self.champion),
            "policy_sha256": self.policy,
            "asked": self.asked.model_dump(mode="json"),
            "rows": asdict(self.rows),
            "outcome": self.outcome,
            "approvals": self.approvals,
            "findings": [each.to_json() for each in self.findings],
            "figures": self.figures,
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = _plain(whole)
        return plain


def digest(comparison: Comparison) -> str:
    """The SHA-256 of the comparison's canonical JSON, 64 hex digits: what an approval binds to."""
    return files.sha256_json(comparison.to_json())


def summary(comparison: Mapping[str, Any]) -> list[str]:
    """The comparison, as `Comparison.to_json` gives it, in lines for a terminal."""
    champion, rows = comparison["champion"], comparison["rows"]
    word = str(comparison["outcome"]).replace("_", " ")
    against = f"the candidate against the champion (version {champion['version']})" if champion else _FIRST
    lines = [f"{wording.sentence(word, ':')} {comparison['name']}, {against}"]
    if champion:
        lines.append(f"  {_told(rows)}")
    for found in comparison["findings"]:
        mark = str(found["outcome"]).replace("_", " ")
        beside = ", only a warning" if found["severity"] == "warn" else ""
        lines.append(f"  {mark}{beside}: {found['reason']}")
    return lines + [f"  note: {each}" for each in comparison["notes"]]


def _told(rows: Mapping[str, Any]) -> str:
    if rows["left_out"] is None:
        return f"none of {wording.count(rows['test'])} test rows compared"
    return (
        f"{wording.count(rows['compared'])} of {wording.count(rows['test'])} test rows compared; "
        f"{wording.count(rows['left_out'])} left out, the champion was fitted or tuned on them"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Measurement):
        return _plain(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
