"""The gate of CI after a run: the last verdict, and how the model compares with the champion. `make gate`.

The policy's `challenge` says what a comparison demands, such as less than 2 points of accuracy lost, and a
release makes it. One that is missing, or about another model, is not evaluated, and that is never a pass.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from clearance import environment, params
from clearance.documents.comparison_document import ComparisonDocument
from clearance.documents.measurement import Outcome
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.errors import IntegrityError
from clearance.policy import judgement, policy_file
from clearance.reporting import current_verdict, summary
from clearance.versioning import pipeline_state


def compare_with_champion(root: Path) -> tuple[Outcome, Sequence[str]]:
    """How the model that lies in the project at `root` compares with the champion, and why, a line each.

    A pass where the policy demands no comparison, or the model is itself the champion.
    """
    policy = policy_file.load(root / params.load(root / "params.yaml").policy.file)
    if policy.challenge is None:
        return Outcome.PASS, ["the policy demands no comparison with the champion"]
    try:
        fingerprint = pipeline_state.verify(root).fingerprint
        receipt = ReleaseReceipt.read(root)
        if receipt.fingerprint == fingerprint and receipt.is_champion:
            return Outcome.PASS, ["the model is the champion"]
        comparison = ComparisonDocument.read(root)
    except IntegrityError as error:
        return Outcome.NOT_EVALUATED, [f"there is no comparison with the champion: {error.fault}"]
    if comparison.candidate.fingerprint != fingerprint:
        return Outcome.NOT_EVALUATED, ["the last comparison with the champion is about another model"]
    if comparison.champion is None:
        return comparison.outcome, ["there is no champion, so the verdict decides alone"]
    return comparison.outcome, [
        f"{finding.outcome}: {finding.reason}"
        for finding in comparison.findings
        if finding.outcome != Outcome.PASS
    ]


def main() -> None:
    """Print the verdict and the comparison, and end with the exit status of the worse one."""
    root = environment.project_root()
    verdict = current_verdict.read(root)
    outcome, reasons = compare_with_champion(root)
    lines = [verdict.title, *summary.reasons(verdict.document)] if not verdict.is_stale else [verdict.title]
    lines += [f"comparison with the champion: {outcome}", *reasons]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    last = Outcome.NOT_EVALUATED if verdict.is_stale else verdict.document.verdict
    sys.exit(judgement.worst([last, outcome]).exit_code)


if __name__ == "__main__":
    main()
